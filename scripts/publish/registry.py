"""The registry of MCP servers, told of a release by its own publisher."""

from __future__ import annotations

import os
import re
from pathlib import Path

from leanspec_launcher.commands import CommandError
from scripts.environment import ROOT
from scripts.gates.mcp_registry import FILE, mcp_registry
from scripts.model.distributions import HAS_MCP
from scripts.model.finding import wrong_facts
from scripts.model.plan import read_plan
from scripts.tools.console import say
from scripts.tools.processes import find_program, must_succeed, show

MODULE = "github.com/modelcontextprotocol/registry"
# Its version is where a bot updates it.
GO_MOD = ROOT / ".github/mcp-publisher/go.mod"
FOLDER = "mcp-publisher"
STEPS = (("login", "github-oidc"), ("publish",))


def build_publisher(root: Path = ROOT) -> Path:
    """Build the registry's publisher, so that the job with a token starts it and builds nothing.

    Raises CommandError if the gate finds `server.json` wrong, or if Go is not installed. Go compares
    the sources with the public checksum database.
    """
    _must_be_right(root)
    found = re.search(
        rf"^require {MODULE} (v\S+)$", GO_MOD.read_text("utf-8"), re.MULTILINE
    )
    if not found:
        raise CommandError(
            f"`{GO_MOD}` does not require `{MODULE}`", hint="name its version there"
        )
    go = find_program("go", "install Go, which builds the registry's publisher")
    env = os.environ | {"GOBIN": str(root / FOLDER)}
    command = [go, "install", f"{MODULE}/cmd/publisher@{found[1]}"]
    must_succeed(show(command, cwd=root, env=env), f"`{' '.join(command[1:])}`")
    return root / FOLDER / "publisher"


def publish_server(root: Path = ROOT, *, dry_run: bool) -> None:
    """Publish `server.json` by the identity of this workflow, or show it.

    Raises CommandError if the publisher was not built, or if the registry refuses.
    """
    if dry_run:
        _must_be_right(root)
        say((root / FILE).read_text("utf-8").rstrip())
        say("a dry run: nothing was published")
        return
    if not HAS_MCP:
        say("this release has no MCP server: the registry keeps the last one")
        return
    publisher = root / FOLDER / "publisher"
    if not publisher.is_file():
        raise CommandError(
            f"`{publisher}` does not exist",
            hint="build it first: `python3 -m scripts publish-server --build`",
        )
    publisher.chmod(0o755)  # an artifact of a run has no run bit
    for step in STEPS:
        done = show([str(publisher), *step], cwd=root)
        must_succeed(done, f"the registry's publisher (`{' '.join(step)}`)")


def _must_be_right(root: Path) -> None:
    lines = wrong_facts(mcp_registry(read_plan(root), root))
    if lines:
        raise CommandError(
            f"`{FILE}` would be refused",
            details=lines,
            hint="fix it; `python3 -m scripts check` shows this too",
        )
