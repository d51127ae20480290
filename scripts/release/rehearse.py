"""A whole release on a real index on loopback: the way it is meant to go, and every way in which an index fails."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from leanspec_launcher._families import FAMILIES
from leanspec_launcher.manage.errors import CommandError
from scripts.console import say, step
from scripts.environment import ROOT
from scripts.families import main_project
from scripts.processes import capture, clean_environment, find_program, must_succeed, own_program

from . import faults
from .devpi import USER, Devpi, devpi, free_port, upload_foreign
from .faults import Fault, Proxy, proxy
from .index import Client, Index
from .plan import MAIN_WHEEL, PLATFORM, SDIST, STUB, read_files
from .smoke import installer_settings
from .upload import sha256

RUN = "from scripts.cli import run; run()"
PROGRAMS = ("lean-spec", "leanspec", "leanspec-mcp", "leanspec-launcher")
BASE = "base"
SECONDS = 600
SHORT_WAIT = "8"
OLD = "0.0.1"


@dataclass(frozen=True)
class Row:
    """Hold one line of a rehearsal: what was tried, what the user saw, what the index holds in the end."""

    what: str
    saw: str
    state: str
    good: bool
    seconds: float


@dataclass
class Stage:
    """Hold what a rehearsal plays on: a copy of the project on its tag, built files, and an index server."""

    folder: Path
    server: Devpi
    count: int = 0
    rows: list[Row] = field(default_factory=list)

    @property
    def tree(self) -> Path:
        """The copy of the project."""
        return self.folder / "tree"

    @property
    def dist(self) -> Path:
        """The built files of the present version."""
        return self.folder / "dist"

    @property
    def env(self) -> dict[str, str]:
        """The environment of the maintainers' commands, with the token in it."""
        own = {"PYTHONPATH": str(self.tree), "HOME": str(self.folder / "home"), "TWINE_USERNAME": USER}
        quiet = {"TWINE_PASSWORD": self.server.token, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "CI": ""}
        # npm and pip keep the settings of whoever rehearses.
        real = {"npm_config_userconfig": str(Path.home() / ".npmrc"), "npm_config_cache": str(Path.home() / ".npm")}
        return clean_environment(**own, **quiet, **real)

    def command(self, *arguments: str | Path) -> list[str]:
        """Return a maintainers' command as it runs in the copy."""
        return [sys.executable, "-c", RUN, *map(str, arguments)]

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a maintainers' command in the copy, whatever its exit code."""
        return capture(self.command(*arguments), cwd=self.tree, env=self.env)

    def must(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a maintainers' command in the copy; raises CommandError where it fails."""
        return must_succeed(self.run(*arguments), f"`python -m scripts {arguments[0]}`")

    def git(self, *arguments: str) -> None:
        """Run git in the copy."""
        who = ["-c", "user.name=rehearsal", "-c", "user.email=rehearsal@localhost", "-c", "commit.gpgsign=false"]
        git = find_program("git", "install git")
        must_succeed(capture([git, "-C", str(self.tree), *who, *arguments]), f"`git {arguments[0]}`")

    def new_index(self) -> str:
        """Make an empty index; return its URL."""
        self.count += 1
        return self.server.make_index(f"release{self.count}", f"{USER}/{BASE}")

    def publish(self, url: str, *more: str) -> list[str | Path]:
        """Return the arguments of a publish to an index."""
        return ["publish", "--index", url, "--dist", self.dist, "--allow-local", *more]

    def served(self, url: str) -> dict[str, str | None]:
        """Return what an index serves of ours: name -> sha256."""
        client = Client(Index(f"{url}+simple/", url))
        names = [MAIN_WHEEL, *(family.distribution for family in FAMILIES.values())]
        return {name: file.sha256 for each in names for name, file in client.files(each).items()}

    def complete(self, url: str) -> bool:
        """Tell whether an index serves every built file, byte for byte, and nothing else but an older version's."""
        served = {name: digest for name, digest in self.served(url).items() if f"-{OLD}" not in name}
        return served == {file.path.name: sha256(file.path) for file in read_files(self.dist)[0]}

    @contextlib.contextmanager
    def scene(self, what: str) -> Iterator[list[str]]:
        """Take one line down: what was seen, the final state, and whether it is as it should be."""
        started = time.monotonic()
        notes: list[str] = []
        try:
            with step(what):
                yield notes
            good = True
        except CommandError as error:
            notes += [error.message.splitlines()[0], "failed"]
            say(f"  {error.message}")
            good = False
        saw, state = [*notes, "", ""][:2]
        self.rows.append(Row(what, saw, state, good, time.monotonic() - started))


def rehearse(*, with_faults: bool, only: str = "") -> list[Row]:
    """Rehearse a release; return a row a scene. `only` narrows the faults to those with these words.

    Raises CommandError where the stage itself cannot be set.
    """
    with tempfile.TemporaryDirectory(prefix="leanspec-rehearsal-") as name:
        folder = Path(name)
        (folder / "home").mkdir()
        with devpi(folder) as server:
            stage = Stage(folder, server)
            _set(stage)
            if with_faults:
                _with_faults(stage, only)
            else:
                _as_meant(stage)
            return stage.rows


def _set(stage: Stage) -> None:
    """Copy what git tracks, put it on its tag, and build grafted wheels of the real binaries."""
    git = find_program("git", "install git")
    with step("copying the tracked files to a tree of its own, on its tag"):
        names = must_succeed(capture([git, "-C", str(ROOT), "ls-files", "-z"]), "`git ls-files`").stdout.split("\0")
        for name in filter(None, names):
            if (ROOT / name).is_file():
                target = stage.tree / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, target)
        stage.git("init", "--quiet", "--initial-branch=main")
        stage.must("sync-versions")
        _commit(stage)
    with step("collecting the real binaries and building wheels, with OpenSSL grafted in"):
        stage.must("collect", "npm", main_project()["version"])
        _build(stage)
    with step("what our wheels need, for the index to have it"):
        foreign = stage.folder / "foreign"
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(foreign), "click>=8.1"]
        must_succeed(capture(pip, env=clean_environment()), "`pip download`")
        upload_foreign(stage.server, stage.server.make_index(BASE), [*foreign.glob("*.whl")])


def _build(stage: Stage) -> None:
    shutil.rmtree(stage.dist, ignore_errors=True)
    stage.must("wheels", "--out", stage.dist, "--repair", "auditwheel")


def _commit(stage: Stage) -> None:
    version = re.search(r'^version = "(.+)"', (stage.tree / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    stage.git("add", "--all")
    stage.git("commit", "--quiet", "--message", "Release")
    stage.git("tag", f"v{version[1] if version else ''}")


def _must_be_complete(stage: Stage, url: str, notes: list[str]) -> None:
    if not stage.complete(url):
        raise CommandError(f"the index holds {len(stage.served(url))} files, which are not the release")
    notes.append(f"complete: {len(stage.served(url))} files")


def _as_meant(stage: Stage) -> None:
    """Publish, publish again, install in every way, upgrade, uninstall, and verify against npm."""
    version = main_project()["version"]
    url = stage.new_index()
    with stage.scene("pre-release --skip-rust --skip-tests") as notes:
        command = ["pre-release", "--skip-rust", "--skip-tests", "--repair", "auditwheel", "--dist"]
        done = stage.run(*command, stage.folder / "pre-release")
        if done.returncode != 0:
            raise CommandError(done.stdout[-600:])
        notes.append(done.stdout.splitlines()[-1])
    with stage.scene("publish --dry-run") as notes:
        planned = stage.must(*stage.publish(url, "--dry-run")).stderr
        if stage.served(url) or planned.count("to be uploaded") != len(read_files(stage.dist)[0]):
            raise CommandError("a dry run uploaded something, or planned too little")
        notes += ["the plan, and nothing uploaded", "empty"]
    with stage.scene(f"publish {version}") as notes:
        said = stage.must(*stage.publish(url))
        notes.append(said.stdout.splitlines()[-1])
        _must_be_complete(stage, url, notes)
    with stage.scene("publish it again") as notes:
        said = stage.must(*stage.publish(url, "--resume"))
        again = said.stderr.count("  uploaded ")
        if again:
            raise CommandError(f"{again} files were uploaded again")
        notes.append("every file there already, nothing uploaded")
        _must_be_complete(stage, url, notes)
    ways = {name: way(stage, url) for name, way in INSTALLERS.items()}
    for name, way in ways.items():
        with stage.scene(f"{name}: install and run {version}") as notes:
            way.install(version)
            notes.append(way.must_run(version))
    with stage.scene(f"bump to {version}, which is published") as notes:
        refused = stage.run("bump", version, "--index", url)
        if refused.returncode != 1 or "which is published" not in refused.stderr:
            raise CommandError(f"exit code {refused.returncode}: {refused.stderr[-300:]}")
        notes += ["error: it is not above what is published", "nothing was changed"]
    fix = f"{version}.post1"
    with stage.scene(f"publish {fix}: a packaging-only fix, the same binaries") as notes:
        stage.must("bump", fix, "--index", url)
        _commit(stage)
        _build(stage)
        notes.append(stage.must(*stage.publish(url)).stdout.splitlines()[-1])
        notes.append(f"{len(stage.served(url))} files of two versions")
    for name, way in ways.items():
        with stage.scene(f"{name}: upgrade to {fix}, uninstall") as notes:
            way.upgrade(fix)
            way.must_be(fix)
            notes.append(way.must_run(version))
            way.uninstall()
            notes.append("nothing is left")
    with stage.scene(f"verify-release {fix} --against npm --rebuild") as notes:
        said = stage.must("verify-release", fix, "--index", url, "--against", "npm", "--rebuild")
        notes.append(said.stdout.splitlines()[-1])


class Way:
    """One installer with a home of its own, which knows the rehearsal's index alone."""

    def __init__(self, stage: Stage, url: str) -> None:
        self.home = stage.folder / f"home-{type(self).__name__}"
        self.home.mkdir()
        settings = installer_settings(f"{url}+simple/", self.home)
        own = {"HOME": str(self.home), "PIPX_HOME": str(self.home / "pipx"), "PIPX_BIN_DIR": str(self.bin)}
        uv = {"UV_TOOL_DIR": str(self.home / "tools"), "UV_TOOL_BIN_DIR": str(self.bin), "PIP_NO_CACHE_DIR": "1"}
        self.env = clean_environment(**settings, **own, **uv)

    @property
    def bin(self) -> Path:
        """The folder of the installed commands."""
        return self.home / "bin"

    def do(self, *command: str | Path) -> str:
        """Run a command of the installer's; raises CommandError where it fails."""
        words = [str(word) for word in command]
        return must_succeed(capture(words, env=self.env, cwd=self.home), f"`{' '.join(words[:4])}`").stdout

    def must_run(self, version: str) -> str:
        """Start the installed program; raises CommandError where it is not of a version."""
        said = self.do(self.bin / "lean-spec", "--version").strip()
        if said != f"lean-spec {version}":
            raise CommandError(f"`lean-spec --version` says `{said}`, expected {version}")
        self.do(self.bin / "leanspec-launcher", "verify")
        return said

    def must_be(self, version: str) -> None:
        """Raise CommandError where the launcher is not of a version."""
        said = self.do(self.bin / "leanspec-launcher", "--version").strip()
        if said != f"leanspec-launcher {version}":
            raise CommandError(f"`leanspec-launcher --version` says `{said}`, expected {version}")

    def must_be_gone(self) -> None:
        """Raise CommandError where a command or a package of ours is left."""
        left = [*self.bin.glob("lean*"), *self.home.glob("**/site-packages/lean*"), *self.home.glob("**/bin/lean*")]
        left = [path for path in left if "cache" not in str(path)]
        if left:
            raise CommandError(f"`{left[0]}` is left after uninstalling")

    def install(self, version: str) -> None:
        """Install a version."""
        raise NotImplementedError

    def upgrade(self, version: str) -> None:
        """Upgrade to a version."""
        raise NotImplementedError

    def uninstall(self) -> None:
        """Remove all of it, and look for what is left."""
        raise NotImplementedError


class Pip(Way):
    """`pip` in a virtual environment."""

    def install(self, version: str) -> None:
        """Install a version."""
        self.do(sys.executable, "-m", "venv", self.home)
        self.do(self.bin / "python", "-m", "pip", "install", f"lean-spec=={version}")

    def upgrade(self, version: str) -> None:
        """Upgrade to a version."""
        self.do(self.bin / "python", "-m", "pip", "install", "--upgrade", f"lean-spec=={version}")

    def uninstall(self) -> None:
        """Remove all of it, and look for what is left."""
        names = ["lean-spec", *(family.distribution for family in FAMILIES.values() if not family.extra)]
        self.do(self.bin / "python", "-m", "pip", "uninstall", "--yes", *names)
        self.must_be_gone()


class Pipx(Way):
    """`pipx`, with its own home."""

    def install(self, version: str) -> None:
        """Install a version."""
        self.do(own_program("pipx"), "install", "--python", sys.executable, f"lean-spec=={version}")

    def upgrade(self, version: str) -> None:
        """Upgrade to a version."""
        self.do(own_program("pipx"), "install", "--force", "--python", sys.executable, f"lean-spec=={version}")

    def uninstall(self) -> None:
        """Remove all of it, and look for what is left."""
        self.do(own_program("pipx"), "uninstall", "lean-spec")
        self.must_be_gone()


class UvTool(Way):
    """`uv tool`, with its own folders."""

    def install(self, version: str) -> None:
        """Install a version."""
        self.do(own_program("uv"), "tool", "install", "--python", sys.executable, f"lean-spec=={version}")

    def upgrade(self, version: str) -> None:
        """Upgrade to a version."""
        self.do(own_program("uv"), "tool", "install", "--python", sys.executable, "--refresh", f"lean-spec=={version}")

    def uninstall(self) -> None:
        """Remove all of it, and look for what is left."""
        self.do(own_program("uv"), "tool", "uninstall", "lean-spec")
        self.must_be_gone()


class Uvx(Way):
    """`uvx`, which installs nothing that stays."""

    version = ""

    def install(self, version: str) -> None:
        """Choose a version."""
        self.version = version

    def upgrade(self, version: str) -> None:
        """Choose another version."""
        self.version = version

    def uninstall(self) -> None:
        """Look for what is left outside the cache."""
        self.must_be_gone()

    def _uvx(self, *arguments: str) -> str:
        uvx = [own_program("uv"), "tool", "run", "--refresh", "--python", sys.executable]
        return self.do(*uvx, "--from", f"lean-spec=={self.version}", *arguments).strip()

    def must_run(self, version: str) -> str:
        """Start the program; raises CommandError where it is not of a version."""
        said = self._uvx("lean-spec", "--version")
        if said != f"lean-spec {version}":
            raise CommandError(f"`lean-spec --version` says `{said}`, expected {version}")
        return said

    def must_be(self, version: str) -> None:
        """Raise CommandError where the launcher is not of a version."""
        said = self._uvx("leanspec-launcher", "--version")
        if said != f"leanspec-launcher {version}":
            raise CommandError(f"`leanspec-launcher --version` says `{said}`, expected {version}")


INSTALLERS: dict[str, type[Way]] = {"pip": Pip, "pipx": Pipx, "uv tool": UvTool, "uvx": Uvx}


@dataclass(frozen=True)
class Scenario:
    """Hold one fault: what the index does, and how publishing ends under it."""

    what: str
    fault: Callable[[], Fault]
    succeeds: bool
    words: str = ""
    """What the user reads where it does not succeed."""
    after_old: bool = False
    """Whether an older version is there already."""


SCENARIOS = (
    Scenario("403 to every upload", lambda: faults.refusing(403), succeeds=False, words="takes no `leanspec"),
    Scenario("401 from the fifth upload on", lambda: faults.refusing(401, first=4), succeeds=False, words="takes no `"),
    Scenario("400 to every upload", lambda: faults.refusing(400), succeeds=False, words="refuses `leanspec"),
    Scenario("500 to two uploads", lambda: faults.refusing(500, first=1, times=2), succeeds=True),
    Scenario("429 with `Retry-After: 2`", lambda: faults.refusing(429, {"Retry-After": "2"}, times=1), succeeds=True),
    Scenario("cut before the file arrived", lambda: faults.cutting(1, 1, after_arrival=False), succeeds=True),
    Scenario("cut after the file arrived", lambda: faults.cutting(1, 1, after_arrival=True), succeeds=True),
    Scenario("platform wheels are shown 6 s late", lambda: faults.hiding("leanspec-cli-bin", 6), succeeds=True),
    Scenario(
        "a platform wheel is not shown at all",
        lambda: faults.hiding("leanspec-mcp-bin", 10**6),
        succeeds=False,
        words="still does not serve `leanspec_mcp_bin",
    ),
    Scenario("shows the old version only, for 6 s", lambda: faults.stale(6), succeeds=True, after_old=True),
    Scenario("answers everything half a second late", lambda: faults.slow(0.5), succeeds=True),
    Scenario("down for 5 s after the third upload", lambda: faults.down(3, 5), succeeds=True),
    Scenario(
        "down for good after the second upload", lambda: faults.down(2, 10**6), succeeds=False, words="did not take"
    ),
    Scenario(
        "serves other bytes for a wheel",
        lambda: faults.falsifying(r"leanspec_cli_bin.*linux.*\.whl$"),
        succeeds=False,
        words="bytes on the index",
    ),
)
# When a publish is killed: after so many uploads came to the index, by this signal.
KILLS = (
    (0, signal.SIGKILL),
    (1, signal.SIGKILL),
    (3, signal.SIGINT),
    (4, signal.SIGKILL),
    (7, signal.SIGKILL),
    (8, signal.SIGKILL),
)


def _with_faults(stage: Stage, only: str) -> None:
    scenes: dict[str, Callable[[list[str]], None]] = {
        each.what: functools.partial(_play, stage, each) for each in SCENARIOS
    }
    for uploads, number in KILLS:
        scenes[f"{number.name} after {uploads} uploads, then again"] = functools.partial(_kill, stage, uploads, number)
    scenes["two publishes at once"] = functools.partial(_twice, stage)
    scenes["other bytes are there under one of the names"] = functools.partial(_burnt, stage)
    for what, play in scenes.items():
        if only in what:
            with stage.scene(what) as notes:
                play(notes)


@contextlib.contextmanager
def _behind(stage: Stage, url: str, fault: Fault) -> Iterator[tuple[str, Proxy]]:
    """Give an index's URL behind a proxy with a fault."""
    with proxy(free_port(), stage.server.port, fault) as front:
        yield url.replace(stage.server.url, front.url), front


def _play(stage: Stage, scenario: Scenario, notes: list[str]) -> None:
    """Publish under a fault, then without it; the release must end complete, and in order."""
    url = stage.new_index()
    if scenario.after_old:
        upload_foreign(stage.server, url, _old_version(stage))
    with _behind(stage, url, scenario.fault()) as (address, front):
        done = stage.run(*stage.publish(address, "--wait", SHORT_WAIT))
        said = done.stdout + done.stderr
        _must_be_in_order(stage, front.uploaded())
    if "Traceback" in said:
        raise CommandError(f"a traceback reached the user: {said[-300:]}")
    if stage.server.token in said:
        raise CommandError("the token was printed")
    if (done.returncode == 0) != scenario.succeeds:
        raise CommandError(f"exit code {done.returncode}: {said[-400:]}")
    if scenario.words not in said:
        raise CommandError(f"expected `{scenario.words}`, the user saw: {said[-400:]}")
    error = next((line for line in said.splitlines() if line.startswith(("error: ", "✗ "))), "")
    notes.append(
        re.sub(r"http://[\w.:/+]+", "INDEX", error)[:110] if not scenario.succeeds else "published in spite of it"
    )
    if not scenario.succeeds:
        visible = [name for name in stage.served(url) if name.startswith("lean_spec-")]
        if visible and scenario.words != "bytes on the index":
            raise CommandError(f"`{visible[0]}` is public, and the release is not complete")
        stage.must(*stage.publish(url))
    _must_be_complete(stage, url, notes)


def _old_version(stage: Stage) -> list[Path]:
    """Make files of an older version of the stubs."""
    folder = stage.folder / "old"
    folder.mkdir()
    made = []
    for stub in stage.dist.glob("leanspec_*-any.whl"):
        name, version = stub.name.split("-")[:2]
        made.append(folder / f"{name}-{OLD}-py3-none-any.whl")
        with zipfile.ZipFile(stub) as source, zipfile.ZipFile(made[-1], "w") as target:
            for entry in source.namelist():
                text = source.read(entry).replace(f"Version: {version}\n".encode(), f"Version: {OLD}\n".encode())
                target.writestr(entry.replace(f"{name}-{version}", f"{name}-{OLD}"), text)
    return made


def _must_be_in_order(stage: Stage, uploaded: list[str]) -> None:
    """Raise CommandError where a stub came before the last platform wheel, or `lean-spec` before the last stub."""
    kinds = {file.path.name: file.kind for file in read_files(stage.dist)[0]}
    waves = [{PLATFORM: 0, STUB: 1, MAIN_WHEEL: 2, SDIST: 2}[kinds[name]] for name in uploaded if name in kinds]
    if waves != sorted(waves):
        raise CommandError(f"uploaded in the order {uploaded}")


def _kill(stage: Stage, uploads: int, number: signal.Signals, notes: list[str]) -> None:
    url = stage.new_index()
    with _behind(stage, url, faults.none) as (address, front):
        process = subprocess.Popen(
            stage.command(*stage.publish(address)),
            cwd=stage.tree,
            env=stage.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
        )
        until = time.monotonic() + SECONDS
        while len(front.uploaded()) < uploads and process.poll() is None and time.monotonic() < until:
            time.sleep(0.005)
        if uploads == 0:
            time.sleep(2)  # somewhere in its gates
        # To the whole group, as a terminal and a dying machine do.
        os.killpg(process.pid, number)
        said, _ = process.communicate(timeout=SECONDS)
    if number == signal.SIGINT and (process.returncode != 130 or "Traceback" in said):  # noqa: PLR2004 - interrupted
        raise CommandError(f"exit code {process.returncode}: {said[-300:]}")
    before = stage.served(url)
    if any(name.startswith("lean_spec-") for name in before) and len(before) < len(read_files(stage.dist)[0]) - 1:
        raise CommandError("`lean-spec` is public before the rest")
    notes.append(f"ended with {len(before)} files there; the rerun went on")
    stage.must(*stage.publish(url))
    _must_be_complete(stage, url, notes)


def _twice(stage: Stage, notes: list[str]) -> None:
    url = stage.new_index()
    command = stage.command(*stage.publish(url))
    both = [
        subprocess.Popen(
            command, cwd=stage.tree, env=stage.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for _ in range(2)
    ]
    ends = [(process.communicate(timeout=SECONDS)[0], process.returncode) for process in both]
    stopped = [said for said, code in ends if code != 0]
    if len(stopped) != 1 or "another process is publishing to" not in stopped[0]:
        raise CommandError(f"exit codes {[code for _, code in ends]}: {ends[0][0][-300:]}")
    notes.append("one published; the other: another process is publishing")
    _must_be_complete(stage, url, notes)


def _burnt(stage: Stage, notes: list[str]) -> None:
    """Put a file of another content onto the index first: nothing of the release may follow it."""
    url = stage.new_index()
    other = stage.folder / "other"
    other.mkdir()
    (wheel,) = stage.dist.glob("leanspec_cli_bin-*linux*.whl")
    # The same wheel with another byte after its end: a zip archive all the same.
    (other / wheel.name).write_bytes(wheel.read_bytes())
    subprocess.run([sys.executable, "-m", "zipfile", "-l", other / wheel.name], capture_output=True, check=True)
    with (other / wheel.name).open("r+b") as file:
        file.seek(-2, os.SEEK_END)
        file.write(b"\x01\x00x")  # the length of the archive's comment, and the comment
    upload_foreign(stage.server, url, [other / wheel.name])
    done = stage.run(*stage.publish(url))
    if done.returncode == 0 or "with other bytes: sha256" not in done.stderr:
        raise CommandError(f"exit code {done.returncode}: {done.stderr[-300:]}")
    notes.append("error: it is on INDEX with other bytes ... hint: that version is burnt")
    if len(stage.served(url)) != 1:
        raise CommandError(f"{len(stage.served(url)) - 1} files were uploaded beside it")
    notes.append("nothing was added")
