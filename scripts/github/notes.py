"""Release notes from the changelog, and the README of a standalone archive."""

from pathlib import Path

from leanspec_launcher._tables import PLATFORMS
from leanspec_launcher.commands import CommandError
from scripts.collect.pages import read_pages
from scripts.model.plan import REBUILD, Plan
from scripts.model.programs import load_programs
from scripts.model.version_places import HEADING

README = """\
LeanSpec {version} for {label}

{programs}

They need no installation: put them where your system looks for programs, or start them from here. To have them
verified, upgraded and repaired, install them with `pipx install lean-spec` or `uv tool install lean-spec` instead.

The checksum of each file of this release is in its SHA256SUMS{signed}.
"""
# The exceptions of a plan that are about its binaries; each other one has the name of a command.
OF_BINARIES = {
    "commits": "built from several commits",
    "sources": "from several sources",
    REBUILD: "rebuilt from the same LeanSpec",
}
NOT_SIGNED = (
    "`SHA256SUMS` and `release.json` of this release are not signed. Each file is attested:"
    " `gh attestation verify FILE --repo OWNER/NAME` names the workflow that built it."
)
# The end of a program's description, which is about its wheel.
CARRIED = " as a binary, for lean-spec"


def release_notes(changelog: Path, plan: Plan, bundles: list[str]) -> str:
    """Return a release's entry of the changelog, with what the release lacks and why.

    `bundles` are the platforms whose desktop bundle is expected, and missing. Raises CommandError
    if there is no entry, or an empty one.
    """
    text = changelog.read_text("utf-8")
    headings = list(HEADING.finditer(text))
    ends = [heading.start() for heading in headings[1:]] + [len(text)]
    entries = {
        heading["version"]: text[heading.end() : end].strip()
        for heading, end in zip(headings, ends, strict=False)
    }
    entry = entries.get(str(plan.version))
    if entry is None:
        raise CommandError(
            f"`{changelog.name}` has no entry for {plan.version}",
            hint="`python3 -m scripts bump` gives the unreleased entry its heading",
        )
    if not entry:
        raise CommandError(
            f"the entry of {plan.version} in `{changelog.name}` is empty",
            hint="write what is new",
        )
    verifying = [] if plan.public_key else ["", "### Verifying", "", NOT_SIGNED]
    notes = [entry, *_binaries(plan), *_gaps(plan, bundles), *verifying, ""]
    return "\n".join(notes)


def _binaries(plan: Plan) -> list[str]:
    """Return the exceptions of the plan that are about the binaries."""
    lines = [
        f"- {title}: {plan.exceptions[name]}"
        for name, title in OF_BINARIES.items()
        if name in plan.exceptions
    ]
    return ["", "### Binaries", "", *lines] if lines else []


def _gaps(plan: Plan, bundles: list[str]) -> list[str]:
    gaps = [
        f"- {PLATFORMS[key].label} (`{key}`): {reason}"
        for key, reason in plan.missing.items()
    ]
    gaps += [
        f"- `lean-spec {command}`: {reason}"
        for command, reason in plan.exceptions.items()
        if command not in OF_BINARIES
    ]
    gaps += [f"- desktop application: {plan.no_desktop}"] if plan.no_desktop else []
    gaps += [
        f"- desktop application for {PLATFORMS[key].label} (`{key}`): no bundle was built; it can be added later"
        for key in bundles
    ]
    pages = read_pages()
    if pages.missing_api:
        gaps.append(
            f"- web UI: {pages.reason}; {len(pages.missing_api)} API paths that they ask for do not"
            " exist in the server (see docs/web-ui.md)"
        )
    return ["", "### Not in this release", "", *gaps] if gaps else []


def archive_readme(plan: Plan, platform: str, suffix: str) -> str:
    """Return the README of a standalone archive."""
    signed = ", which is signed (minisign)" if plan.public_key else ""
    lines = [
        f"  {project.program.command + suffix:18} {project.description.removesuffix(CARRIED)}"
        for project in load_programs()
    ]
    return README.format(
        version=plan.version,
        label=PLATFORMS[platform].label,
        programs="\n".join(lines),
        signed=signed,
    )
