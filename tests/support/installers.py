"""Installers under test: how each installs, upgrades and uninstalls wheels of ours, and where it puts them."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from subprocess import CompletedProcess
from typing import ClassVar, Protocol, TypeVar

from filelock import FileLock

from leanspec_launcher._tables import PROGRAMS
from scripts.collect.reported import list_tools
from scripts.model.programs import DISTRIBUTIONS, MAIN
from scripts.tools.processes import own_program
from tests.support import surroundings
from tests.support.snapshots import put_back
from tests.support.surroundings import clean, make_venv, once, packages, programs, run

WITH_PAGES = f"{MAIN}[ui]"
# An old one, the last one before `--python`, one from between, and the newest.
PIPS = ("20.3.4", "22.2.2", "23.2.1", metadata.version("pip"))
PROJECT = """\
[project]
name = "p"
version = "1"
requires-python = ">=3.11"
[tool.uv]
environments = ["sys_platform == 'linux'"]
"""
Words = str | Path
Result = CompletedProcess[str]
Kind = TypeVar("Kind", bound="Installation")


@dataclass
class Installation(ABC):
    """Wheels of ours, installed by one installer into a home of its own."""

    home: Path
    env: dict[str, str]
    python: Path = surroundings.BASE_PYTHON
    prefix: tuple[str, ...] = ()
    """What every command is started with: `unshare --net` takes the network away."""

    place: ClassVar[str] = "venv"
    """The environment, below the home."""
    bin: ClassVar[str] = ""
    """The folder of the commands, below the home; by default that of the environment."""

    @property
    def environment(self) -> Path:
        """The folder of the virtual environment, or what it is instead."""
        return self.home / self.place

    @property
    def commands(self) -> Path:
        """The folder of the installed commands."""
        return self.home / self.bin if self.bin else programs(self.environment)

    @property
    def packages(self) -> Path:
        """The folder of the installed packages."""
        return packages(self.environment)

    @property
    def variables(self) -> dict[str, str]:
        """The variables of the installed commands."""
        return self.env

    def binary(self, program: str = "cli") -> Path:
        """Return the path of a program's installed binary."""
        row = PROGRAMS[program]
        name = f"{row.command}.exe" if os.name == "nt" else row.command
        return self.packages / row.package / "bin" / name

    def command(self, name: str) -> tuple[Words, ...]:
        """Return how an installed command is started."""
        return (self.commands / name,)

    def run(self, *command: Words, code: int | None = 0, cwd: Path | None = None) -> Result:
        """Run a program in the environment of the installer."""
        return run([*self.prefix, *command], self.env, code=code, cwd=cwd)

    def start(
        self,
        name: str,
        *arguments: Words,
        code: int | None = 0,
        cwd: Path | None = None,
        env: dict[str, str] | None = None,
    ) -> Result:
        """Run an installed command, with additional variables."""
        command = [*self.prefix, *self.command(name), *arguments]
        return run(command, self.variables | (env or {}), code=code, cwd=cwd)

    def must_report(self, version: str, program: str = MAIN) -> None:
        """Fail unless an installed program reports this version."""
        assert self.start(program, "--version").stdout == f"{program} {version}\n"

    @abstractmethod
    def install(self, *arguments: Words, code: int | None = 0) -> Result:
        """Install `lean-spec`, or the requirements in these arguments."""

    @abstractmethod
    def upgrade(self, requirement: str = MAIN) -> Result:
        """Upgrade to the newest version, or to the required one."""

    @abstractmethod
    def uninstall(self) -> Result:
        """Uninstall every distribution of ours."""

    def leftovers(self) -> list[Path]:
        """Return the commands and packages of ours in the home, but for those in caches."""
        paths = (path.relative_to(self.home) for path in self.home.rglob("lean[-_s]*"))
        return [path for path in paths if "cache" not in str(path)]


class Pip(Installation):
    """pip in a virtual environment."""

    again: ClassVar[str] = "--force-reinstall"

    @property
    def options(self) -> tuple[Words, ...]:
        """The options of each `pip install`."""
        return ()

    @property
    def pip_python(self) -> Path:
        """The Python that runs pip."""
        return programs(self.environment) / "python"

    def prepare(self) -> None:
        """Make the Python of pip, unless it exists."""
        if not self.pip_python.exists():
            self.make_python()

    def make_python(self) -> None:
        """Make a virtual environment."""
        make_venv(self.environment, self.python)

    def pip(self, command: str, *arguments: Words, code: int | None = 0) -> Result:
        """Run a command of pip."""
        return self.run(self.pip_python, "-m", "pip", command, *arguments, code=code)

    def use_pip(self, version: str, wheels: Path) -> None:
        """Replace the environment's own pip by another version."""
        self.prepare()
        self.pip("install", "--no-index", "--find-links", wheels, f"pip=={version}")

    def install(self, *arguments: Words, code: int | None = 0) -> Result:
        self.prepare()
        return self.pip("install", *self.options, *(arguments or [MAIN]), code=code)

    def upgrade(self, requirement: str = MAIN) -> Result:
        return self.install("--upgrade", requirement)

    def reinstall(self, requirement: str = MAIN) -> Result:
        """Replace what is installed."""
        return self.install(self.again, "--no-deps", requirement)

    def uninstall(self) -> Result:
        return self.pip("uninstall", "--yes", *DISTRIBUTIONS)


class PipPrefix(Pip):
    """`pip install --prefix`, into a folder that only `PYTHONPATH` names."""

    place = "prefix"

    @property
    def options(self) -> tuple[Words, ...]:
        return ("--prefix", self.environment)

    @property
    def pip_python(self) -> Path:
        return programs(self.home / "venv") / "python"

    def make_python(self) -> None:
        make_venv(self.home / "venv", self.python)

    @property
    def variables(self) -> dict[str, str]:
        return self.env | {"PYTHONPATH": str(self.packages)}


class PipTarget(PipPrefix):
    """`pip install --target`, into a folder that only `PYTHONPATH` names."""

    place = "target"
    bin = "target/bin"

    @property
    def options(self) -> tuple[Words, ...]:
        return ("--target", self.environment)

    @property
    def packages(self) -> Path:
        return self.environment


@dataclass
class PipUser(Pip):
    """`pip install --user`, which a virtual environment refuses."""

    place = "user"

    def __post_init__(self) -> None:
        """Let the commands use the folder too."""
        self.env = self.env | {"PYTHONUSERBASE": str(self.environment)}

    @property
    def options(self) -> tuple[Words, ...]:
        return ("--user",)

    @property
    def pip_python(self) -> Path:
        return self.python


class PipSystem(Pip):
    """pip in a Python that is owned by a system's package manager (PEP 668)."""

    place = "system"

    @property
    def options(self) -> tuple[Words, ...]:
        return ("--break-system-packages",)

    @property
    def pip_python(self) -> Path:
        return self.commands / "python"

    def make_python(self) -> None:
        """Make a Python with packages of its own, whose other modules are links to the machine's."""
        query = "import sysconfig; print(sysconfig.get_path('stdlib'))"
        modules = Path(self.run(self.python, "-c", query).stdout.strip())
        library = self.environment / "lib" / modules.name
        library.mkdir(parents=True)
        for path in modules.iterdir():
            if path.name != "site-packages":
                (library / path.name).symlink_to(path)
        (library / "EXTERNALLY-MANAGED").write_text("[externally-managed]\nError=no\n")
        # pip comes from a virtual environment.
        make_venv(self.home / "venv", self.python)
        packages(self.home / "venv").rename(library / "site-packages")
        self.commands.mkdir()
        shutil.copy(self.python.resolve(), self.pip_python)
        assert self.run(self.pip_python, "-c", query).stdout.strip() == str(library)


class UvPip(Pip):
    """`uv pip`, in an environment of uv."""

    again = "--reinstall"

    def make_python(self) -> None:
        self.run(own_program("uv"), "venv", "--python", self.python, self.environment)

    def pip(self, command: str, *arguments: Words, code: int | None = 0) -> Result:
        uv = (own_program("uv"), "pip", command, "--python", self.pip_python)
        return self.run(*uv, *arguments, code=code)

    def uninstall(self) -> Result:
        return self.pip("uninstall", *DISTRIBUTIONS)


class UvPipSystem(UvPip, PipSystem):
    """`uv pip` in a Python that is owned by a system's package manager."""

    make_python = PipSystem.make_python


class UvProject(UvPip):
    """`uv add`, in a project with a lock file."""

    place = "project/.venv"

    def install(self, *arguments: Words, code: int | None = 0) -> Result:
        project = self.environment.parent
        if not project.exists():
            project.mkdir(parents=True)
            (project / "pyproject.toml").write_text(PROJECT)
        add = (own_program("uv"), "add", "--project", project, "--python", self.python)
        return self.run(*add, *(arguments or [MAIN]), code=code)


class UvTool(Installation):
    """`uv tool`, with an environment per tool."""

    place = f"uv-tools/{MAIN}"
    bin = "uv-bin"
    words: ClassVar[tuple[str, ...]] = ("uv", "tool")
    anew: ClassVar[str] = "--refresh"

    def tool(self, command: str, *arguments: Words, code: int | None = 0) -> Result:
        """Run a command of the installer."""
        name, *words = self.words
        return self.run(own_program(name), *words, command, *arguments, code=code)

    def install(self, *arguments: Words, code: int | None = 0) -> Result:
        python = ("--python", self.python)
        return self.tool("install", *python, *(arguments or [MAIN]), code=code)

    def upgrade(self, requirement: str = MAIN) -> Result:
        return self.install(self.anew, requirement)

    def uninstall(self) -> Result:
        return self.tool("uninstall", MAIN)


class Pipx(UvTool):
    """pipx, with an environment per tool."""

    place = f"pipx/venvs/{MAIN}"
    bin = "pipx-bin"
    words = ("pipx",)
    anew = "--force"


@dataclass
class Uvx(Installation):
    """`uvx`, which installs into its cache alone."""

    requirement: str = MAIN

    def command(self, name: str) -> tuple[Words, ...]:
        uvx = (own_program("uv"), "tool", "run", "--python", self.python)
        source = () if name == self.requirement else ("--from", self.requirement)
        return (*uvx, *source, name)

    def install(self, *arguments: Words, code: int | None = 0) -> Result:
        """Choose a requirement, and fill the cache."""
        self.requirement = str(arguments[-1]) if arguments else self.requirement
        return self.start(MAIN, "--version", code=code)

    def upgrade(self, requirement: str = MAIN) -> Result:
        return self.install(requirement)

    def uninstall(self) -> Result:
        return self.run(own_program("uv"), "cache", "clean")


@dataclass
class PipxRun(Uvx):
    """`pipx run`, which installs into its cache alone."""

    def command(self, name: str) -> tuple[Words, ...]:
        return (own_program("pipx"), "run", "--spec", self.requirement, name)

    def uninstall(self) -> Result:
        raise NotImplementedError  # pipx removes what is two weeks old


# Those that every system has: `--user`, `--prefix` and `--target` differ in their folders alone.
EVERYWHERE: tuple[type[Installation], ...] = (Pip, UvPip, UvTool, Pipx)
INSTALLERS = (*EVERYWHERE, PipTarget, PipPrefix, PipUser)


def from_files(home: Path, *folders: Path) -> dict[str, str]:
    """Return an environment in which the installers find wheels in these folders alone."""
    env = clean(home)
    env["PATH"] = f"{tools(home)}{os.pathsep}{env['PATH']}"
    if folders:
        env["PIP_FIND_LINKS"] = " ".join(map(str, folders))
        env["UV_FIND_LINKS"] = ",".join(map(str, folders))
    return env


def tools(home: Path) -> Path:
    """Return a folder with the installers alone; next to them is a whole development environment."""
    folder = home / "tools"
    folder.mkdir(exist_ok=True)
    for name in ("uv", "uvx", "pipx"):
        # Windows lets few users make links; no test looks for a tool there.
        if os.name == "posix" and not (folder / name).is_symlink():
            (folder / name).symlink_to(own_program(name))
    return folder


def install_with_pip(
    home: Path, *folders: Path, requirement: str = WITH_PAGES
) -> Installation:
    """Install from wheels in these folders."""
    installation = Pip(home, from_files(home, *folders))
    installation.install(requirement)
    return installation


@dataclass(frozen=True)
class Shelf:
    """One installation per installer, which tests share and may damage.

    An installer writes the path of an environment into it, so it cannot be copied elsewhere: a test
    waits for the one before it, and what that one changed is put back.
    """

    folder: Path
    wheels: tuple[Path, ...]

    @contextmanager
    def lend(self, kind: type[Kind], *requirements: str) -> Iterator[Kind]:
        """Lend an installation of these requirements, as it was right after it was installed."""
        name = re.sub(r"\W+", "-", "-".join([kind.__name__, *requirements]))
        folder = self.folder / name
        home, copy = folder / "home", folder / "copy"

        def install(_: Path) -> None:
            kind(home, from_files(home, *self.wheels)).install(*requirements)
            copy.mkdir()
            put_back(home, copy)

        self.folder.mkdir(exist_ok=True)
        with FileLock(self.folder / f"{name}.lent"):
            once(folder, install)
            put_back(copy, home)
            yield kind(home, from_files(home, *self.wheels))


class Fresh(Protocol):
    """The fixture that gives an installer a new home."""

    def __call__(self, kind: type[Kind]) -> Kind: ...


class Lend(Protocol):
    """The fixture that lends the installation of an installer."""

    def __call__(self, kind: type[Kind], *requirements: str) -> Kind: ...


def must_work(installation: Installation, project: Path, version: str) -> None:
    """Run what a newcomer runs, in a new project."""
    project.mkdir()
    start = installation.start
    assert start("lean-spec", "--version").stdout == f"lean-spec {version}\n"
    start("lean-spec", "init", "-y", cwd=project)
    start("lean-spec", "create", "first", cwd=project)
    assert "001-first" in start("lean-spec", "list", cwd=project).stdout
    command = [str(word) for word in installation.command("leanspec-mcp")]
    server = list_tools(command, project, installation.variables)
    assert (server.name, server.version) == ("leanspec-mcp", version)
    assert "list_specs" in {tool["name"] for tool in server.tools}
    report = json.loads(start("leanspec-launcher", "which", "--json").stdout)
    paths = {search["program"]: search["binary"] for search in report["programs"]}
    assert paths["cli"] is not None
    assert installation.binary().samefile(paths["cli"])
    assert os.access(installation.binary(), os.X_OK)
    assert paths["http"] is None, "the web server comes with the extra `ui`"


def own_flit() -> Path:
    """Return the folder of the backend that builds `lean-spec`, in the development environment."""
    spec = importlib.util.find_spec("flit_core")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent
