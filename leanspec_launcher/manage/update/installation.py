"""This installation, as an update sees it: its installer, its extras, and the commands for a version."""

from dataclasses import dataclass

from leanspec_launcher._tables import PROGRAMS
from leanspec_launcher.commands import CommandError
from leanspec_launcher.installers.detect import MAIN
from leanspec_launcher.installers.records import installed_extras, is_pinned, with_extras
from leanspec_launcher.installers.reinstall import filled
from leanspec_launcher.installers.table import Installer, in_use
from leanspec_launcher.installers.words import (
    is_externally_managed,
    is_in_site_packages,
    shown,
    usable,
    words,
)

CLI = PROGRAMS["cli"]


@dataclass(frozen=True)
class Installation:
    """This installation: its installer, and the extras of `lean-spec` that are installed."""

    installer: Installer
    extras: tuple[str, ...]

    def requirement(self, version: str = "", *, exactly: bool = True) -> str:
        """Return what is to be installed, with its extras; without a version, the newest."""
        name = with_extras(MAIN, self.extras)
        if not version:
            return name
        # A range of one version: with `==`, installers take a release that was yanked (PEP 592).
        return f"{name}=={version}" if exactly else f"{MAIN}>={version},<={version}"

    def command(self, version: str, *, is_newest: bool) -> list[str]:
        """Return the installer's command that brings a version."""
        if is_newest and self.installer.update:
            return words(self.installer.update, CLI)
        return self.exact(version)

    def exact(self, version: str) -> list[str]:
        """Return the command that brings one version; a later update may bring another."""
        return words(usable(self.installer.exact), CLI, version=[self.requirement(version)])

    def unpin(self) -> list[str]:
        """Return the command that asks for any version again; empty if none was asked for."""
        template = self.installer.unpin
        if not template or not is_pinned():
            return []
        return words(template, CLI, extras=[self.requirement()])


def installation() -> Installation:
    """Return this installation.

    Raises CommandError, with what to type instead, if it is not for a command of ours to update.
    """
    installer = in_use()
    if installer.reason:
        raise CommandError(
            f"nothing was updated: {installer.reason}",
            hint=filled(installer.instead, CLI),
        )
    if is_externally_managed() and is_in_site_packages():
        raise CommandError(
            "nothing was updated: this Python belongs to the system (PEP 668)",
            hint=f"install it for yourself instead: `pipx install {MAIN}`",
        )
    result = Installation(installer, tuple(sorted(installed_extras())))
    if result.unpin():
        raise CommandError(
            "nothing was updated: it was installed with exactly this version",
            hint=shown([result.unpin()]),
        )
    return result
