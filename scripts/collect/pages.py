"""The pages of the web UI, from the npm package that the release plan names, and where they lie."""

import json
import re
import shutil
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from leanspec_launcher.commands import CommandError
from leanspec_launcher.web.pages import INDEX, RECORD, files_of, tree_digest
from leanspec_launcher.web.place import FOLDER, UI
from scripts.environment import ROOT
from scripts.model.manifest import release_table
from scripts.tools.console import say, size, step
from scripts.tools.processes import find_program
from scripts.tools.reasons import reason
from scripts.tools.work_folder import work_folder

from .archive import extract_files
from .npm import fetch_archive

PACKAGE = UI.package
PROJECT = ROOT / "platform_wheels/ui"
INSIDE = PurePosixPath("package/dist")
# What the application loads. The rest of `dist/` is the same code once more, as a library for other
# applications: a third of the archive.
NEEDED = re.compile(r"index\.html|(assets|icons)/.+|[^/]+\.(svg|ico)")


@dataclass(frozen=True)
class Pages:
    """The pages that a release carries, as the plan states them."""

    package: str
    version: str
    integrity: str
    reason: str
    """Why these pages, if they are not of the release's own version."""
    missing_api: tuple[str, ...]
    """The API paths that the pages ask for and the web server does not have."""


def read_pages(root: Path = ROOT) -> Pages:
    """Return the pages of the release plan; raises CommandError if it does not state them all."""
    table = release_table(root).get("pages", {})
    try:
        return Pages(
            package=str(table["package"]),
            version=str(table["version"]),
            integrity=str(table["integrity"]),
            reason=str(table["reason"]),
            missing_api=tuple(table["missing-api"]),
        )
    except KeyError as error:
        raise CommandError(
            f"`pyproject.toml` has no `{error.args[0]}` under [tool.leanspec-release.pages]",
            hint="state `package`, `version`, `integrity`, `reason` and `missing-api`",
        ) from None


def pages_folder(base: Path) -> Path:
    """Return where a binaries directory has the pages."""
    return base / "ui" / FOLDER


def pages_record(base: Path) -> Path:
    """Return where a binaries directory has the record of the pages."""
    return base / "ui" / RECORD


def collect_pages(pages: Pages, base: Path) -> None:
    """Fetch, verify and unpack the pages into a binaries directory.

    What `base` held is replaced when all went well. Raises CommandError if the registry does not
    have exactly these pages.
    """
    npm = find_program("npm")
    with work_folder(base / "ui") as folder:
        with step(f"fetching {pages.package}@{pages.version}"):
            archive = fetch_archive(
                npm, pages.package, pages.version, pages.integrity, folder
            )
        new = folder / "new"
        with step("unpacking the pages"):
            extract_files(archive, lambda name: _place(name, new))
        if not (new / INDEX).is_file():
            raise CommandError(
                f"`{pages.package}@{pages.version}` has no `{INSIDE / INDEX}`",
                hint="check whether the package still has the pages in this folder",
            )
        record = folder / "record"
        text = json.dumps(_record(pages, new), indent=2) + "\n"
        record.write_text(text, "utf-8")
        _swap(new, record, base, folder)
    target = pages_folder(base)
    files = [target / name for name in files_of(str(target))]
    total = sum(file.stat().st_size for file in files)
    say(f"  {pages.package} {pages.version}, {size(total)}")


def _place(name: str, new: Path) -> Path | None:
    """Return where a file of the archive goes; None if the application does not need it."""
    path = PurePosixPath(name)
    if not path.is_relative_to(INSIDE):
        return None
    inside = path.relative_to(INSIDE)
    return new / inside if NEEDED.fullmatch(str(inside)) else None


def _record(pages: Pages, folder: Path) -> dict[str, object]:
    """Return the record of the pages: what they are, where they are from, what does not work."""
    source = {
        "kind": "npm",
        "package": pages.package,
        "version": pages.version,
        "integrity": pages.integrity,
    }
    return {
        "version": pages.version,
        "sha256": tree_digest(str(folder)),
        "files": len(files_of(str(folder))),
        "source": source,
        "missing-api": list(pages.missing_api),
    }


def _swap(new: Path, record: Path, base: Path, folder: Path) -> None:
    """Replace the pages; put the old ones back if that fails."""
    target, old = pages_folder(base), folder / "old"
    if target.exists():
        target.rename(old)
    try:
        new.rename(target)
        record.replace(pages_record(base))
    except OSError:
        shutil.rmtree(target, ignore_errors=True)
        if old.exists():
            old.rename(target)
        raise


def read_collected_pages(base: Path) -> dict[str, object] | None:
    """Return the record of the collected pages, compared with the files; None if there are none.

    Raises CommandError if they are not those that the record describes.
    """
    folder, path = pages_folder(base), pages_record(base)
    if not folder.exists() and not path.exists():
        return None
    hint = "collect them again: `python3 -m scripts collect pages`"
    try:
        record: dict[str, object] = json.loads(path.read_text("utf-8"))
        actual, expected = tree_digest(str(folder)), record["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CommandError(
            f"`{path}` does not describe the pages: {reason(error)}", hint=hint
        ) from None
    if actual != expected:
        raise CommandError(
            f"the pages in `{folder}` have the sha256 `{actual}`, expected `{expected}`",
            hint=hint,
        )
    return record


def unpack_pages(wheel: Path, base: Path) -> None:
    """Put the pages and the record of a built wheel into a binaries directory that has none.

    Raises CommandError if the wheel does not have them.
    """
    with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory() as folder:
        for name in archive.namelist():
            if name.startswith(f"{PACKAGE}/"):
                archive.extract(name, folder)
        package = Path(folder, PACKAGE)
        if not (package / RECORD).is_file():
            raise CommandError(
                f"`{wheel.name}` has no `{RECORD}`",
                hint="build it again: `python3 -m scripts wheels`",
            )
        shutil.copytree(package / FOLDER, pages_folder(base))
        shutil.copyfile(package / RECORD, pages_record(base))
