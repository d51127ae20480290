"""What a release knows of its files: the checksums of its wheels, where they are, and its keys.

Not on the hot path: a start needs the checksums of programs, in `_tables`, and nothing of this.
"""

import re
from typing import NamedTuple

# The versions of releases (Version specifiers). Nothing else may stand in a URL or a requirement.
_VERSION = re.compile(r"\d+(\.\d+)*((a|b|rc)\d+)?(\.post\d+)?(\.dev\d+)?", re.ASCII)


class Wheel(NamedTuple):
    """A platform wheel of this release."""

    name: str
    # Hexadecimal SHA-256 of the file.
    sha256: str
    # In bytes.
    size: int


def is_version(text: str) -> bool:
    """Tell whether a text is the version of a release, in its normal form."""
    return _VERSION.fullmatch(text) is not None


# The pins: what a release knows of its files. A checkout knows nothing;
# `python -m scripts wheels` replaces everything below this line in the `lean-spec` that it builds.
# family -> platform -> wheel
WHEELS: "dict[str, dict[str, Wheel]]" = {}
# A release's files, for any version.
FILES = ""
# The minisign public keys that a release's manifest may be signed with.
KEYS: "tuple[str, ...]" = ()
