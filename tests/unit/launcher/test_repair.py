"""`repair`: what it reinstalls, with which command, and what it leaves alone."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from leanspec_launcher._release import Wheel
from scripts.wheels.pins import WheelPins
from tests.support.installation import CONTENTS, VERSION, Installation
from tests.support.site import HOST

pytestmark = pytest.mark.posix


def script_that_restores(installed: Installation) -> str:
    """Return what an installer does that brings the binary back."""
    good = installed.tools / "good"
    good.write_bytes(CONTENTS["cli"])
    return (
        f'cp -p "{good}" "{installed.binary("cli")}"; chmod 755 "{installed.binary("cli")}"'
    )


def test_repair_reinstalls_only_damaged_binaries(installed: Installation) -> None:
    installed.uv(script_that_restores(installed))
    assert installed.manage("repair").startswith("nothing to repair")
    assert installed.commands_of_uv() == []
    installed.damage()
    said = installed.manage("repair")
    assert f"repaired: {installed.binary('cli')}" in said
    assert len(installed.commands_of_uv()) == 1
    assert installed.commands_of_uv()[0].startswith("pip install --python ")
    assert installed.commands_of_uv()[0].endswith(f"leanspec-cli-bin=={VERSION}")
    assert installed.binary("cli").read_bytes() == CONTENTS["cli"]


DIGEST = "ab" * 32


def pin_wheel(installed: Installation) -> None:
    """Let the release know its wheel, too."""
    before = installed.site.pins["cli"][HOST.key]
    wheel = Wheel(f"leanspec_cli_bin-{VERSION}-x.whl", DIGEST, 1)
    installed.site.pins["cli"][HOST.key] = WheelPins(
        before.executable, before.libraries, wheel
    )
    installed.site.write_pins()


def test_repair_names_the_hash_of_the_wheel(installed: Installation) -> None:
    """So an installer that demands hashes is content, and none can take a stub."""
    pin_wheel(installed)
    installed.uv(
        f'for file; do :; done; cp "$file" "{installed.tools}/seen"; {script_that_restores(installed)}'
    )
    installed.damage()
    installed.manage("repair", env={"UV_REQUIRE_HASHES": "1"})
    (told,) = installed.commands_of_uv()
    assert " --no-deps --require-hashes -r " in told
    wanted = f"leanspec-cli-bin=={VERSION} --hash=sha256:{DIGEST}\n"
    assert (installed.tools / "seen").read_text() == wanted
    assert not Path(told.split()[-1]).exists()


def test_repair_from_a_folder_asks_no_index(
    installed: Installation, tmp_path: Path
) -> None:
    pin_wheel(installed)
    installed.uv(script_that_restores(installed))
    installed.damage()
    said = installed.manage("repair", "--from", str(tmp_path), "--dry-run")
    words = f" --no-index --find-links {tmp_path} --require-hashes -r requirements.txt"
    assert words in said
    installed.manage("repair", "--from", str(tmp_path))
    assert len(installed.commands_of_uv()) == 1
    assert f"--no-index --find-links {tmp_path}" in installed.commands_of_uv()[0]


def test_repair_hints_at_fetch_for_a_place_that_the_installer_cannot_use(
    installed: Installation,
) -> None:
    installed.uv(script_that_restores(installed))
    installed.damage()
    folder = installed.site.root / "a place"
    folder.mkdir()
    # An installer starts in another folder, where a relative path is another one.
    output = installed.manage("repair", "--from", folder.name, code=1)
    assert f"hint: leanspec-launcher fetch cli --from '{folder}'" in output
    assert installed.commands_of_uv() == []


@pytest.mark.parametrize("place", ["http://me:hun/ter2@h/", "https://me:hunter2@h/"])
def test_repair_gives_no_password_to_an_installer(
    installed: Installation, place: str
) -> None:
    installed.uv(script_that_restores(installed))
    installed.damage()
    output = installed.manage("repair", "--from", place, code=1)
    assert "ter2" not in output
    assert "has a password, which other users would see" in output or "neither" in output
    assert installed.commands_of_uv() == []


def test_repair_dry_run_runs_nothing(installed: Installation) -> None:
    installed.uv(script_that_restores(installed))
    installed.damage()
    said = installed.manage("repair", "--dry-run")
    assert "$ uv pip install " in said
    assert "repaired" not in said
    assert installed.commands_of_uv() == []


def test_repair_reports_an_installer_that_fails(installed: Installation) -> None:
    installed.uv("exit 3")
    installed.damage()
    assert "failed (exit code 3)" in installed.manage("repair", code=1)


def test_repair_reports_a_binary_that_is_still_damaged(installed: Installation) -> None:
    installed.uv("exit 0")
    installed.damage()
    said = installed.manage("repair", code=1)
    words = "is still invalid after reinstalling: its SHA-256 is not the expected one"
    assert words in said
    assert "repaired" not in said
    assert len(installed.commands_of_uv()) == 2, "with the cache, then without"


def test_repair_goes_on_after_a_binary_that_it_cannot_repair(
    installed: Installation, tmp_path: Path
) -> None:
    copy, binary = tmp_path / "copy", installed.binary("mcp")
    copy.write_bytes(CONTENTS["mcp"])
    installed.uv(f"cp '{copy}' '{binary}'")
    binary.write_bytes(b"x")
    output = installed.manage("repair", code=1, env={"LEANSPEC_CLI_BINARY": "/nowhere"})
    assert "hint: `unset LEANSPEC_CLI_BINARY`, which names it" in output
    assert f"repaired: {binary}" in output


def test_repair_reinstalls_a_link_to_itself(installed: Installation) -> None:
    """No permission would help."""
    folder = installed.binary("cli").parent
    installed.binary("cli").unlink()
    folder.rmdir()
    folder.symlink_to(folder.name)
    findings = json.loads(installed.site.manage("doctor", "--json").stdout)["findings"]
    (finding,) = [each for each in findings if each["name"] == "refused"]
    words = "its status cannot be read (Too many levels of symbolic links)"
    assert words in finding["value"]
    assert f"leanspec-cli-bin=={VERSION}" in finding["hint"]
    assert "chmod" not in finding["hint"]


def test_repair_runs_no_installer_of_the_working_directory(installed: Installation) -> None:
    """Nor one of a relative folder of `PATH`."""
    installed.uv(script_that_restores(installed))
    installed.damage()
    (installed.site.root / "uv").write_bytes((installed.tools / "uv").read_bytes())
    (installed.site.root / "uv").chmod(0o755)
    relative = os.path.relpath(installed.tools, installed.site.root)
    said = installed.manage(
        "repair", "--dry-run", env={"PATH": f".:{relative}:/usr/bin:/bin"}
    )
    assert "$ uv" not in said
    assert "-m pip install" in said or "pip --python" in said


def test_repair_does_not_run_an_installer_that_demands_hashes(
    installed: Installation,
) -> None:
    installed.uv(script_that_restores(installed))
    installed.damage()
    said = installed.manage("repair", code=1, env={"UV_REQUIRE_HASHES": "1"})
    assert "cannot be repaired by reinstalling it" in said
    assert "again from your file of hashes" in said
    assert installed.commands_of_uv() == []


def test_repair_does_not_clean_the_cache_of_a_running_uvx(
    installed: Installation, tmp_path: Path
) -> None:
    installed.uv(script_that_restores(installed))
    installed.move(tmp_path / "archive-v0" / "lib")
    installed.damage()
    said = installed.manage("repair", code=1)
    assert "from inside: it runs from a cache of its installer" in said
    assert "hint: uv cache prune && uv cache clean leanspec-cli-bin" in said
    assert installed.commands_of_uv() == []


def test_repair_names_a_missing_installer(installed: Installation) -> None:
    (installed.site.root / f"lean_spec-{VERSION}.dist-info/INSTALLER").write_text("conda\n")
    installed.damage()
    said = installed.manage("repair", code=1)
    assert "error: `conda` is not on the path" in said
    assert "hint: conda install --force-reinstall lean-spec leanspec-cli-bin" in said


@pytest.mark.parametrize("variable", ["LEANSPEC_CLI_BINARY", "LEANSPEC_BINARIES_DIR"])
def test_repair_leaves_a_binary_named_by_the_user(
    installed: Installation, tmp_path: Path, variable: str
) -> None:
    installed.uv(script_that_restores(installed))
    local = installed.site.local("cli", b"damaged", tmp_path / "local", sha256="0" * 64)
    chosen = {
        "LEANSPEC_CLI_BINARY": str(tmp_path / "gone"),
        "LEANSPEC_BINARIES_DIR": str(local.parents[3]),
    }
    said = installed.manage("repair", "cli", code=1, env={variable: chosen[variable]})
    assert "cannot be repaired by reinstalling it" in said
    assert f"`unset {variable}`" in said
    assert installed.commands_of_uv() == []


def test_repair_says_if_an_installer_takes_no_place_of_wheels(
    installed: Installation,
) -> None:
    installed.binary("cli").unlink()
    for info in installed.site.root.glob("*.dist-info"):
        (info / "INSTALLER").write_text("conda\n")
    output = installed.manage(
        "repair", "cli", "--from", str(installed.tools), "--dry-run", code=1
    )
    assert "error: this installer cannot be told where to take a wheel from\n" in output
    assert f"hint: leanspec-launcher fetch cli --from {installed.tools}\n" in output
