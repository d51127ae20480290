"""Setting a new version, which must be higher than everything published."""

import re
from pathlib import Path

from packaging.version import InvalidVersion, Version

from leanspec_launcher.commands import CommandError
from scripts.environment import ROOT
from scripts.model import version_places
from scripts.model.programs import MAIN
from scripts.model.version_places import LINE
from scripts.tools.console import step
from scripts.tools.processes import capture, find_program, must_succeed

# Nothing is lost if the index does not answer: whoever waits for it types the command again.
FEW_ATTEMPTS = 3


def write_version(
    version: Version | None, cargo: Path | None, index: str | None, *, dry_run: bool
) -> list[version_places.VersionPlace]:
    """Write a version, or the present one again, into every place; return the places with their former text.

    Raises CommandError if a new one is not above what the committed changelog and the index have.
    """
    if version is None:
        present = version_places.home_version()
        edits = version_places.planned(present, cargo=cargo, is_new=False)
    else:
        _must_be_higher(version, index)
        edits = version_places.planned(version, cargo=cargo)
    if not dry_run:
        version_places.apply(edits)
    return [place for edit in edits for place in edit.places]


def _must_be_higher(version: Version, index: str | None) -> None:
    places = dict.fromkeys(_in_changelog(), "the changelog of the last commit has")
    places |= dict.fromkeys(_on_index(index), f"is published on `{index}`")
    highest = max(places, default=None)
    if highest is not None and version <= highest:
        raise CommandError(
            f"`{version}` is not above `{highest}`, which {places[highest]}",
            hint="choose a higher version: no version is ever reused. Without VERSION, `bump` repeats the present one",
        )


def mentions(version: Version) -> list[str]:
    """Return the lines of the documentation that name a version in words, which nothing rewrites."""
    name = re.compile(rf"(?<![\w.]){re.escape(str(version))}(?![\w]|\.\w)")
    pages = [ROOT / "README.md", ROOT / "SECURITY.md", *sorted(ROOT.glob("docs/*.md"))]
    return [
        f"{page.relative_to(ROOT)}:{number}: {line.strip()}"
        for page in pages
        for number, line in enumerate(page.read_text("utf-8").splitlines(), 1)
        if name.search(line) and not LINE.match(line)
    ]


def commit_version(version: Version) -> None:
    """Commit what a bump changed in tracked files; raises CommandError if git refuses."""
    git = find_program("git")
    message = f"Bump to {version}"
    command = [git, "-C", str(ROOT), "commit", "--all", "--quiet", "--message", message]
    hint = "say who you are: `git config user.name` and `git config user.email`"
    must_succeed(capture(command), "`git commit`", hint)


def _in_changelog() -> list[Version]:
    name, versions = "CHANGELOG.md", []
    # Of the last commit, if there is one: a `bump` that was killed has changed the present file.
    git = find_program("git")
    run = capture([git, "-C", str(ROOT), "show", f"HEAD:./{name}"])
    present = (ROOT / name).read_text("utf-8")
    changelog = run.stdout if run.returncode == 0 else present
    for text in version_places.released(changelog):
        try:
            versions.append(Version(text))
        except InvalidVersion:
            raise CommandError(
                f"`CHANGELOG.md` has a heading `[{text}]`, which is not a version",
                hint="fix that heading",
            ) from None
    return versions


def _on_index(index: str | None) -> list[Version]:
    if index is None:
        return []
    from scripts.index.client import IndexClient, read_index  # noqa: PLC0415 - 0.3 s, which `--offline` does not need

    client = IndexClient(read_index(index))
    with step(f"asking {client.index} for its versions"):
        return client.versions(MAIN, attempts=FEW_ATTEMPTS)
