"""The set of files that a release consists of: nothing missing, nothing extra, one version."""

from collections.abc import Iterator

from leanspec_launcher._tables import PROGRAMS
from scripts.model.files import OF_ONE_WHEEL, File, FileKind
from scripts.model.finding import Finding, compare, gap, problem
from scripts.model.gates import SET
from scripts.model.plan import Plan
from scripts.model.programs import MAIN

BUILD = "`python3 -m scripts wheels`"
# What is missing if it was not collected.
COLLECT = {
    FileKind.PLATFORM: f"collect its binary, then {BUILD}; or give the reason in `missing` of pyproject.toml",
    FileKind.PAGES: f"`python3 -m scripts collect pages`, then {BUILD}",
}
# Kind, distribution and platform of a file.
Member = tuple[FileKind, str, str | None]


def expected(plan: Plan) -> set[Member]:
    """Return every (kind, distribution, platform) that a release holds."""
    result: set[Member] = {(FileKind.SDIST, MAIN, None)}
    result |= {(kind, name, None) for name, kind in OF_ONE_WHEEL.items()}
    for program in PROGRAMS.values():
        result.add((FileKind.STUB, program.distribution, None))
        result |= {(FileKind.PLATFORM, program.distribution, key) for key in plan.platforms}
    return result


def expected_set(plan: Plan, files: list[File], strange: list[str]) -> Iterator[Finding]:
    """Compare the files with the release's set: none missing, none extra, one version."""
    members = expected(plan)
    present: dict[Member, File] = {}
    for name in strange:
        hint = f"remove `{name}`"
        yield problem(SET, name, "no such file in a release", "there", hint=hint)
    for file in files:
        name = file.path.name
        member = (file.kind, file.distribution, file.platform)
        if member not in members:
            yield problem(
                SET,
                name,
                "no such file in this release",
                f"a {file.kind} for {file.platform or 'any platform'}",
                hint=f"remove `{name}`, or add it to `platforms` in pyproject.toml",
            )
        elif member in present:
            text = f"a second one next to {present[member].path.name}"
            hint = f"empty the folder, and build again: {BUILD}"
            yield problem(SET, name, "one file", text, hint=hint)
        else:
            hint = f"build again: {BUILD}"
            yield compare(SET, name, str(plan.version), file.version, hint=hint)
            present[member] = file
    for kind, distribution, platform in sorted(members - present.keys(), key=str):
        note = plan.other_reason(platform) if platform else ""
        yield problem(
            SET,
            f"{distribution} ({platform or kind})",
            "in the release",
            f"missing; {note}" if note else "missing",
            hint=COLLECT.get(kind, BUILD),
        )
    for platform, reason in plan.missing.items():
        yield gap(SET, platform, f"not in this release: {reason}")
