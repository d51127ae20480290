"""The sha256 of every binary of this release. A checkout has none: a built `lean-spec` carries its own table."""

VERSION = ""
# what the binaries of this release say of themselves
BINARIES = ""
# family -> platform -> hexadecimal digest
SHA256: "dict[str, dict[str, str]]" = {}
