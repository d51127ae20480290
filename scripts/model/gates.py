"""The names of the gates, as `check` prints them and docs/publishing.md explains them."""

TREE = "tree"
MCP_REGISTRY = "MCP registry"
SET = "set"
BINARIES = "binaries"
OPENSSL = "OpenSSL"
PAGES = "pages"
TYPESCRIPT = "TypeScript"
LAYOUT = "layout"
INDEX_RULES = "index rules"
SAME_BYTES = "same bytes"
RUNS = "runs"
GITHUB_RELEASE = "GitHub release"
INDEX = "index"

GATES = (
    *(TREE, SET, BINARIES, LAYOUT, INDEX_RULES, MCP_REGISTRY, OPENSSL, PAGES),
    TYPESCRIPT,
    *(SAME_BYTES, RUNS, GITHUB_RELEASE, INDEX),
)
"""All gates, in the order of that page."""
