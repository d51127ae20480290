"""The pins of a release: its versions, its checksums, the URL of its files, and its keys.

On the hot path. `python3 -m scripts wheels` writes this file whole into the `lean-spec` that it
builds. In a checkout all of it is empty: a checkout pins nothing.
"""

VERSION = ""
# The version that the binaries report.
BINARIES = ""
# program -> platform -> SHA-256 of the binary, in hexadecimal
SHA256: "dict[str, dict[str, str]]" = {}
# SHA-256 of a binary -> path from its folder -> SHA-256 of a library that its wheel contains
LIBRARIES: "dict[str, dict[str, str]]" = {}
# SHA-256 of the pages of the web UI: of the checksums and paths of their files.
PAGES = ""
# program -> platform -> file name, SHA-256 and size of the wheel
WHEELS: "dict[str, dict[str, tuple[str, str, int]]]" = {}
# URL of a release's files, for any version.
FILES = ""
# adapter -> tool of the MCP server -> its outline: see `leanspec_launcher/tools.py`
TOOLS: "dict[str, dict[str, str]]" = {}
# The minisign public keys that may sign a release's manifest.
KEYS: "tuple[str, ...]" = ()
# The npm package and version of LeanSpec's last release in TypeScript.
TYPESCRIPT = ""
