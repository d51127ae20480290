"""`repair`: what it reinstalls, with which command, and what it leaves alone."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from leanspec_launcher._release import Wheel
from tests.support.installation import CONTENTS, VERSION, Installation
from tests.support.site import HOST

pytestmark = pytest.mark.posix


@pytest.fixture
def restore(installed: Installation) -> str:
    """Return the script of an installer that brings the binary back."""
    good, binary = installed.tools / "good", installed.binary("cli")
    good.write_bytes(CONTENTS["cli"])
    return f'cp -p "{good}" "{binary}"; chmod 755 "{binary}"'


@pytest.fixture
def damaged(installed: Installation, restore: str) -> Installation:
    """Return an installation with a damaged binary, which its installer brings back."""
    installed.uv(restore)
    installed.damage()
    return installed


def test_repair_reinstalls_only_damaged_binaries(
    installed: Installation, restore: str
) -> None:
    installed.uv(restore)
    assert installed.manage("repair").startswith("nothing to repair")
    assert installed.commands_of_uv() == []
    installed.damage()
    assert f"repaired: {installed.binary('cli')}" in installed.manage("repair")
    (command,) = installed.commands_of_uv()
    assert command.startswith("pip install --python ")
    assert command.endswith(f"leanspec-cli-bin=={VERSION}")
    assert installed.binary("cli").read_bytes() == CONTENTS["cli"]


DIGEST = "ab" * 32


def pin_wheel(installed: Installation) -> None:
    """Let the release know its wheel, too."""
    pins = installed.site.pins["cli"]
    wheel = Wheel(f"leanspec_cli_bin-{VERSION}-x.whl", DIGEST, 1)
    pins[HOST.key] = replace(pins[HOST.key], wheel=wheel)
    installed.site.write_pins()


def test_repair_names_the_hash_of_the_wheel(damaged: Installation, restore: str) -> None:
    """So an installer that demands hashes is content, and none can take a stub."""
    pin_wheel(damaged)
    damaged.uv(f'for file; do :; done; cp "$file" "{damaged.tools}/seen"; {restore}')
    damaged.manage("repair", env={"UV_REQUIRE_HASHES": "1"})
    (command,) = damaged.commands_of_uv()
    assert " --no-deps --require-hashes -r " in command
    requirement = f"leanspec-cli-bin=={VERSION} --hash=sha256:{DIGEST}\n"
    assert (damaged.tools / "seen").read_text() == requirement
    assert not Path(command.split()[-1]).exists()


def test_repair_from_a_folder_asks_no_index(damaged: Installation, tmp_path: Path) -> None:
    pin_wheel(damaged)
    output = damaged.manage("repair", "--from", str(tmp_path), "--dry-run")
    place = f"--no-index --find-links {tmp_path}"
    assert f" {place} --require-hashes -r requirements.txt" in output
    damaged.manage("repair", "--from", str(tmp_path))
    (command,) = damaged.commands_of_uv()
    assert place in command


def test_repair_hints_at_fetch_for_a_place_that_the_installer_cannot_use(
    damaged: Installation,
) -> None:
    folder = damaged.site.root / "a place"
    folder.mkdir()
    # An installer starts in another folder, where a relative path is another one.
    output = damaged.manage("repair", "--from", folder.name, code=1)
    assert f"hint: leanspec-launcher fetch cli --from '{folder}'" in output
    assert damaged.commands_of_uv() == []


@pytest.mark.parametrize("place", ["http://me:hun/ter2@h/", "https://me:hunter2@h/"])
def test_repair_gives_no_password_to_an_installer(
    damaged: Installation, place: str
) -> None:
    output = damaged.manage("repair", "--from", place, code=1)
    assert "ter2" not in output
    assert "has a password, which other users would see" in output or "neither" in output
    assert damaged.commands_of_uv() == []


def test_repair_dry_run_runs_nothing(damaged: Installation) -> None:
    output = damaged.manage("repair", "--dry-run")
    assert "$ uv pip install " in output
    assert "repaired" not in output
    assert damaged.commands_of_uv() == []


def test_repair_reports_an_installer_that_fails(damaged: Installation) -> None:
    damaged.uv("exit 3")
    assert "failed (exit code 3)" in damaged.manage("repair", code=1)


def test_repair_reports_a_binary_that_is_still_damaged(damaged: Installation) -> None:
    damaged.uv("exit 0")
    output = damaged.manage("repair", code=1)
    words = "is still invalid after reinstalling: its SHA-256 is not the expected one"
    assert words in output
    assert "repaired" not in output
    assert len(damaged.commands_of_uv()) == 2, "with the cache, then without"


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
    (finding,) = [entry for entry in findings if entry["name"] == "refused"]
    words = "its status cannot be read (Too many levels of symbolic links)"
    assert words in finding["value"]
    assert f"leanspec-cli-bin=={VERSION}" in finding["hint"]
    assert "chmod" not in finding["hint"]


def test_repair_runs_no_installer_of_the_working_directory(damaged: Installation) -> None:
    """Nor one of a relative folder of `PATH`."""
    root = damaged.site.root
    (root / "uv").write_bytes((damaged.tools / "uv").read_bytes())
    (root / "uv").chmod(0o755)
    path = {"PATH": f".:{os.path.relpath(damaged.tools, root)}:/usr/bin:/bin"}
    output = damaged.manage("repair", "--dry-run", env=path)
    assert "$ uv" not in output
    assert "-m pip install" in output or "pip --python" in output


def test_repair_does_not_run_an_installer_that_demands_hashes(
    damaged: Installation,
) -> None:
    output = damaged.manage("repair", code=1, env={"UV_REQUIRE_HASHES": "1"})
    assert "cannot be repaired by reinstalling it" in output
    assert "again from your file of hashes" in output
    assert damaged.commands_of_uv() == []


def test_repair_does_not_clean_the_cache_of_a_running_uvx(
    damaged: Installation, tmp_path: Path
) -> None:
    damaged.move(tmp_path / "archive-v0" / "lib")
    output = damaged.manage("repair", code=1)
    assert "from inside: it runs from a cache of its installer" in output
    assert "hint: uv cache prune && uv cache clean leanspec-cli-bin" in output
    assert damaged.commands_of_uv() == []


def test_repair_names_a_missing_installer(damaged: Installation) -> None:
    (damaged.site.root / f"lean_spec-{VERSION}.dist-info/INSTALLER").write_text("conda\n")
    output = damaged.manage("repair", code=1)
    assert "error: `conda` is not on the path" in output
    assert "hint: conda install --force-reinstall lean-spec leanspec-cli-bin" in output


@pytest.mark.parametrize("variable", ["LEANSPEC_CLI_BINARY", "LEANSPEC_BINARIES_DIR"])
def test_repair_leaves_a_binary_named_by_the_user(
    damaged: Installation, tmp_path: Path, variable: str
) -> None:
    local = damaged.site.local("cli", b"damaged", tmp_path / "local", sha256="0" * 64)
    places = {
        "LEANSPEC_CLI_BINARY": str(tmp_path / "gone"),
        "LEANSPEC_BINARIES_DIR": str(local.parents[3]),
    }
    output = damaged.manage("repair", "cli", code=1, env={variable: places[variable]})
    assert "cannot be repaired by reinstalling it" in output
    assert f"`unset {variable}`" in output
    assert damaged.commands_of_uv() == []


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
