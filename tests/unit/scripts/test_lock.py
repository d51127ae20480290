"""The lock files: complete, and installed as they are, whatever is released after them."""

from __future__ import annotations

import functools
import hashlib
import http.server
import importlib.metadata
import json
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from leanspec_launcher.commands import CommandError
from scripts import locked
from scripts.environment import ROOT, Group
from scripts.tools.lock import (
    UNREACHABLE,
    LockEntry,
    MarkerValues,
    follow,
    group_requirements,
    read_lock,
    write_locks,
)
from scripts.tools.loopback import serving
from scripts.tools.processes import clean_environment, own_program
from tests.support.remembered import remembered
from tests.support.rules import must_hold
from tests.support.surroundings import once, run

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
# What the verdicts about the lock files depend on.
INPUTS: tuple[Path | str, ...] = (
    *(group.lock for group in Group),
    ROOT / "scripts/locked.py",
    ROOT / "scripts/tools/lock.py",
    *(f"{group}: {group_requirements(group)}" for group in Group),
)


HERE = {name: str(value) for name, value in default_environment().items()}


def environment(system: str, python: str) -> MarkerValues:
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


@functools.cache
def metadata() -> dict[str, list[Requirement]]:
    """Return what each locked package requires: as installed here, or as the index says."""
    requirements: dict[str, list[Requirement]] = {}
    foreign = set()
    for entry in locked_entries():
        try:
            distribution = importlib.metadata.distribution(entry.name)
        except importlib.metadata.PackageNotFoundError:
            distribution = None
        if distribution and distribution.version == str(entry.version):
            texts = distribution.requires or ()
            requirements[key(entry)] = [Requirement(text) for text in texts]
        else:
            foreign.add(key(entry))
    return requirements | from_index(sorted(foreign - set(requirements)))


def locked_entries() -> list[LockEntry]:
    """Return the entries of all groups, for any environment that is looked at."""
    return [
        entry
        for group in Group
        for entry in read_lock(group.lock)
        if any(entry.is_for(environment) for environment in ENVIRONMENTS.values())
    ]


def key(entry: LockEntry) -> str:
    return f"{entry.name}=={entry.version}"


def from_index(names: list[str]) -> dict[str, list[Requirement]]:
    """Let pip report what packages require, without installing them: for Windows, as most are."""
    command: list[str | Path] = [sys.executable, "-m", "pip", "install"]
    command += ["--dry-run", "--quiet", "--report", "-", "--no-deps"]
    command += ["--only-binary=:all:", "--ignore-installed", "--no-build-isolation"]
    command += ["--platform", "win_amd64", "--python-version", "3.13"]
    with tempfile.TemporaryDirectory() as folder:
        output = run([*command, "--target", folder, *names], clean_environment()).stdout
    requirements = {}
    for package in json.loads(output)["install"]:
        data = package["metadata"]
        name = f"{canonicalize_name(data['name'])}=={data['version']}"
        texts = data.get("requires_dist", ())
        requirements[name] = [Requirement(text) for text in texts]
    return requirements


@pytest.mark.network
def test_a_lock_is_complete_and_lists_nothing_else(request: pytest.FixtureRequest) -> None:
    with remembered(request, *INPUTS):
        must_hold(
            f"{group.lock.name} on {name}: {problem}"
            for group in Group
            for name, environment in ENVIRONMENTS.items()
            for problem in gaps(group, environment)
        )


def gaps(group: Group, environment: MarkerValues) -> Iterator[str]:
    """Yield what a lock lacks in an environment, and what it lists in vain."""
    entries = read_lock(group.lock)
    problems, needed = follow(
        entries,
        group_requirements(group),
        lambda entry: metadata()[key(entry)],
        environment,
    )
    yield from (str(problem) for problem in problems)
    names = {entry.name for entry in entries if entry.is_for(environment)}
    assert names, "it lists anything at all"
    for name in names ^ needed:
        yield f"`{name}` is {'listed in vain' if name in names else 'missing'}"


def test_follow_names_missing_and_other_versions() -> None:
    everything = read_lock(Group.RELEASE.lock)
    roots = [
        Requirement("rich>=1"),
        Requirement("click[color]>=99; sys_platform == 'linux'"),
    ]
    requirements = {
        "rich": [Requirement("nowhere"), Requirement("other; extra == 'jupyter'")]
    }
    problems, needed = follow(
        everything,
        roots,
        lambda entry: requirements.get(entry.name, []),
        ENVIRONMENTS["linux-3.12.0"],
    )
    actual = {(unmet.asker, str(unmet.requirement)) for unmet in problems}
    assert actual == {("the group", str(roots[1])), ("rich", "nowhere")}
    assert needed == {"rich", "click"}


def pins(lock: Path) -> dict[str, list[str]]:
    """Return the versions and hashes of each package in a lock file."""
    packages: dict[str, list[str]] = {}
    name = ""
    for line in lock.read_text("utf-8").splitlines():
        if start := locked.ENTRY.match(line):
            name = start["name"]
            packages.setdefault(name, []).append(start["version"])
        elif line.startswith("    --hash="):
            packages[name].append(line.strip(" \\"))
    return packages


def test_lock_names_an_index_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    before = Group.DEV.lock.read_bytes()
    with pytest.raises(CommandError, match="`uv pip compile` failed") as error:
        next(write_locks())
    assert error.value.hint == UNREACHABLE
    assert Group.DEV.lock.read_bytes() == before


def test_the_groups_share_their_versions_and_hashes() -> None:
    """`dev` is installed over `release`: another version would be installed twice."""
    dev = pins(Group.DEV.lock)
    must_hold(
        f"release.lock: `{name}` is not the one of dev.lock"
        for name, pinned in pins(Group.RELEASE.lock).items()
        if pinned != dev.get(name)
    )


def old_pip(shared: Path) -> Path:
    """Download the oldest pip, as a zip archive that Python runs."""

    def download(folder: Path) -> None:
        command: list[str | Path] = [sys.executable, "-m", "pip", "download", "--quiet"]
        command += ["--no-deps", "--dest", folder, f"pip=={OLDEST_PIP}"]
        run(command, clean_environment())

    return next(once(shared / "old-pip", download).glob("pip-*.whl")) / "pip"


# Prints what pip takes of each lock file: package, number of hashes.
READ_LOCKS = """
import json, sys
pip, *locks = sys.argv[1:]
sys.path.insert(0, pip)
from pip._internal.network.session import PipSession
from pip._internal.req.constructors import install_req_from_parsed_requirement
from pip._internal.req.req_file import parse_requirements
print(json.dumps([
    {
        str(line.req): sum(map(len, line.hash_options.values()))
        for line in map(install_req_from_parsed_requirement, parse_requirements(lock, PipSession()))
        if line.match_markers()
    }
    for lock in locks
]))
"""


@pytest.mark.network
def test_the_oldest_pip_reads_every_lock(
    shared: Path, request: pytest.FixtureRequest
) -> None:
    with remembered(request, *INPUTS):
        locks = [group.lock for group in Group]
        archive = old_pip(shared).parent
        command: list[str | Path] = [sys.executable, "-c", READ_LOCKS, archive, *locks]
        packages = json.loads(run(command, clean_environment()).stdout)
        for lock, hashes in zip(locks, packages, strict=True):
            expected = {key(entry) for entry in read_lock(lock) if entry.is_for(HERE)}
            assert {canonical(text) for text in hashes} == expected
            assert min(hashes.values()) > 0


def canonical(text: str) -> str:
    """Return a pinned requirement without its marker, as `key` does."""
    requirement = Requirement(text)
    return f"{canonicalize_name(requirement.name)}{requirement.specifier}"


class Package:
    """A wheel with a name, a version and requirements, and nothing in it."""

    def __init__(self, folder: Path, name: str, version: str, requires: list[str]) -> None:
        info = f"{name.replace('-', '_')}-{version}"
        lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
        for text in requires:
            extra = re.search(r"extra == ['\"]([\w-]+)['\"]", text)
            lines += [f"Provides-Extra: {extra[1]}"] if extra else []
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


def imitate(folder: Path) -> tuple[Path, int]:
    """Write a lock of empty packages: those that are required with an extra, and those that ask.

    Of each of the former, the index has a newer release too.
    """
    entries = {entry.name: entry for entry in locked_entries() if entry.is_for(HERE)}
    requirements = {name: metadata()[key(entry)] for name, entry in entries.items()}
    asking = {
        name: {canonicalize_name(other.name) for other in others if other.extras}
        for name, others in requirements.items()
    }
    with_extra = {name for names in asking.values() for name in names} & set(entries)
    names = with_extra | {name for name in entries if asking[name] & with_extra}
    lines = []
    for name in sorted(names):
        texts = [str(other) for other in requirements[name] if other.name in names]
        package = Package(folder / "index", name, str(entries[name].version), texts)
        lines.append(f"{key(entries[name])} --hash=sha256:{package.sha256}\n")
        if name in with_extra:
            Package(folder / "index", name, NEWER, [*texts, "a-stranger"])
    for name in ("a-stranger", "pip"):
        Package(folder / "index", name, NEWER, [])
    (folder / "imitation.lock").write_text("".join(lines))
    return folder / "imitation.lock", len(lines)


@pytest.mark.network
def test_a_lock_installs_the_same_after_newer_releases(
    index: str, shared: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Fails without `--no-deps`: pip before 23.3 takes a requirement with an extra for unpinned."""
    with remembered(request, *INPUTS):
        lock, count = imitate(tmp_path)
        assert count > 4
        make = [sys.executable, "-m", "venv", "--without-pip"]
        run([*make, tmp_path / "venv"], clean_environment())
        python = tmp_path / "venv/bin/python"
        command: list[str | Path] = [python, old_pip(shared), "install", "--no-cache-dir"]
        command += ["--index-url", index, *locked.EXACTLY, "--requirement", lock]
        env = clean_environment(
            PIP_CONFIG_FILE="/dev/null", PIP_EXTRA_INDEX_URL="", PIP_FIND_LINKS=""
        )
        run(command, env)
        listing = "import importlib.metadata as m; print(len(list(m.distributions())))"
        assert run([python, "-c", listing], env).stdout == f"{count}\n"


@pytest.mark.network
@pytest.mark.slow
@pytest.mark.parametrize("group", Group)
def test_the_oldest_pip_installs_the_real_lock(
    group: Group, shared: Path, tmp_path: Path
) -> None:
    """Against the index as it is today; a minute each."""
    make = [sys.executable, "-m", "venv", "--without-pip"]
    run([*make, tmp_path / "venv"], clean_environment())
    python = tmp_path / "venv/bin/python"
    command: list[str | Path] = [python, old_pip(shared), "install", *locked.EXACTLY]
    run([*command, "--requirement", group.lock], clean_environment(), timeout=900)


TRIPLES = ("aarch64-manylinux_2_28", "aarch64-pc-windows-msvc", "x86_64-apple-darwin")


@pytest.mark.network
@pytest.mark.parametrize("system", ["linux", "windows", "macos", *TRIPLES])
def test_every_package_has_a_wheel(
    system: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Building one would fetch what no lock lists."""
    pythons = ["3.11", "3.14", "3.15"]
    if system == "aarch64-pc-windows-msvc":
        pythons.remove("3.11")  # PyYAML has no wheel; the workflows use a newer Python
    locks = [part for group in Group for part in ("--requirement", group.lock)]
    command: list[str | Path] = [own_program("uv"), "pip", "install", "--dry-run"]
    command += ["--quiet", "--target", tmp_path, "--python-platform", system]
    with remembered(request, *INPUTS):
        for python in pythons:
            options = ["--python-version", python, *locked.EXACTLY]
            run([*command, *options, *locks], clean_environment())


def test_an_entry_of_a_lock_has_its_hashes_alone(tmp_path: Path) -> None:
    lock = tmp_path / "x.lock"
    lock.write_text(
        "uv==1 \\\n    --hash=sha256:0\nuvicorn==2 \\\n    --hash=sha256:1\n    # via\n"
    )
    assert locked.entry(lock, "uv") == "uv==1 \\\n    --hash=sha256:0\n"
    assert locked.entry(lock, "uvicorn") == "uvicorn==2 \\\n    --hash=sha256:1\n"
    assert locked.entry(lock, "unknown") == ""
    assert subprocess.list2cmdline(locked.EXACTLY).startswith("--no-deps --require-hashes")
