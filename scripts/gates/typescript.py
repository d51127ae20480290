"""The gate on LeanSpec's last release in TypeScript, which `LEANSPEC_USE_TS` runs, and on its being at npm."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from leanspec_launcher.commands import CommandError
from scripts.collect.npm import is_on_registry
from scripts.model.finding import Finding, confirm
from scripts.model.gates import TYPESCRIPT as GATE


def typescript_gate(spec: str) -> Iterator[Finding]:
    """Ask npm for the release; its absence is a gap, which the launcher explains to who asks for it."""
    if not spec:
        return
    try:
        text = "npm has it"
        is_gap = not is_on_registry(spec)
        if is_gap:
            text = "npm does not have it: `LEANSPEC_USE_TS` ends in a message that says so"
    except CommandError as error:
        text, is_gap = f"not asked for: {error.message}", True
    yield replace(confirm(GATE, spec, text), is_gap=is_gap)
