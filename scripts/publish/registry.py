"""The registry of MCP servers, told of a release by its own publisher."""

from __future__ import annotations

from pathlib import Path

from leanspec_launcher.commands import CommandError
from scripts.environment import ROOT
from scripts.gates.mcp_registry import FILE, mcp_registry
from scripts.model.finding import wrong_facts
from scripts.model.plan import read_plan
from scripts.tools.console import say
from scripts.tools.processes import find_program, must_succeed, show

# Go compares its sources with the public checksum database before it builds them.
PUBLISHER = "github.com/modelcontextprotocol/registry/cmd/publisher@v1.4.0"
STEPS = (("login", "github-oidc"), ("publish",))


def publish_server(root: Path = ROOT, *, dry_run: bool) -> None:
    """Publish `server.json` by the identity of this workflow, or show it.

    Raises CommandError if the gate finds it wrong, if Go is not installed, or if the registry
    refuses it.
    """
    lines = wrong_facts(mcp_registry(read_plan(root), root))
    if lines:
        raise CommandError(
            f"`{FILE}` would be refused",
            details=lines,
            hint="mend it; `python -m scripts check` shows this too",
        )
    if dry_run:
        say((root / FILE).read_text("utf-8").rstrip())
        say("a dry run: nothing was published")
        return
    go = find_program("go", "install Go, which builds the registry's publisher")
    for step in STEPS:
        done = show([go, "run", PUBLISHER, *step], cwd=root)
        must_succeed(done, f"the registry's publisher (`{' '.join(step)}`)")
