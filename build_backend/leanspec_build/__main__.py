"""`python -m leanspec_build`: the wheels of all machines from what a build left."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from .errors import BuildError
from .programs import ProgramSet, find_sets, place_of
from .project import load_project
from .wheel import programs_content, write_wheel

FAILURE = 1
DESCRIPTION = "Make a wheel of each machine's programs, as a build left them."
EXAMPLES = """\
examples:
  python -m leanspec_build all
  python -m leanspec_build all --from target/distrib --out wheels --json
"""


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return its exit code: 0, 1 (failed), 2 (usage)."""
    parser = argparse.ArgumentParser("python -m leanspec_build", description=DESCRIPTION)
    commands = parser.add_subparsers(dest="command", required=True)
    every = commands.add_parser(
        "all",
        help="one wheel per kind of machine",
        description="Find every set of the project's programs in a folder or archive, derive the tags"
        " of each from its own bytes, and write a wheel of each.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    every.add_argument("--project", type=Path, default=Path(), help="default: this folder")
    every.add_argument(
        "--from", dest="place", default="", help="default: `from` of the project"
    )
    every.add_argument("--out", type=Path, default=Path("dist"), help="default: dist")
    every.add_argument(
        "--json", action="store_true", help="print a JSON array, one object per wheel"
    )
    chosen = parser.parse_args(arguments)
    try:
        _make_all(chosen)
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return FAILURE
    return 0


def _make_all(chosen: argparse.Namespace) -> None:
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
