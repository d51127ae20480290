"""The gate on LeanSpec's last release in TypeScript, which `LEANSPEC_USE_TS` runs, and on its being at npm."""

from collections.abc import Iterator

from leanspec_launcher.commands import CommandError
from scripts.collect.npm import is_on_registry
from scripts.model.finding import Finding, confirm, gap
from scripts.model.gates import TYPESCRIPT as GATE


def typescript_gate(spec: str) -> Iterator[Finding]:
    """Ask npm for the release; its absence is a gap, which the launcher explains to who asks for it."""
    if not spec:
        return
    try:
        is_there = is_on_registry(spec)
    except CommandError as error:
        yield gap(GATE, spec, f"not asked for: {error.message}")
        return
    if is_there:
        yield confirm(GATE, spec, "npm has it")
    else:
        text = "npm does not have it: `LEANSPEC_USE_TS` ends in a message that says so"
        yield gap(GATE, spec, text)
