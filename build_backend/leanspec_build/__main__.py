"""`python -m leanspec_build`: wheels for all machines from what a build left, and what is known of a file."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

from .errors import BuildError
from .inspection import Report, Verdict, WheelFacts, inspect_file
from .programs import ProgramSet, find_sets, place_of
from .project import load_project
from .wheel import programs_content, write_wheel

FAILURE = 1
DESCRIPTION = "Make wheels of programs, and inspect programs and wheels."
INSPECTED = """\
examples:
  python -m leanspec_build inspect dist/*.whl
  python -m leanspec_build inspect /usr/bin/true --json
"""
EXAMPLES = """\
examples:
  python -m leanspec_build all
  python -m leanspec_build all --from target/distrib --out wheels --json
"""


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return its exit code: 0, 1 (failed), 2 (usage)."""
    parser = argparse.ArgumentParser("python -m leanspec_build", description=DESCRIPTION)
    commands = parser.add_subparsers(dest="command", required=True)
    _describe_all(commands.add_parser("all", help="one wheel per kind of machine"))
    _describe_inspect(commands.add_parser("inspect", help="what a program or a wheel is"))
    chosen = parser.parse_args(arguments)
    try:
        code: int = chosen.run(chosen)
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return FAILURE
    return code


def _describe_all(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EXAMPLES
    parser.description = (
        "Find every set of the project's programs in a folder or archive, derive the tags\n"
        "of each from its own bytes, and write a wheel of each."
    )
    parser.add_argument("--project", type=Path, default=Path(), help="default: this folder")
    parser.add_argument(
        "--from", dest="place", default="", help="default: `from` of the project"
    )
    parser.add_argument("--out", type=Path, default=Path("dist"), help="default: dist")
    parser.add_argument(
        "--json", action="store_true", help="print a JSON array, one object per wheel"
    )
    parser.set_defaults(run=_make_all)


def _describe_inspect(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = INSPECTED
    parser.description = (
        "Show what the headers of executables say, and the tags that follow. For a wheel, show\n"
        "whether the tags in its name are true, too strict or too loose. Exits with 1 if one is\n"
        "too loose: the wheel would be installed where the program cannot start."
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument(
        "--json", action="store_true", help="print a JSON array, one object per file"
    )
    parser.set_defaults(run=_inspect)


def _inspect(chosen: argparse.Namespace) -> int:
    """Show all files that can be read; raises BuildError for the others."""
    reports, failed = [], []
    for file in chosen.files:
        try:
            reports.append(inspect_file(file))
        except BuildError as error:
            failed.append(error)
    if chosen.json:
        print(json.dumps([dataclasses.asdict(each.facts) for each in reports], indent=2))  # noqa: T201
    else:
        for report in reports:
            _show_report(report)
    if failed:
        hints = dict.fromkeys(error.hint for error in failed if error.hint)
        messages = "\n".join(error.message for error in failed)
        raise BuildError(messages, hint="; ".join(hints) or None)
    wheels = [each.facts for each in reports if isinstance(each.facts, WheelFacts)]
    return FAILURE if any(each.verdict is Verdict.LOOSE for each in wheels) else 0


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


def _make_all(chosen: argparse.Namespace) -> int:
    project = load_project(chosen.project)
    if not project.programs:
        raise BuildError(
            "this project states no `programs` under `[tool.leanspec-build]`",
            hint='name them: `programs = ["example"]`',
        )
    sets = find_sets(project, place_of(project, chosen.place))
    chosen.out.mkdir(parents=True, exist_ok=True)
    made = []
    for each in sets:
        name = write_wheel(chosen.out, project, programs_content(project, each))
        made.append(_facts(str(chosen.out / name), each))
        if not chosen.json:
            _show(made[-1])
    if chosen.json:
        print(json.dumps(made, indent=2))  # noqa: T201
    return 0


def _facts(wheel: str, each: ProgramSet) -> dict[str, Any]:
    return {
        "wheel": wheel,
        "from": each.where,
        "platform_tags": each.tags.platforms,
        "publishable": each.tags.publishable,
        "reasons": each.tags.reasons,
        "remarks": each.tags.remarks,
    }


def _show(facts: dict[str, Any]) -> None:
    lines = [facts["wheel"], f"  from {facts['from']}"]
    lines += [f"  because {reason}" for reason in facts["reasons"]]
    lines += [f"  note: {remark}" for remark in facts["remarks"]]
    if not facts["publishable"]:
        lines.append("  for local use only: no public index takes a wheel with this tag")
    print("\n".join(lines))  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
