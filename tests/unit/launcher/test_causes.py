"""Answers of a system in words: some are of systems that no machine of the tests has."""

from __future__ import annotations

import errno
import sys
from pathlib import Path

import pytest

from leanspec_launcher._say import CANNOT_RUN
from leanspec_launcher._search import WHEEL, Place, Start
from leanspec_launcher._tables import PROGRAMS
from leanspec_launcher.commands import CommandError
from leanspec_launcher.explain import explain
from leanspec_launcher.manage.update import index
from tests.support.modules import write_module
from tests.support.preconditions import missing
from tests.support.site import Site

if sys.platform != "linux":
    missing("Linux", "the answers are simulated there")


def answer(error: OSError, capfd: pytest.CaptureFixture[str]) -> list[str]:
    """Return the lines of the message about a sound program that was not started."""
    place = Place(WHEEL, str(Path(sys.executable).resolve()))
    assert explain._explain_start(Start(PROGRAMS["cli"]), place, error) == CANNOT_RUN  # noqa: SLF001
    return capfd.readouterr().err.splitlines()


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (errno.ENOEXEC, "it is not a program for this system and CPU"),
        (errno.EACCES, "the system does not let it run"),
        (errno.ENAMETOOLONG, "its path is longer than the system allows"),
        (errno.ENOMEM, "the system has no memory left for it"),
        (errno.EPERM, "the system's policy does not let it run"),
        (errno.EIO, "the disk that it is on cannot be read"),
    ],
)
def test_an_answer_of_execve_is_a_reason(
    code: int, reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    first, *_, hint = answer(OSError(code, "not shown"), capfd)
    assert first.endswith(f": {reason}")
    assert hint.startswith("hint: ")


@pytest.mark.parametrize(
    ("code", "reason", "hint"),
    [
        (5, "access is denied: antivirus software or a policy may hold it", "allow the file in your antivirus"),
        (32, "another program has it open", "try again when the installer or scanner is done with it"),
        (206, "its path, or the command line, is longer than Windows allows", "move the environment to a shorter path"),
        (216, "it is for another CPU", ""),
        (225, "antivirus software took it for a virus", "restore and allow the file in your antivirus software"),
        (740, "Windows wants an administrator for it", "run it in a terminal of an administrator"),
        (1260, "a policy of this computer forbids it", "ask the administrator to allow the file"),
        (4551, "the policy on application control forbids it", "ask the administrator to allow it, or start it by"),
    ],
)  # fmt: skip
def test_an_answer_of_windows_is_a_reason_with_a_hint(
    code: int, reason: str, hint: str, capfd: pytest.CaptureFixture[str]
) -> None:
    error = OSError(errno.EINVAL, "not shown")
    vars(error)["winerror"] = code
    first, *_, last = answer(error, capfd)
    assert first.endswith(f": {reason}")
    assert last.startswith(f"hint: {hint}")


def test_an_index_that_does_not_answer_is_one_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(index, "ANSWER_SECONDS", 1)
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    with pytest.raises(CommandError, match="the index did not answer within 1 s"):
        index._run(command)  # noqa: SLF001


def test_damaged_module_is_one_message(site: Site) -> None:
    write_module(site.root / "leanspec_launcher/_tables.py", "1 / 0\n")
    result = site.start("cli", code=126)
    words = "lean-spec is damaged: ZeroDivisionError: division by zero"
    assert result.stderr == f"error: {words}\nhint: reinstall lean-spec\n"


def test_downloads_without_a_home_have_no_place(site: Site) -> None:
    variables = dict.fromkeys(("HOME", "XDG_DATA_HOME"), "")
    result = site.manage("fetch", "--list", code=1, env=variables)
    words = "error: no folder for downloads is known\nhint: set `HOME` to your own folder\n"
    assert result.stderr == words
