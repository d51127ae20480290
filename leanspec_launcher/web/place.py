"""Where the pages of the web UI are, and what brings them. Imports no package: `lean-spec ui` asks."""

import os

from leanspec_launcher._search import SITE
from leanspec_launcher._tables import Program

FOLDER = "pages"
VARIABLE = "LEANSPEC_UI_DIST"


class PagesProgram(Program):
    """The pages as something that installers bring, like a program."""

    __slots__ = ()

    @property
    def package(self) -> str:
        """The import package that contains the pages."""
        return "leanspec_ui_pages"

    @property
    def distribution(self) -> str:
        """The distribution that contains the import package."""
        return "leanspec-ui"


UI = PagesProgram("ui", "leanspec-ui", extra="ui")


def pages_hint() -> str:
    """Return what to type so that the installer in use brings the pages (back)."""
    from leanspec_launcher.installers.reinstall import hint

    return hint(UI)


def chosen_folder() -> str:
    """Return the folder that the user names for the pages, whatever it is; empty if none."""
    return os.environ.get(VARIABLE, "")


def installed_pages() -> str:
    """Return the folder of the installed pages, whatever is in it; empty if there is none."""
    folder = os.path.join(SITE, UI.package, FOLDER)
    return folder if os.path.isdir(folder) else ""
