"""Every check of a release that is possible before its commit and tag, in one run and one table."""

import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from leanspec_launcher._tables import PLATFORMS
from leanspec_launcher.commands import CommandError
from scripts.collect.cargo import collect_cargo, host
from scripts.collect.pages import collect_pages, read_collected_pages, read_pages
from scripts.collect.staging import read_collected, staged
from scripts.environment import ROOT
from scripts.gates import installation
from scripts.gates.check import check
from scripts.github.gate import GitHubRelease
from scripts.index.built import index_of
from scripts.index.pins import write_pins
from scripts.model.files import read_files
from scripts.model.finding import Finding, confirm, counted, problem, wrong_facts
from scripts.model.plan import SOURCES, VALIDATE, Plan, read_plan
from scripts.model.programs import MAIN, PROJECTS, load_programs
from scripts.model.version_places import VersionPlace, planned
from scripts.publish.matrix import build_target
from scripts.tools.console import step
from scripts.tools.processes import capture, own_program, program_environment
from scripts.wheels.build import build_wheels

from .suite import CHECKS, PLAIN


class StepState(StrEnum):
    """How a step ended."""

    PASSED = "passed"
    FAILED = "failed"
    EXCEPTION = "exception"
    SKIPPED = "skipped"


VALIDATION = "lean-spec validate --warnings-only"
# What a step needs of those before it.
NEEDS = {"wheels": ("binaries", "pages"), "check": ("wheels",), VALIDATION: ("wheels",)}
TAIL = 6


@dataclass(frozen=True)
class Step:
    """One step, its result and a detail."""

    name: str
    state: StepState
    detail: str = ""


# The detail of a step that passed; of another one, also how it ended.
Outcome = str | tuple[StepState, str]
Work = Callable[[], Outcome]


@dataclass(frozen=True)
class Sources:
    """What the binaries are built from."""

    workspace: Path
    openssl: Path | None = None
    """The source archive of the pinned OpenSSL, if it is on this machine."""


def pre_release(
    sources: Sources | None,
    dist: Path,
    *,
    skip_rust: bool,
    skip_tests: bool,
    repair: str | None,
) -> list[Step]:
    """Run every step; continue after a failed one with those that do not need it.

    The binaries are built from `sources` for this machine, as a release builds them, and take the
    place of the collected ones; with `skip_rust`, they are those that are collected already. Raises
    CommandError if a place of the version cannot be read.
    """
    workspace = sources.workspace if sources else None
    plan = read_plan()
    places = [
        place for edit in planned(plan.version, ROOT, workspace) for place in edit.places
    ]
    with tempfile.TemporaryDirectory(prefix="leanspec-pre-release-") as name:
        folder = Path(name)
        work: dict[str, Work] = {
            "versions": lambda: _versions(plan, places),
            "binaries": lambda: _binaries(None if skip_rust else sources),
            "pages": _pages,
            **{title: _tool(command) for title, command in CHECKS},
            "tests": lambda: _tests(skip_tests=skip_tests),
            "wheels": lambda: _wheels(dist, repair),
            "check": lambda: _check(_draft(plan), dist, workspace),
            VALIDATION: lambda: _validate(plan, dist, folder),
        }
        steps: dict[str, Step] = {}
        for title, run in work.items():
            needs = [steps[name] for name in NEEDS.get(title, ())]
            lacking = [step for step in needs if step.state is not StepState.PASSED]
            if lacking:
                detail = f"needs `{lacking[0].name}`, which did not pass"
                steps[title] = Step(title, StepState.SKIPPED, detail)
            else:
                steps[title] = _run(title, run)
    return list(steps.values())


def _run(title: str, work: Work) -> Step:
    with step(title) as shown:
        try:
            outcome = work()
            if isinstance(outcome, str):
                outcome = (StepState.PASSED, outcome)
            state, detail = outcome
        except CommandError as error:
            hint = [f"hint: {error.hint}"] if error.hint else []
            state, detail = StepState.FAILED, "\n  ".join([str(error), *hint])
        shown.failed = state is StepState.FAILED
    return Step(title, state, detail)


def _versions(plan: Plan, places: list[VersionPlace]) -> str:
    wrong = [place for place in places if not place.agrees]
    if wrong:
        lines = [
            f"{place.file}: {place.subject}: expected `{place.expected}`, found `{place.actual}`"
            for place in wrong
        ]
        raise CommandError(
            "places differ",
            details=lines,
            hint="set a version everywhere: `python3 -m scripts bump VERSION --cargo WORKSPACE`",
        )
    return f"{plan.version} in all {len(places)} places"


def _binaries(sources: Sources | None) -> str:
    """Build the binaries of this machine's platform, or look at those that are collected."""
    if sources is None:
        collected = read_collected(PROJECTS)
        if not collected:
            raise CommandError(
                f"no binary is collected in `{PROJECTS}`",
                hint="collect them first: `python3 -m scripts collect --help`",
            )
        platforms = dict.fromkeys(binary.platform for binary in collected)
        return f"not built; collected before for {', '.join(platforms)}"
    target = build_target(host().key)
    with staged(PROJECTS) as staging:
        collect_cargo(
            sources.workspace,
            load_programs(),
            (target,),
            "release",
            staging,
            all_required=True,
            build=True,
            openssl=sources.openssl,
        )
    return f"built for {target}"


def _pages() -> str:
    """Collect the pages that the plan names, unless they are there."""
    pages, record = read_pages(), read_collected_pages(PROJECTS)
    if record is None:
        collect_pages(pages, PROJECTS)
    return f"{pages.package} {pages.version}"


def _tool(command: tuple[str, ...]) -> Work:
    name, *arguments = command

    def run() -> str:
        _output([own_program(name), *arguments], f"`{name}` failed")
        return name

    return run


def _tests(*, skip_tests: bool) -> Outcome:
    if skip_tests:
        return StepState.SKIPPED, "because of `--skip-tests`"
    # Only pytest: the checks have a step each.
    command = [sys.executable, "-m", "scripts", "test", "--", *PLAIN]
    lines = _output(command, "the tests failed")
    result = (line.strip("= ") for line in reversed(lines) if " passed" in line)
    return next(result, "passed")


def _output(command: list[str], problem: str) -> list[str]:
    """Return the lines that a program prints; raises CommandError with the last ones if it fails."""
    run = capture(command, cwd=ROOT)
    lines = (run.stdout + run.stderr).strip().splitlines()
    if run.returncode != 0:
        raise CommandError(problem, details=lines[-TAIL:])
    return lines


def _wheels(dist: Path, repair: str | None) -> str:
    files = build_wheels(PROJECTS, dist, (), (), repair)
    return f"{len(files)} files in {dist}"


def _draft(plan: Plan) -> Plan:
    """Return the part of a plan that the collected binaries are of, before its commit."""
    collected = {binary.platform for binary in read_collected(PROJECTS)}
    others = {key: "CI builds it" for key in PLATFORMS if key not in collected}
    reasons = {source: others | plan.reasons.get(source, {}) for source in SOURCES}
    return replace(plan, reasons=reasons, is_draft=True)


def _check(plan: Plan, dist: Path, workspace: Path | None) -> str:
    github = GitHubRelease(PROJECTS).check
    findings = check(dist, cargo=workspace, collected=PROJECTS, plan=plan, github=github)
    lines = wrong_facts(findings)
    if lines:
        raise CommandError(counted(findings), details=lines)
    gaps = [finding for finding in findings if finding.is_gap]
    remarks = [f"{gap.subject}: {gap.actual}" for gap in gaps]
    return "\n  ".join([counted(findings), *remarks])


def _validate(plan: Plan, dist: Path, folder: Path) -> Outcome:
    """Let the installed binary validate a project; what the release says that it cannot do is an exception, shown."""
    finding, reason = _validation(plan, dist, folder), plan.exceptions.get(VALIDATE)
    if not reason:
        return StepState.PASSED if finding.passed else StepState.FAILED, finding.actual
    if finding.passed:
        text = "the command works now: remove `validate` from [tool.leanspec-release.exceptions]"
        return StepState.FAILED, text
    return StepState.EXCEPTION, f"{reason}; it ended with {finding.actual}"


def _validation(plan: Plan, dist: Path, folder: Path) -> Finding:
    try:
        files, _ = read_files(dist)
        with index_of(files, folder) as index:
            (pins,) = write_pins((f"{MAIN}=={plan.version}",), files, folder)
            programs = installation.install_by_uv(pins, index, folder / "validate")
    except (CommandError, OSError) as error:
        return problem(VALIDATION, VALIDATION, "installed", error)
    project = folder / "project"
    shutil.rmtree(project, ignore_errors=True)
    project.mkdir()
    program = programs / "lean-spec"
    env = program_environment(folder / "home")
    for arguments in (["init", "-y"], ["create", "sample"]):
        capture([str(program), *arguments], cwd=project, env=env)
    run = capture([str(program), "validate", "--warnings-only"], cwd=project, env=env)
    words = " ".join((run.stdout + run.stderr).split())[:160]
    if run.returncode == 0:
        return confirm(VALIDATION, VALIDATION, words or "exit 0")
    return problem(VALIDATION, VALIDATION, "exit 0", f"exit {run.returncode}: {words}")
