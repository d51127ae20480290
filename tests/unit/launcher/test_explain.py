"""A start that fails: one message with the facts, and what to type."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import os
import platform
import random
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from leanspec_launcher import _search
from leanspec_launcher._search import WHEEL, Place, Start
from leanspec_launcher._tables import PROGRAMS
from leanspec_launcher.explain.hints import OPENSSL_PACKAGES
from leanspec_launcher.verify.proof import verify
from leanspec_launcher.verify.refusal import Refusal
from scripts.environment import ROOT
from tests.support import headers
from tests.support.modules import write_module
from tests.support.preconditions import missing, needs, require
from tests.support.registry import package, serving
from tests.support.site import HOST, Site, compiled, needing, script, settle, stamps
from tests.support.surroundings import as_nobody, run
from tests.support.versions import OURS

if sys.platform != "linux":
    missing("Linux", "the faults are those of Linux")

GOOD = script("echo started")


def refused(site: Site, data: bytes, **env: str) -> list[str]:
    """Return the lines with which a pinned program is refused, which is one message."""
    site.install("cli", data)
    result = site.start("cli", code=126, env=env)
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    actual = [line.startswith("error: ") for line in lines]
    assert actual == [True] + [False] * (len(lines) - 1)
    outcome = [line.startswith("hint: ") for line in lines]
    assert outcome == [False] * (len(lines) - 1) + [True]
    return lines


def test_loadable_program_is_started(site: Site) -> None:
    data = compiled()
    site.install("cli", data)
    assert site.start("cli", code=7).stderr == ""


def test_a_missing_library_is_named(site: Site) -> None:
    lines = refused(site, needing("libsxx.so.3"))
    assert lines[0].endswith("it needs `libsxx.so.3`, which this system lacks")
    assert any(line.startswith("  this is    Linux, CPU ") for line in lines)


def test_a_damaged_library_is_named_with_its_package(site: Site, tmp_path: Path) -> None:
    (tmp_path / "libssl.so.3").write_bytes(b"")
    lines = refused(site, needing("libssl.so.3"), LD_LIBRARY_PATH=str(tmp_path))
    text = f"it needs `{tmp_path}/libssl.so.3`, which cannot be loaded (file too short)"
    assert text in lines[0]
    system = platform.freedesktop_os_release()
    names = [system["ID"], *system.get("ID_LIKE", "").split()]
    commands = [f"`{OPENSSL_PACKAGES[name]}`" for name in names if name in OPENSSL_PACKAGES]
    assert lines[-1] == f"hint: {[*commands, 'install OpenSSL 3 on this system'][0]}"


def test_a_newer_glibc_is_named(site: Site) -> None:
    data = compiled()
    assert b"GLIBC_2.34\0" in data
    # The loader compares the hash of the name first, so both are changed alike.
    data = data.replace(b"GLIBC_2.34\0", b"GLIBC_2.99\0").replace(
        elf_hash(b"GLIBC_2.34"), elf_hash(b"GLIBC_2.99")
    )
    lines = refused(site, data)
    assert "it needs GLIBC_2.99 of `libc.so.6`; this system has an older one" in lines[0]
    assert lines[-1].startswith("hint: use a newer system")


def elf_hash(name: bytes) -> bytes:
    """Return the hash of a version's name (System V ABI, chapter 5)."""
    value = 0
    for byte in name:
        value = (value << 4) + byte
        value = (value ^ (value & 0xF0000000) >> 24) & 0x0FFFFFFF
    return value.to_bytes(4, "little")


def test_a_missing_loader_is_named(site: Site) -> None:
    lines = refused(site, compiled("-Wl,--dynamic-linker=/lib/ld-nowhere.so.1"))
    assert lines[0].endswith("its loader `/lib/ld-nowhere.so.1` is not on this system")


def test_loader_is_asked_again_until_the_library_is_there(
    site: Site, tmp_path: Path
) -> None:
    """No stamp spares a program that could not be loaded."""
    loader = tmp_path / "loader"
    data = compiled(f"-Wl,--dynamic-linker={loader}")
    path = site.install("cli", data)
    settle(path)
    assert "its loader" in site.start("cli", code=126).stderr
    loader.symlink_to("/lib64/ld-linux-x86-64.so.2")
    site.start("cli", code=7)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (
            headers.elf("aarch64" if HOST.key == "linux-x64" else "x86_64"),
            "a Linux program for ",
        ),
        (headers.mach_o("aarch64"), "a macOS program for Apple silicon"),
        (headers.pe("x86_64"), "a Windows program for x86-64"),
        (b"\xca\xfe\xba\xbe" + bytes(4000), "a macOS program for several CPUs"),
        (b"", "empty"),
        (b"\x7fELF", "a truncated program"),
        (b"hello", "no program of any known format"),
    ],
)
def test_a_program_for_another_machine_is_named(
    site: Site, data: bytes, words: str
) -> None:
    lines = refused(site, data)
    assert lines[0].endswith(": it is not a program for this system and CPU")
    assert lines[1].startswith(f"  it is      {words}")


def test_a_changed_file_is_told_from_that_of_another_release(site: Site) -> None:
    site.pin("cli", GOOD)
    site.wheel("cli", b"other", 0o644)
    info = site.root / "leanspec_cli_bin-9.9.8.dist-info"
    info.mkdir()
    metadata = "Metadata-Version: 2.1\nName: leanspec-cli-bin\nVersion: 9.9.8\n"
    (info / "METADATA").write_text(metadata)
    installed = "since leanspec-cli-bin 9.9.8 installed it"
    for data, words in (
        (b"another", f"changed    {installed}, with 5 bytes"),
        (b"other", f"unchanged  {installed}"),
    ):
        recorded = f"leanspec_cli_bin/bin/leanspec,sha256={urlsafe_digest(data)},5\n"
        (info / "RECORD").write_text(recorded)
        message = site.start("cli", code=126).stderr
        assert f"  {words}\n" in message
        assert "chmod" not in message, "the run bit is the least of it"
        needed = (
            "  installed  leanspec-cli-bin 9.9.8; lean-spec 9.9.9 needs the same version\n"
        )
        assert needed in message


def urlsafe_digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def test_start_waits_for_a_file_that_is_being_written(site: Site) -> None:
    site.pin("cli", GOOD)
    data = Path(shutil.which("true") or "/bin/true").read_bytes()
    path = site.install("cli", data)
    with path.open("r+b"):
        result = site.start("cli", code=126)
    assert ": another process is still writing it\n" in result.stderr
    correct = "hint: try again when the installer is done with it"
    assert result.stderr.splitlines()[-1] == correct
    file = path.open("r+b")
    timer = threading.Timer(0.7, file.close)
    timer.start()
    assert site.start("cli").stderr == ""
    timer.join()


@pytest.fixture
def noexec(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "noexec"
    folder.mkdir()
    require("mounts")
    mount = ["mount", "-t", "tmpfs", "-o", "noexec", "tmpfs", str(folder)]
    subprocess.run(mount, check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.system
@pytest.mark.parametrize("mode", [0o755, 0o644])
def test_noexec_file_system_is_named(site: Site, noexec: Path, mode: int) -> None:
    shutil.copytree(site.root, noexec / "site")
    moved = Site(noexec / "site", site.env)
    moved.install("cli", GOOD, mode)
    message = moved.start("cli", code=126).stderr
    assert "its file system is mounted `noexec`\n" in message
    assert "hint: install lean-spec on a file system that lets programs run" in message


@pytest.mark.system
@needs("root", "setpriv", "a Python for every user")
def test_unreadable_file_is_named_with_a_chmod(site: Site) -> None:
    path = site.install("cli", GOOD, 0o700)
    _, errors = as_nobody(site.root, path, site.call("cli"), 126)
    words = f"error: refusing to run `{path}`: it cannot be read (Permission denied)\n"
    assert errors.startswith(words)
    assert f"hint: let its owner run `chmod a+rx '{path}'`" in errors


@pytest.mark.parametrize(
    ("installer", "hint"),
    [
        ("pip", "hint: pip --python "),
        ("uv", "hint: uv pip install --python "),
        ("conda", "hint: conda install --force-reinstall lean-spec leanspec-cli-bin"),
        ("debian", "system's package manager, or `leanspec-launcher fetch cli`"),
    ],
)
def test_hint_is_that_of_the_installer_in_use(
    site: Site, tmp_path: Path, installer: str, hint: str
) -> None:
    site.pin("cli", GOOD)
    info = site.root / "lean_spec-9.9.9.dist-info"
    info.mkdir()
    metadata = "Metadata-Version: 2.1\nName: lean-spec\nVersion: 9.9.9\n"
    (info / "METADATA").write_text(metadata)
    (info / "INSTALLER").write_text(f"{installer}\n")
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "uv").touch(0o755)
    path = {"PATH": f"{tools}:{site.env['PATH']}"}
    message = site.start("cli", code=127, env=path, alone=True).stderr
    assert hint in message.splitlines()[-1]


def test_failing_explanation_is_one_message(site: Site) -> None:
    broken = site.root / "leanspec_launcher/explain/verdicts.py"
    code = broken.read_text().replace("    decided = False\n", "    decided = 1 / 0\n")
    write_module(broken, code)
    message = site.start("cli", code=126).stderr
    assert message.startswith("error: `leanspec` did not start: FileNotFoundError: ")
    text = "  diagnosing the failure failed as well: ZeroDivisionError: division by zero\n"
    assert text in message
    assert message.splitlines()[-1] == "hint: reinstall lean-spec"


def test_an_import_from_an_archive_is_explained(site: Site, tmp_path: Path) -> None:
    site.install("cli", GOOD)
    archive = tmp_path / "site.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in site.root.rglob("*"):
            file.write(path, path.relative_to(site.root))
    zipped = Site(archive, site.env)
    command = [sys.executable, "-S", "-c", zipped.call("cli")]
    message = run(command, site.env, code=127).stderr
    inside = f"`{archive}/leanspec_cli_bin/bin/leanspec`: not there: lean-spec is inside an archive"
    assert inside in message
    typed = "`pip install --target FOLDER lean-spec==9.9.9`"
    assert f"hint: install lean-spec into a folder instead: {typed}" in message


@pytest.mark.parametrize(
    ("value", "code", "words"),
    [
        ("", 0, ""),
        ("/nowhere", 127, "there is no such file"),
        ("/usr", 126, "it is a directory"),
        ("leanspec", 126, "it is a relative path"),
        (os.fsdecode(b"/nowhere/\xff\xfe"), 127, "there is no such file"),
        ("/" + "x" * 300, 126, "its status cannot be read (File name too long)"),
        ("/dev/null", 126, "it is not a regular file"),
        ("/etc/passwd/x", 126, "Not a directory"),
    ],
)
def test_variable_is_used_or_explained(
    site: Site, value: str, code: int, words: str
) -> None:
    site.install("cli", GOOD)
    result = site.start("cli", code=code, env={"LEANSPEC_CLI_BINARY": value})
    assert words in result.stderr
    assert result.stdout == ("started\n" if code == 0 else "")


@pytest.mark.parametrize(
    "value", ["/nowhere", "/etc/passwd", os.fsdecode(b"/nowhere/\xff")]
)
def test_binaries_directory_without_binaries_is_skipped(site: Site, value: str) -> None:
    site.install("cli", GOOD)
    assert site.start("cli", env={"LEANSPEC_BINARIES_DIR": value}).stdout == "started\n"


def flipped(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(changed)


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize(
    ("changes", "every"),
    [(20, 5), pytest.param(1000, 1, marks=pytest.mark.slow)],
    ids=["some", "many"],
)
def test_changed_or_truncated_binary_is_never_run(
    site: Site,
    binaries: Path,
    program: str,
    changes: int,
    every: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After a start that left its stamp; a new file each time, and the same file written again.

    Each is refused as a start does it, in this process; every so many are started, too.
    """
    command = PROGRAMS[program].command
    whole = (binaries / program / "binaries" / HOST.key / command).read_bytes()
    path = site.install(program, whole)
    settle(path)
    site.start(program, "--version")
    assert len(stamps(site)) == 1
    pin = site.pins[program][HOST.key].executable
    monkeypatch.setattr(_search, "SHA256", {program: {HOST.key: pin}})
    monkeypatch.setenv("HOME", site.env["HOME"])
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    chance = random.Random(command)  # noqa: S311 - the same bytes in every run
    bad = itertools.chain(
        (flipped(whole, chance) for _ in range(changes)),
        (whole[: chance.randrange(len(whole))] for _ in range(changes // 4)),
    )
    for number, data in enumerate(bad):
        if number % 2:
            path = site.wheel(program, data)
        else:
            path.write_bytes(data)
        start, place = Start(PROGRAMS[program]), Place(WHEEL, str(path))
        assert start.must_verify(place)
        with pytest.raises(Refusal, match="its SHA-256 is not the expected one"):
            verify(start, place)
        if number % every == 0:
            result = site.start(program, "--version", code=126)
            assert result.stdout == ""
            assert result.stderr.startswith(
                f"error: refusing to run `{path}`: its SHA-256 is not the expected one\n"
            )
            assert result.stderr.count("error: ") == 1


def test_exception_of_the_launcher_is_one_message(site: Site) -> None:
    before = (
        "from leanspec_launcher._search import Start; Start.first_place = lambda _: 1 / 0"
    )
    call = site.call("cli", before=before)
    result = run([sys.executable, "-S", "-c", call], site.env, code=126)
    first = "error: the launcher itself failed: ZeroDivisionError: division by zero\n"
    assert result.stderr.startswith(first)


def test_typescript_is_started_through_npx_when_asked(site: Site, tmp_path: Path) -> None:
    npx = tmp_path / "tools/npx"
    npx.parent.mkdir()
    site.write_pins()
    npx.write_bytes(script('printf "[%s]" "$@"; exit 5'))
    npx.chmod(0o755)
    decoy = site.root / "npx"  # in the working directory
    decoy.write_bytes(script("echo decoy"))
    decoy.chmod(0o755)
    env = {"PATH": f".::{npx.parent}:/usr/bin:/bin"}
    prefix = site.root / "leanspec_launcher/instead"
    expected = (
        f"[--prefix={prefix}][--yes][--package=lean-spec@0.2.9][--][lean-spec][list][a b]"
    )
    result = site.start("cli", "--use-typescript", "list", "a b", env=env, code=5)
    assert result.stdout == expected
    assert result.stderr == (
        "note: `--use-typescript` runs lean-spec@0.2.9, the last TypeScript release, through"
        f" `{npx}`, until LeanSpec 0.4\n"
    )
    result = site.start("cli", "list", "a b", env=env | {"LEANSPEC_USE_TS": "1"}, code=5)
    assert result.stdout == expected
    env = {"PATH": "/nowhere", "LEANSPEC_USE_TS": "yes"}
    errors = site.start("cli", "list", env=env, code=127).stderr
    words = "error: `LEANSPEC_USE_TS` asks for lean-spec@0.2.9, which needs `npx`"
    assert errors.startswith(words)
    assert errors.splitlines()[-1].startswith("hint: install Node.js")


@pytest.mark.long
def test_typescript_release_that_npm_lacks_is_an_error(site: Site, tmp_path: Path) -> None:
    """By the real npm; and it is started if the registry has it."""
    require("npm")
    site.write_pins()
    npx = shutil.which("npx")
    assert npx is not None
    with serving(tmp_path) as registry:
        path = f"{Path(npx).parent}:/usr/bin:/bin"
        env = registry.settings() | {"PATH": path, "LEANSPEC_USE_TS": "1"}
        gone = site.start("cli", "list", env=env, code=127)
        assert gone.stderr == (
            "error: `LEANSPEC_USE_TS` asks for lean-spec@0.2.9, which npm's registry does not have\n"
            "hint: leave that out to run the Rust program, `leanspec`\n"
        )
        manifest = {"name": "lean-spec", "version": "0.2.9", "bin": {"lean-spec": "x.js"}}
        files = {
            "package.json": json.dumps(manifest).encode(),
            "x.js": b"#!/usr/bin/env node\nconsole.log(process.argv.slice(2))\n",
        }
        registry.publish("lean-spec", "0.2.9", package("lean-spec", "0.2.9", files))
        assert site.start("cli", "list", env=env).stdout == "[ 'list' ]\n"


def test_typescript_is_not_pinned_by_a_checkout(site: Site) -> None:
    result = site.start("cli", "--use-typescript", code=127)
    assert "asks for a TypeScript release, and a source checkout pins none" in result.stderr


def test_typescript_option_is_for_the_cli_alone(site: Site) -> None:
    binary = script('printf "[%s]" "$@"')
    for program in ("mcp", "cli"):
        site.install(program, binary)
    actual = site.start("mcp", "--use-typescript", env={"LEANSPEC_USE_TS": "1"}).stdout
    assert actual == "[--use-typescript]"
    assert (
        site.start("cli", "list", "--use-typescript", env={"LEANSPEC_USE_TS": "0"}).stdout
        == "[list][--use-typescript]"
    )


def test_typescript_module_goes_with_0_4() -> None:
    """When this fails, `instead/typescript.py`, its variable and its option go."""
    assert OURS.startswith("0.3.")
    assert (ROOT / "leanspec_launcher/instead/typescript.py").exists()
