"""What is known of programs and wheels, on standard output: for people, or as JSON."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from .errors import BuildError
from .inspection import Report, Verdict, WheelFacts, inspect_file


def show(files: list[Path], *, as_json: bool) -> int:
    """Show all files that can be read; return 1 if a wheel promises too much.

    Raises BuildError for the files that cannot be read, after the others are shown.
    """
    reports, failed = [], []
    for file in files:
        try:
            reports.append(inspect_file(file))
        except BuildError as error:
            failed.append(error)
    if as_json:
        facts = [dataclasses.asdict(each.facts) for each in reports]
        print(json.dumps(facts, indent=2))  # noqa: T201
    else:
        for report in reports:
            _show_report(report)
    if failed:
        hints = dict.fromkeys(error.hint for error in failed if error.hint)
        messages = "\n".join(error.message for error in failed)
        raise BuildError(messages, hint="; ".join(hints) or None)
    wheels = [each.facts for each in reports if isinstance(each.facts, WheelFacts)]
    return int(any(each.verdict is Verdict.LOOSE for each in wheels))


def _show_report(report: Report) -> None:
    _show_facts(dataclasses.asdict(report.facts), "")
    for note in report.notes:
        print(f"  {'':14} {note}")  # noqa: T201


def _show_facts(facts: dict[str, Any], indent: str) -> None:
    print(f"{indent}{facts['file']}")  # noqa: T201
    for key, value in facts.items():
        if key in ("file", "executables") or value in (None, (), {}):
            continue
        for line in value if key == "reasons" else [value]:
            text = _words(line)
            print(f"{indent}  {key.replace('_', ' '):14} {text}")  # noqa: T201
    for executable in facts.get("executables", []):
        _show_facts(executable, f"{indent}  ")


def _words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {each}" for key, each in value.items())
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
