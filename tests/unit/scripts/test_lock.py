"""The lock files: complete, and installed as they are, whatever is released after them."""

from __future__ import annotations

import hashlib
import http.server
import importlib.metadata
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts import locked
from scripts.environment import Group
from scripts.tools.lock import Entry, Environment, follow, read_lock, wanted
from scripts.tools.loopback import serving
from scripts.tools.processes import clean_environment
from tests.support.surroundings import run

# The oldest pip that a supported CPython brought along: that of 3.11.0.
OLDEST_PIP = "22.3"
SYSTEMS = {
    "linux": {"os_name": "posix", "platform_system": "Linux", "platform_machine": "x86_64"},
    "darwin": {
        "os_name": "posix",
        "platform_system": "Darwin",
        "platform_machine": "arm64",
    },
    "win32": {"os_name": "nt", "platform_system": "Windows", "platform_machine": "AMD64"},
}
# 3.11.4 has a marker of its own in dev.lock.
PYTHONS = ("3.11.0", "3.11.4", "3.11.9", "3.12.0", "3.13.0", "3.14.0")
NEWER = "99999"


HERE = {name: str(value) for name, value in default_environment().items()}


def environment(system: str, python: str) -> Environment:
    """Return what markers are evaluated with on another system and Python."""
    values = HERE | SYSTEMS[system]
    values |= {"sys_platform": system, "python_full_version": python}
    values |= {
        "python_version": python.rpartition(".")[0],
        "implementation_version": python,
    }
    return values


ENVIRONMENTS = {
    f"{system}-{python}": environment(system, python)
    for system in SYSTEMS
    for python in PYTHONS
}


@pytest.fixture(scope="module")
def metadata(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Requirement]]:
    """Return what each locked package requires: as installed here, or as the index says."""
    stated: dict[str, list[Requirement]] = {}
    foreign = []
    for group in Group:
        for entry in read_lock(group.lock):
            if not any(entry.is_for(each) for each in ENVIRONMENTS.values()):
                continue
            try:
                distribution = importlib.metadata.distribution(entry.name)
            except importlib.metadata.PackageNotFoundError:
                distribution = None
            if distribution and distribution.version == str(entry.version):
                stated[key(entry)] = [
                    Requirement(text) for text in distribution.requires or ()
                ]
            else:
                foreign.append(key(entry))
    folder = tmp_path_factory.mktemp("metadata")
    return stated | from_index(sorted(set(foreign) - set(stated)), folder)


def key(entry: Entry) -> str:
    return f"{entry.name}=={entry.version}"


def from_index(names: list[str], folder: Path) -> dict[str, list[Requirement]]:
    """Let pip report what packages require, without installing them: for Windows, as most are."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--dry-run",
        "--quiet",
        "--report",
        "-",
    ]
    command += [
        "--no-deps",
        "--only-binary=:all:",
        "--ignore-installed",
        "--target",
        str(folder),
    ]
    command += [
        "--platform",
        "win_amd64",
        "--python-version",
        "3.13",
        "--no-build-isolation",
    ]
    report = json.loads(run([*command, *names], clean_environment()).stdout)
    stated = {}
    for each in report["install"]:
        data = each["metadata"]
        name = f"{canonicalize_name(data['name'])}=={data['version']}"
        stated[name] = [Requirement(text) for text in data.get("requires_dist", ())]
    return stated


@pytest.mark.network
@pytest.mark.parametrize("where", ENVIRONMENTS)
@pytest.mark.parametrize("group", Group)
def test_a_lock_is_complete_and_lists_nothing_else(
    group: Group, where: str, metadata: dict[str, list[Requirement]]
) -> None:
    entries = read_lock(group.lock)
    environment = ENVIRONMENTS[where]
    problems, needed = follow(
        entries, wanted(group), lambda entry: metadata[key(entry)], environment
    )
    assert problems == []
    assert {entry.name for entry in entries if entry.is_for(environment)} == needed


def test_a_lock_that_lacks_something_is_found() -> None:
    everything = read_lock(Group.BUILD.lock)
    roots = [
        Requirement("rich>=1"),
        Requirement("click[color]>=99; sys_platform == 'linux'"),
    ]
    stated = {"rich": [Requirement("nowhere"), Requirement("other; extra == 'jupyter'")]}
    problems, needed = follow(
        everything,
        roots,
        lambda entry: stated.get(entry.name, []),
        ENVIRONMENTS["linux-3.12.0"],
    )
    assert {(each.asker, str(each.requirement)) for each in problems} == {
        ("the group", str(roots[1])),
        ("rich", "nowhere"),
    }
    assert needed == {"rich", "click"}


def test_the_groups_share_their_versions() -> None:
    """`dev` is installed over `build`: another version would be installed twice."""
    every = {key(entry) for entry in read_lock(Group.DEV.lock)}
    assert {key(entry) for entry in read_lock(Group.BUILD.lock)} <= every


@pytest.fixture(scope="module")
def old_pip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the oldest pip, as a zip archive that Python runs."""
    folder = tmp_path_factory.mktemp("pip")
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--dest",
        folder,
    ]
    run([*command, f"pip=={OLDEST_PIP}"], clean_environment())
    return next(folder.glob("pip-*.whl")) / "pip"


class Package:
    """A wheel with a name, a version and requirements, and nothing in it."""

    def __init__(self, folder: Path, name: str, version: str, requires: list[str]) -> None:
        info = f"{name.replace('-', '_')}-{version}"
        lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
        for text in requires:
            found = re.search(r"extra == ['\"]([\w-]+)['\"]", text)
            lines += [f"Provides-Extra: {found[1]}"] if found else []
            lines.append(f"Requires-Dist: {text}")
        files = {
            "METADATA": "\n".join(lines) + "\n",
            "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        record = "".join(f"{info}.dist-info/{file},,\n" for file in (*files, "RECORD"))
        self.path = folder / name / f"{info}-py3-none-any.whl"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(self.path, "w") as archive:
            for file, text in (files | {"RECORD": record}).items():
                archive.writestr(f"{info}.dist-info/{file}", text)
        self.sha256 = hashlib.sha256(self.path.read_bytes()).hexdigest()


@pytest.fixture
def index(tmp_path: Path) -> Iterator[str]:
    """Serve the folder `index` on loopback, as a simple index."""
    (tmp_path / "index").mkdir()
    handler = partial(
        http.server.SimpleHTTPRequestHandler, directory=str(tmp_path / "index")
    )
    with serving(handler) as url:
        yield url


def imitate(
    lock: Path, folder: Path, metadata: dict[str, list[Requirement]]
) -> tuple[Path, int]:
    """Write a lock of empty packages that require each other as the real ones do.

    Of each package that is required with an extra, the index has a newer release too.
    """
    entries = [entry for entry in read_lock(lock) if entry.is_for(HERE)]
    lines = []
    with_extra = {
        canonicalize_name(each.name)
        for entry in entries
        for each in metadata[key(entry)]
        if each.extras
    }
    for entry in entries:
        requires = [str(each) for each in metadata[key(entry)]]
        package = Package(folder / "index", entry.name, str(entry.version), requires)
        lines.append(f"{entry.name}=={entry.version} --hash=sha256:{package.sha256}\n")
        if entry.name in with_extra:
            Package(folder / "index", entry.name, NEWER, [*requires, "a-stranger"])
    for name in ("a-stranger", "pip"):
        Package(folder / "index", name, NEWER, [])
    (folder / lock.name).write_text("".join(lines))
    return folder / lock.name, len(entries)


@pytest.mark.network
@pytest.mark.parametrize("group", Group)
def test_a_newer_release_of_anything_changes_nothing(
    group: Group,
    index: str,
    old_pip: Path,
    metadata: dict[str, list[Requirement]],
    tmp_path: Path,
) -> None:
    """Fails without `--no-deps`: pip before 23.3 takes a requirement with an extra for unpinned."""
    lock, count = imitate(group.lock, tmp_path, metadata)
    run(
        [sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"],
        clean_environment(),
    )
    python = tmp_path / "venv/bin/python"
    command: list[str | Path] = [
        python,
        old_pip,
        "install",
        "--no-cache-dir",
        "--index-url",
        index,
    ]
    env = clean_environment(
        PIP_CONFIG_FILE="/dev/null", PIP_EXTRA_INDEX_URL="", PIP_FIND_LINKS=""
    )
    run([*command, *locked.EXACTLY, "--requirement", lock], env)
    listing = "import importlib.metadata as m; print(len(list(m.distributions())))"
    assert run([python, "-c", listing], env).stdout == f"{count}\n"


@pytest.mark.network
@pytest.mark.slow
@pytest.mark.parametrize("group", Group)
def test_the_oldest_pip_installs_the_real_lock(
    group: Group, old_pip: Path, tmp_path: Path
) -> None:
    """Against the index as it is today; a minute each."""
    run(
        [sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"],
        clean_environment(),
    )
    command: list[str | Path] = [
        tmp_path / "venv/bin/python",
        old_pip,
        "install",
        *locked.EXACTLY,
    ]
    run([*command, "--requirement", group.lock], clean_environment(), timeout=900)


@pytest.mark.network
@pytest.mark.parametrize(
    "system",
    [
        "linux",
        "windows",
        "macos",
        "aarch64-manylinux_2_28",
        "aarch64-pc-windows-msvc",
        "x86_64-apple-darwin",
    ],
)
@pytest.mark.parametrize("python", ["3.11", "3.14", "3.15"])
def test_every_package_has_a_wheel(system: str, python: str, tmp_path: Path) -> None:
    """Building one would fetch what no lock lists."""
    if (system, python) == ("aarch64-pc-windows-msvc", "3.11"):
        pytest.skip("PyYAML has none for that Python there; the workflows use a newer one")
    uv = Path(sys.executable).with_name("uv")
    # What builds for Linux, and what publishes, runs on no runner of these two.
    without_tools = system in ("aarch64-pc-windows-msvc", "x86_64-apple-darwin")
    for group in [
        each for each in Group if each in (Group.BUILD, Group.DEV) or not without_tools
    ]:
        command: list[str | Path] = [
            uv,
            "pip",
            "install",
            "--dry-run",
            "--quiet",
            "--target",
            tmp_path,
        ]
        command += ["--python-platform", system, "--python-version", python]
        run([*command, *locked.EXACTLY, "--requirement", group.lock], clean_environment())


def test_an_entry_is_taken_with_its_hashes_alone(tmp_path: Path) -> None:
    lock = tmp_path / "x.lock"
    lock.write_text(
        "uv==1 \\\n    --hash=sha256:0\nuvicorn==2 \\\n    --hash=sha256:1\n    # via\n"
    )
    assert locked.entry(lock, "uv") == "uv==1 \\\n    --hash=sha256:0\n"
    assert locked.entry(lock, "uvicorn") == "uvicorn==2 \\\n    --hash=sha256:1\n"
    assert locked.entry(lock, "unknown") == ""
    assert subprocess.list2cmdline(locked.EXACTLY).startswith("--no-deps --require-hashes")
