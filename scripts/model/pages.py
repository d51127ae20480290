"""The pages of the web UI: which ones go with a release, and where they lie in a binaries directory."""

from dataclasses import dataclass
from pathlib import Path

from leanspec_launcher.commands import CommandError
from leanspec_launcher.web.pages import RECORD
from leanspec_launcher.web.place import FOLDER, UI
from scripts.environment import ROOT

from .manifest import release_table

PACKAGE = UI.package
PROJECT = ROOT / "platform_wheels/ui"


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
