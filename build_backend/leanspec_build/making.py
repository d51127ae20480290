"""One wheel per kind of machine, from what a build left, and a stub for all others if the project wants one."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import BuildError
from .programs import ProgramSet, find_sets, places_of
from .project.keys import KEYS
from .project.manifest import Project, load_project
from .stub import programs_stub
from .wheel import Content, programs_content, wheel_name, write_wheel

STUB_REASON = "it says which machines the others are for, where none of them fits"


def make_all(chosen: argparse.Namespace) -> int:
    """Make the wheels and say what each is for; raises BuildError if one cannot be made."""
    project = load_project(chosen.project, chosen.version)
    if not project.programs:
        raise BuildError(
            f"`{chosen.project / 'pyproject.toml'}` states no `programs` under `[tool.leanspec-build]`",
            hint=f"for example `{KEYS['programs'].example}`",
        )
    sets = find_sets(project, places_of(project, chosen.place))
    made = []
    for content, facts in _contents(project, sets):
        facts["wheel"] = str(chosen.out / _make(project, content, chosen))
        made.append(facts)
        if not chosen.json:
            _show(facts)
    if chosen.json:
        print(json.dumps(made, indent=2))  # noqa: T201
    return 0


def _contents(
    project: Project, sets: list[ProgramSet]
) -> Iterator[tuple[Content, dict[str, Any]]]:
    """Yield what each wheel carries, with what there is to say of it."""
    for each in sets:
        yield (
            programs_content(project, each),
            {
                "wheel": "",
                "from": each.where,
                "platform_tags": each.tags.platforms,
                "publishable": each.tags.publishable,
                "reasons": each.tags.reasons,
                "remarks": each.tags.remarks,
            },
        )
    if project.has_stub:
        content = programs_stub(
            project, [tag for each in sets for tag in each.tags.platforms]
        )
        yield (
            content,
            {
                "wheel": "",
                "from": None,
                "platform_tags": content.platforms,
                "publishable": True,
                "reasons": (STUB_REASON,),
                "remarks": (),
            },
        )


def _make(project: Project, content: Content, chosen: argparse.Namespace) -> str:
    """Write a wheel, unless nothing is to be written; return its file name."""
    if chosen.dry_run:
        return wheel_name(project, content)
    out: Path = chosen.out
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BuildError(f"cannot make the folder `{out}`: {error.strerror}") from None
    return write_wheel(out, project, content)


def _show(facts: dict[str, Any]) -> None:
    lines = [facts["wheel"]]
    if facts["from"]:
        lines.append(f"  from {facts['from']}")
    lines += [f"  because {reason}" for reason in facts["reasons"]]
    lines += [f"  note: {remark}" for remark in facts["remarks"]]
    if not facts["publishable"]:
        lines.append("  for local use only: no public index takes a wheel with this tag")
    print("\n".join(lines), flush=True)  # noqa: T201
