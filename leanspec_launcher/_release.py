"""Order of release versions, and the wheels of this release. Not on the hot path."""

import re
from typing import NamedTuple

from ._pins import WHEELS
from ._tables import Program

# The versions of releases (Version specifiers). Nothing else may stand in a URL or a requirement.
_VERSION = re.compile(
    r"(\d+(?:\.\d+)*)(?:(a|b|rc)(\d+))?(?:\.post(\d+))?(?:\.dev(\d+))?", re.ASCII
)
_DEV_ONLY, _FINAL = -1, 3
_STAGES = {"a": 0, "b": 1, "rc": 2}


class Wheel(NamedTuple):
    """A platform wheel of this release."""

    name: str
    # Hexadecimal SHA-256 of the file.
    sha256: str
    # In bytes.
    size: int

    @property
    def tags(self) -> "list[str]":
        """The platform tags in its name."""
        return platform_tags(self.name)


def platform_tags(name: str) -> "list[str]":
    """Return the platform tags in the name of a wheel."""
    return name[: -len(".whl")].rpartition("-")[2].split(".")


def release_wheels(program: Program) -> "dict[str, Wheel]":
    """Return this release's wheels of a program, by platform."""
    wheels = WHEELS.get(program.name, {})
    return {key: Wheel(*fields) for key, fields in wheels.items()}


def is_version(text: str) -> bool:
    """Tell whether a text is the version of a release, in its normal form."""
    return _VERSION.fullmatch(text) is not None


def is_newer(text: str, than: str) -> bool:
    """Tell whether one version of a release comes after another."""
    return _order(text) > _order(than)


def _order(text: str) -> "tuple[tuple[int, ...], tuple[int, int], int, float]":
    """Return what versions are ordered by (Version specifiers, Summary of permitted suffixes)."""
    match = _VERSION.fullmatch(text)
    if match is None:
        return (), (0, 0), 0, 0
    release, stage, number, post, dev = match.groups()
    numbers = [int(part) for part in release.split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    early = _FINAL
    if stage:
        early = _STAGES[stage]
    elif dev and not post:
        early = _DEV_ONLY
    last = float(dev) if dev else float("inf")
    return (
        tuple(numbers),
        (early, int(number or 0)),
        -1 if post is None else int(post),
        last,
    )
