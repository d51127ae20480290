"""One wheel per kind of machine, from what a build left, and a stub for all others if the project wants one."""

from __future__ import annotations

import argparse
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from leanspec_build.errors import BuildError
from leanspec_build.project.keys import KEYS
from leanspec_build.project.manifest import Project, load_project
from leanspec_build.wheel import Content, programs_content, wheel_name, write_wheel

from .sets import ProgramSet, find_sets, places_of
from .stub import programs_stub

STUB_FACTS = {
    "from": None,
    "platform_tags": ("any",),
    "publishable": True,
    "reasons": ("it says which machines the others are for, where none of them fits",),
    "remarks": (),
}


def make_all(chosen: argparse.Namespace) -> int:
    """Make the wheels and say what each is for; raises BuildError if one cannot be made."""
    project = load_project(chosen.project, chosen.version)
    if not project.programs:
        raise BuildError(
            f"`{chosen.project / 'pyproject.toml'}` does not say where programs are, under `[tool.leanspec-build]`",
            hint=f"for example `{KEYS['from'].example}`",
        )
    for note in project.left_out_notes():
        _note(note)
    sets = find_sets(project, places_of(project, chosen.place), _note)
    facts = [_facts(each) for each in sets]
    contents = [programs_content(project, each) for each in sets]
    if project.has_stub:
        tags = [tag for each in sets for tag in each.tags.platforms]
        facts.append(STUB_FACTS)
        contents.append(programs_stub(project, tags))
    made = []
    # Compressing lets other threads run.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        names = pool.map(lambda content: _make(project, content, chosen), contents)
        for each, name in zip(facts, names, strict=True):
            made.append({"wheel": str(chosen.out / name), **each})
            if not chosen.json:
                _show(made[-1])
    if chosen.json:
        print(json.dumps(made, indent=2))  # noqa: T201
    return 0


def _facts(each: ProgramSet) -> dict[str, Any]:
    return {
        "from": each.where,
        "platform_tags": each.tags.platforms,
        "publishable": each.tags.publishable,
        "reasons": each.tags.reasons,
        "remarks": each.tags.remarks,
    }


def _make(project: Project, content: Content, chosen: argparse.Namespace) -> str:
    """Write a wheel, unless nothing is to be written; return its file name."""
    if chosen.dry_run:
        return wheel_name(project, content)
    out: Path = chosen.out
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BuildError(
            f"cannot make the folder `{out}`: {error.strerror}",
            hint="give another one: `--out FOLDER`",
        ) from None
    return write_wheel(out, project, content)


def _note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def _show(facts: dict[str, Any]) -> None:
    lines = [facts["wheel"]]
    if facts["from"]:
        lines.append(f"  from {facts['from']}")
    lines += [f"  because {reason}" for reason in facts["reasons"]]
    lines += [f"  note: {remark}" for remark in facts["remarks"]]
    if not facts["publishable"]:
        lines.append("  for local use only: no public index takes a wheel with this tag")
    print("\n".join(lines), flush=True)  # noqa: T201
