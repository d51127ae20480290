"""A release on a real index server: a tagged copy of the project, its built files, its users' installers."""

from __future__ import annotations

import dataclasses
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import CompletedProcess

from packaging.requirements import Requirement
from packaging.version import Version

from scripts.index.built import installer_settings
from scripts.index.client import Index, IndexClient, version_of
from scripts.model.files import File, FileKind, fingerprint, read_files
from scripts.model.metadata import read_metadata
from scripts.model.plan import read_plan
from scripts.model.programs import DISTRIBUTIONS, MAIN
from scripts.tools.processes import OWN_COMMAND, clean_environment
from tests.support.devpi import USER, Devpi
from tests.support.installers import Installation, Pip, Pipx, UvTool, Uvx, from_files
from tests.support.surroundings import run
from tests.support.tree_copy import git

INSTALLERS = (Pip, Pipx, UvTool, Uvx)


@dataclass(frozen=True)
class Stage:
    """A tagged copy of the project, built files, and an index server."""

    folder: Path
    server: Devpi
    tree: Path
    """The copy of the project."""
    dist: Path
    """The built files of its version."""
    settings: dict[str, str] = field(default_factory=dict)
    """Additional variables for the maintainers' commands."""

    @property
    def version(self) -> str:
        """The version of the copy."""
        return str(read_plan(self.tree).version)

    @property
    def files(self) -> list[File]:
        """The built files."""
        return read_files(self.dist)[0]

    @property
    def env(self) -> dict[str, str]:
        """The environment of the maintainers' commands, with the token in it."""
        own = {
            "PYTHONPATH": str(self.tree),
            "TWINE_USERNAME": USER,
            "TWINE_PASSWORD": self.server.token,
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
            "CI": "",
        }
        return clean_environment(**own | self.settings)

    def command(self, *arguments: str | Path) -> list[str]:
        """Return a maintainers' command as it runs in the copy."""
        return [*OWN_COMMAND, *map(str, arguments)]

    def run(self, *arguments: str | Path, code: int = 0) -> CompletedProcess[str]:
        """Run a maintainers' command in the copy."""
        command = self.command(*arguments)
        done = run(command, self.env, cwd=self.tree, code=code, timeout=600)
        assert self.server.token not in done.stdout + done.stderr
        return done

    def build(self) -> None:
        """Commit the copy on its tag, and build grafted wheels of the collected binaries."""
        git(self.tree, "add", "--all")
        git(self.tree, "commit", "--quiet", "--message", "Release")
        git(self.tree, "tag", f"v{self.version}")
        self.run("wheels", "--out", self.dist, "--repair", "auditwheel")

    def publish(self, url: str, *options: str) -> list[str | Path]:
        """Return the arguments of a publish to an index."""
        return ["publish", "--index", url, "--dist", self.dist, "--allow-local", *options]

    def publish_checked(self, url: str, *options: str) -> list[str | Path]:
        """Return the arguments of a publish of files that passed every check, as the workflow's last job has it."""
        return self.publish(url, "--checked", fingerprint(self.files), *options)

    def served(self, url: str) -> dict[str, str | None]:
        """Return the SHA-256 of each file of ours that an index serves."""
        client = IndexClient(Index(f"{url}+simple/", url))
        return {
            name: file.sha256
            for distribution in DISTRIBUTIONS
            for name, file in client.files(distribution).items()
        }

    def must_be_complete(self, url: str) -> None:
        """Fail if an index does not serve every built file of this version, byte for byte, and no other."""
        version = Version(self.version)
        files = self.served(url).items()
        served = {name: sha256 for name, sha256 in files if version_of(name) == version}
        assert served == {file.path.name: file.sha256() for file in self.files}

    def must_be_installable(self, url: str) -> None:
        """Fail if an index serves `lean-spec` before what it requires, or a stub before its platform wheels.

        The pages require `lean-spec` and are an extra of it: they may come first.
        """
        served = self.served(url)
        missing = [file for file in self.files if file.path.name not in served]
        unserved = {file.distribution for file in missing}
        platforms = {f.distribution for f in missing if f.kind == FileKind.PLATFORM}
        for file in self.files:
            if file.path.name not in served:
                continue
            if file.kind in (FileKind.MAIN, FileKind.MCP_COMMAND):
                assert not requirements(file) & unserved, file.path.name
            if file.kind == FileKind.STUB:
                assert file.distribution not in platforms, file.path.name

    def installation(self, kind: type[Installation], url: str) -> Installation:
        """Return an installer with a home of its own, which has this index alone."""
        home = self.folder / f"home-{kind.__name__}"
        env = from_files(home) | installer_settings(f"{url}+simple/", home / "cache")
        env |= {"UV_OFFLINE": "0", "UV_NO_INDEX": "0", "PIP_NO_CACHE_DIR": "1"}
        return kind(home, env)

    def publish_again(self, url: str) -> None:
        """Resume a release that is complete: nothing is uploaded."""
        done = self.run(*self.publish_checked(url, "--resume"))
        assert "  uploaded " not in done.stderr
        self.must_be_complete(url)

    def refuse_bump(self, url: str) -> None:
        """Try to set the version that is published."""
        done = self.run("bump", self.version, "--index", url, code=1)
        assert "which is published" in done.stderr

    def publish_fix(self, url: str, folder: Path) -> Stage:
        """Publish a packaging-only fix with the same binaries, from another copy; return its stage."""
        tree = folder / "tree"
        shutil.copytree(self.tree, tree, symlinks=True)
        fix = dataclasses.replace(self, tree=tree, dist=folder / "dist")
        fix.run("bump", f"{self.version}.post1", "--index", url)
        fix.build()
        fix.run(*fix.publish(url))
        fix.must_be_complete(url)
        self.must_be_complete(url)
        return fix

    def verify(self, url: str) -> None:
        """Compare the published files with npm and with a rebuild, and install them."""
        options = ("--index", url, "--against", "npm", "--rebuild")
        self.run("verify-release", self.version, *options)


def requirements(file: File) -> set[str]:
    """Return the distributions of ours that a built file requires."""
    lines = read_metadata(file).get_all("Requires-Dist") or []
    return {Requirement(line).name for line in lines} & set(DISTRIBUTIONS)


def must_install_upgrade_and_uninstall(
    installation: Installation, old: str, new: str
) -> None:
    """Install a release, upgrade it to a packaging-only fix, and uninstall it; nothing may remain."""
    installation.install(f"{MAIN}=={old}")
    must_run(installation, old, old)
    installation.upgrade(f"{MAIN}=={new}")
    must_run(installation, new, old)
    installation.uninstall()
    assert installation.leftovers() == []


def must_run(installation: Installation, version: str, program: str) -> None:
    """Fail if an installed release does not run, is not verified, or has other versions."""
    launcher = "leanspec-launcher"
    assert installation.start(launcher, "--version").stdout == f"{launcher} {version}\n"
    assert installation.start(MAIN, "--version").stdout == f"{MAIN} {program}\n"
    installation.start(launcher, "verify")
