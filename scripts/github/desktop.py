"""Desktop bundles among the artifacts of a run, as files of a release."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from leanspec_launcher._tables import PLATFORMS, Platform
from leanspec_launcher.commands import CommandError
from scripts.collect.bundles import CHECKSUM, Bundle, read_bundle, verify_checksum
from scripts.model.plan import Plan
from scripts.model.versions import binary_version

from .listing import Asset, AssetKind, describe

DESKTOP = "desktop-"


def read_bundles(artifacts: Path, plan: Plan, *, only_planned: bool) -> list[Bundle]:
    """Return at most one bundle of this version per platform. Raises CommandError for any other file."""
    bundles: list[Bundle] = []
    for platform in PLATFORMS.values():
        for path in sorted((artifacts / f"{DESKTOP}{platform.key}").rglob("*")):
            if path.is_file() and path.suffix != CHECKSUM:
                if only_planned:
                    _must_be_planned(path, platform, plan)
                bundle = read_bundle(path, platform)
                _must_be_of(bundle, plan)
                _must_be_the_only_one(bundle, bundles)
                bundles.append(bundle)
    return bundles


def missing_bundles(bundles: list[Bundle], plan: Plan) -> list[str]:
    """Return the platforms for which the plan expects a bundle, and there is none."""
    present = {key for bundle in bundles for key in bundle.platforms}
    return [key for key in plan.bundles if key not in present]


def copy_bundles(bundles: list[Bundle], folder: Path, plan: Plan) -> Iterator[Asset]:
    """Copy bundles into the folder of a release, under its own names."""
    for bundle in bundles:
        name = f"leanspec-desktop-{plan.version}-{bundle.label}{bundle.path.suffix}"
        shutil.copyfile(bundle.path, folder / name)
        facts = {
            "format": bundle.format.title,
            "version": bundle.version,
            "cpu": bundle.label.partition("-")[2],
        }
        yield describe(folder / name, AssetKind.BUNDLE, bundle.label, {"stated": facts})


def _must_be_planned(path: Path, platform: Platform, plan: Plan) -> None:
    if platform.key not in plan.bundles:
        reason = plan.no_desktop or f"it expects {', '.join(plan.bundles)}"
        raise CommandError(
            f"`{path}` is a desktop bundle for `{platform.key}`, and the plan has none ({reason})",
            hint="name the platform in [tool.leanspec-release.desktop] of pyproject.toml",
        )


def _must_be_of(bundle: Bundle, plan: Plan) -> None:
    expected = binary_version(plan.version)
    if bundle.version != expected:
        raise CommandError(
            f"`{bundle.path}` is of version `{bundle.version}`, the release is {expected}",
            hint="build it again",
        )
    verify_checksum(bundle.path)


def _must_be_the_only_one(bundle: Bundle, others: list[Bundle]) -> None:
    for other in others:
        both = set(bundle.platforms) & set(other.platforms)
        if both:
            raise CommandError(
                f"`{bundle.path}` and `{other.path}` are both desktop bundles for `{min(both)}`",
                hint="keep only one of them in the artifacts",
            )
