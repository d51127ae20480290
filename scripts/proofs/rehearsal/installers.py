"""The installers of a rehearsal, each with its own home."""

from __future__ import annotations

import sys
from pathlib import Path

from leanspec_launcher._tables import FAMILIES
from leanspec_launcher.commands import CommandError
from scripts.index.built import installer_settings
from scripts.tools.installers import create_environment, pip_into
from scripts.tools.processes import capture, clean_environment, own_program

from .stage import Stage, must_exit


class Way:
    """One installer with its own home, configured with the rehearsal's index only."""

    def __init__(self, stage: Stage, url: str) -> None:
        self.home = stage.folder / f"home-{type(self).__name__}"
        self.home.mkdir()
        settings = installer_settings(f"{url}+simple/", self.home)
        own = {
            "HOME": str(self.home),
            "PIPX_HOME": str(self.home / "pipx"),
            "PIPX_BIN_DIR": str(self.bin),
        }
        uv = {
            "UV_TOOL_DIR": str(self.home / "tools"),
            "UV_TOOL_BIN_DIR": str(self.bin),
            "PIP_NO_CACHE_DIR": "1",
        }
        self.env = clean_environment(**settings, **own, **uv)

    @property
    def bin(self) -> Path:
        """The folder of the installed commands."""
        return self.home / "bin"

    def do(self, *command: str | Path) -> str:
        """Run a command of the installer's; raises CommandError if it fails."""
        words = [str(word) for word in command]
        return must_exit(capture(words, env=self.env, cwd=self.home)).stdout

    def must_run(self, version: str) -> str:
        """Start the installed program; raises CommandError if it is not of a version."""
        said = self.do(self.bin / "lean-spec", "--version").strip()
        if said != f"lean-spec {version}":
            raise CommandError(f"`lean-spec --version` says `{said}`, expected {version}")
        self.do(self.bin / "leanspec-launcher", "verify")
        return said

    def must_be(self, version: str) -> None:
        """Raise CommandError if the launcher is not of a version."""
        said = self.do(self.bin / "leanspec-launcher", "--version").strip()
        if said != f"leanspec-launcher {version}":
            raise CommandError(
                f"`leanspec-launcher --version` says `{said}`, expected {version}"
            )

    def must_be_gone(self) -> None:
        """Raise CommandError if a command or a package of ours is left."""
        left = [
            *self.bin.glob("lean*"),
            *self.home.glob("**/site-packages/lean*"),
            *self.home.glob("**/bin/lean*"),
        ]
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
        create_environment(self.home)
        self.do(*pip_into(self.bin, "install", f"lean-spec=={version}"))

    def upgrade(self, version: str) -> None:
        """Upgrade to a version."""
        self.do(*pip_into(self.bin, "install", "--upgrade", f"lean-spec=={version}"))

    def uninstall(self) -> None:
        """Remove all of it, and look for what is left."""
        names = [family.distribution for family in FAMILIES.values() if not family.extra]
        self.do(*pip_into(self.bin, "uninstall", "--yes", "lean-spec", *names))
        self.must_be_gone()


class Pipx(Way):
    """`pipx`, with its own home."""

    def install(self, version: str) -> None:
        """Install a version."""
        self.do(
            own_program("pipx"),
            "install",
            "--python",
            sys.executable,
            f"lean-spec=={version}",
        )

    def upgrade(self, version: str) -> None:
        """Upgrade to a version."""
        self.do(
            own_program("pipx"),
            "install",
            "--force",
            "--python",
            sys.executable,
            f"lean-spec=={version}",
        )

    def uninstall(self) -> None:
        """Remove all of it, and look for what is left."""
        self.do(own_program("pipx"), "uninstall", "lean-spec")
        self.must_be_gone()


class UvTool(Way):
    """`uv tool`, with its own folders."""

    def install(self, version: str) -> None:
        """Install a version."""
        self.do(
            own_program("uv"),
            "tool",
            "install",
            "--python",
            sys.executable,
            f"lean-spec=={version}",
        )

    def upgrade(self, version: str) -> None:
        """Upgrade to a version."""
        self.do(
            own_program("uv"),
            "tool",
            "install",
            "--python",
            sys.executable,
            "--refresh",
            f"lean-spec=={version}",
        )

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
        """Start the program; raises CommandError if it is not of a version."""
        said = self._uvx("lean-spec", "--version")
        if said != f"lean-spec {version}":
            raise CommandError(f"`lean-spec --version` says `{said}`, expected {version}")
        return said

    def must_be(self, version: str) -> None:
        """Raise CommandError if the launcher is not of a version."""
        said = self._uvx("leanspec-launcher", "--version")
        if said != f"leanspec-launcher {version}":
            raise CommandError(
                f"`leanspec-launcher --version` says `{said}`, expected {version}"
            )


INSTALLERS: dict[str, type[Way]] = {"pip": Pip, "pipx": Pipx, "uv tool": UvTool, "uvx": Uvx}
