"""All gates, the cheapest first. Every failure is shown, not only the first.

Three questions: is the tree as a release should be, are the files what this tree builds, and would
an index take them?
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from scripts.environment import ROOT
from scripts.index.built import index_of
from scripts.model.families import PROJECTS
from scripts.model.files import File, read_files
from scripts.model.finding import Finding, Gate, to_its_end
from scripts.model.openssl import read_openssl
from scripts.model.plan import Plan, read_plan, typescript_release
from scripts.model.snapshot import fingerprint, snapshot
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


def check(  # noqa: PLR0913 - an argument is an option of the command
    dist: Path,
    root: Path = ROOT,
    cargo: Path | None = None,
    *,
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
    plan = plan or read_plan(root)
    files, strange = read_files(dist)
    plan = binaries.plan_of(plan, files)
    gates: dict[str, Gate] = {
        "names, versions, tag, tree, lock": lambda: tree.repository(plan, root, cargo),
        "the MCP registry's description": lambda: mcp_registry(plan, root, files),
        "the expected set": lambda: expected_set(plan, files, strange),
        "binaries": lambda: binaries.binaries(plan, files, sources),
        "OpenSSL": lambda: openssl_gate(read_openssl(root), files),
        "pages": lambda: pages_gate(files),
        "the TypeScript release, at npm": lambda: typescript_gate(typescript_release(root)),
        "where files lie": lambda: layout(files),
        "what the index would say": lambda: index_rules(files),
        "the bytes that this tree builds": lambda: same_bytes(
            files, collected, is_draft=plan.is_draft
        ),
        "installs and smoke runs": lambda: _installs(plan, files),
    }
    if github:
        gates["the GitHub release, assembled"] = lambda: github(plan, files)
    found: list[Finding] = []
    for title, gate in gates.items():
        with step(title) as work:
            findings = [*to_its_end(title, gate)]
            work.failed = not all(finding.passed for finding in findings)
        found += findings
    return found


def check_copy(dist: Path, **options: Any) -> tuple[list[Finding], str]:  # noqa: ANN401 - those of `check`
    """Run every gate on a copy of built files; return what they found, and the fingerprint of that copy."""
    with snapshot(dist) as own:
        found = check(own, **options)
        return found, fingerprint(read_files(own)[0])


def _installs(plan: Plan, files: list[File]) -> Iterator[Finding]:
    with tempfile.TemporaryDirectory(prefix="leanspec-check-") as name:
        folder = Path(name)
        with index_of(files, folder) as index:
            yield from installation.installed_from(plan, files, index, folder)
