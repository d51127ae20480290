"""All gates, the cheapest first. Every failure is shown, not only the first.

Three questions: is the tree as a release should be, are the files what this tree builds, and would
an index take them?
"""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from scripts.collect.openssl import read_openssl
from scripts.environment import ROOT
from scripts.index.built import index_of
from scripts.model import gates
from scripts.model.files import File, fingerprint, read_files, snapshot
from scripts.model.finding import Finding, Gate, to_its_end
from scripts.model.plan import Plan, read_plan, typescript_release
from scripts.model.programs import PROJECTS
from scripts.tools.console import step

from . import binaries, installation, tree
from .expected_set import expected_set
from .index_rules import index_rules
from .layout import layout
from .mcp_registry import mcp_registry
from .openssl import openssl_gate
from .pages import pages_gate
from .same_bytes import same_bytes
from .typescript import typescript_gate

Further = Callable[[Plan, list[File]], Iterator[Finding]]


def check(
    dist: Path,
    *,
    cargo: Path | None = None,
    collected: Path = PROJECTS,
    sources: str | None = None,
    plan: Plan | None = None,
    github: Further | None = None,
) -> list[Finding]:
    """Run every gate on built files and their tree.

    `collected` is where the binaries are that the files were built from, `sources` the commit that
    they are of. `plan` replaces that of the tree. `github` assembles the release on GitHub. Raises
    CommandError if there are no files.
    """
    plan = plan or read_plan()
    files, strange = read_files(dist)
    plan = binaries.plan_of(plan, files)
    # In this order: the cheapest first.
    checks: dict[str, Gate] = {
        gates.TREE: lambda: tree.repository(plan, ROOT, cargo),
        gates.MCP_REGISTRY: lambda: mcp_registry(plan, ROOT, files),
        gates.SET: lambda: expected_set(plan, files, strange),
        gates.BINARIES: lambda: binaries.binaries(plan, files, sources),
        gates.OPENSSL: lambda: openssl_gate(read_openssl(), files),
        gates.PAGES: lambda: pages_gate(files),
        gates.TYPESCRIPT: lambda: typescript_gate(typescript_release()),
        gates.LAYOUT: lambda: layout(files),
        gates.INDEX_RULES: lambda: index_rules(files),
        gates.SAME_BYTES: lambda: same_bytes(files, collected, is_draft=plan.is_draft),
        gates.RUNS: lambda: _installs(plan, files),
    }
    if github:
        checks[gates.GITHUB_RELEASE] = lambda: github(plan, files)
    result: list[Finding] = []
    for name, gate in checks.items():
        with step(name) as work:
            findings = [_named(name, finding) for finding in to_its_end(name, gate)]
            work.failed = not all(finding.passed for finding in findings)
        result += findings
    return result


def _named(name: str, finding: Finding) -> Finding:
    """Return a finding under the name of its gate; the part of the gate stands in its subject."""
    if finding.gate == name:
        return finding
    return replace(finding, gate=name, subject=f"{finding.gate}: {finding.subject}")


def check_copy(dist: Path, **options: Any) -> tuple[list[Finding], str]:  # noqa: ANN401 - those of `check`
    """Run every gate on a copy of built files; return what they found, and the fingerprint of that copy."""
    with snapshot(dist) as copy:
        findings = check(copy, **options)
        return findings, fingerprint(read_files(copy)[0])


def _installs(plan: Plan, files: list[File]) -> Iterator[Finding]:
    with tempfile.TemporaryDirectory(prefix="leanspec-check-") as name:
        folder = Path(name)
        with index_of(files, folder) as index:
            yield from installation.installed_from(plan, files, index, folder)
