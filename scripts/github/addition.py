"""Adding desktop bundles to a release that is out: a further list, signed like the first, which stays as it is."""

from pathlib import Path

from leanspec_launcher.commands import CommandError
from scripts.environment import ROOT
from scripts.gates.commit import commit_of
from scripts.model.plan import Plan
from scripts.tools.console import step

from .assemble import must_be_artifacts
from .desktop import DESKTOP, copy_bundles, read_bundles
from .listing import Listing


def assemble_addition(
    artifacts: Path,
    out: Path,
    plan: Plan,
    listing: Listing,
    root: Path = ROOT,
) -> list[Path]:
    """Make the folder of what is added to a release, from the desktop bundles of a run; return its files.

    The plan of a release is that of its tag: a bundle may be added that it does not expect. Raises
    CommandError, and leaves `out` as it was, if there is no bundle, or one that is damaged or of
    another version.
    """
    must_be_artifacts(artifacts)
    with listing.new_folder(out) as new:
        with step("desktop bundles"):
            bundles = read_bundles(artifacts, plan, only_planned=False)
            if not bundles:
                raise CommandError(
                    f"`{artifacts}` contains no desktop bundle",
                    hint=f"`collect desktop DIR --build --into {artifacts}/{DESKTOP}PLATFORM` puts one there",
                )
            assets = list(copy_bundles(bundles, new, plan))
        facts = {"addition": listing.addition}
        listing.write(new, assets, plan, commit_of(root).name, facts)
    return sorted(path for path in out.iterdir() if path.is_file())
