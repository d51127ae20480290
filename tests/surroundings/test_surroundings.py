"""The suite in the surroundings of other machines and users: red in none of them.

`python3 -m scripts test -- -m surroundings` takes up to 45 minutes on two cores. The first two run
everything, the others what `test --fast` runs.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scripts.dev.suite import FAST
from scripts.tools.processes import clean_environment
from tests.support.preconditions import missing, needs
from tests.support.surroundings import BASE_PYTHON, run
from tests.support.tree_copy import copy_tree, git

if sys.platform == "win32":
    missing("POSIX", "shells, users and signals")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.surroundings,
    needs("Linux", "git", "network"),
]
SECONDS = 1500
FULL = ("test",)
QUICK = ("test", "--fast")
NOBODY = 65534
# A machine so fast that whatever a test writes has one time of modification: what Python's byte
# code is known by. Times that a test sets itself are older, and stay.
ONE_SECOND = """
import importlib._bootstrap_external as external
loader, now = external.SourceFileLoader, 1_700_000_000
stats = loader.path_stats
loader.path_stats = lambda self, path: stats(self, path) | {
    "mtime": min(stats(self, path)["mtime"], now)
}
"""


def clone(folder: Path) -> Path:
    """Return a clone of this tree, changes included, with one commit."""
    copy_tree(folder)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "A clone")
    return folder


def play(
    tree: Path,
    *arguments: str,
    before: tuple[str, ...] = (),
    python: Path = BASE_PYTHON,
    env: dict[str, str] | None = None,
) -> None:
    """Run the suite in a clone; fail with the end of its output."""
    line = [*before, str(python), "-m", "scripts", *arguments]
    env = env or clean_environment()
    done = run(line, env, cwd=tree, code=None, timeout=SECONDS, traceback=True)
    output = (done.stdout + done.stderr)[-15_000:]
    assert done.returncode == 0, f"{' '.join(line)}: {done.returncode}\n{output}"


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clone for all surroundings that need none of their own, with its environment."""
    folder = clone(tmp_path_factory.mktemp("shared") / "tree")
    play(folder, "test", "--", "--version")
    return folder


def test_ci_set(tmp_path: Path) -> None:
    play(clone(tmp_path / "tree"), *FULL, env=clean_environment(CI="true"))


def test_ci_not_set(tmp_path: Path) -> None:
    play(clone(tmp_path / "tree"), *FULL)


@pytest.mark.parametrize(
    "variables",
    [
        {"LC_ALL": "C"},
        {"TZ": "Pacific/Kiritimati"},
        {"HOME": "/proc"},
        {"XDG_CONFIG_HOME": "relative", "XDG_CACHE_HOME": "relative"},
    ],
    ids=str,
)
def test_variables(tree: Path, variables: dict[str, str]) -> None:
    play(tree, *QUICK, env=clean_environment(**variables))


def test_home_unset(tree: Path) -> None:
    env = clean_environment()
    del env["HOME"]
    play(tree, *QUICK, env=env)


def test_turkish(tree: Path, tmp_path: Path) -> None:
    """There, the capital of `i` is not `I`."""
    folder = tmp_path / "locales"
    folder.mkdir()
    make = ["localedef", "-i", "tr_TR", "-f", "UTF-8", str(folder / "tr_TR.UTF-8")]
    if shutil.which("localedef") is None or not Path("/usr/share/i18n").is_dir():
        missing("locales")
    subprocess.run(make, check=False, capture_output=True)
    play(tree, *QUICK, env=clean_environment(LC_ALL="tr_TR.UTF-8", LOCPATH=str(folder)))


def test_umask_077(tmp_path: Path) -> None:
    shell = ("sh", "-c", 'umask 077; exec "$@"', "sh")
    play(clone(tmp_path / "tree"), *QUICK, before=shell)


def test_signals_ignored_and_streams_closed(tree: Path) -> None:
    careless = 'trap "" HUP TERM QUIT USR1; exec "$@" <&-'
    play(tree, *QUICK, before=("sh", "-c", careless, "sh"))


def test_a_path_with_a_space_a_quote_and_an_umlaut(tmp_path: Path) -> None:
    play(clone(tmp_path / "a b" / "ü'x"), *QUICK)


@needs("root", "unshare")
def test_no_network(tree: Path) -> None:
    """Loopback is there, and nothing else."""
    shell = 'ip link set lo up && exec "$@"'
    play(tree, *QUICK, before=("unshare", "--net", "sh", "-c", shell, "sh"))


@needs("root", "setpriv", "a Python for every user")
def test_a_user_who_is_not_root() -> None:
    # Nobody but root gets below the folders of pytest.
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        home, tree = folder / "home", clone(folder / "tree")
        home.mkdir()
        for path in (home, tree, *tree.rglob("*")):
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
        ids = (f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
        env = clean_environment(HOME=str(home), TMPDIR="/tmp", PATH="/usr/bin:/bin")  # noqa: S108
        system = Path("/usr/bin/python3")
        play(tree, *QUICK, before=("setpriv", *ids), python=system, env=env)


def test_two_runs_at_once(tree: Path, tmp_path: Path) -> None:
    """One user, one clone; and another clone of the same user."""
    trees = (tree, tree, clone(tmp_path / "tree"))
    with ThreadPoolExecutor(len(trees)) as pool:
        list(
            pool.map(
                lambda place: play(place, "test", "--", "-m", FAST, "tests/unit"), trees
            )
        )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_order(tree: Path, seed: int) -> None:
    options = ("-m", FAST, "-n", str(1 + (os.cpu_count() or 1)), "--order", str(seed))
    play(tree, "test", "--", *options, "tests/unit")


def test_other_pythons(pythons: dict[str, Path], tmp_path: Path) -> None:
    own = "{}.{}".format(*sys.version_info[:2])
    for version in ("3.11", "3.12", "3.13", "3.14", "3.15"):
        if version in pythons and version != own:
            tree = clone(tmp_path / version)
            play(tree, *QUICK, python=pythons[version])


@contextlib.contextmanager
def load(count: int) -> Iterator[None]:
    """Keep the machine busy: each process ends by itself, too."""
    program = f"import time; end = time.time() + {SECONDS}\nwhile time.time() < end: pass"
    processes = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_a_slow_machine(tree: Path) -> None:
    """Eight processes for each core."""
    with load(8 * (os.cpu_count() or 1)):
        play(tree, *QUICK)


def test_a_fast_machine(tmp_path: Path) -> None:
    """Everything is written within one second."""
    tree = clone(tmp_path / "tree")
    play(tree, "test", "--", "--version")
    packages = next((tree / ".venv/lib").glob("python3*/site-packages"))
    (packages / "one_second.pth").write_text("import one_second\n")
    (packages / "one_second.py").write_text(ONE_SECOND)
    play(tree, *QUICK)
