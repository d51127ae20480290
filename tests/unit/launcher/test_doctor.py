"""`doctor`: settings, records and programs that do not work."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from leanspec_launcher.commands import CommandError
from leanspec_launcher.web.settings import read_settings
from tests.support.installation import VERSION, Installation
from tests.support.site import script

pytestmark = pytest.mark.posix


@pytest.mark.long
@pytest.mark.posix
def test_doctor_ends_a_script_that_starts_doctor_again(installed: Installation) -> None:
    count = installed.tools / "count"
    count.touch()
    path = installed.tools / "mine"
    doctor = shlex.join(
        [sys.executable, "-c", installed.site.call("main", ".manage"), "doctor"]
    )
    path.write_text(f"#!/bin/sh\necho >> {shlex.quote(str(count))}\nexec {doctor}\n")
    path.chmod(0o755)
    output = installed.manage("doctor", env={"LEANSPEC_CLI_BINARY": str(path)}, code=1)
    assert "`unset LEANSPEC_CLI_BINARY`, which names it" in output
    assert len(count.read_text()) <= 11


def test_doctor_reports_a_damaged_record_once(installed: Installation) -> None:
    path = installed.site.root / f"lean_spec-{VERSION}.dist-info/RECORD"
    path.write_text("broken\n" * 500 + path.read_text())
    assert (
        installed.manage("doctor", code=1).count(
            "RECORD is damaged in line 1, and in 499 more"
        )
        == 1
    )
    (path.parent / "METADATA").write_bytes(b"\xff")
    output = installed.manage("doctor", code=1)
    assert "METADATA is missing" in output
    assert "its metadata says" not in output


@pytest.mark.parametrize("text", ["[" * 100_000, "{", "[]", "\0"])
def test_doctor_reports_unreadable_settings_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    (tmp_path / "config.json").write_text(text)
    monkeypatch.setenv("LEANSPEC_DATA_DIR", str(tmp_path))
    with pytest.raises(CommandError, match=r"cannot read the settings in `.*config\.json`"):
        read_settings()


def test_doctor_asks_for_an_update_only_if_told_to(installed: Installation) -> None:
    """An index that does not answer is a warning, and no command but this one ever asks."""
    installed.uv("exit 2")
    (installed.site.root / f"lean_spec-{VERSION}.dist-info/INSTALLER").write_text("uv\n")
    # The small programs are not LeanSpec's, and doctor says so.
    installed.manage("doctor", code=1)
    assert installed.commands_of_uv() == []
    output = installed.manage("doctor", code=1, env={"LEANSPEC_UPDATE_CHECK": "1"})
    assert "the index could not be asked: exit code 2" in output
    assert installed.commands_of_uv()[0].startswith("pip compile - ")


def test_doctor_says_how_a_program_ended_that_does_not_say_its_version(
    installed: Installation,
) -> None:
    program = script("echo broken >&2; exit 3", "cli")
    installed.site.install("cli", program)
    message = installed.manage("doctor", code=1)
    assert "`--version` ended with exit code 3: broken" in message
