"""The gate on the GitHub release: its keys, its notes, and everything that it carries, assembled."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from leanspec_launcher.commands import CommandError
from scripts.environment import ROOT
from scripts.model.files import File
from scripts.model.finding import Finding, confirm, gap, problem
from scripts.model.gates import GITHUB_RELEASE as GATE
from scripts.model.plan import Plan
from scripts.model.programs import PROJECTS, release_keys

from .assemble import Parts, assemble_parts
from .signing import read_public

KEYS = "keys of the plan"


@dataclass(frozen=True)
class GitHubRelease:
    """What a GitHub release is assembled from, in addition to its files for an index."""

    binaries: Path = PROJECTS
    artifacts: Path | None = None
    """The folder with the desktop bundles, if there is one."""
    out: Path | None = None
    """The folder for what is assembled. None: it is only tried."""
    root: Path = ROOT

    def check(self, plan: Plan, files: list[File]) -> Iterator[Finding]:
        """Check the keys, and assemble the release without signing it."""
        if plan.version.is_devrelease:
            yield gap(GATE, "assets", "a dev version has no release on GitHub")
            return
        yield from _keys(plan, self.root)
        with tempfile.TemporaryDirectory(prefix="leanspec-assets-") as name:
            folder = Path(name)
            out = self.out or folder / "out"
            parts = Parts(files[0].path.parent, self.binaries, self.artifacts or folder)
            missing = assemble_parts(parts, out, plan, self.root)
            yield confirm(GATE, "assets", f"{len(list(out.iterdir()))} files")
        for key in missing:
            yield gap(GATE, f"desktop bundle for {key}", "not in this release")


def _keys(plan: Plan, root: Path) -> Iterator[Finding]:
    """Check that each key of the plan is one, as whoever verifies a release would read it."""
    try:
        keys = [read_public(key) for key in release_keys(root)]
    except CommandError as error:
        yield problem(GATE, KEYS, "minisign's public keys", error, hint=error.hint or "")
        return
    if plan.public_key:
        yield confirm(GATE, KEYS, f"{len(keys)} that can be read")
    else:
        yield gap(GATE, KEYS, "none signs this release, as the plan says")
