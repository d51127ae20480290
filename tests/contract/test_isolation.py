"""A test run inherits nothing from whoever starts it but what names the package registries."""

from __future__ import annotations

import json
import re
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts.dev import isolation
from scripts.environment import ROOT
from scripts.tools.processes import clean_environment
from tests.support.preconditions import missing
from tests.support.surroundings import BASE_PYTHON, run

if sys.platform != "linux":
    missing("Linux", "the probe reads /proc")

SUITE = (str(BASE_PYTHON), "-m", "scripts", "test", "--")
PROBE = (*SUITE, "tests/support/probe_isolation.py", "-p", "no:cacheprovider")
ISOLATED = (str(BASE_PYTHON), str(ROOT / "scripts/dev/isolation.py"))
REGISTRY = "http://127.0.0.1:9/"
VARIABLES = {
    "CI": "true",
    "EDITOR": "/bin/false",
    "GIT_DIR": "/nowhere",
    "GITHUB_OUTPUT": "/nowhere/output",
    "LC_ALL": "C",
    "LEANSPEC_CLI_BINARY": "/bin/false",
    "LEANSPEC_VERIFY": "always",
    "NO_COLOR": "1",
    "PIP_REQUIRE_VIRTUALENV": "1",
    "PIP_TARGET": "/nowhere",
    "PYTEST_ADDOPTS": "--collect-only",
    "PYTEST_XDIST_WORKER": "gw0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONOPTIMIZE": "2",
    "PYTHONPATH": "/nowhere",
    "PYTHONWARNINGS": "error",
    "TERM": "dumb",
    "TZ": "Pacific/Kiritimati",
    "UV_CACHE_DIR": "/nowhere",
    "UV_OFFLINE": "1",
    "XDG_CACHE_HOME": "/nowhere",
    "XDG_CONFIG_HOME": "relative",
}
FILES = {
    ".claude.json": "{}",
    ".gitconfig": "[core]\n    hooksPath = /nowhere\n",
    ".npmrc": f"ignore-scripts=true\nregistry={REGISTRY}\n//127.0.0.1:9/:_authToken=x\n",
    ".config/pip/pip.conf": f"[global]\nuser = true\nindex-url = {REGISTRY}\n",
    ".config/uv/uv.toml": f'offline = true\n[[index]]\nurl = "{REGISTRY}"\ndefault = true\n',
}
CARELESS = 'umask 077; trap "" HUP TERM QUIT USR1; exec "$@" <&-'


def probe(folder: Path, *before: str, **variables: str) -> dict[str, Any]:
    """Return what a program of a test saw, in a run that a user starts."""
    command = [*before, *PROBE, "-k", "test_probe", "--basetemp", str(folder)]
    run(command, clean_environment(**variables), cwd=ROOT)
    text = (folder / "report.json").read_text().replace(str(folder), "BASE")
    report: dict[str, Any] = json.loads(re.sub(r"/\S*leanspec-run-\w+", "RUN", text))
    return report


def test_a_test_inherits_nothing_but_what_names_registries(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for name, text in FILES.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    plain = probe(tmp_path / "plain")
    careless = ("sh", "-c", CARELESS, "sh")
    poisoned = probe(tmp_path / "poisoned", *careless, **VARIABLES, HOME=str(home))
    registry = poisoned["home"].pop(".npmrc")
    assert registry == f"registry={REGISTRY}\n//127.0.0.1:9/:_authToken=x\n"
    assert poisoned["environment"].pop("UV_DEFAULT_INDEX") == REGISTRY
    expected = (False, True)
    assert (plain.pop("in CI"), poisoned.pop("in CI")) == expected, "a verdict counts more"
    for report in (plain, poisoned):
        # Toolchains and authorities are named by variable, or lie in the home that this test moved.
        for name in (*isolation.TOOLCHAINS, "UV_DEFAULT_INDEX"):
            report["environment"].pop(name, None)
        report["home"].pop(".npmrc", None)
        # One process per test run: it knows the test that runs.
        report["environment"].pop("PYTEST_CURRENT_TEST")
        report["environment"].pop("PYTEST_VERSION", None)
    assert poisoned == plain
    assert plain["umask"] == 0o022
    assert plain["streams"] == [True, True, True]
    blocked, ignored = (int(line.split()[1], base=16) for line in plain["signals"])
    assert blocked == 0
    # The probe is a Python, which ignores these two itself.
    assert ignored == sum(1 << number - 1 for number in (signal.SIGPIPE, signal.SIGXFSZ))


def test_pip_reads_its_registry_and_nothing_else(tmp_path: Path) -> None:
    """Ask pip itself which settings are left, as `.ci/run` starts the suite."""
    file = tmp_path / ".config/pip/pip.conf"
    file.parent.mkdir(parents=True)
    file.write_text(FILES[".config/pip/pip.conf"])
    command = [*ISOLATED, sys.executable, "-m", "pip", "config", "list"]
    lines = run(command, clean_environment(HOME=str(tmp_path))).stdout
    assert f"global.index-url='{REGISTRY}'" in lines
    assert "user" not in lines


@pytest.mark.parametrize("code", [0, 3])
def test_isolation_returns_the_exit_code(code: int) -> None:
    command = [*ISOLATED, sys.executable, "-c", f"raise SystemExit({code})"]
    run(command, clean_environment(), code=code)


def test_path_has_no_entry_that_depends_on_the_working_directory() -> None:
    env = clean_environment(PATH=f":.:bin:{Path(sys.executable).parent}:/usr/bin")
    lines = run([*ISOLATED, "/usr/bin/env"], env).stdout.splitlines()
    assert f"PATH={Path(sys.executable).parent}:/usr/bin" in lines


def test_a_test_that_leaves_processes_or_skips_at_will_fails(tmp_path: Path) -> None:
    command = [*PROBE, "-k", "not test_probe", "--basetemp", str(tmp_path / "base"), "-q"]
    report = run(command, clean_environment(), cwd=ROOT, code=1, traceback=True).stdout
    for line in ("sleep 300", "sleep 301"):
        assert f"the test left processes running:\n{line}\n" in report
    assert "skipped for a reason that no list has: it is Sunday" in report
    assert "needs a test's own, and nothing explains that it is missing" in report
    assert "exit 3']' returned non-zero exit status 3.\non output\n\non error\n" in report
    assert "4 failed, 2 passed, 1 deselected, 2 errors" in report
