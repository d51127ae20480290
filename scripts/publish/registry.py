"""The registry of MCP servers, told of a release by its own publisher."""

import json
import os
import re
from pathlib import Path
from typing import Any

from leanspec_launcher.commands import CommandError
from leanspec_launcher.verify.proof import digest
from scripts.environment import ROOT
from scripts.gates.mcp_registry import (
    BUNDLE_SUFFIX,
    FILE,
    bundle_package,
    bundle_problems,
    mcp_registry,
)
from scripts.model.finding import wrong_facts
from scripts.model.plan import read_plan
from scripts.model.programs import HAS_MCP
from scripts.model.repository import read_repository
from scripts.tools.console import say
from scripts.tools.processes import find_program, must_succeed, show

MODULE = "github.com/modelcontextprotocol/registry"
# Its version is where a bot updates it.
GO_MOD = ROOT / ".github/mcp-publisher/go.mod"
FOLDER = "mcp-publisher"
SUMS = "SHA256SUMS"
STEPS = (("login", "github-oidc"), ("publish",))


def build_publisher(root: Path = ROOT, assembled: Path | None = None) -> Path:
    """Build the registry's publisher, and write the entry next to it, so that the job with a token does neither.

    Raises CommandError if the gate finds the entry wrong, or if Go is not installed. Go compares
    the sources with the public checksum database.
    """
    text = shown_entry(root, assembled)
    requirement = re.compile(rf"^require {MODULE} (v\S+)$", re.MULTILINE)
    version = requirement.search(GO_MOD.read_text("utf-8"))
    if not version:
        raise CommandError(
            f"`{GO_MOD}` does not require `{MODULE}`", hint="name its version there"
        )
    go = find_program("go", "install Go, which builds the registry's publisher")
    env = os.environ | {"GOBIN": str(root / FOLDER)}
    command = [go, "install", f"{MODULE}/cmd/publisher@{version[1]}"]
    must_succeed(show(command, cwd=root, env=env), f"`{' '.join(command[1:])}`")
    (root / FOLDER / FILE).write_text(text, "utf-8")
    return root / FOLDER / "publisher"


def publish_server(root: Path = ROOT) -> None:
    """Publish the entry of this release by the identity of this workflow.

    Raises CommandError if the publisher was not built, or if the registry refuses.
    """
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
        run = show([str(publisher), *step], cwd=publisher.parent)
        must_succeed(run, f"the registry's publisher (`{' '.join(step)}`)")


def shown_entry(root: Path, assembled: Path | None) -> str:
    """Return what the registry is told, as text; raises CommandError like `entry`."""
    return f"{json.dumps(entry(root, assembled), indent=2)}\n"


def entry(root: Path, assembled: Path | None) -> dict[str, Any]:
    """Return what the registry is told: `server.json`, and each MCP bundle of an assembled release.

    Raises CommandError if the registry would refuse it, or if a bundle is not as it was assembled.
    """
    plan = read_plan(root)
    bundles = [
        bundle_package(sha256, name, read_repository(root), str(plan.version))
        for name, sha256 in _bundles(assembled).items()
    ]
    findings = [*mcp_registry(plan, root), *bundle_problems(bundles)]
    lines = wrong_facts(iter(findings))
    if lines:
        raise CommandError(
            f"`{FILE}` would be refused",
            details=lines,
            hint="fix it; `python3 -m scripts check` shows this too",
        )
    server: dict[str, Any] = json.loads((root / FILE).read_text("utf-8"))
    server["packages"] += bundles
    return server


def _bundles(assembled: Path | None) -> dict[str, str]:
    """Return the SHA-256 of each MCP bundle in the folder of an assembled release, by its name."""
    if assembled is None:
        return {}
    lines = (assembled / SUMS).read_text("utf-8").splitlines()
    pairs = sorted(line.split("  ", 1)[::-1] for line in lines)
    listed = {name: sha256 for name, sha256 in pairs if name.endswith(BUNDLE_SUFFIX)}
    paths = sorted(assembled.glob(f"*{BUNDLE_SUFFIX}"))
    bundles = {path.name: digest(str(path)) for path in paths}
    if bundles != listed:
        raise CommandError(
            f"the MCP bundles in `{assembled}` are not those of its `{SUMS}`",
            hint="assemble it again: `python3 -m scripts assets ARTIFACTS`",
        )
    return bundles
