"""How each installer brings another version of an installation, and who has to type it."""

from __future__ import annotations

import json
import os
import sys
import sysconfig
from dataclasses import dataclass

from leanspec_launcher._search import SITE
from leanspec_launcher._tables import FAMILIES
from leanspec_launcher.commands import CommandError
from leanspec_launcher.installers import remedy, uv_tool
from leanspec_launcher.installers.detect import MAIN, Installer, installer
from leanspec_launcher.installers.records import distribution
from leanspec_launcher.installers.remedy import shown

# What has to be typed instead, where an update from inside would be undone or cannot work.
INSTEAD = {
    Installer.CHECKOUT: "git pull",
    Installer.UVX: f"uvx {MAIN}@latest",
    Installer.CONDA: f"conda update {MAIN}",
    Installer.PDM: f"pdm update {MAIN}",
    Installer.POETRY: f"poetry update {MAIN}",
    Installer.PIPX_RUN: f"pipx run --no-cache {MAIN}",
    Installer.PEX: "build the archive again",
    Installer.SHIV: "build the archive again",
    Installer.SYSTEM: f"update {MAIN} with the system's package manager",
}
REASONS = {
    Installer.CHECKOUT: "this is a source checkout",
    Installer.SOURCES: "this was built from sources",
    Installer.UVX: "uvx keeps it in its cache",
    Installer.PIPX_RUN: "`pipx run` keeps it in its cache",
    Installer.PEX: "it is inside an archive",
    Installer.SHIV: "it is inside an archive",
    Installer.SYSTEM: "the system's package manager installed it",
    Installer.CONDA: "conda installed it",
}
# What the extra `download` brings.
DOWNLOAD = ("httpx", "cryptography", "filelock")
OF_A_PROJECT = (Installer.UV_PROJECT, Installer.PDM, Installer.POETRY)


@dataclass(frozen=True)
class Way:
    """How this installation gets another version."""

    installer: Installer
    # Of `lean-spec`, as they are installed.
    extras: tuple[str, ...]

    def requirement(self, version: str = "", *, exactly: bool = True) -> str:
        """Return what is to be installed, with its extras; without a version, the newest."""
        listed = f"[{','.join(self.extras)}]" if self.extras else ""
        if not version:
            return f"{MAIN}{listed}"
        # A range of one version: with `==`, installers take a release that was yanked (PEP 592).
        return f"{MAIN}{listed}=={version}" if exactly else f"{MAIN}>={version},<={version}"

    def command(self, version: str, *, is_newest: bool) -> list[str]:
        """Return the installer's command that brings a version."""
        name = os.path.basename(sys.prefix)
        if self.installer is Installer.PIPX and is_newest:
            return ["pipx", "upgrade", *remedy.pipx_options(), name]
        if self.installer is Installer.UV_TOOL and is_newest:
            return ["uv", "tool", "upgrade", name]
        return self.exact(version)

    def exact(self, version: str) -> list[str]:
        """Return the command that brings one version, now: a later update may bring another.

        By the pip or uv behind pipx and `uv tool`, which themselves would record the version as
        the one that is wanted for ever.
        """
        wanted = self.requirement(version)
        if remedy.has_pip() or not remedy.has_uv():
            return [*remedy.pip_install(), wanted]
        return [*remedy.uv_pip_install(), wanted]


def way() -> Way:
    """Return how this installation is updated.

    Raises CommandError, with what to type instead, if that is not for a command of ours to do.
    """
    kind = installer()
    if kind in REASONS or kind in OF_A_PROJECT:
        reason = REASONS.get(kind, "it belongs to a project, whose lock file decides")
        raise CommandError(f"nothing was updated: {reason}", hint=instead(kind))
    if _is_externally_managed():
        raise CommandError(
            "nothing was updated: this Python belongs to the system (PEP 668)",
            hint=f"install it for yourself instead: `pipx install {MAIN}`",
        )
    found = Way(kind, extras())
    if _is_pinned(kind):
        again = {
            Installer.PIPX: ["pipx", "install"],
            Installer.UV_TOOL: ["uv", "tool", "install"],
        }
        raise CommandError(
            "nothing was updated: this version was asked for when it was installed",
            hint=shown([[*again[kind], "--force", found.requirement()]]),
        )
    return found


def instead(kind: Installer) -> str:
    """Say what to type where an update is not for a command of ours to do."""
    if kind is Installer.UV_PROJECT:
        project = os.path.dirname(sys.prefix)
        command = ["uv", "sync", "--project", project, "--upgrade-package", MAIN]
        return shown([command])
    if kind is Installer.SOURCES:
        return remedy.advice(FAMILIES["cli"])
    return INSTEAD[kind]


def extras() -> tuple[str, ...]:
    """Return the extras of `lean-spec` whose distributions are installed."""
    found = {
        family.extra
        for family in FAMILIES.values()
        if family.extra and distribution(family.distribution) is not None
    }
    if all(distribution(name) is not None for name in DOWNLOAD):
        found.add("download")
    return tuple(sorted(found))


def _is_externally_managed() -> bool:
    marker = os.path.join(sysconfig.get_path("stdlib"), remedy.EXTERNALLY_MANAGED)
    is_own = sys.prefix == sys.base_prefix and os.path.realpath(SITE) in (
        os.path.realpath(sysconfig.get_path(name)) for name in ("purelib", "platlib")
    )
    return is_own and os.path.exists(marker)


def _is_pinned(kind: Installer) -> bool:
    """Tell whether the user asked for a version, which an update would pass over (pipx, uv tool)."""
    if kind is Installer.UV_TOOL:
        return uv_tool.is_pinned(MAIN)
    if kind is not Installer.PIPX:
        return False
    try:
        with open(os.path.join(sys.prefix, "pipx_metadata.json"), encoding="utf-8") as file:
            asked = str(json.load(file)["main_package"]["package_or_url"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return "==" in asked
