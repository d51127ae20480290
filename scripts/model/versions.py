"""One version in its two forms: PEP 440 for Python, SemVer for Cargo and the binaries."""

import re

import semver
from packaging.version import InvalidVersion, Version

from leanspec_launcher.commands import CommandError

# SemVer's word for a pre-release -> what PEP 440 writes before its number.
WORDS = {"alpha": "a", "beta": "b", "rc": "rc", "dev": ".dev"}
LETTERS = {letter: word for word, letter in WORDS.items()}
PARTS = 3
HINT = "a version is `1.2.3`, `1.2.3rc1`, `1.2.3.dev4` or `1.2.3.post1`; in SemVer `1.2.3-rc.1`, `1.2.3-dev.4`"


def read_version(text: str) -> Version:
    """Return a version that is written in either form.

    Raises CommandError if it is neither, or has no counterpart in the other.
    """
    try:
        version = Version(text)
    except InvalidVersion:
        version = _from_semver(text)
    if text != str(version):
        version = _from_semver(text)  # or in no form that is published
    if len(version.release) < PARTS:
        raise CommandError(
            f"invalid version: `{text}` has fewer than three numbers", hint=HINT
        )
    binary_version(version)
    return version


def binary_version(version: Version | str) -> str:
    """Return what the binaries of a release report, in SemVer. A `.postN` has the binaries of its base version.

    Raises CommandError if the version has no counterpart.
    """
    version = version if isinstance(version, Version) else Version(version)
    if version.epoch or version.local or len(version.release) > PARTS:
        raise CommandError(f"`{version}` has no counterpart in SemVer", hint=HINT)
    if (version.pre or version.is_devrelease) and version.is_postrelease:
        raise CommandError(
            f"`{version}` is a fix of a pre-release, which has no counterpart in SemVer",
            hint=HINT,
        )
    if version.pre and version.dev is not None:
        raise CommandError(
            f"`{version}` is a pre-release of a pre-release, which SemVer orders otherwise",
            hint=HINT,
        )
    major, minor, patch = (*version.release, 0, 0)[:PARTS]
    base = f"{major}.{minor}.{patch}"
    if version.dev is not None:
        return f"{base}-dev.{version.dev}"
    if version.pre:
        letter, number = version.pre
        return f"{base}-{LETTERS[letter]}.{number}"
    return base


def next_dev(current: Version, number: int) -> Version:
    """Return the dev version `number` of the next patch; of the same patch where `current` precedes its release."""
    major, minor, patch = (*current.release, 0, 0)[:PARTS]
    if not current.is_prerelease:
        patch += 1
    return Version(f"{major}.{minor}.{patch}.dev{number}")


def _from_semver(text: str) -> Version:
    try:
        parsed = semver.Version.parse(text)
    except ValueError:
        raise CommandError(f"invalid version: `{text}`", hint=HINT) from None
    if parsed.build:
        raise CommandError(f"`{text}` has build metadata, which no index takes", hint=HINT)
    base = f"{parsed.major}.{parsed.minor}.{parsed.patch}"
    if not parsed.prerelease:
        return Version(base)
    match = re.fullmatch(r"(alpha|beta|rc|dev)\.(0|[1-9]\d*)", parsed.prerelease)
    if not match:
        raise CommandError(f"`{text}` has no counterpart in PEP 440", hint=HINT)
    word, number = match.groups()
    return Version(f"{base}{WORDS[word]}{number}")
