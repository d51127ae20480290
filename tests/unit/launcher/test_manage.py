"""What the management commands do, and leave alone, in an installation made by hand: no installer takes part."""

from __future__ import annotations

import base64
import errno
import json
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from leanspec_launcher._release import Wheel
from leanspec_launcher._tables import PROGRAMS
from leanspec_launcher.commands import CommandError, explained
from leanspec_launcher.manage.update import index
from leanspec_launcher.web.settings import Settings, data_folder, read_settings
from scripts.environment import ROOT
from scripts.wheels.pins import WheelPins
from tests.support.site import HOST, Site, script
from tests.support.surroundings import run, shebang

pytestmark = pytest.mark.posix
VERSION = "9.9.9"
COMMANDS = {
    "lean-spec": "leanspec_launcher:cli",
    "leanspec": "leanspec_launcher:cli",
    "leanspec-mcp": "leanspec_launcher:mcp",
    # The extra that brings its binary is not installed.
    "leanspec-http": "leanspec_launcher:http",
    # Not ours to judge, though the names are alike.
    "other": "other:cli",
    "leanspec-more": "leanspec_launcher:more",
    "leanspec-launcher": "leanspec_launcher.manage:main",
}
ANSWER = {"id": 1, "result": {"serverInfo": {"version": VERSION}}}
CONTENTS = {
    "cli": script("echo cli $*", "cli"),
    "mcp": script(f"echo '{json.dumps(ANSWER)}'", "mcp"),
}
# What stands in for uv: it writes down what it is told, and does what the test wants.
UV = """#!/bin/sh
echo "$*" >> "$0.log"
{}
"""


@dataclass
class Installation:
    """A site with its record, its scripts, and an installer."""

    site: Site
    scripts: Path
    tools: Path

    def contents(self) -> dict[str, bytes]:
        """Return every script as it is."""
        return {path.name: path.read_bytes() for path in sorted(self.scripts.iterdir())}

    def manage(
        self, *arguments: str, code: int = 0, env: dict[str, str] | None = None
    ) -> str:
        """Run a command; return all that it says."""
        path = {"PATH": f"{self.tools}:{self.site.env['PATH']}"}
        done = self.site.manage(*arguments, code=code, env=path | (env or {}))
        return done.stdout + done.stderr

    def manage_with(self, before: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command in a Python in which something was done before."""
        command = [
            sys.executable,
            "-c",
            self.site.call("main", ".manage", before),
            *arguments,
        ]
        return subprocess.run(
            command, env=self.site.env, capture_output=True, text=True, check=False
        )

    def uv(self, then: str) -> None:
        """Put an installer there."""
        path = self.tools / "uv"
        path.write_text(UV.format(then))
        path.chmod(0o755)

    def told(self) -> list[str]:
        """Return what the installer was told."""
        log = self.tools / "uv.log"
        return log.read_text().splitlines() if log.exists() else []

    def binary(self, program: str) -> Path:
        return self.site.root / PROGRAMS[program].package / "bin" / self.site.name(program)


def record(site: Site, name: str, files: list[str], commands: dict[str, str]) -> None:
    """Write what an installer records of a distribution."""
    folder = site.root / f"{name.replace('-', '_')}-{VERSION}.dist-info"
    folder.mkdir()
    points = "".join(f"{command} = {target}\n" for command, target in commands.items())
    (folder / "entry_points.txt").write_text(f"[console_scripts]\n{points}")
    (folder / "METADATA").write_text(f"Name: {name}\nVersion: {VERSION}\n\n")
    (folder / "RECORD").write_text("".join(f"{file},,\n" for file in files))
    (folder / "INSTALLER").write_text("uv\n")


@pytest.fixture
def made(site: Site, tmp_path: Path) -> Installation:
    scripts, tools = tmp_path / "bin", tmp_path / "tools"
    for folder in (scripts, tools):
        folder.mkdir()
    for program, data in CONTENTS.items():
        site.pin(program, data)
        site.wheel(program, data)
        record(site, PROGRAMS[program].distribution, [], {})
    record(site, "lean-spec", [f"../bin/{name}" for name in COMMANDS], COMMANDS)
    for name, target in COMMANDS.items():
        module, _, function = target.partition(":")
        text = f"{shebang()}\nimport sys\nfrom {module} import {function}\nsys.exit({function}())\n"
        (scripts / name).write_text(text)
        (scripts / name).chmod(0o755)
    return Installation(site, scripts, tools)


def test_link_replaces_scripts_and_unlink_restores_them(made: Installation) -> None:
    before = made.contents()
    assert made.manage("link").count(": linked") == 3
    assert made.contents() == before | {
        "lean-spec": CONTENTS["cli"],
        "leanspec": CONTENTS["cli"],
        "leanspec-mcp": CONTENTS["mcp"],
    }
    assert os.access(made.scripts / "leanspec", os.X_OK)
    assert made.manage("link") == "nothing to link\n"
    assert made.manage("which").count(" is linked: ") == 3
    assert " is linked: " not in made.manage("which", "http", code=1)
    assert made.manage("unlink").count(": is a script again") == 3
    assert made.contents() == before
    assert os.access(made.scripts / "leanspec", os.X_OK)
    assert made.manage("unlink") == "nothing is linked\n"
    assert " is linked: " not in made.manage("which")


def test_link_dry_run_changes_nothing(made: Installation) -> None:
    before = made.contents()
    assert made.manage("link", "--dry-run").count(": would be linked") == 3
    assert made.contents() == before
    made.manage("link")
    linked = made.contents()
    assert made.manage("unlink", "--dry-run").count(": would be a script again") == 3
    assert made.contents() == linked


def test_link_refuses_all_but_the_released_file_of_a_wheel(
    made: Installation, tmp_path: Path
) -> None:
    before = made.contents()
    local = made.site.local("cli", CONTENTS["cli"], tmp_path / "local")
    for setting in (
        {"LEANSPEC_BINARIES_DIR": str(tmp_path / "local")},
        {"LEANSPEC_CLI_BINARY": str(local)},
    ):
        assert f"`{local}` decides" in made.manage("link", code=1, env=setting)
    with made.binary("mcp").open("ab") as file:
        file.write(b"x")
    assert "its SHA-256 is not the expected one" in made.manage("link", code=1)
    made.binary("mcp").unlink()
    assert "no verified binary of `mcp` is installed: none is there" in made.manage(
        "link", code=1
    )
    assert made.contents() == before


@pytest.mark.parametrize("text", ["#!/bin/sh\necho mine\n", "", "x" * 200_000])
def test_link_refuses_a_script_that_no_installer_wrote(
    made: Installation, text: str
) -> None:
    (made.scripts / "leanspec-mcp").write_text(text)
    before = made.contents()
    assert "leanspec-mcp` is neither the installer's script nor the binary" in made.manage(
        "link", code=1
    )
    assert made.contents() == before


def test_link_refuses_a_script_with_one_changed_byte(made: Installation) -> None:
    path = made.scripts / "lean-spec"
    path.write_bytes(path.read_bytes().replace(b"import sys\n", b"import sys \n"))
    before = made.contents()
    assert "lean-spec` is neither" in made.manage("link", code=1)
    assert made.contents() == before


@pytest.mark.parametrize(
    "first",
    [
        shebang(f"{sys.executable}-gone"),
        "#!/bin/sh\n'''exec' '/no such/python' \"$0\" \"$@\"",
    ],
)
def test_doctor_reports_a_script_whose_python_is_gone(
    made: Installation, first: str
) -> None:
    for name in COMMANDS:
        path = made.scripts / name
        path.write_text(path.read_text().replace(shebang(), first))
    before = made.contents()
    assert "is a script whose Python is not there" in made.manage("link", code=1)
    assert made.manage("doctor", code=1).count("is a script whose Python is not there") == 4
    assert made.manage("verify", code=1).count("is a script whose Python is not there") == 4
    assert made.contents() == before


def test_link_accepts_a_script_that_finds_python_next_to_itself(made: Installation) -> None:
    """As uv writes it into a relocatable environment."""
    first = "#!/bin/sh\n'''exec' \"$(dirname -- \"$(realpath -- \"$0\")\")\"/'python' \"$0\" \"$@\"\n' '''"
    for name in COMMANDS:
        path = made.scripts / name
        path.write_text(path.read_text().replace(shebang(), first))
    assert made.manage("link").count(": linked") == 3


def test_link_replaces_nothing_if_one_binary_does_not_start_there(
    made: Installation,
) -> None:
    before = made.contents()
    copied = "import os; os.link = lambda old, new: open(new, 'w').write('x')"
    done = made.manage_with(copied, "link")
    assert done.returncode == 1
    assert "was not replaced: its binary does not start there: the copy" in done.stderr
    assert made.contents() == before
    # The last of three.
    server = script("exit 3", "mcp")
    made.site.pin("mcp", server)
    made.site.wheel("mcp", server)
    assert "leanspec-mcp` was not replaced" in made.manage("link", code=1)
    assert made.contents() == before


def test_link_copies_to_another_file_system(made: Installation) -> None:
    done = made.manage_with(
        "import os, errno; os.link = lambda *_: (_ for _ in ()).throw(OSError(errno.EXDEV))",
        "link",
    )
    assert done.stdout.count(": linked") == 3
    assert (made.scripts / "lean-spec").read_bytes() == CONTENTS["cli"]
    assert (made.scripts / "lean-spec").stat().st_nlink == 1


@pytest.mark.parametrize("command", ["link", "unlink"])
def test_link_that_fails_leaves_no_file_next_to_the_scripts(
    made: Installation, command: str
) -> None:
    if command == "unlink":
        made.manage("link")
    before = made.contents()
    done = made.manage_with(
        "import os, pathlib; pathlib.Path.replace = lambda *_: os.open('/no/such', 0)",
        command,
    )
    assert done.returncode == 1
    assert made.contents() == before


def test_link_starts_a_program_with_libraries_through_a_shell_script(
    made: Installation,
) -> None:
    before = made.contents()
    libraries = {"libssl.so.3": b"ssl"}
    made.site.pin("cli", CONTENTS["cli"], libraries)
    folder = made.site.root / "leanspec_cli_bin.libs"
    folder.mkdir()
    (folder / "libssl.so.3").write_bytes(libraries["libssl.so.3"])
    assert made.manage("link").count(": linked") == 3
    assert (
        made.scripts / "lean-spec"
    ).read_text() == f"#!/bin/sh\nexec '{made.binary('cli')}' \"$@\"\n"
    assert (made.scripts / "lean-spec").stat().st_mode & 0o777 == 0o755
    done = subprocess.run(
        [made.scripts / "lean-spec"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "cli\n"
    assert made.manage("link") == "nothing to link\n"
    program = made.binary("cli").read_bytes()
    made.binary("cli").write_bytes(b"damaged")
    hints = [
        line for line in made.manage("verify", code=1).splitlines() if "hint: " in line
    ]
    assert len(hints) == 1, "one command helps the binary and what starts it"
    assert "leanspec-cli-bin" in hints[0]
    made.binary("cli").write_bytes(program)
    (made.scripts / "leanspec").write_text(
        f"#!/bin/sh\nexec '{made.binary('mcp')}' \"$@\"\n"
    )
    assert "neither" in made.manage("verify", code=1), "the program of another program"
    made.manage("unlink")
    assert made.contents() == before | {
        "leanspec": (made.scripts / "leanspec").read_bytes()
    }


def move(made: Installation, folder: Path) -> None:
    """Put the packages elsewhere."""
    folder.parent.mkdir(parents=True)
    made.site.root.rename(folder)
    made.site.root = folder


def test_link_refuses_a_command_of_uvx(made: Installation, tmp_path: Path) -> None:
    """It lies in uv's cache, out of which other environments are linked."""
    move(made, tmp_path / "archive-v0" / "lib")
    before = made.contents()
    assert "a command of uvx is not linked" in made.manage("link", code=1)
    assert made.contents() == before


def test_link_finds_scripts_where_pip_moved_them(
    made: Installation, tmp_path: Path
) -> None:
    """`pip install --target` moves them, and its record names the old place."""
    move(made, tmp_path / "deep" / "er" / "target")
    made.scripts.rename(made.site.root / "bin")
    made.scripts = made.site.root / "bin"
    assert made.manage("link").count(": linked") == 3


def test_link_prefers_the_recorded_script(
    made: Installation,
) -> None:
    (made.site.root / "bin").mkdir()
    (made.site.root / "bin/lean-spec").write_text("another")
    assert made.manage("link").count(f"{made.scripts}") == 3


def test_link_refuses_a_checkout(made: Installation) -> None:
    (made.site.root / f"lean_spec-{VERSION}.dist-info").rename(made.site.root / "gone")
    assert "there are no console scripts of its own" in made.manage("link", code=1)


def test_unlink_refuses_a_script_that_cannot_be_restored(
    made: Installation,
) -> None:
    made.manage("link")
    (made.scripts / "leanspec-launcher").write_text("#!/bin/sh\n")
    linked = made.contents()
    done = made.manage("unlink", code=1)
    assert "cannot be restored as it was" in done
    assert made.contents() == linked


def test_doctor_and_verify_report_a_linked_command_that_was_changed(
    made: Installation,
) -> None:
    made.manage("link")
    path = made.scripts / "lean-spec"
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data + b"x")
    assert f"{path}: it is neither" in made.manage("verify", code=1)
    assert f"{path}: it is neither" in made.manage("verify", "cli", code=1)
    assert f"{path}: it is neither" not in made.manage("verify", "mcp")


def test_link_changes_nothing_without_a_record(made: Installation) -> None:
    record_file = made.site.root / f"lean_spec-{VERSION}.dist-info/RECORD"
    record_file.write_text("")
    assert "does not list lean-spec's console scripts" in made.manage("link", code=1)
    record_file.write_text("../outside/lean-spec,,\n")
    assert made.manage("link") == "nothing to link\n"


def damage(made: Installation) -> None:
    with made.binary("cli").open("ab") as file:
        file.write(b"# x\n")


def brings_back(made: Installation) -> str:
    """Return what an installer does that brings the binary back."""
    good = made.tools / "good"
    good.write_bytes(CONTENTS["cli"])
    return f'cp -p "{good}" "{made.binary("cli")}"; chmod 755 "{made.binary("cli")}"'


def test_repair_reinstalls_only_damaged_binaries(made: Installation) -> None:
    made.uv(brings_back(made))
    assert made.manage("repair").startswith("nothing to repair")
    assert made.told() == []
    damage(made)
    said = made.manage("repair")
    assert f"repaired: {made.binary('cli')}" in said
    assert len(made.told()) == 1
    assert made.told()[0].startswith("pip install --python ")
    assert made.told()[0].endswith(f"leanspec-cli-bin=={VERSION}")
    assert made.binary("cli").read_bytes() == CONTENTS["cli"]


DIGEST = "ab" * 32


def pin_wheel(made: Installation) -> None:
    """Let the release know its wheel, too."""
    before = made.site.pins["cli"][HOST.key]
    wheel = Wheel(f"leanspec_cli_bin-{VERSION}-x.whl", DIGEST, 1)
    made.site.pins["cli"][HOST.key] = WheelPins(before.executable, before.libraries, wheel)
    made.site.write_pins()


def test_repair_names_the_hash_of_the_wheel(made: Installation) -> None:
    """So an installer that demands hashes is content, and none can take a stub."""
    pin_wheel(made)
    made.uv(f'for file; do :; done; cp "$file" "{made.tools}/seen"; {brings_back(made)}')
    damage(made)
    made.manage("repair", env={"UV_REQUIRE_HASHES": "1"})
    (told,) = made.told()
    assert " --no-deps --require-hashes -r " in told
    wanted = f"leanspec-cli-bin=={VERSION} --hash=sha256:{DIGEST}\n"
    assert (made.tools / "seen").read_text() == wanted
    assert not Path(told.split()[-1]).exists()


def test_repair_from_a_folder_asks_no_index(made: Installation, tmp_path: Path) -> None:
    pin_wheel(made)
    made.uv(brings_back(made))
    damage(made)
    said = made.manage("repair", "--from", str(tmp_path), "--dry-run")
    assert (
        f" --no-index --find-links {tmp_path} --require-hashes -r requirements.txt" in said
    )
    made.manage("repair", "--from", str(tmp_path))
    assert len(made.told()) == 1
    assert f"--no-index --find-links {tmp_path}" in made.told()[0]


def test_repair_hints_at_fetch_for_a_place_that_the_installer_cannot_use(
    made: Installation,
) -> None:
    made.uv(brings_back(made))
    damage(made)
    folder = made.site.root / "a place"
    folder.mkdir()
    # An installer starts in another folder, where a relative path is another one.
    output = made.manage("repair", "--from", folder.name, code=1)
    assert f"hint: leanspec-launcher fetch cli --from '{folder}'" in output
    assert made.told() == []


@pytest.mark.parametrize("place", ["http://me:hun/ter2@h/", "https://me:hunter2@h/"])
def test_repair_gives_no_password_to_an_installer(made: Installation, place: str) -> None:
    made.uv(brings_back(made))
    damage(made)
    output = made.manage("repair", "--from", place, code=1)
    assert "ter2" not in output
    assert "has a password, which other users would see" in output or "neither" in output
    assert made.told() == []


@pytest.mark.posix
def test_doctor_ends_a_script_that_starts_doctor_again(made: Installation) -> None:
    count = made.tools / "count"
    count.touch()
    path = made.tools / "mine"
    doctor = shlex.join([sys.executable, "-c", made.site.call("main", ".manage"), "doctor"])
    path.write_text(f"#!/bin/sh\necho >> {shlex.quote(str(count))}\nexec {doctor}\n")
    path.chmod(0o755)
    output = made.manage("doctor", env={"LEANSPEC_CLI_BINARY": str(path)}, code=1)
    assert "`unset LEANSPEC_CLI_BINARY`, which names it" in output
    assert len(count.read_text()) <= 11


def test_repair_dry_run_runs_nothing(made: Installation) -> None:
    made.uv(brings_back(made))
    damage(made)
    said = made.manage("repair", "--dry-run")
    assert "$ uv pip install " in said
    assert "repaired" not in said
    assert made.told() == []


def test_repair_reports_an_installer_that_fails(made: Installation) -> None:
    made.uv("exit 3")
    damage(made)
    assert "failed (exit code 3)" in made.manage("repair", code=1)


def test_repair_reports_a_binary_that_is_still_damaged(made: Installation) -> None:
    made.uv("exit 0")
    damage(made)
    said = made.manage("repair", code=1)
    assert (
        "is still invalid after reinstalling: its SHA-256 is not the expected one" in said
    )
    assert "repaired" not in said
    assert len(made.told()) == 2, "with the cache, then without"


def test_repair_goes_on_after_a_binary_that_it_cannot_repair(
    made: Installation, tmp_path: Path
) -> None:
    copy, binary = tmp_path / "copy", made.binary("mcp")
    copy.write_bytes(CONTENTS["mcp"])
    made.uv(f"cp '{copy}' '{binary}'")
    binary.write_bytes(b"x")
    output = made.manage("repair", code=1, env={"LEANSPEC_CLI_BINARY": "/nowhere"})
    assert "hint: `unset LEANSPEC_CLI_BINARY`, which names it" in output
    assert f"repaired: {binary}" in output


def test_doctor_reports_a_damaged_record_once(made: Installation) -> None:
    path = made.site.root / f"lean_spec-{VERSION}.dist-info/RECORD"
    path.write_text("broken\n" * 500 + path.read_text())
    assert (
        made.manage("doctor", code=1).count("RECORD is damaged in line 1, and in 499 more")
        == 1
    )
    (path.parent / "METADATA").write_bytes(b"\xff")
    output = made.manage("doctor", code=1)
    assert "METADATA is missing" in output
    assert "its metadata says" not in output


def test_repair_reinstalls_a_link_to_itself(made: Installation) -> None:
    """No permission would help."""
    folder = made.binary("cli").parent
    made.binary("cli").unlink()
    folder.rmdir()
    folder.symlink_to(folder.name)
    findings = json.loads(made.site.manage("doctor", "--json").stdout)["findings"]
    (finding,) = [each for each in findings if each["name"] == "refused"]
    assert "it cannot be looked at (Too many levels of symbolic links)" in finding["value"]
    assert f"leanspec-cli-bin=={VERSION}" in finding["hint"]
    assert "chmod" not in finding["hint"]


def test_an_unexpected_exception_is_reported_as_a_bug(made: Installation) -> None:
    module = "leanspec_launcher.manage.which"
    bug = f"import {module}; {module}.search_all = lambda _: dict()['x']"
    result = made.manage_with(bug, "which")
    assert result.returncode == 1
    error, place, hint = result.stderr.splitlines()
    assert error == f"error: this is a bug in lean-spec {VERSION}: KeyError: 'x'"
    assert place.startswith("  in `")
    assert hint.startswith("hint: report it, with what you typed: https://")


def test_a_missing_module_is_not_reported_as_a_bug(made: Installation) -> None:
    (made.site.root / "leanspec_launcher/manage/link.py").unlink()
    output = made.manage("which", code=1)
    assert "error: a part is missing or damaged: " in output
    assert output.endswith("hint: reinstall lean-spec with its dependencies\n")


def test_commands_work_without_a_working_directory(
    made: Installation, tmp_path: Path
) -> None:
    folder = tmp_path / "removed"
    folder.mkdir()
    call = made.site.call("main", ".manage")
    remove = 'rmdir "$PWD"; exec "$@"'
    # As a console script, without the working directory in `sys.path`: in a removed one, CPython
    # 3.13.0 then fails to import `socket`.
    launcher = ["/bin/sh", "-c", remove, "sh", sys.executable, "-P", "-c", call]
    output = run([*launcher, "doctor", "--json"], made.site.env, cwd=folder, code=1).stdout
    findings = json.loads(output)["findings"]
    (finding,) = [each for each in findings if each["section"] == "MCP clients"]
    assert finding["value"] == "the working directory does not exist any more"
    assert finding["hint"] == "change to another one"
    folder.mkdir()
    command = [*launcher, "mcp-config", "claude", "--write", "--yes"]
    error = run(command, made.site.env, cwd=folder, code=1).stderr
    assert error.startswith("error: the working directory does not exist any more\n")


def test_a_system_error_names_its_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    error = explained(OSError(errno.EIO, "Input/output error", str(path)))
    assert error.message == f"`{path}`: input/output error"
    # A call for an open file names its number.
    assert (
        explained(OSError(errno.EIO, "Input/output error", 3)).message
        == "Input/output error"
    )


@pytest.mark.parametrize("text", ["[" * 100_000, "{", "[]", "\0"])
def test_doctor_reports_unreadable_settings_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    (tmp_path / "config.json").write_text(text)
    monkeypatch.setenv("LEANSPEC_DATA_DIR", str(tmp_path))
    with pytest.raises(CommandError, match=r"cannot read the settings in `.*config\.json`"):
        read_settings()


@pytest.mark.parametrize("home", ["relative", "~"])
def test_settings_of_a_relative_home_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str
) -> None:
    folder = tmp_path / home / ".lean-spec"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("damaged")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", home)
    assert data_folder() is None
    assert read_settings() == Settings()


def test_repair_runs_no_installer_of_the_working_directory(made: Installation) -> None:
    """Nor one of a relative folder of `PATH`."""
    made.uv(brings_back(made))
    damage(made)
    (made.site.root / "uv").write_bytes((made.tools / "uv").read_bytes())
    (made.site.root / "uv").chmod(0o755)
    relative = os.path.relpath(made.tools, made.site.root)
    said = made.manage("repair", "--dry-run", env={"PATH": f".:{relative}:/usr/bin:/bin"})
    assert "$ uv" not in said
    assert "-m pip install" in said or "pip --python" in said


def test_repair_does_not_run_an_installer_that_demands_hashes(made: Installation) -> None:
    made.uv(brings_back(made))
    damage(made)
    said = made.manage("repair", code=1, env={"UV_REQUIRE_HASHES": "1"})
    assert "cannot be repaired by reinstalling it" in said
    assert "again from your file of hashes" in said
    assert made.told() == []


def test_repair_does_not_clean_the_cache_of_a_running_uvx(
    made: Installation, tmp_path: Path
) -> None:
    made.uv(brings_back(made))
    move(made, tmp_path / "archive-v0" / "lib")
    damage(made)
    said = made.manage("repair", code=1)
    assert "from inside: it runs from a cache of its installer" in said
    assert "hint: uv cache prune && uv cache clean leanspec-cli-bin" in said
    assert made.told() == []


def test_repair_names_a_missing_installer(made: Installation) -> None:
    (made.site.root / f"lean_spec-{VERSION}.dist-info/INSTALLER").write_text("conda\n")
    damage(made)
    said = made.manage("repair", code=1)
    assert "error: `conda` is not on the path" in said
    assert "hint: conda install --force-reinstall lean-spec leanspec-cli-bin" in said


def test_verify_reports_a_missing_run_bit(made: Installation) -> None:
    made.binary("cli").chmod(0o644)
    assert "it has no permission to run" in made.manage("verify", code=1)


@pytest.mark.parametrize("variable", ["LEANSPEC_CLI_BINARY", "LEANSPEC_BINARIES_DIR"])
def test_repair_leaves_a_binary_named_by_the_user(
    made: Installation, tmp_path: Path, variable: str
) -> None:
    made.uv(brings_back(made))
    local = made.site.local("cli", b"damaged", tmp_path / "local", sha256="0" * 64)
    chosen = {
        "LEANSPEC_CLI_BINARY": str(tmp_path / "gone"),
        "LEANSPEC_BINARIES_DIR": str(local.parents[3]),
    }
    said = made.manage("repair", "cli", code=1, env={variable: chosen[variable]})
    assert "cannot be repaired by reinstalling it" in said
    assert f"`unset {variable}`" in said
    assert made.told() == []


def test_verify_ignores_cached_results(made: Installation) -> None:
    """A stamp says that a file was good; `verify` asks the file."""
    assert made.manage("verify").count("✓") == 2
    cache = Path(made.site.env["HOME"], ".cache/lean-spec/verified")
    cache.mkdir(parents=True, exist_ok=True)
    damage(made)
    state = made.binary("cli").stat()
    numbers = (
        state.st_dev,
        state.st_ino,
        state.st_size,
        state.st_mtime_ns,
        state.st_ctime_ns,
    )
    for folder in (cache, cache.parent):
        folder.chmod(0o700)
    name = ".".join(f"{number:x}" for number in numbers)
    (cache / f"{name}.{made.site.pins['cli'][HOST.key].executable}").touch()
    assert made.site.start("cli").stdout == "cli\n", "the stamp counts at a start"
    assert "its SHA-256 is not the expected one" in made.manage("verify", code=1)
    assert "its SHA-256 is not the expected one" in made.manage(
        "verify", "cli", "--json", code=1
    )


def test_which_and_verify_say_what_is_missing(made: Installation) -> None:
    assert made.manage("which").count("✓") == 2
    made.manage("which", "http", code=1)
    made.binary("cli").unlink()
    made.manage("which", code=1)
    made.manage("which", "mcp")
    assert "it is not installed" in made.manage("verify", code=1)
    report = json.loads(made.site.manage("which", "lean-spec", "--json", code=1).stdout)
    (search,) = report["programs"]
    assert (search["program"], search["binary"]) == ("cli", None)
    assert search["platform"] == HOST.key


def test_mcp_config_names_the_command_that_starts_the_server(made: Installation) -> None:
    printed = made.site.manage("mcp-config", "vscode", "--scope", "user", code=0)
    file = Path(made.site.env["HOME"], ".config/Code/User/mcp.json")
    assert printed.stderr == f"VS Code reads this from `{file}`:\n"
    assert json.loads(printed.stdout) == {
        "servers": {
            "leanspec": {
                "type": "stdio",
                "command": str(made.scripts / "leanspec-mcp"),
                "args": [],
                "cwd": "${workspaceFolder}",
            }
        }
    }
    command = ("mcp-config", "cursor", "--scope", "user", "--project", str(made.tools))
    folder = json.loads(made.site.manage(*command, code=0).stdout)
    arguments = folder["mcpServers"]["leanspec"]["args"]
    assert arguments[-2:] == [str(made.tools), str(made.scripts / "leanspec-mcp")]
    (made.scripts / "leanspec-mcp").unlink()
    assert "this installation has no command `leanspec-mcp`" in made.manage(
        "mcp-config", "claude", code=1
    )


def test_mcp_config_link_names_no_path_of_this_machine(made: Installation) -> None:
    """What it carries is the configuration itself, as each client decodes it."""
    vscode = parse_qs(urlsplit(made.manage("mcp-config", "vscode", "--link").strip()).query)
    cursor = parse_qs(urlsplit(made.manage("mcp-config", "cursor", "--link").strip()).query)
    expected = {"command": "uvx", "args": ["leanspec-mcp"]}
    assert json.loads(vscode["config"][0]) == expected
    assert json.loads(base64.b64decode(cursor["config"][0])) == expected
    assert vscode["name"] == cursor["name"] == ["leanspec"]
    assert "has no page that adds a server" in made.manage(
        "mcp-config", "claude", "--link", code=1
    )
    page = (ROOT / "docs/mcp-clients.md").read_text("utf-8")
    for client in ("vscode", "cursor"):
        assert f"]({made.manage('mcp-config', client, '--link').strip()})" in page


def test_doctor_asks_for_an_update_only_if_told_to(made: Installation) -> None:
    """An index that does not answer is a warning, and no command but this one ever asks."""
    made.uv("exit 2")
    (made.site.root / f"lean_spec-{VERSION}.dist-info/INSTALLER").write_text("uv\n")
    # The small programs are not LeanSpec's, and doctor says so.
    made.manage("doctor", code=1)
    assert made.told() == []
    said = made.manage("doctor", code=1, env={"LEANSPEC_UPDATE_CHECK": "1"})
    assert "the index could not be asked: exit code 2" in said
    assert made.told()[0].startswith("pip compile - ")


LOCK = """cat <<'END'
[[packages]]
name = "lean-spec"
version = "9.9.10"
wheels = [{{ url = "https://example.org/lean_spec-9.9.10-py3-none-any.whl", hashes = {{}} }}]
{}
END"""
BUILD = """[[packages]]
name = "leanspec-{}-bin"
version = "9.9.10"
wheels = [{{ url = "https://example.org/{}" }}]"""


def lock(*programs: str) -> str:
    """Return what uv prints of a release with builds of programs for this machine."""
    tag = f"manylinux_2_17_{HOST.machines[0]}" if HOST.system == "linux" else "macosx_11_0"
    builds = [
        BUILD.format(name, f"leanspec_{name}_bin-9.9.10-py3-none-{tag}.whl")
        for name in programs
    ]
    return LOCK.format("\n".join(builds))


def test_update_reports_what_it_would_install(made: Installation) -> None:
    made.uv(lock("cli", "mcp"))
    output = made.manage("update", "--check", "--json", code=3)
    report = json.loads(output[: output.rindex("}") + 1])
    assert (report["installed"], report["available"]) == (VERSION, "9.9.10")
    assert report["files"][0] == "lean_spec-9.9.10-py3-none-any.whl"
    assert len(report["files"]) == 3
    assert "lean-spec==9.9.10" in report["command"]


UV_IS_REFUSED = """error: Request failed after 3 retries in 8.2s
  cause: Failed to fetch: http://127.0.0.1:9/simple/lean-spec/
  cause: Connection refused (os error 111)"""
PIP_IS_REFUSED = """WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError('<x>: Failed to \
establish a new connection: [Errno 111] Connection refused')': /simple/lean-spec/
ERROR: No matching distribution found for lean-spec"""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (UV_IS_REFUSED, "Connection refused (os error 111)"),
        (PIP_IS_REFUSED, "[Errno 111] Connection refused"),
    ],
)
def test_update_says_at_once_that_it_asks_and_then_why_the_index_does_not_answer(
    made: Installation, text: str, reason: str
) -> None:
    made.uv(f"cat >&2 <<'END'\n{text}\nEND\nexit 2")
    (made.site.root / f"lean_spec-{VERSION}.dist-info/INSTALLER").write_text("uv\n")
    lines = made.manage("update", "--check", code=1).splitlines()
    assert lines[:2] == [
        "asking the index for lean-spec…",
        f"error: the index does not answer: {reason}",
    ]
    assert lines[2].startswith("  asked by: ")
    assert lines[3:] == [f"hint: {index.NETWORK}"]


def test_update_names_a_version_that_the_index_lacks(made: Installation) -> None:
    made.uv("echo 'No solution found when resolving dependencies:' >&2; exit 1")
    (made.site.root / f"lean_spec-{VERSION}.dist-info/INSTALLER").write_text("uv\n")
    output = made.manage("update", "--version", "9.9.8", code=1)
    assert "error: your index has no lean-spec 9.9.8\n" in output
    assert output.endswith("hint: leanspec-launcher update --check\n")


def test_update_refuses_a_release_without_a_build_for_this_machine(
    made: Installation,
) -> None:
    made.uv(lock("mcp"))
    output = made.manage("update", code=1)
    text = "release 9.9.10 has no build of `leanspec-cli-bin` for this machine"
    assert f"error: {text}\n" in output


def test_repair_says_if_an_installer_takes_no_place_of_wheels(made: Installation) -> None:
    made.binary("cli").unlink()
    for info in made.site.root.glob("*.dist-info"):
        (info / "INSTALLER").write_text("conda\n")
    output = made.manage("repair", "cli", "--from", str(made.tools), "--dry-run", code=1)
    assert "error: this installer cannot be told where to take a wheel from\n" in output
    assert f"hint: leanspec-launcher fetch cli --from {made.tools}\n" in output


def test_doctor_says_how_a_program_ended_that_does_not_say_its_version(
    made: Installation,
) -> None:
    program = script("echo broken >&2; exit 3", "cli")
    made.site.pin("cli", program)
    made.site.wheel("cli", program)
    assert "`--version` ended with 3: broken" in made.manage("doctor", code=1)
