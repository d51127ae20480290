"""Every check of a release that is possible before its tag, in one run and one table."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from leanspec_launcher.commands import CommandError
from scripts.collect.cargo import collect_cargo
from scripts.collect.staging import staged
from scripts.environment import ROOT
from scripts.gates import installation
from scripts.gates.check import check
from scripts.index.built import index_of
from scripts.model.families import PROJECTS, load_families
from scripts.model.files import read_files
from scripts.model.finding import Finding, confirm, problem, wrong_facts
from scripts.model.plan import Plan, read_plan
from scripts.model.version_places import planned
from scripts.tools.console import step
from scripts.tools.installers import uv_install
from scripts.tools.processes import capture, own_program, program_environment
from scripts.wheels.build import build_wheels

from .suite import CHECKS


class State(StrEnum):
    """How a step ended."""

    PASSED = "passed"
    FAILED = "failed"
    EXCEPTION = "exception"
    SKIPPED = "skipped"


TAIL = 6


@dataclass(frozen=True)
class Step:
    """One step, its result and a detail."""

    name: str
    state: State
    detail: str = ""


def pre_release(
    workspace: Path | None,
    dist: Path,
    *,
    skip_rust: bool,
    skip_tests: bool,
    repair: str | None,
) -> list[Step]:
    """Run every step; continue after a failed one if the next does not depend on it.

    The binaries are those that `cargo build --release --locked` makes in `workspace`; with
    `skip_rust`, those that are collected already. Raises CommandError if there is neither.
    """
    if workspace is None and not skip_rust:
        raise CommandError(
            "no Cargo workspace is named to build from",
            hint="add `--cargo WORKSPACE`, or `--skip-rust` to take the collected binaries",
        )
    plan = read_plan()
    base = PROJECTS
    steps: list[Step] = []
    with tempfile.TemporaryDirectory(prefix="leanspec-pre-release-") as name:
        folder = Path(name)

        def rust() -> str:
            if workspace is None or skip_rust:
                raise _Skipped("the collected binaries are taken")
            with staged(folder / "binaries") as staging:
                collect_cargo(
                    workspace,
                    load_families(),
                    (),
                    "release",
                    staging,
                    all_wanted=True,
                    build=True,
                )
            return "cargo build --release --locked"

        def wheels() -> str:
            binaries = folder / "binaries" if (folder / "binaries").exists() else base
            return f"{len(build_wheels(binaries, dist, (), (), repair))} files in {dist}"

        work: dict[str, Callable[[], str]] = {
            "versions in step": lambda: _versions(plan, workspace),
            "binaries": rust,
            **{name: _tool(command) for name, command in CHECKS},
            "tests": lambda: _tests(skip_tests=skip_tests),
            "wheels": wheels,
            "check": lambda: _check(dist, workspace),
        }
        steps = [_run(name, each) for name, each in work.items()]
        steps += _validate(plan, dist, folder)
    return steps


class _Skipped(Exception):  # noqa: N818 - no error
    """Say why a step is left out."""


def _run(name: str, work: Callable[[], str]) -> Step:
    try:
        with step(name):
            return Step(name, State.PASSED, work())
    except _Skipped as reason:
        return Step(name, State.SKIPPED, str(reason))
    except CommandError as error:
        return Step(name, State.FAILED, str(error))


def _versions(plan: Plan, workspace: Path | None) -> str:
    places = [
        place for edit in planned(plan.version, ROOT, workspace) for place in edit.places
    ]
    wrong = [place for place in places if not place.agrees]
    if wrong:
        lines = [
            f"{each.file}: {each.what}: expected `{each.expected}`, found `{each.found}`"
            for each in wrong
        ]
        raise CommandError(
            "places differ (`python -m scripts bump` fixes them)", details=lines
        )
    return f"{len(places)} places say {plan.version}"


def _tool(command: tuple[str, ...]) -> Callable[[], str]:
    def run() -> str:
        done = capture([own_program(command[0]), *command[1:]], cwd=ROOT)
        if done.returncode != 0:
            lines = (done.stdout + done.stderr).strip().splitlines()
            raise CommandError(f"`{command[0]}` failed", details=lines[-TAIL:])
        return command[0]

    return run


def _tests(*, skip_tests: bool) -> str:
    if skip_tests:
        raise _Skipped("as asked")
    done = capture([sys.executable, "-m", "scripts", "test"], cwd=ROOT)
    lines = (done.stdout + done.stderr).strip().splitlines()
    if done.returncode != 0:
        raise CommandError("the tests failed", details=lines[-TAIL:])
    return next(
        (line.strip("= ") for line in reversed(lines) if " passed" in line), "passed"
    )


def _check(dist: Path, workspace: Path | None) -> str:
    findings = check(dist, cargo=workspace, tagged=False)
    lines = wrong_facts(findings)
    if lines:
        raise CommandError(
            f"{len(lines)} of {len(findings)} facts are wrong", details=lines
        )
    return f"all {len(findings)} facts are right; the tag comes after this"


def _validate(plan: Plan, dist: Path, folder: Path) -> Iterator[Step]:
    """Let the installed binary validate a project; what the release says that it cannot do is an exception, shown."""
    with step("lean-spec validate, by the installed binary"):
        findings = list(_validations(plan, dist, folder))
    for finding in findings:
        reason = plan.exceptions.get("validate")
        if reason and not finding.passed:
            yield Step(
                finding.subject, State.EXCEPTION, f"{reason} (it said: {finding.found})"
            )
        elif reason:
            text = "it works: remove `validate` from [tool.leanspec-release.exceptions] in pyproject.toml"
            yield Step(finding.subject, State.FAILED, text)
        else:
            state = State.PASSED if finding.passed else State.FAILED
            yield Step(finding.subject, state, finding.found)


def _validations(plan: Plan, dist: Path, folder: Path) -> Iterator[Finding]:
    subject = "lean-spec validate --warnings-only"
    try:
        files, _ = read_files(dist)
        with index_of(files, folder) as index:
            uv_install(
                folder / "validate", "--no-cache", f"lean-spec=={plan.version}", env=index
            )
    except (CommandError, OSError) as error:
        yield problem(subject, subject, "installed", error)
        return
    project = folder / "project"
    shutil.rmtree(project, ignore_errors=True)
    project.mkdir()
    program = folder / "validate" / installation.SCRIPTS / "lean-spec"
    env = program_environment(folder / "home")
    for arguments in (["init", "-y"], ["create", "sample"]):
        capture([str(program), *arguments], cwd=project, env=env)
    done = capture([str(program), "validate", "--warnings-only"], cwd=project, env=env)
    said = " ".join((done.stdout + done.stderr).split())[:160]
    if done.returncode == 0:
        yield confirm(subject, subject, said or "exit 0")
    else:
        yield problem(subject, subject, "exit 0", f"exit {done.returncode}: {said}")
