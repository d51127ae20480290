"""What a release knows of its files: the checksums of its wheels, where they are, and its keys.

Not on the hot path: a start needs the checksums of programs, in `_tables`, and nothing of this.
"""

from typing import NamedTuple


class Wheel(NamedTuple):
    """A platform wheel of this release."""

    name: str
    # Hexadecimal SHA-256 of the file.
    sha256: str
    # In bytes.
    size: int


# The pins: what a release knows of its files. A checkout knows nothing;
# `python -m scripts wheels` replaces everything below this line in the `lean-spec` that it builds.
# family -> platform -> wheel
WHEELS: "dict[str, dict[str, Wheel]]" = {}
# A release's files, for any version.
FILES = ""
# The minisign public keys that a release's manifest may be signed with.
KEYS: "tuple[str, ...]" = ()
