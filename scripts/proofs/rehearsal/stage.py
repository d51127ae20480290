"""The setup of a rehearsal: a tagged copy of the project, built files, an index server."""

from __future__ import annotations

import contextlib
import shlex
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from leanspec_launcher.commands import CommandError
from scripts.index.built import foreign_requirements
from scripts.index.client import Client, Index
from scripts.model.distributions import DISTRIBUTIONS
from scripts.model.families import main_project
from scripts.model.files import read_files
from scripts.model.snapshot import fingerprint
from scripts.tools.console import say, step
from scripts.tools.processes import OWN_COMMAND, capture, clean_environment, must_succeed
from scripts.tools.tree_copy import copy_tree, git

from .devpi import USER, Devpi, upload_foreign

BASE = "base"
OLD = "0.0.1"


@dataclass(frozen=True)
class Row:
    """One scene: what was tried, what the user saw, and what the index has at the end."""

    what: str
    saw: str
    state: str
    passed: bool
    seconds: float


@dataclass
class Stage:
    """A tagged copy of the project, built files, and an index server."""

    folder: Path
    server: Devpi
    tree: Path
    """The copy of the project."""
    dist: Path
    """The built files of the present version."""
    settings: dict[str, str] = field(default_factory=dict)
    """Variables for the maintainers' commands, in addition to the usual ones."""
    count: int = 0
    rows: list[Row] = field(default_factory=list)

    @property
    def env(self) -> dict[str, str]:
        """The environment of the maintainers' commands, with the token in it."""
        own = {
            "PYTHONPATH": str(self.tree),
            "HOME": str(self.folder / "home"),
            "TWINE_USERNAME": USER,
        }
        quiet = {
            "TWINE_PASSWORD": self.server.token,
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
            "CI": "",
        }
        # npm and pip keep the settings of whoever rehearses.
        real = {
            "npm_config_userconfig": str(Path.home() / ".npmrc"),
            "npm_config_cache": str(Path.home() / ".npm"),
        }
        return clean_environment(**own | quiet | real | self.settings)

    def command(self, *arguments: str | Path) -> list[str]:
        """Return a maintainers' command as it runs in the copy."""
        return [*OWN_COMMAND, *map(str, arguments)]

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a maintainers' command in the copy, whatever its exit code."""
        return capture(self.command(*arguments), cwd=self.tree, env=self.env)

    def must(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a maintainers' command in the copy; raises CommandError if it fails."""
        return must_exit(self.run(*arguments))

    def new_index(self) -> str:
        """Make an empty index; return its URL."""
        self.count += 1
        return self.server.make_index(f"release{self.count}", f"{USER}/{BASE}")

    def publish(self, url: str, *more: str) -> list[str | Path]:
        """Return the arguments of a publish to an index."""
        return ["publish", "--index", url, "--dist", self.dist, "--allow-local", *more]

    def publish_checked(self, url: str, *more: str) -> list[str | Path]:
        """Return the arguments of a publish of files that have passed every check, as a workflow's last job has it."""
        return self.publish(url, "--checked", fingerprint(read_files(self.dist)[0]), *more)

    def served(self, url: str) -> dict[str, str | None]:
        """Return what an index serves of ours: name -> sha256."""
        client = Client(Index(f"{url}+simple/", url))
        found = [client.files(name) for name in DISTRIBUTIONS]
        return {name: file.sha256 for files in found for name, file in files.items()}

    def complete(self, url: str) -> bool:
        """Tell whether an index serves every built file, byte for byte, and nothing else but an older version's."""
        served = {
            name: digest
            for name, digest in self.served(url).items()
            if f"-{OLD}" not in name
        }
        return served == {
            file.path.name: file.sha256() for file in read_files(self.dist)[0]
        }

    @contextlib.contextmanager
    def scene(self, what: str) -> Iterator[list[str]]:
        """Record a scene: what was seen, the final state, and whether it is the expected one."""
        started = time.monotonic()
        notes: list[str] = []
        try:
            with step(what):
                yield notes
            passed = True
        except CommandError as error:
            notes += [error.message.splitlines()[0], "failed"]
            say(f"  {error.message}")
            passed = False
        saw, state = [*notes, "", ""][:2]
        self.rows.append(Row(what, saw, state, passed, time.monotonic() - started))


def must_exit(
    process: subprocess.CompletedProcess[str], code: int = 0, words: str = ""
) -> subprocess.CompletedProcess[str]:
    """Return a finished command; raises CommandError unless it ended with a code, and an error with words."""
    if process.returncode != code or words not in process.stderr:
        line = shlex.join(process.args)
        line = line.replace(shlex.join(OWN_COMMAND), "python -m scripts")
        expected = f"exit code {process.returncode}, expected {code}"
        if words:
            expected += f" with `{words}`"
        raise CommandError(
            f"`{line}`: {expected}\n{process.stdout}\n{process.stderr}".strip()
        )
    return process


def set_stage(stage: Stage) -> None:
    """Copy what git tracks, put it on its tag, and build grafted wheels of the real binaries."""
    with step("copying the project to a tree of its own, on its tag"):
        copy_tree(stage.tree)
        stage.must("bump")
        commit(stage)
    with step("collecting the real binaries and building wheels, with OpenSSL grafted in"):
        stage.must("collect", "npm", main_project()["version"])
        stage.must("collect", "pages")
        build(stage)
    with step("what our wheels need, for the index to have it"):
        foreign = stage.folder / "foreign"
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(foreign)]
        needed = {
            text
            for file in read_files(stage.dist)[0]
            for text in foreign_requirements(file)
        }
        must_succeed(
            capture([*pip, *sorted(needed)], env=clean_environment()), "`pip download`"
        )
        upload_foreign(
            stage.server, stage.server.make_index(BASE), [*foreign.glob("*.whl")]
        )


def build(stage: Stage) -> None:
    """Build grafted wheels of the collected binaries."""
    shutil.rmtree(stage.dist, ignore_errors=True)
    stage.must("wheels", "--out", stage.dist, "--repair", "auditwheel")


def commit(stage: Stage) -> None:
    """Commit the copy as a release, on its tag."""
    manifest = tomllib.loads((stage.tree / "pyproject.toml").read_text("utf-8"))
    git(stage.tree, "add", "--all")
    git(stage.tree, "commit", "--quiet", "--message", "Release")
    git(stage.tree, "tag", f"v{manifest['project']['version']}")


def must_be_complete(stage: Stage, url: str, notes: list[str]) -> None:
    """Record that an index has the whole release; raises CommandError if it does not."""
    if not stage.complete(url):
        raise CommandError(
            f"the index holds {len(stage.served(url))} files, which are not the release"
        )
    notes.append(f"complete: {len(stage.served(url))} files")
