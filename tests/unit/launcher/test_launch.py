"""What is started, and what is refused: each place, each kind of bad file."""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from leanspec_launcher._tables import PROGRAMS
from tests.support.modules import write_module
from tests.support.preconditions import needs
from tests.support.site import HOST, Site, script, settle
from tests.support.surroundings import run

# System calls that a start makes more than a script that only becomes the program.
MOST_CALLS = 90
GOOD = script('printf "[%s]" started "$@"; exit 7')


@pytest.mark.posix
def test_start_passes_arguments_and_exit_code(site: Site) -> None:
    site.install("cli", GOOD)
    result = site.start("cli", "a b", "", "--", "ü", code=7)
    assert result.stdout == "[started][a b][][--][ü]"
    assert result.stderr == ""


@pytest.mark.posix
def test_start_keeps_the_process_number(site: Site) -> None:
    site.install("cli", script("echo $$"))
    call = site.call("cli", before="import os; print(os.getpid(), file=sys.stderr)")
    result = run([sys.executable, "-c", call], site.env)
    assert result.stdout == result.stderr


@pytest.mark.posix
def test_start_searches_variable_then_local_then_wheel(site: Site, tmp_path: Path) -> None:
    site.install("cli", script("echo wheel"))
    assert site.start("cli").stdout == "wheel\n"
    site.local("cli", script("echo local"), tmp_path / "local")
    folder = {"LEANSPEC_BINARIES_DIR": str(tmp_path / "local")}
    assert site.start("cli", env=folder).stdout == "local\n"
    path = tmp_path / "chosen"
    path.write_bytes(script("echo chosen"))
    path.chmod(0o755)
    env = folder | {"LEANSPEC_CLI_BINARY": str(path)}
    assert site.start("cli", env=env).stdout == "chosen\n"
    assert site.start("cli", env=dict.fromkeys(env, "")).stdout == "wheel\n"


@pytest.mark.posix
def test_start_finds_the_pinned_binary_in_the_store(site: Site) -> None:
    site.pin("cli", GOOD)
    store = Path(site.env["HOME"], ".local/share/lean-spec/binaries")
    path = store / site.pins["cli"][HOST.key].executable / "leanspec_cli_bin/bin/leanspec"
    path.parent.mkdir(parents=True)
    path.write_bytes(GOOD)
    path.chmod(0o755)
    assert site.start("cli", code=7).stdout == "[started]"


@pytest.mark.posix
def test_start_finds_a_wheel_on_sys_path(site: Site, tmp_path: Path) -> None:
    beside = site.install("cli", GOOD)
    elsewhere = tmp_path / "elsewhere/leanspec_cli_bin/bin"
    elsewhere.parent.mkdir(parents=True)
    beside.parent.rename(elsewhere)
    env = {"PYTHONPATH": str(tmp_path / "elsewhere")}
    assert site.start("cli", code=7, env=env).stdout == "[started]"


def test_start_runs_no_file_of_the_working_directory_or_path(
    site: Site, tmp_path: Path
) -> None:
    decoy = script("echo decoy")
    project = tmp_path / "project"
    builds = ("rust/target/debug", "rust/target/release", "target/release")
    for place in (*builds, "bin", "leanspec_cli_bin/bin"):
        for name in ("leanspec", "leanspec-mcp"):
            file = project / place / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(decoy)
            file.chmod(0o755)
    site.local("cli", decoy, project / "platform_wheels")
    (project / "inner").mkdir()
    env = {"PATH": f"{project / 'bin'}:/usr/bin:/bin"}
    for cwd in (project, project / "inner"):
        assert site.start("cli", cwd=cwd, code=127, env=env).stdout == ""


@pytest.mark.posix
def test_missing_binary_is_an_error_with_each_place_and_a_hint(site: Site) -> None:
    site.pin("http", GOOD)
    tools = site.root / "tools"
    tools.mkdir()
    (tools / "pip").touch(0o755)
    result = site.start("http", code=127, alone=True, env={"PATH": str(tools)})
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    expected = f"error: no `leanspec-http` binary for {HOST.label} (`{HOST.key}`) was found"
    assert lines[0] == expected
    places = ("environment variable", "local binaries", "installed wheel", "download store")
    for origin in places:
        assert any(line.startswith(f"  {origin} ") for line in lines)
    # This interpreter sees no packages (`-S`), so no pip of its own.
    pip = f"pip --python {shlex.quote(sys.executable)} install"
    command = f"{pip} --target '{site.root}' --upgrade 'lean-spec[ui]==9.9.9'"
    comment = "# with a pip before 22.3, first: pip install --upgrade pip"
    assert lines[-1] == f"hint: {command}  {comment}"


def test_a_changed_binary_is_refused_with_both_digests(site: Site) -> None:
    site.pin("cli", GOOD)
    path = site.wheel("cli", GOOD + b"\n")
    result = site.start("cli", code=126)
    assert result.stdout == ""
    assert result.stderr.startswith(
        f"error: refusing to run `{path}`: its SHA-256 is not the expected one\n"
    )
    assert site.pins["cli"][HOST.key].executable in result.stderr
    assert result.stderr.splitlines()[-1].startswith("hint: ")


def test_bad_local_binary_is_refused_despite_a_good_wheel(
    site: Site, tmp_path: Path
) -> None:
    site.install("cli", GOOD)
    site.local("cli", GOOD, tmp_path / "local", sha256="0" * 64)
    result = site.start(
        "cli", code=126, env={"LEANSPEC_BINARIES_DIR": str(tmp_path / "local")}
    )
    assert "an earlier place decides" in result.stderr


def test_without_pins_a_wheel_is_refused(site: Site) -> None:
    site.wheel("cli", GOOD)
    words = "this lean-spec has no checksum for it"
    assert words in site.start("cli", code=126).stderr


def test_a_local_binary_without_a_record_is_refused(site: Site, tmp_path: Path) -> None:
    path = site.local("cli", GOOD, tmp_path / "local")
    folder = {"LEANSPEC_BINARIES_DIR": str(tmp_path / "local")}
    record = path.with_name("binary.json")
    refused = f"cannot verify it: `{record}` is missing, unreadable, or has no `sha256`"
    for text in ("{}", '{"sha256": "short"}', '{"sha256": "' + "0" * 63 + '"}', "", "\0\0"):
        record.write_text(text, "utf-8")
        assert refused in site.start("cli", code=126, env=folder).stderr
    record.unlink()
    assert refused in site.start("cli", code=126, env=folder).stderr
    if sys.platform != "win32":
        os.mkfifo(record)
        assert refused in site.start("cli", code=126, env=folder).stderr


@pytest.mark.posix
@pytest.mark.parametrize(
    ("make", "code", "words"),
    [
        (lambda _: None, 127, "there is no such file"),
        (lambda path: path.mkdir(), 126, "it is a directory"),
        (
            lambda path: path.symlink_to("/nowhere"),
            127,
            "it is a link to a file that does not exist",
        ),
        (lambda path: path.write_bytes(b""), 126, "it is not executable"),
        (lambda path: path.symlink_to(path), 126, "Too many levels of symbolic links"),
    ],
)
def test_bad_variable_is_an_error_despite_a_good_wheel(
    site: Site, tmp_path: Path, make: Callable[[Path], object], code: int, words: str
) -> None:
    site.install("cli", GOOD)
    path = tmp_path / "chosen"
    make(path)
    result = site.start("cli", code=code, env={"LEANSPEC_CLI_BINARY": str(path)})
    assert result.stdout == ""
    assert words in result.stderr
    assert "hint: `unset LEANSPEC_CLI_BINARY`" in result.stderr


def test_a_relative_variable_is_refused(site: Site) -> None:
    (site.root / "here").write_bytes(GOOD)
    (site.root / "here").chmod(0o755)
    site.local("cli", GOOD, site.root / "folder")
    for name, value in (("CLI_BINARY", "here"), ("BINARIES_DIR", "folder")):
        result = site.start("cli", code=126, env={f"LEANSPEC_{name}": value})
        assert "relative path" in result.stderr


@pytest.mark.posix
@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "it is not a program for this system and CPU"),
        (b"\x7fELF" + bytes(60), "it is not a program for this system and CPU"),
        (b"neither", "it is not a program for this system and CPU"),
        (b"#!/no/such/loader\n", "the loader that it names is not on this system"),
    ],
)
def test_binary_that_the_system_cannot_start_is_explained(
    site: Site, data: bytes, words: str
) -> None:
    path = site.install("cli", data)
    result = site.start("cli", code=126)
    assert f"error: cannot start `{path}`: {words}" in result.stderr
    assert "hint: " in result.stderr


@pytest.mark.posix
def test_lost_run_bit_is_restored(site: Site) -> None:
    path = site.install("cli", GOOD, mode=0o644)
    assert site.start("cli", code=7).stdout == "[started]"
    assert path.stat().st_mode & 0o777 == 0o755


@pytest.mark.posix
def test_changed_file_gets_no_run_bit(site: Site) -> None:
    site.pin("cli", GOOD)
    path = site.wheel("cli", GOOD + b"#", mode=0o644)
    site.start("cli", code=126)
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.system
@needs("Linux", "root")
def test_a_lost_run_bit_on_a_read_only_system_is_explained(site: Site) -> None:
    path = site.install("cli", GOOD, mode=0o644)
    mount = f"mount --bind '{site.root}' '{site.root}' && mount -o remount,ro,bind '{site.root}' && exec \"$@\""
    start = [sys.executable, "-c", site.call("cli")]
    command = ["unshare", "--mount", "sh", "-ec", mount, "sh", *start]
    errors = run(command, site.env, cwd=Path("/"), code=126).stderr
    reason = "it is not executable (it lacks the run permission)"
    assert f"error: cannot start `{path}`: {reason}" in errors
    assert f"hint: let its owner run `chmod +x '{path}'`" in errors


@pytest.mark.posix
def test_arguments_beyond_the_limit_are_explained(site: Site) -> None:
    site.install("cli", GOOD)
    call = site.call("cli", before="sys.argv[1:] = ['x' * 100_000] * 100")
    result = run([sys.executable, "-c", call], site.env, code=126)
    assert "are larger than the system allows" in result.stderr


@pytest.mark.posix
def test_debug_variable_prints_each_place(site: Site) -> None:
    path = site.install("cli", GOOD)
    result = site.start("cli", code=7, env={"LEANSPEC_DEBUG": "1"})
    assert result.stdout == "[started]"
    assert result.stderr == f"debug: wheel `{path}`: there\n"


@pytest.mark.posix
def test_python_dash_m_starts_a_program(site: Site) -> None:
    site.install("http", GOOD)
    python = [sys.executable, "-m", "leanspec_launcher"]
    expected = "[started][x]"
    assert run([*python, "http", "x"], site.env, cwd=site.root, code=7).stdout == expected
    wrong = run([*python, "htttp"], site.env, cwd=site.root, code=2)
    assert "error: `htttp` is not a program\nhint: " in wrong.stderr


@pytest.mark.posix
def test_removed_program_is_an_error_despite_its_binary(site: Site) -> None:
    """Also as the Windows configuration of a client starts it. For all of it: tests/e2e/test_removal.py."""
    site.install("mcp", GOOD)
    table = site.root / "leanspec_launcher/_tables.py"
    text = table.read_text("utf-8")
    row = '"leanspec-mcp", answers'
    assert row in text
    write_module(table, text.replace(row, '"leanspec-mcp", ended="9.0.0", answers'))
    message = "error: `leanspec-mcp` was removed in LeanSpec 9.0.0\nhint: `leanspec-launcher mcp-config --remove --all`"
    assert site.start("mcp", "--version", code=127).stderr.startswith(message)
    command = [sys.executable, "-m", "leanspec_launcher", "mcp"]
    assert run(command, site.env, cwd=site.root, code=127).stderr.startswith(message)


MCP = script(
    """read line || exit 3; echo '{"jsonrpc":"2.0","id":1,"result":{"serverInfo":{"name":"x","version":"1.2.3"}}}'"""
)


@pytest.fixture
def mcp(site: Site) -> Site:
    site.install("mcp", MCP)
    return site


@pytest.mark.posix
@pytest.mark.parametrize("folder", ["/", "home", "link"])
@pytest.mark.parametrize("home", ["its own", "unset", "relative"])
def test_the_mcp_server_is_refused_in_the_root_and_the_home_folder(
    mcp: Site, tmp_path: Path, folder: str, home: str
) -> None:
    (tmp_path / "link").symlink_to("home")
    env = mcp.env | {"HOME": {"relative": "home"}.get(home, mcp.env["HOME"])}
    if home == "unset":
        del env["HOME"]
    is_refused = folder == "/" or home == "its own"
    start = [sys.executable, "-S", "-c", mcp.call("mcp")]
    result = run(start, env, cwd=tmp_path / folder, code=126 if is_refused else 3)
    here = Path(tmp_path / folder).resolve()
    assert (
        result.stderr.startswith(f"error: refusing to start `leanspec-mcp` in `{here}`: ")
        is is_refused
    )
    assert result.stderr.count("\nhint: ") == is_refused
    assert result.stdout == ""


@pytest.mark.posix
def test_the_mcp_server_starts_in_a_home_folder_that_is_a_project_or_allowed(
    mcp: Site, tmp_path: Path
) -> None:
    home = Path(mcp.env["HOME"])
    mcp.start("mcp", cwd=home, code=126)
    mcp.start("mcp", cwd=home, code=3, env={"LEANSPEC_MCP_ANYWHERE": "1"})
    mcp.start("mcp", cwd=tmp_path, code=3)
    (home / "inside").mkdir()
    mcp.start("mcp", cwd=home / "inside", code=3)
    for mark in ("specs/001", ".lean-spec/adapter.yaml"):
        (home / mark).mkdir(parents=True)
        mcp.start("mcp", cwd=home, code=3)
        shutil.rmtree(home / mark.partition("/")[0])
    (home / ".lean-spec").mkdir()
    mcp.start("mcp", cwd=home, code=126)


@pytest.mark.posix
def test_the_mcp_server_answers_and_other_programs_start_in_the_home_folder(
    mcp: Site,
) -> None:
    home = Path(mcp.env["HOME"])
    assert mcp.start("mcp", "--version", cwd=home).stdout == "leanspec-mcp 1.2.3\n"
    assert "Usage: leanspec-mcp" in mcp.start("mcp", "--help", cwd=home).stdout
    for program in ("cli", "http"):
        mcp.install(program, GOOD)
        mcp.start(program, cwd=home, code=7)
    assert not (home / "specs").exists()


@needs("strace")
@pytest.mark.parametrize("program", ["cli", "mcp"])
def test_a_start_makes_few_system_calls(site: Site, tmp_path: Path, program: str) -> None:
    settle(site.install(program, MCP))
    site.start(program, code=3)

    def calls(code: str) -> int:
        trace = tmp_path / "trace"
        command = ["strace", "-qq", "-o", str(trace), sys.executable, "-S", "-c", code]
        run(command, site.env, cwd=site.root, code=3)
        before, _, _ = trace.read_text().rpartition("execve(")
        return before.count("\n")

    binary = site.root / PROGRAMS[program].package / "bin" / PROGRAMS[program].command
    floor = f"import os, sys; os.execv({str(binary)!r}, ['x'])"
    assert calls(site.call(program)) - calls(floor) <= MOST_CALLS


@pytest.mark.posix
def test_mcp_version_with_another_argument_reaches_the_binary(site: Site) -> None:
    binary = script('printf "[%s]" "$@"')
    for program in ("mcp", "cli"):
        site.install(program, binary)
    assert site.start("mcp", "--version", "x").stdout == "[--version][x]"
    assert site.start("cli", "--version").stdout == "[--version]"


@pytest.mark.posix
def test_mcp_version_of_a_silent_server_is_an_error(site: Site) -> None:
    path = site.install("mcp", script("exit 0"))
    result = site.start("mcp", "--version", code=126)
    assert result.stdout == ""
    reason = "the server answered neither `server/discover` nor `initialize`"
    assert f"cannot start `{path}`: {reason}" in result.stderr


@pytest.mark.posix
def test_start_ignores_no_signal_in_the_program(site: Site) -> None:
    path = site.install("cli", script("grep -E '^Sig(Ign|Blk)' /proc/self/status"))
    direct = run([path], site.env).stdout
    actual = without_the_c_library_s(site.start("cli").stdout)
    assert actual == without_the_c_library_s(direct)


def without_the_c_library_s(status: str) -> list[int]:
    """Return masks of signals without 32 and 33, which glibc uses itself and hides from programs."""
    return [int(mask, 16) & ~(0b11 << 31) for mask in re.findall(r"\t(\w+)", status)]


def test_which_agrees_with_the_launch(site: Site) -> None:
    path = site.install("cli", GOOD)
    call = site.call("main", ".manage")
    command = [sys.executable, "-c", call, "which", "cli", "--json"]
    report = json.loads(run(command, site.env).stdout)["programs"][0]
    expected = ("cli", HOST.key, str(path))
    assert (report["program"], report["platform"], report["binary"]) == expected
    correct = ["absent", "absent", "taken"]
    assert [place["verdict"] for place in report["places"]][:3] == correct
    site.wheel("cli", GOOD + b"#")
    report = json.loads(run(command, site.env, code=1).stdout)["programs"][0]
    bad = next(place for place in report["places"] if place["verdict"] == "refused")
    assert report["binary"] is None
    assert bad["expected"] == [site.pins["cli"][HOST.key].executable]
    assert bad["kind"] == "changed"


@pytest.mark.posix
def test_installed_stub_is_explained_by_the_nearest_build(site: Site) -> None:
    site.pin("cli", GOOD)
    stub = site.root / "leanspec_cli_bin/stub.json"
    stub.parent.mkdir()
    builds = {HOST.key: ["manylinux_2_99_x86_64"], "darwin-arm64": ["macosx_11_0_arm64"]}
    stub.write_text(json.dumps({"version": "9.9.9", "builds": builds}), "utf-8")
    message = site.start("cli", code=127).stderr
    libc = " ".join(platform.libc_ver())
    assert f"  this is     Linux, CPU {platform.machine().lower()}, {libc}\n" in message
    assert f"  there is    {HOST.label}: manylinux_2_99_x86_64\n" in message
    assert f"  nearest     the one for {HOST.label} needs glibc 2.99 or newer\n" in message
    assert "hint: use a newer system" in message
    assert "force-reinstall" not in message, "that would bring the stub again"


@pytest.mark.parametrize(
    ("platform_key", "tag", "words"),
    [
        (
            "linux-arm64",
            "manylinux_2_28_aarch64",
            "the one for Linux on arm64 is for another CPU",
        ),
        ("windows-x64", "win_amd64", "none of them is for this system"),
        ("linux-x64", "musllinux_1_2_x86_64", "needs musl 1.2 or newer"),
        ("linux-x64", "manylinux2014_x86_64", "needs glibc 2.17 or newer"),
    ],
)
@needs("Linux on x86-64")
def test_the_nearest_build_is_named(
    site: Site, platform_key: str, tag: str, words: str
) -> None:
    stub = site.root / "leanspec_cli_bin/stub.json"
    stub.parent.mkdir()
    stub.write_text(json.dumps({"builds": {platform_key: [tag]}}), "utf-8")
    assert words in site.start("cli", code=127).stderr


@pytest.mark.posix
@pytest.mark.parametrize("start", ["exec ", ""], ids=["exec", "child"])
def test_script_that_starts_its_own_command_is_refused(
    site: Site, tmp_path: Path, start: str
) -> None:
    path = tmp_path / "mine"
    command = shlex.join([sys.executable, "-S", "-c", site.call("cli")])
    path.write_text(f'#!/bin/sh\n{start}{command} "$@"\n')
    path.chmod(0o755)
    result = site.start("cli", code=126, env={"LEANSPEC_CLI_BINARY": str(path)})
    assert result.stderr.startswith(
        f"error: refusing to run `{path}`: it is a script that starts this command again"
    )
    assert "hint: `unset LEANSPEC_CLI_BINARY`" in result.stderr
    assert result.stderr.count("error: ") == 1


@pytest.mark.posix
@pytest.mark.parametrize("count", ["", "x", "²", "9" * 99])
def test_script_starts_despite_an_invalid_count(
    site: Site, tmp_path: Path, count: str
) -> None:
    path = tmp_path / "mine"
    path.write_text("#!/bin/sh\necho started $LEANSPEC_SCRIPTS\n")
    path.chmod(0o755)
    env = {"LEANSPEC_CLI_BINARY": str(path), "LEANSPEC_SCRIPTS": count}
    assert site.start("cli", env=env).stdout == "started 1\n"
