"""The release that the tests run: this tree as it was last released, and small programs in its place."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomlkit
from packaging.version import Version

from leanspec_launcher._tables import PLATFORMS, current
from scripts.collect.pages import read_pages
from scripts.environment import ROOT
from scripts.model import version_places
from scripts.model.plan import Plan, read_plan
from tests.support.pages import put_pages
from tests.support.preconditions import require
from tests.support.tree_copy import copy_tree, git
from tests.support.versions import REAL, RELEASED
from tests.support.workspace import write_workspace

if TYPE_CHECKING:
    # It has no wheel for a few machines, and every test needs this module.
    from minisign import PublicKey

Scripts = Callable[..., subprocess.CompletedProcess[str]]


STAND_IN = Path(__file__).with_name("leanspec.rs")


def copy_as_released(folder: Path) -> None:
    """Copy this tree, new files included, and set its version back."""
    copy_tree(folder)
    changelog = folder / "CHANGELOG.md"
    lines = changelog.read_text("utf-8").splitlines(keepends=True)
    # Everything is of this version: the newer headings go, their entries stay. The next one has news, too.
    kept = [
        line
        for line in lines
        if not version_places.HEADING.match(line)
        or line.rstrip() == version_places.UNRELEASED
    ]
    news = "A change of the next version."
    heading = f"{version_places.UNRELEASED}\n\n{news}\n\n## [{RELEASED}] - 2026-01-01"
    text = "".join(kept).replace(version_places.UNRELEASED, heading)
    changelog.write_text(text, "utf-8")
    _write_reasons(folder / "pyproject.toml")
    edits = version_places.planned(Version(RELEASED), folder)
    version_places.apply([edit for edit in edits if edit.path != changelog])
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", f"As {RELEASED}")


def _write_reasons(path: Path) -> None:
    """State for which platforms npm has no binaries of the released version; no other exception is of it."""
    document: Any = tomlkit.parse(path.read_text("utf-8"))
    reason = f"npm has no binaries of {RELEASED} for it"
    reasons = {key: reason for key in PLATFORMS if key not in REAL}
    table = document["tool"]["leanspec-release"]
    table["missing"]["npm"] = reasons
    table["exceptions"] = {"validate": f"leanspec {RELEASED} answers that it cannot"}
    path.write_text(tomlkit.dumps(document), "utf-8")


def _other_platforms() -> dict[str, str]:
    """Return why a workspace is built for this machine alone."""
    here = current()
    return {
        key: "a test builds for its machine"
        for key, platform in PLATFORMS.items()
        if platform != here
    }


def plan_of_this_machine(root: Path) -> Plan:
    """Return a tree's plan, in which a workspace is built for this machine alone."""
    plan = read_plan(root)
    return replace(plan, reasons=plan.reasons | {"cargo": _other_platforms()})


def write_tagged_tree(
    folder: Path,
    source: Path,
    key: PublicKey,
    *,
    pages: str | None = None,
    everywhere: bool = False,
) -> None:
    """Copy a tree as a release on its tag, which states a key and expects a desktop bundle.

    `pages` is the integrity of other pages of the web UI than those of the plan. Unless the
    workspace is built `everywhere`, the plan has this machine's platform alone.
    """
    copy_tree(folder, source)
    manifest = folder / "pyproject.toml"
    text = manifest.read_text("utf-8")
    integrity = read_pages(folder).integrity
    public = key.to_base64().decode()
    for old, new in (
        ('\nsigning = "none"', f'\npublic-key = "{public}"'),
        ('platforms = []\nabsent = "', f'platforms = ["{REAL[0]}"]\n# "'),
        (integrity, pages or integrity),
    ):
        assert old in text
        text = text.replace(old, new)
    document: Any = tomlkit.parse(text)
    if not everywhere:
        table, others = document["tool"]["leanspec-release"], _other_platforms()
        table["missing"]["cargo"] = others
        lacking = table["missing"]["npm"].keys() & others.keys()
        table["platforms"] = [key for key in PLATFORMS if key not in lacking]
    manifest.write_text(tomlkit.dumps(document), "utf-8")
    # The pages state the platforms of the plan.
    version_places.apply(version_places.planned(Version(RELEASED), folder))
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Release")
    git(folder, "tag", f"v{RELEASED}")


def build_small(folder: Path, scripts: Scripts, version: str) -> None:
    """Build `binaries/` and `dist/` of small programs."""
    require("cargo")
    workspace = write_workspace(folder / "workspace", version)
    for crate in workspace.glob("leanspec-*"):
        shutil.copy(STAND_IN, crate / "src/main.rs")
    scripts("collect", "cargo", workspace, "--build", "--into", folder / "binaries")
    put_pages(folder / "binaries", ROOT)
    scripts("wheels", "--binaries", folder / "binaries", "--out", folder / "dist")
