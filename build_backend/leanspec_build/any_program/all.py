"""One wheel per kind of machine, from what a build left, and a stub for all others if the project wants one."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from leanspec_build.errors import BuildError, note, printable
from leanspec_build.project.index_rules import must_be_accepted
from leanspec_build.project.keys import KEYS
from leanspec_build.project.manifest import Project, load_project
from leanspec_build.wheel import Content, wheel_entries, wheel_name, write_wheel

from .program_set import ProgramSet
from .programs import content_of
from .selection import choose_platforms
from .sets import find_sets
from .stub import stub_content

# Several programs up to this are compressed at the same time.
SMALL = 32 << 20


def make_all(options: argparse.Namespace) -> int:
    """Make the wheels and say what each is for; raises BuildError if one cannot be made."""
    project = load_project(options.project, options.version)
    if not project.programs:
        raise BuildError(
            f"`{options.project / 'pyproject.toml'}` does not say where programs are, under `[tool.leanspec-build]`",
            hint=f"for example `{KEYS['from'].example}`",
        )
    if not options.local:
        must_be_accepted(project)
    for line in project.left_out_notes():
        note(line)
    sets = find_sets(project, options.places, options.out)
    chosen = choose_platforms(sets, project, options.platforms)
    wheels: list[tuple[str | None, Content]] = [
        (programs.place, content_of(project, programs)) for programs in chosen
    ]
    if project.has_stub:
        tags = [tag for programs in sets for tag in programs.tags.platforms]
        wheels.append((None, stub_content(project, tags)))
    if not options.local and not options.dry_run:
        _must_be_publishable(chosen)
    contents = [content for _, content in wheels]
    memory = Memory(2 * max(map(_needed_memory, contents)))

    def make(content: Content) -> str:
        with memory.reserved(_needed_memory(content)):
            return _make(project, content, options)

    # Compressing lets other threads run.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        names = pool.map(make, contents)
        _report(wheels, names, options)
    if not options.local:
        _must_be_publishable(chosen)
    return 0


def _report(
    wheels: list[tuple[str | None, Content]],
    names: Iterator[str],
    options: argparse.Namespace,
) -> None:
    """Say of each wheel, as soon as it is made, what it is for."""
    facts = []
    for (place, content), name in zip(wheels, names, strict=True):
        path = str(options.out / name)
        facts.append(_facts(path, place, content))
        if not options.json:
            _show(path, place, content)
    if options.json:
        print(json.dumps(facts, indent=2))  # noqa: T201


def _must_be_publishable(sets: list[ProgramSet]) -> None:
    """Raise BuildError for wheels that a public index would refuse, after it took others."""
    refused = [programs for programs in sets if not programs.tags.publishable]
    lines = [
        f"\n  {', '.join(programs.tags.platforms)} of `{programs.place}`, because {reason}"
        for programs in refused
        for reason in programs.tags.reasons
    ]
    if refused:
        raise BuildError(
            f"no public index takes wheels with these tags:{''.join(lines)}",
            hint="leave their places out by `exclude`, or make the wheels for machines of your own: `--local`",
        )


class Memory:
    """Memory for the wheels that are made at the same time: of several small programs, or of two large ones."""

    def __init__(self, size: int) -> None:
        self._free = max(size, SMALL)
        self._condition = threading.Condition()

    @contextlib.contextmanager
    def reserved(self, size: int) -> Iterator[None]:
        """Wait until there is as much, and take it meanwhile."""
        with self._condition:
            self._condition.wait_for(lambda: self._free >= size)
            self._free -= size
        try:
            yield
        finally:
            with self._condition:
                self._free += size
                self._condition.notify_all()


def _needed_memory(content: Content) -> int:
    """Return what is in memory while a wheel is made: half of a program, which is more than it shrinks to."""
    return max((entry.size for entry in content.entries), default=0) // 2


def _make(project: Project, content: Content, options: argparse.Namespace) -> str:
    """Write a wheel, unless nothing is to be written; return its file name."""
    if options.dry_run:
        wheel_entries(project, content)
        return wheel_name(project, content)
    out: Path = options.out
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BuildError(
            f"cannot make the folder `{out}`: {error.strerror}",
            hint="give another one: `--out FOLDER`",
        ) from None
    return write_wheel(out, project, content)


def _facts(path: str, place: str | None, content: Content) -> dict[str, Any]:
    tags = content.tags
    return {
        "wheel": path,
        "from": place,
        "platform_tags": tags.platforms,
        "publishable": tags.publishable,
        "reasons": tags.reasons,
        "remarks": tags.remarks,
    }


def _show(path: str, place: str | None, content: Content) -> None:
    lines = [path]
    if place:
        lines.append(f"  from {place}")
    lines += [f"  {line}" for line in content.tags.explanation()]
    print(printable("\n".join(lines)), flush=True)  # noqa: T201
