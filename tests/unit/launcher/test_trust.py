"""Nothing is acted on but what was proved: planted files, folders and links, and files of other users."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.preconditions import missing, needs

if sys.platform == "win32":
    missing("POSIX", "planted with links, modes and owners")

from leanspec_launcher import _search
from leanspec_launcher._search import is_private
from scripts.wheels.pins import WheelPins
from tests.support import headers
from tests.support.site import HOST, NO_WHEEL, Site, needing, script, settle, stamps
from tests.support.surroundings import as_nobody, run, shebang

GOOD = script("echo started")
OTHER = 65534
MANAGEMENT = (("which",), ("verify",), ("doctor",))
needs_root = needs("root")


def lacking(site: Site) -> None:
    """Install a program whose library is not on this system, unchanged for long enough for a stamp."""
    data = needing("libneeded.so.3")
    settle(site.install("cli", data))


@pytest.mark.long
@needs("Linux")
@pytest.mark.parametrize("first", ["which", "verify", "doctor", "LEANSPEC_VERIFY=always"])
def test_missing_library_is_named_at_every_start(site: Site, first: str) -> None:
    lacking(site)
    if first == "LEANSPEC_VERIFY=always":
        site.start("cli", code=126, env={"LEANSPEC_VERIFY": "always"})
    else:
        site.manage(first)
    for _ in range(3):
        message = site.start("cli", code=126).stderr
        assert "it needs `libneeded.so.3`, which this system lacks" in message
    assert stamps(site) == []


@pytest.mark.long
@needs("Linux")
@pytest.mark.parametrize(
    "case", ["relative folder", "no record", "no pin", "another file", "variable"]
)
def test_the_loader_that_an_unverified_file_names_is_not_run(
    site: Site, tmp_path: Path, case: str
) -> None:
    evil = site.root / "evil"
    evil.write_bytes(script(f"touch '{tmp_path}/ran'"))
    evil.chmod(0o755)
    for loader in ("./evil", str(evil)):
        data = headers.elf(loader=loader)
        env = {}
        if case in ("relative folder", "no record"):
            path = site.local("cli", data, site.root / "bins")
            env = {
                "LEANSPEC_BINARIES_DIR": "bins"
                if case == "relative folder"
                else str(site.root / "bins")
            }
            if case == "no record":
                path.with_name("binary.json").unlink()
        elif case == "another file":
            site.pin("cli", GOOD)
            site.wheel("cli", data)
        elif case == "variable":
            env = {"LEANSPEC_CLI_BINARY": str(site.wheel("cli", data, mode=0o644))}
        else:
            site.wheel("cli", data)
        site.start("cli", code=126, env=env)
        site.manage_each(*MANAGEMENT, env=env)
    assert not (tmp_path / "ran").exists()


@needs("Linux")
def test_a_loader_in_the_working_directory_is_never_asked(
    site: Site, tmp_path: Path
) -> None:
    """Not even that of a verified program: the system would run it, whatever lies there."""
    (site.root / "evil").write_bytes(script(f"touch '{tmp_path}/ran'"))
    (site.root / "evil").chmod(0o755)
    data = headers.elf(loader="./evil")
    site.install("cli", data)
    assert "its loader `./evil` is not on this system" in site.start("cli", code=126).stderr
    assert not (tmp_path / "ran").exists()


def installed(site: Site) -> Path:
    """Install a good program, unchanged for long enough for a stamp."""
    path = site.install("cli", GOOD)
    settle(path)
    return path


@pytest.mark.parametrize("linked", ["lean-spec", "lean-spec/verified"])
def test_planted_link_in_the_cache_is_not_followed(
    site: Site, tmp_path: Path, linked: str
) -> None:
    """Nothing is made, found or removed behind it."""
    installed(site)
    elsewhere = tmp_path / "elsewhere"
    inside = elsewhere if linked.endswith("verified") else elsewhere / "verified"
    inside.mkdir(parents=True, mode=0o700)
    elsewhere.chmod(0o700)
    for number in range(300):
        (inside / f"1.{number:x}.3.4.5.{'0' * 64}").touch()
    link = Path(site.env["HOME"]) / ".cache" / linked
    link.parent.mkdir(parents=True, mode=0o700)
    link.symlink_to(elsewhere)
    for _ in range(2):
        assert site.start("cli").stdout == "started\n"
    assert len(list(inside.iterdir())) == 300


def test_a_link_of_the_users_own_cache_folder_is_followed(
    site: Site, tmp_path: Path
) -> None:
    installed(site)
    (tmp_path / "big disk").mkdir()
    Path(site.env["HOME"]).mkdir(exist_ok=True)
    (Path(site.env["HOME"]) / ".cache").symlink_to(tmp_path / "big disk")
    site.start("cli")
    assert len(stamps(site)) == 1


def test_only_a_start_leaves_a_stamp(site: Site) -> None:
    """Whoever looks changes nothing."""
    installed(site)
    for result in site.manage_each(*MANAGEMENT):
        assert str(site.root) in result.stdout
    assert stamps(site) == []
    site.start("cli")
    assert len(stamps(site)) == 1


@pytest.mark.parametrize("folder", ["lean-spec", "lean-spec/verified"])
@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_stamp_in_a_folder_that_others_may_write_to_does_not_count(
    site: Site, folder: str, mode: int
) -> None:
    path = installed(site)
    site.start("cli")
    (Path(site.env["HOME"]) / ".cache" / folder).chmod(mode)
    forge(site, path)
    assert site.start("cli", code=126).stdout == ""


def forge(site: Site, path: Path) -> None:
    """Change a program and leave the stamp that would make it known."""
    path.write_bytes(script("echo changed"))
    folder = Path(site.env["HOME"]) / ".cache/lean-spec/verified"
    digest = site.pins["cli"][HOST.key].executable
    (folder / f"{_search.state_of(str(path))}.{digest}").touch()


def test_forged_stamp_in_a_private_folder_counts(site: Site) -> None:
    """What the tests above defend against is real."""
    path = installed(site)
    site.start("cli")
    forge(site, path)
    assert site.start("cli").stdout == "changed\n"


@needs_root
def test_a_stamp_in_a_folder_of_another_user_does_not_count(site: Site) -> None:
    path = installed(site)
    site.start("cli")
    forge(site, path)
    os.chown(Path(site.env["HOME"]) / ".cache/lean-spec", OTHER, OTHER)
    assert site.start("cli", code=126).stdout == ""
    os.chown(Path(site.env["HOME"]) / ".cache/lean-spec", 0, 0)
    os.chown(Path(site.env["HOME"]) / ".cache/lean-spec/verified", OTHER, OTHER)
    assert site.start("cli", code=126).stdout == ""


@needs_root
@pytest.mark.parametrize(
    "part", [".local/share/lean-spec", ".local/share/lean-spec/binaries", "the last"]
)
def test_a_program_in_a_store_of_another_user_is_not_run(site: Site, part: str) -> None:
    """Root with a user's `HOME`: sudo keeps it, and a store of downloads is reached by default."""
    site.pin("http", GOOD)
    home = Path(site.env["HOME"])
    pin = site.pins["http"][HOST.key].executable
    folder = home / ".local/share/lean-spec/binaries" / pin / "leanspec_http_bin/bin"
    folder.mkdir(parents=True)
    (folder / "leanspec-http").write_bytes(GOOD)
    (folder / "leanspec-http").chmod(0o755)
    assert site.start("http").stdout == "started\n"
    os.chown(folder if part == "the last" else home / part, OTHER, OTHER)
    result = site.start("http", code=127)
    assert result.stdout == ""
    assert "not used: its folder does not belong to this user alone" in result.stderr


@needs_root
@pytest.mark.parametrize("existing", ["", ".cache"])
def test_root_writes_nothing_into_a_users_home(site: Site, existing: str) -> None:
    installed(site)
    home = Path(site.env["HOME"])
    (home / existing).mkdir(parents=True, exist_ok=True)
    for folder in {home, home / existing}:
        os.chown(folder, OTHER, OTHER)
    before = sorted(home.rglob("*"))
    assert site.start("cli").stdout == "started\n"
    assert sorted(home.rglob("*")) == before


def test_the_folder_of_the_stamps_is_this_users_alone(site: Site) -> None:
    installed(site)
    before = os.umask(0)
    try:
        site.start("cli")
    finally:
        os.umask(before)
    folder = Path(site.env["HOME"]) / ".cache/lean-spec/verified"
    assert is_private(str(folder))
    assert is_private(str(folder.parent))
    assert [path.stat().st_mode & 0o777 for path in folder.iterdir()] == [0o600]


@pytest.mark.parametrize("way", ["PYTHONPATH", "relative PYTHONPATH", "-m"])
@pytest.mark.parametrize("verify", ["once", "off"])
def test_the_working_directory_is_not_searched(
    site: Site, tmp_path: Path, way: str, verify: str
) -> None:
    """`site` makes an empty or relative entry of PYTHONPATH absolute, and `-m` puts the folder itself first."""
    site.pin("cli", GOOD)
    project = tmp_path / "project"
    inner = "lib" if way == "relative PYTHONPATH" else "."
    decoy = project / inner / "leanspec_cli_bin/bin/leanspec"
    decoy.parent.mkdir(parents=True)
    decoy.write_bytes(script("echo decoy"))
    decoy.chmod(0o755)
    command = [sys.executable, "-c", site.call("cli")]
    path = {"PYTHONPATH": "", "relative PYTHONPATH": "lib", "-m": ""}[way]
    env = site.env | {"LEANSPEC_VERIFY": verify, "PYTHONPATH": f"{path}:"}
    if way == "-m":
        command = [sys.executable, "-m", "leanspec_launcher", "cli"]
        env["PYTHONPATH"] = str(site.root)
    result = run(command, env, code=127, cwd=project)
    assert (result.stdout, "decoy" in result.stderr) == ("", False)
    assert str(project) not in result.stderr


def test_a_release_does_not_take_a_folder_for_a_checkout(site: Site) -> None:
    installed(site)
    site.local("cli", script("echo local"), site.root / "platform_wheels")
    assert site.start("cli").stdout == "started\n"
    assert "platform_wheels" not in site.manage("which", "cli").stdout


@needs("Linux", "setarch")
def test_unknown_machine_starts_the_binary_of_the_variable(
    site: Site, tmp_path: Path
) -> None:
    chosen = tmp_path / "chosen"
    chosen.write_bytes(GOOD)
    chosen.chmod(0o755)
    site.pin("cli", GOOD)
    site.pin("mcp", GOOD)
    old = ["setarch", "i686", sys.executable]
    env = site.env | {"LEANSPEC_CLI_BINARY": str(chosen)}
    assert run([*old, "-c", site.call("cli")], env).stdout == "started\n"
    message = run([*old, "-c", site.call("cli")], site.env, code=127).stderr
    assert message.startswith("error: `leanspec` has no build for this machine\n")
    assert f"  there is    {HOST.label}\n" in message
    assert "macOS" not in message, "this release has no build for it"
    launcher = [*old, "-c", site.call("main", ".manage")]
    report = json.loads(run([*launcher, "which", "cli", "--json"], env).stdout)
    (search,) = report["programs"]
    assert (search["platform"], search["binary"]) == (None, str(chosen))
    assert str(chosen) in run([*launcher, "verify", "cli"], env).stdout
    message = run([*launcher, "repair", "mcp", "--dry-run"], env).stderr
    assert message.splitlines()[-1].endswith("leanspec-mcp-bin==9.9.9")
    output = run([*launcher, "mcp-config", "claude"], env, code=None).stderr
    assert "Traceback" not in output


@needs_root
@needs("setpriv", "a Python for every user")
def test_unreachable_place_is_refused_by_start_and_verdicts(site: Site) -> None:
    path = installed(site)
    folder = path.parent
    folder.chmod(0o700)
    _, message = as_nobody(site.root, folder, site.call("cli"), 126)
    words = f"refusing to run `{path}`: its status cannot be read (Permission denied)\n"
    assert message.startswith(f"error: {words}")
    expected = f"hint: let its owner run `chmod a+rx '{folder}'`"
    assert message.splitlines()[-1] == expected
    show = (
        "from leanspec_launcher.explain.verdicts import verdicts, deciding;"
        "from leanspec_launcher._search import Start;"
        "from leanspec_launcher._tables import PROGRAMS;"
        "print(deciding(verdicts(Start(PROGRAMS['cli']))).refusal.kind.value)"
    )
    code = f"import sys; sys.path.insert(0, {str(site.root)!r}); {show}"
    assert as_nobody(site.root, folder, code) == ("cannot be looked at\n", "")


def test_pinned_build_of_another_cpu_is_started(site: Site) -> None:
    """A universal Python under Rosetta has the wheel that its installer chose without Rosetta."""
    other = {"linux-x64": "linux-arm64", "linux-arm64": "linux-x64"}.get(
        HOST.key, "darwin-x64"
    )
    site.pin("cli", GOOD)
    none, foreign = WheelPins("0" * 64, {}, NO_WHEEL), WheelPins("1" * 64, {}, NO_WHEEL)
    site.pins["cli"] = {
        other: site.pins["cli"][HOST.key],
        HOST.key: none,
        "windows-x64": foreign,
    }
    site.write_pins()
    path = site.wheel("cli", GOOD)
    settle(path)
    for _ in range(2):
        assert site.start("cli").stdout == "started\n"
    site.pins["cli"] = {"windows-x64": site.pins["cli"][other], HOST.key: none}
    site.write_pins()
    assert site.start("cli", code=126).stdout == "", "another system's"


@pytest.mark.long
@pytest.mark.parametrize(
    "make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")], ids=["FIFO", "device"]
)
@pytest.mark.parametrize("origin", ["wheel", "local", "variable"])
def test_fifo_and_device_are_refused_unopened(
    site: Site, make: Callable[[Path], object], origin: str
) -> None:
    site.pin("cli", GOOD)
    path, env = site.wheel("cli", GOOD), {}
    if origin == "local":
        path = site.local("cli", GOOD, site.root / "bins")
        env = {"LEANSPEC_BINARIES_DIR": str(site.root / "bins")}
    elif origin == "variable":
        env = {"LEANSPEC_CLI_BINARY": str(path)}
    path.unlink()
    make(path)
    message = site.start("cli", code=126, env=env).stderr
    assert "it is not a regular file" in message
    site.manage_each(*MANAGEMENT, env=env)


def test_a_file_far_larger_than_any_program_is_not_read(site: Site) -> None:
    path = installed(site)
    os.truncate(path, 1 << 40)
    message = site.start("cli", code=126).stderr
    assert f"it has {1 << 40} bytes, more than any program of LeanSpec" in message


@pytest.mark.parametrize("way", ["itself", "another command of ours", "a link to it"])
def test_variable_with_our_own_script_is_refused(site: Site, way: str) -> None:
    """Without this, each round would start the next one forever."""
    installed(site)
    commands = [site.root / name for name in ("leanspec", "lean-spec", "link")]
    for command in commands[:2]:
        command.write_text(f"{shebang(options=' -S')}\n{site.call('cli')}\n")
        command.chmod(0o755)
    commands[2].symlink_to(commands[0])
    chosen = commands[["itself", "another command of ours", "a link to it"].index(way)]
    result = run([commands[0]], site.env | {"LEANSPEC_CLI_BINARY": str(chosen)}, code=126)
    assert (
        f"refusing to run `{chosen}`: it is this very command, which would start itself for ever"
        in result.stderr
    )
    assert result.stderr.splitlines()[-1].startswith("hint: `unset LEANSPEC_CLI_BINARY`")
