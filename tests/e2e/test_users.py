"""Every command for users without a home, and with files that they may not read."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.installers import WITH_PAGES, UvPip, from_files
from tests.support.preconditions import require

pytestmark = [pytest.mark.posix, pytest.mark.slow]
USER = 4242
PYTHON = Path("/usr/bin/python3")
COMMANDS = (
    "leanspec-launcher which",
    "leanspec-launcher verify",
    "leanspec-launcher doctor",
    "leanspec-launcher repair",
    "leanspec-launcher link",
    "leanspec-launcher unlink",
    "leanspec-launcher update --check",
    "leanspec-launcher fetch cli --from /nowhere",
    "leanspec-launcher fetch --list",
    "leanspec-launcher bundle bundled",
    "leanspec-launcher mcp-config claude",
    "leanspec-launcher mcp-config cursor --project .",
    "leanspec-launcher mcp-config claude --write --yes --scope user",
    "leanspec-launcher mcp-config --all --write --yes",
    "leanspec-ui --dry-run",
    "lean-spec ui --dry-run",
    "lean-spec list",
    "leanspec-mcp --version",
    "leanspec-http --version",
)
# Those whose exit code tells what they found; any other prints one error if it fails.
REPORTS = ("which", "verify", "doctor")
HOMES = {
    "no home": ("env", "-u", "HOME"),
    "an empty home": ("env", "HOME="),
    "a relative home": ("env", "HOME=relative"),
    "a home that does not exist": ("env", "HOME=/nonexistent"),
}


@pytest.fixture(scope="module")
def shared_installation(dist: Path, wheelhouse: Path) -> Iterator[UvPip]:
    """Return an installation that every user may read, and a project in it."""
    require("root", "setpriv", "a Python for every user")
    # Nobody but root gets below the folders of pytest.
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as name:
        home = Path(name)
        home.chmod(0o755)
        env = from_files(home, dist, wheelhouse) | {"UV_LINK_MODE": "copy"}
        installation = UvPip(home, env, PYTHON)
        installation.install(WITH_PAGES)
        (home / "project/specs").mkdir(parents=True)
        yield installation


@pytest.fixture
def installation(shared_installation: UvPip) -> Iterator[UvPip]:
    """Return that installation, started by a user who has no entry in the list of users."""
    ids = (f"--reuid={USER}", f"--regid={USER}", "--clear-groups")
    shared_installation.prefix = ("setpriv", *ids)
    yield shared_installation
    shared_installation.prefix = ()


def run_all(installation: UvPip) -> str:
    """Run every command; return what they print. Each works or ends with one message."""
    texts = []
    for line in COMMANDS:
        name, *arguments = line.split()
        folder = installation.home / "project"
        result = installation.start(name, *arguments, code=None, cwd=folder)
        text = result.stdout + result.stderr
        assert result.returncode in (0, 1, 126), f"{line}: {text}"
        assert "this is a bug" not in text, f"{line}: {text}"
        assert "is damaged: " not in result.stderr, f"{line}: {text}"
        if result.returncode != 0 and arguments[0] not in REPORTS:
            assert text.count("error: ") >= 1, f"{line}: {text}"
            assert text.count("hint: ") >= 1, f"{line}: {text}"
        texts.append(text)
    return "\n".join(texts)


@pytest.mark.parametrize("home", HOMES)
def test_every_command_works_for_a_user_whose_home_is(
    installation: UvPip, home: str
) -> None:
    installation.prefix += HOMES[home]
    text = run_all(installation)
    assert "everything works" in text, "`doctor` has nothing against it"
    assert "leanspec-mcp 0." in text


@pytest.fixture
def user_home(installation: UvPip) -> Iterator[Path]:
    """Return a home of that user."""
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as name:
        shutil.chown(name, USER, USER)
        installation.prefix += ("env", f"HOME={name}")
        yield Path(name)


def test_every_command_reports_files_that_cannot_be_read(
    installation: UvPip, user_home: Path
) -> None:
    for name in (".claude.json", ".cursor/mcp.json", ".lean-spec/config.json"):
        file = user_home / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("{}")
        file.chmod(0o600)
    text = run_all(installation)
    assert "cannot read `" in text
    assert "config.json`: Permission denied" in text


@pytest.mark.usefixtures("user_home")
@pytest.mark.parametrize("closed", ["folder", "binary", "record"])
def test_doctor_reports_the_other_programs_too(installation: UvPip, closed: str) -> None:
    binary = installation.binary()
    record = next(installation.packages.glob("leanspec_cli_bin-*.dist-info"))
    path = {"folder": binary.parents[1], "binary": binary, "record": record}[closed]
    mode = path.stat().st_mode
    path.chmod(0o700)
    try:
        for command in ("which", "verify", "doctor"):
            output = installation.start("leanspec-launcher", command, code=None).stdout
            assert output.count("its SHA-256 is the expected one") >= 2, output
            assert str(binary) in output
        run_all(installation)
    finally:
        path.chmod(mode)
