"""What a release is meant to be, as `pyproject.toml` states it, with a reason for each gap."""

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from packaging.version import Version

from leanspec_launcher._tables import PLATFORMS
from leanspec_launcher.commands import CommandError
from scripts.environment import ROOT
from scripts.tools.reasons import quoted

from .manifest import release_table
from .version_places import WORKFLOW_SOURCE, home_version
from .versions import binary_version

DEV = "linux-x64"
"""The one platform of a dev build, which is to be there soon."""
SOURCES = ("npm", "cargo")
"""The `source.kind` of a collected binary."""
MINISIGN, UNSIGNED = "minisign", "none"
REBUILD = "rebuild"
"""The exception that lets a `.postN` have other binaries than the release before it."""
VALIDATE = "validate"
"""The exception that lets `lean-spec validate` fail."""
EXCEPTIONS = ("commits", "sources", VALIDATE, REBUILD)
"""What a plan can make an exception of."""
KEYS = {
    "": (
        *("repository", "sources", "platforms", "attestations", "signing", "typescript"),
        *("public-key", "next-public-key"),
        *("pages", "desktop", "floors", "missing", "openssl", "exceptions"),
    ),
    ".pages": ("package", "version", "integrity", "reason", "missing-api"),
    ".desktop": ("platforms", "absent"),
    ".exceptions": EXCEPTIONS,
}
"""The keys of the plan's tables."""
TABLE = "`pyproject.toml`, [tool.leanspec-release"
STILL_HOLDS = "if it still holds, write the present version; else remove the line"
VERSION_IN_WORDS = re.compile(r"\b\d+\.\d+\.\d+(?:[.-]?[a-z]+\.?\d+)?")


@dataclass(frozen=True)
class Plan:
    """The release as it is meant to be, built from some sources."""

    version: Version
    reasons: dict[str, dict[str, str]]
    """Why a source lacks a platform: source -> platform -> reason."""
    exceptions: dict[str, str]
    desktop: tuple[str, ...] = ()
    """The platforms whose machines build the desktop bundles."""
    bundles: tuple[str, ...] = ()
    """The platforms that a desktop bundle is expected for: a disk image is for both of macOS."""
    no_desktop: str = ""
    """Why there is none, where none is expected."""
    public_key: str = ""
    """The second line of the minisign key that the lists of a release are signed with; empty if they are not."""
    attestations: tuple[str, ...] = ()
    """The indices, as `publish --index` names them, that take no file without its attestation."""
    is_draft: bool = False
    """Whether it is not committed yet: there is no tag, and files differ from their commit."""
    sources: tuple[str, ...] = (WORKFLOW_SOURCE,)
    """Where the binaries are from."""

    @property
    def missing(self) -> dict[str, str]:
        """The reason for each platform that all sources in use lack."""
        tables = [self.reasons.get(source, {}) for source in self.sources]
        missing = {}
        for key in PLATFORMS:
            reasons = [table[key] for table in tables if key in table]
            if len(reasons) == len(tables):
                missing[key] = "; ".join(dict.fromkeys(reasons))
        return missing

    @property
    def platforms(self) -> tuple[str, ...]:
        """The platforms of this release."""
        return tuple(key for key in PLATFORMS if key not in self.missing)

    def built_from(self, kinds: Collection[str]) -> "Plan":
        """Return the plan for binaries of these sources; for the workflow's if none of them is known.

        Raises CommandError if a reason of such a source names another version.
        """
        sources = tuple(source for source in SOURCES if source in kinds)
        plan = replace(self, sources=sources or (WORKFLOW_SOURCE,))
        for source in plan.sources:
            for key, reason in plan.reasons.get(source, {}).items():
                _must_be_current(plan.version, f"missing.{source}]: `{key}`", reason)
        return plan

    def other_reason(self, key: str) -> str:
        """Return why another source lacks a platform, which is no reason for those in use."""
        for source in SOURCES:
            if source not in self.sources and key in self.reasons.get(source, {}):
                used = " and ".join(self.sources)
                return f"`missing.{source}` does not apply to binaries from {used}"
        return ""


def read_plan(root: Path = ROOT, kinds: Collection[str] = ()) -> Plan:
    """Return the plan of the version that the tree is at, for binaries of these sources.

    Raises CommandError if a platform is neither in the release nor missing for a reason, or a
    desktop set neither expected nor absent for one.
    """
    table = release_table(root)
    _must_have_keys_of_a_plan(table)
    version, exceptions = home_version(root), dict(table.get("exceptions", {}))
    plan = Plan(
        version=version,
        reasons=_read_reasons(table),
        exceptions=exceptions,
        attestations=tuple(table["attestations"]),
    )
    if version.is_devrelease:
        exceptions.pop(REBUILD, None)
        others = {key: f"a dev build is for {DEV} alone" for key in PLATFORMS if key != DEV}
        reasons = dict.fromkeys(SOURCES, others)
        plan = replace(plan, reasons=reasons, no_desktop="a dev build has none")
        return plan.built_from(kinds)
    _must_be_exceptions_of(version, exceptions)
    plan = replace(plan, public_key=_read_key(table), **_read_desktop(table["desktop"]))
    return plan.built_from(kinds)


def _must_be_exceptions_of(version: Version, exceptions: dict[str, str]) -> None:
    """Raise CommandError if an exception is not for this version."""
    if REBUILD in exceptions and not version.is_postrelease:
        raise CommandError(
            f"{TABLE}.exceptions]: `{REBUILD}` is for a `.postN`, and this is {version}",
            hint="remove it",
        )
    for name, text in exceptions.items():
        # A rebuild is compared with the release before it, and `pre-release` tries `validate`.
        is_checked_later = name in (REBUILD, VALIDATE)
        names = _names_of(version).intersection(_versions_in(str(text)))
        # A reason must not outlive its release.
        if not is_checked_later and not names:
            place = f"{TABLE}.exceptions]: `{name}`"
            raise CommandError(
                f"{place}: the reason does not name {version}", hint=STILL_HOLDS
            )


def _read_desktop(desktop: dict[str, Any]) -> dict[str, Any]:
    """Return what the plan states of desktop bundles."""
    bundles = tuple(desktop["platforms"])
    reason = str(desktop.get("absent", ""))
    is_known = set(bundles) <= set(PLATFORMS)
    if bool(bundles) == bool(reason) or not is_known:
        raise CommandError(
            "[tool.leanspec-release.desktop] in `pyproject.toml`: `platforms` names some, or `absent` says why not",
            hint=f"platforms are {quoted(PLATFORMS)}",
        )
    # A disk image is for both CPUs, so one machine builds it.
    spared = {"darwin-x64"} if "darwin-arm64" in bundles else set()
    builders = tuple(name for name in bundles if name not in spared)
    return {"desktop": builders, "bundles": bundles, "no_desktop": reason}


def typescript_release(root: Path = ROOT) -> str:
    """Return the npm package and version that `LEANSPEC_USE_TS` runs; empty if the plan names none."""
    return str(release_table(root).get("typescript", ""))


def _must_have_keys_of_a_plan(table: dict[str, Any]) -> None:
    """Raise CommandError if a table has a key that nothing reads."""
    for name, keys in KEYS.items():
        inner = table.get(name[1:], {}) if name else table
        unknown = sorted(inner.keys() - set(keys))
        if unknown:
            raise CommandError(
                f"{TABLE}{name}]: unknown key `{unknown[0]}`",
                hint=f"known keys: {quoted(keys)}",
            )


def _read_key(table: dict[str, Any]) -> str:
    """Return the key that signs a release; empty if the plan says that nothing does."""
    key = str(table.get("public-key", ""))
    signing = table.get("signing", MINISIGN)
    is_known = signing in (MINISIGN, UNSIGNED)
    # A key and `none` exclude each other, and one of them is stated.
    if not is_known or bool(key) == (signing == UNSIGNED):
        problem = f"`signing` is `{signing}`, and `public-key` is `{key}`"
        raise CommandError(
            f"{TABLE}]: {problem}: a release is signed with a key, or says that it is not",
            hint=f'state `public-key = "..."`, or only `signing = "{UNSIGNED}"`',
        )
    return key


def _read_reasons(table: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Return the reasons for each source's missing platforms."""
    chosen = tuple(table["platforms"])
    reasons = dict(table.get("missing", {}))
    for source, platforms in reasons.items():
        if source not in SOURCES or not isinstance(platforms, dict):
            tables = " or ".join(f"`missing.{name}`" for name in SOURCES)
            raise CommandError(
                f"{TABLE}.missing]: unknown source `{source}`",
                hint=f"a reason belongs to a source: write it in {tables}",
            )
        for key, reason in platforms.items():
            _must_be_of(source, key, str(reason))
    for key in PLATFORMS:
        # Either chosen or missing for a reason everywhere: not both, and not neither.
        never = all(key in reasons.get(source, {}) for source in SOURCES)
        if (key in chosen) == never:
            raise CommandError(
                f"{TABLE}]: `{key}` must be either in `platforms` or in `missing` of every source",
                hint=f'add it to `platforms`, or `{key} = "why"` to the table `missing.SOURCE` of each source',
            )
    names = {*chosen, *chain.from_iterable(reasons.values())}
    unknown = sorted(names - set(PLATFORMS))
    if unknown:
        raise CommandError(
            f"{TABLE}]: unknown platform `{unknown[0]}`",
            hint=f"known platforms: {quoted(PLATFORMS)}",
        )
    return reasons


def _must_be_of(source: str, key: str, reason: str) -> None:
    """Raise CommandError if a reason is empty, or names another source than its own."""
    others = [other for other in SOURCES if other != source]
    named = [other for other in others if re.search(rf"\b{other}\b", reason)]
    if not reason.strip() or named:
        problem = f"names {named[0]}" if named else "is empty"
        raise CommandError(
            f"{TABLE}.missing.{source}]: the reason for `{key}` {problem}",
            hint=f"say why {source} has no binaries for it, or remove the line",
        )


def _must_be_current(version: Version, place: str, reason: str) -> None:
    """Raise CommandError if a reason names another version than that of its release."""
    others = [name for name in _versions_in(reason) if name not in _names_of(version)]
    if others:
        raise CommandError(
            f"{TABLE}.{place}: the reason names {others[0]}, and this is {version}",
            hint=STILL_HOLDS,
        )


def _names_of(version: Version) -> set[str]:
    # A `.postN` has the binaries of its base, whose version a reason may name.
    return {str(version), binary_version(version)}


def _versions_in(reason: str) -> list[str]:
    return VERSION_IN_WORDS.findall(reason)
