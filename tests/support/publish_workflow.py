"""publish.yml on a copy of the project on its tag: an index, a GitHub and LeanSpec's repositories on this machine."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from minisign import KeyPair

from leanspec_launcher._tables import PLATFORMS, PROGRAMS
from scripts.environment import ROOT
from scripts.gates.commit import commit_of
from scripts.model.files import read_files
from scripts.tools.processes import clean_environment
from tests.support import openssl
from tests.support.artifacts import BUILDS, cargo_source, put_collected
from tests.support.attestation import write_attestation
from tests.support.devpi import USER, Devpi
from tests.support.github import REPOSITORY, GitHub, serving
from tests.support.keys import without_password
from tests.support.pages import publish_pages
from tests.support.registry import Registry
from tests.support.releases import write_tagged_tree
from tests.support.tree_copy import git
from tests.support.versions import RELEASED
from tests.support.workflow import SKIPPED, SUCCESS, Player, Result, Step

WORKFLOW = ROOT / ".github/workflows/publish.yml"
PLATFORM = "linux-x64"
# A step says `python -m scripts`; here that runs in this environment, on the tree that the step is
# in.
PYTHON = """#!/bin/sh
test "$1 $2" = "-m scripts" || { echo "not a step of ours: $*" >&2; exit 2; }
shift 2
PYTHONPATH="$PWD" exec PYTHON -c 'from scripts.cli import run; run()' "$@"
"""
# A Go that builds a publisher which notes its arguments, and keeps its input.
GO = """#!/bin/sh
mkdir -p "$GOBIN"
printf '#!/bin/sh\\necho "$*" >> "%s/registry.log"\\ncp server.json "%s"\\n' "$HOME" "$HOME" > "$GOBIN/publisher"
"""
# The suite is what runs this; a workflow's identity, by which it attests and the registry knows it,
# only GitHub gives; this machine installs nothing.
SKIPPED_COMMANDS = (" test", " attest", " --prepare")
PASSWORD = "a password of a test"  # noqa: S105 - of a key that signs nothing
# Puts the output of a step into its workspace instead of running it, if it can.
Answer = Callable[[Step, Path], Result | None]


@dataclass
class PublishWorkflow:
    """The workflow, and the machine that it is played on."""

    base: Path
    server: Devpi
    npm: Registry
    sources: dict[str, Path]
    """LeanSpec's repositories, by their names on GitHub."""
    with_openssl: bool
    servers: contextlib.ExitStack
    key: KeyPair = field(default_factory=KeyPair.generate)

    @property
    def tree(self) -> Path:
        """The repository of the workflow itself."""
        return self.base / "repository"

    def prepare(self, released_tree: Path) -> None:
        """Write the repository on its tag, and the programs that stand in for Python and Go."""
        integrity = publish_pages(self.npm, released_tree)
        public_key = self.key.public_key
        write_tagged_tree(
            self.tree, released_tree, public_key, pages=integrity, everywhere=True
        )
        programs = self.base / "bin"
        programs.mkdir()
        python = PYTHON.replace("PYTHON -c", f"{shlex.quote(sys.executable)} -c")
        for name, text in {"python": python, "go": GO}.items():
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)

    def play(
        self,
        name: str,
        answer: Answer = lambda _step, _workspace: None,
        *,
        is_tagged: bool = True,
        **inputs: bool,
    ) -> Player:
        """Play every job with these inputs; fail if one of them fails."""
        github = self.servers.enter_context(serving(GitHub(tags={f"v{RELEASED}"})))
        url = self.server.make_index(name, f"{USER}/base")
        folder = self.base / name
        home = folder / "home"
        home.mkdir(parents=True)
        self._write_pypirc(home, url)
        secrets = {
            "LEANSPEC_SIGNING_KEY": without_password(self.key.secret_key),
            "LEANSPEC_SIGNING_PASSWORD": PASSWORD,
        }
        run = {"run_number": "7", "token": github.token, "repository": REPOSITORY}
        player = Player(
            path=WORKFLOW,
            folder=folder,
            contexts={"inputs": inputs, "github": run, "secrets": secrets},
            env=self._environment(home, github),
            checkout=self._checkout if is_tagged else self._checkout_untagged,
            skip=lambda command: command.endswith(SKIPPED_COMMANDS),
            before=attest_instead,
            answer=lambda step, workspace: (
                answer(step, workspace) or stand_in(step, workspace)
            ),
        )
        player.contexts["url"], player.contexts["server"] = url, github
        player.play()
        results = {job["result"] for job in player.results.values()}
        assert results <= {SUCCESS, SKIPPED}, player.failures()
        return player

    def _write_pypirc(self, home: Path, url: str) -> None:
        """Let both names of an index be that of the play."""
        user = f"username = {USER}\npassword = {self.server.token}\n"
        account = f"repository = {url}\n{user}"
        sections = f"[pypi]\n{account}[testpypi]\n{account}"
        text = f"[distutils]\nindex-servers =\n  pypi\n  testpypi\n{sections}"
        (home / ".pypirc").write_text(text)

    def _environment(self, home: Path, github: GitHub) -> dict[str, str]:
        settings = github.environment() | self.npm.settings()
        settings |= {"no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1", "CI": "true"}
        # What zig compiles of the C library outlives the run: it takes six seconds.
        settings["ZIG_GLOBAL_CACHE_DIR"] = str(Path(sys.prefix, "zig-cache"))
        if self.with_openssl:
            openssl.keep_libraries(home)
            settings["LEANSPEC_OPENSSL_SOURCE"] = str(openssl.source())
        for tool in ("cargo", "rustup"):
            variable = f"{tool.upper()}_HOME"
            settings[variable] = os.environ.get(variable, str(Path.home() / f".{tool}"))
        path = f"{self.base / 'bin'}{os.pathsep}{os.environ['PATH']}"
        return clean_environment(**settings, HOME=str(home), PATH=path)

    def _checkout(self, place: Path, repository: str | None, ref: str | None) -> str:
        origin = self.sources[repository] if repository else self.tree
        git(self.base, "clone", "--quiet", str(origin), str(place))
        if ref:
            git(place, "checkout", "--quiet", ref)
        return commit_of(place).name

    def _checkout_untagged(
        self, place: Path, repository: str | None, ref: str | None
    ) -> str:
        commit = self._checkout(place, repository, ref)
        if repository is None:
            git(place, "tag", "--delete", f"v{RELEASED}")
        return commit


def is_foreign(step: Step) -> bool:
    """Tell whether a step builds for a platform that this machine neither builds for nor runs."""
    target = step.variables.get("TARGET")
    return target is not None and not target.startswith(PLATFORMS[PLATFORM].target)


def stand_in(step: Step, workspace: Path) -> Result | None:
    """Leave what a foreign runner would have built: programs of its format, as if they had been run there."""
    if not is_foreign(step):
        return None
    target = step.variables["TARGET"]
    (platform,) = [key for key, row in PLATFORMS.items() if target.startswith(row.target)]
    record: dict[str, object] = {
        "commit": commit_of(workspace / "leanspec").name,
        "reported": RELEASED,
    }
    for program in PROGRAMS:
        data = BUILDS[platform] + program.encode()
        record["source"] = cargo_source(program, target)
        put_collected(workspace / "platform_wheels", program, platform, data, record)
    return Result(step, exit_code=0, stdout="", stderr="", outputs={})


def attest_instead(command: str, workspace: Path) -> None:
    """Write attestations by a key that nobody vouches for, where `publish` will look for them."""
    if " publish " in command and not command.endswith("--dry-run"):
        for file in read_files(workspace / "dist")[0]:
            write_attestation(file)
