"""`link` and `unlink`: scripts replaced by binaries, and restored."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.installation import COMMANDS, CONTENTS, VERSION, Installation
from tests.support.site import script
from tests.support.surroundings import shebang

pytestmark = pytest.mark.posix


@pytest.mark.long
def test_link_replaces_scripts_and_unlink_restores_them(installed: Installation) -> None:
    before = installed.contents()
    assert installed.manage("link").count(": linked") == 3
    assert installed.contents() == before | {
        "lean-spec": CONTENTS["cli"],
        "leanspec": CONTENTS["cli"],
        "leanspec-mcp": CONTENTS["mcp"],
    }
    assert os.access(installed.scripts / "leanspec", os.X_OK)
    assert installed.manage("link") == "nothing to link\n"
    assert installed.manage("which").count(" is linked: ") == 3
    assert " is linked: " not in installed.manage("which", "http", code=1)
    assert installed.manage("unlink").count(": is a script again") == 3
    assert installed.contents() == before
    assert os.access(installed.scripts / "leanspec", os.X_OK)
    assert installed.manage("unlink") == "nothing is linked\n"
    assert " is linked: " not in installed.manage("which")


def test_link_dry_run_changes_nothing(installed: Installation) -> None:
    before = installed.contents()
    assert installed.manage("link", "--dry-run").count(": would be linked") == 3
    assert installed.contents() == before
    installed.manage("link")
    linked = installed.contents()
    assert installed.manage("unlink", "--dry-run").count(": would be a script again") == 3
    assert installed.contents() == linked


def test_link_refuses_all_but_the_released_file_of_a_wheel(
    installed: Installation, tmp_path: Path
) -> None:
    before = installed.contents()
    local = installed.site.local("cli", CONTENTS["cli"], tmp_path / "local")
    for setting in (
        {"LEANSPEC_BINARIES_DIR": str(tmp_path / "local")},
        {"LEANSPEC_CLI_BINARY": str(local)},
    ):
        assert f"`{local}` decides" in installed.manage("link", code=1, env=setting)
    with installed.binary("mcp").open("ab") as file:
        file.write(b"x")
    assert "its SHA-256 is not the expected one" in installed.manage("link", code=1)
    installed.binary("mcp").unlink()
    output = installed.manage("link", code=1)
    assert "no verified binary of `mcp` is installed: no binary was found" in output
    assert installed.contents() == before


@pytest.mark.parametrize("text", ["#!/bin/sh\necho mine\n", "", "x" * 200_000])
def test_link_refuses_a_script_that_no_installer_wrote(
    installed: Installation, text: str
) -> None:
    (installed.scripts / "leanspec-mcp").write_text(text)
    before = installed.contents()
    output = installed.manage("link", code=1)
    assert "leanspec-mcp` is neither the installer's script nor the binary" in output
    assert installed.contents() == before


def test_link_refuses_a_script_with_one_changed_byte(installed: Installation) -> None:
    path = installed.scripts / "lean-spec"
    path.write_bytes(path.read_bytes().replace(b"import sys\n", b"import sys \n"))
    before = installed.contents()
    assert "lean-spec` is neither" in installed.manage("link", code=1)
    assert installed.contents() == before


@pytest.mark.parametrize(
    "first",
    [
        shebang(f"{sys.executable}-gone"),
        "#!/bin/sh\n'''exec' '/no such/python' \"$0\" \"$@\"",
    ],
)
def test_doctor_reports_a_script_whose_python_is_gone(
    installed: Installation, first: str
) -> None:
    for name in COMMANDS:
        path = installed.scripts / name
        path.write_text(path.read_text().replace(shebang(), first))
    before = installed.contents()
    assert "is a script whose Python is not there" in installed.manage("link", code=1)
    assert (
        installed.manage("doctor", code=1).count("is a script whose Python is not there")
        == 4
    )
    assert (
        installed.manage("verify", code=1).count("is a script whose Python is not there")
        == 4
    )
    assert installed.contents() == before


def test_link_accepts_a_script_that_finds_python_next_to_itself(
    installed: Installation,
) -> None:
    """As uv writes it into a relocatable environment."""
    first = "#!/bin/sh\n'''exec' \"$(dirname -- \"$(realpath -- \"$0\")\")\"/'python' \"$0\" \"$@\"\n' '''"
    for name in COMMANDS:
        path = installed.scripts / name
        path.write_text(path.read_text().replace(shebang(), first))
    assert installed.manage("link").count(": linked") == 3


def test_link_replaces_nothing_if_one_binary_does_not_start_there(
    installed: Installation,
) -> None:
    before = installed.contents()
    copied = "import os; os.link = lambda old, new: open(new, 'w').write('x')"
    process = installed.manage_with(copied, "link")
    assert process.returncode == 1
    assert "was not replaced: its binary does not start there: the copy" in process.stderr
    assert installed.contents() == before
    # The last of three.
    server = script("exit 3", "mcp")
    installed.site.install("mcp", server)
    assert "leanspec-mcp` was not replaced" in installed.manage("link", code=1)
    assert installed.contents() == before


def test_link_copies_to_another_file_system(installed: Installation) -> None:
    process = installed.manage_with(
        "import os, errno; os.link = lambda *_: (_ for _ in ()).throw(OSError(errno.EXDEV))",
        "link",
    )
    assert process.stdout.count(": linked") == 3
    assert (installed.scripts / "lean-spec").read_bytes() == CONTENTS["cli"]
    assert (installed.scripts / "lean-spec").stat().st_nlink == 1


@pytest.mark.parametrize("command", ["link", "unlink"])
def test_link_that_fails_leaves_no_file_next_to_the_scripts(
    installed: Installation, command: str
) -> None:
    if command == "unlink":
        installed.manage("link")
    before = installed.contents()
    process = installed.manage_with(
        "import os, pathlib; pathlib.Path.replace = lambda *_: os.open('/no/such', 0)",
        command,
    )
    assert process.returncode == 1
    assert installed.contents() == before


@pytest.mark.long
def test_link_starts_a_program_with_libraries_through_a_shell_script(
    installed: Installation,
) -> None:
    before = installed.contents()
    libraries = {"libssl.so.3": b"ssl"}
    installed.site.pin("cli", CONTENTS["cli"], libraries)
    folder = installed.site.root / "leanspec_cli_bin.libs"
    folder.mkdir()
    (folder / "libssl.so.3").write_bytes(libraries["libssl.so.3"])
    assert installed.manage("link").count(": linked") == 3
    actual = (installed.scripts / "lean-spec").read_text()
    assert actual == f"#!/bin/sh\nexec '{installed.binary('cli')}' \"$@\"\n"
    assert (installed.scripts / "lean-spec").stat().st_mode & 0o777 == 0o755
    process = subprocess.run(
        [installed.scripts / "lean-spec"], capture_output=True, text=True, check=True
    )
    assert process.stdout == "cli\n"
    assert installed.manage("link") == "nothing to link\n"
    program = installed.binary("cli").read_bytes()
    installed.binary("cli").write_bytes(b"damaged")
    hints = [
        line for line in installed.manage("verify", code=1).splitlines() if "hint: " in line
    ]
    assert len(hints) == 1, "one command helps the binary and what starts it"
    assert "leanspec-cli-bin" in hints[0]
    installed.binary("cli").write_bytes(program)
    (installed.scripts / "leanspec").write_text(
        f"#!/bin/sh\nexec '{installed.binary('mcp')}' \"$@\"\n"
    )
    assert "neither" in installed.manage("verify", code=1), "the program of another program"
    installed.manage("unlink")
    outcome = installed.contents()
    assert outcome == before | {"leanspec": (installed.scripts / "leanspec").read_bytes()}


def test_link_refuses_a_command_of_uvx(installed: Installation, tmp_path: Path) -> None:
    """It lies in uv's cache, out of which other environments are linked."""
    installed.move(tmp_path / "archive-v0" / "lib")
    before = installed.contents()
    assert "a command of uvx is not linked" in installed.manage("link", code=1)
    assert installed.contents() == before


def test_link_finds_scripts_where_pip_moved_them(
    installed: Installation, tmp_path: Path
) -> None:
    """`pip install --target` moves them, and its record names the old place."""
    installed.move(tmp_path / "deep" / "er" / "target")
    installed.scripts.rename(installed.site.root / "bin")
    installed.scripts = installed.site.root / "bin"
    assert installed.manage("link").count(": linked") == 3


def test_link_prefers_the_recorded_script(installed: Installation) -> None:
    (installed.site.root / "bin").mkdir()
    (installed.site.root / "bin/lean-spec").write_text("another")
    assert installed.manage("link").count(f"{installed.scripts}") == 3


def test_link_refuses_a_checkout(installed: Installation) -> None:
    (installed.site.root / f"lean_spec-{VERSION}.dist-info").rename(
        installed.site.root / "gone"
    )
    assert "there are no console scripts of its own" in installed.manage("link", code=1)


def test_unlink_refuses_a_script_that_cannot_be_restored(installed: Installation) -> None:
    installed.manage("link")
    (installed.scripts / "leanspec-launcher").write_text("#!/bin/sh\n")
    linked = installed.contents()
    process = installed.manage("unlink", code=1)
    assert "cannot be restored as it was" in process
    assert installed.contents() == linked


def test_doctor_and_verify_report_a_linked_command_that_was_changed(
    installed: Installation,
) -> None:
    installed.manage("link")
    path = installed.scripts / "lean-spec"
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data + b"x")
    assert f"{path}: it is neither" in installed.manage("verify", code=1)
    assert f"{path}: it is neither" in installed.manage("verify", "cli", code=1)
    assert f"{path}: it is neither" not in installed.manage("verify", "mcp")


def test_link_changes_nothing_without_a_record(installed: Installation) -> None:
    record_file = installed.site.root / f"lean_spec-{VERSION}.dist-info/RECORD"
    record_file.write_text("")
    assert "does not list lean-spec's console scripts" in installed.manage("link", code=1)
    record_file.write_text("../outside/lean-spec,,\n")
    assert installed.manage("link") == "nothing to link\n"
