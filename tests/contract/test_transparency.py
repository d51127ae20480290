"""Started through the launcher, a program and its caller see what they see of a direct start."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from scripts.environment import ROOT
from scripts.tools.processes import clean_environment
from tests.support.preconditions import missing
from tests.support.releases import Scripts
from tests.support.surroundings import once, run

if sys.platform != "linux":
    missing("Linux", "the probe reads /proc")

from scripts.proofs.contract.cases import Case, all_cases
from scripts.proofs.contract.release import (
    Start,
    Way,
    build_probe,
    build_release,
    install,
    installed_binary,
)
from scripts.proofs.contract.table import observe

KEPT = [case for case in all_cases() if not case.unknowable]
# What a case shows of a direct start, where its name says so.
EXPECTED = {
    **{f"code {code}": f"exit {code}" for code in (0, 1, 2, 126, 127, 255)},
    **{f"killed by {each.name}": f"killed by {each.name}" for each in signal.Signals},
    **{f"{each.name} to the process": f"killed by {each.name}" for each in signal.Signals},
    "SIGINT to the group": "killed by SIGINT",
    "SIGUSR1, which the program handles": "heard: True",
    "SIGWINCH, which the program handles": "heard: True",
}
NOT_KEPT = [case for case in all_cases() if case.unknowable]


@pytest.fixture(scope="session")
def commands(shared: Path) -> Path:
    """Return the commands of an environment in which the binary of every family is the probe."""

    def make(folder: Path) -> None:
        install(folder / "environment", build_release(folder, build_probe(folder)))

    return once(shared / "probe-release", make) / "environment/bin"


def both(case: Case, commands: Path, folder: Path) -> tuple[str, str]:
    binary = str(installed_binary(commands))
    direct = observe(case, Way(Start.DIRECT, (binary,)), folder, binary)
    return direct, observe(
        case, Way(Start.OURS, (str(commands / "leanspec-http"),)), folder, binary
    )


@pytest.mark.parametrize("case", KEPT, ids=lambda case: f"{case.area}: {case.name}")
def test_the_launcher_is_not_to_be_told_from_a_direct_start(
    case: Case, commands: Path, tmp_path: Path
) -> None:
    direct, ours = both(case, commands, tmp_path / "case")
    assert ours == direct
    first = direct.splitlines()[0]
    assert "Error" not in first, "the case itself did not come about"
    assert first == EXPECTED.get(case.name, first), "the case itself did not come about"


@pytest.mark.parametrize("name", ["SIGINT to the group", "SIGQUIT to the process"])
def test_signals_are_seen_where_the_caller_ignores_them(
    name: str, commands: Path, tmp_path: Path
) -> None:
    """As under `nohup … &`."""
    (case,) = [each for each in KEPT if each.name == name]
    numbers = (signal.SIGINT, signal.SIGQUIT)
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        direct, _ = both(case, commands, tmp_path / "case")
        assert [signal.getsignal(number) for number in numbers] == [signal.SIG_IGN] * 2
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
    assert direct.splitlines()[0] == EXPECTED[name]


@pytest.mark.parametrize("case", NOT_KEPT, ids=lambda case: f"{case.area}: {case.name}")
def test_what_cannot_be_kept_is_still_so(
    case: Case, commands: Path, tmp_path: Path
) -> None:
    """Where this fails, the exception can go."""
    direct, ours = both(case, commands, tmp_path / "case")
    assert ours != direct


def test_the_comparison_sees_a_waiting_parent(commands: Path, tmp_path: Path) -> None:
    binary = str(installed_binary(commands))
    program = "import subprocess, sys; sys.exit(subprocess.run(sys.argv[1:]).returncode)"
    shim = Way(Start.SHIMMED, (sys.executable, "-c", program, binary))
    seen = {
        f"{case.area}: {case.name}"
        for case in KEPT
        if case.area in ("exit", "process")
        and observe(case, Way(Start.DIRECT, (binary,)), tmp_path / "case", binary)
        != observe(case, shim, tmp_path / "case", binary)
    }
    assert "exit: killed by SIGTERM" in seen
    assert "process: processes while it runs" in seen
    assert "exit: code 126" not in seen


# `contract`, with the release that these tests made.
COMMAND = """
import sys
from pathlib import Path
from scripts.cli import run
from scripts.proofs.contract import release, table
commands = Path(sys.argv.pop(1))
table.release = lambda folder: release.ways(folder, commands)
run()
"""


@pytest.mark.network
def test_the_table_is_printed(commands: Path) -> None:
    program = [sys.executable, "-c", COMMAND, str(commands), "contract"]
    result = run([*program, "exit: killed by SIGTERM"], clean_environment(), cwd=ROOT)
    head, row, last = result.stdout.splitlines()
    assert head.split()[:3] == ["case", "direct", "ours"]
    assert row.startswith("exit: killed by SIGTERM  killed by SIGTERM  same")
    assert last == "1 of 1 cases are the same through the launcher"


@pytest.mark.network
@pytest.mark.slow
def test_contract_makes_a_release_of_its_own(scripts: Scripts) -> None:
    result = scripts("contract", "exit: killed by SIGTERM")
    assert result.stdout.endswith("1 of 1 cases are the same through the launcher\n")
