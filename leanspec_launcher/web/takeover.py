"""`lean-spec ui`: the installed pages instead of a package that npx would fetch.

The program runs `npx --yes @leanspec/ui`: without pages here, it does. `--dev` and
`LEANSPEC_NPM_UI=1` ask for that.
"""

from leanspec_launcher._say import NOT_FOUND, say
from leanspec_launcher._tables import NPM_UI_VARIABLE, is_on

from .place import chosen_folder, installed_pages, pages_hint

OTHER_WAYS = ("--dev", "-h", "--help")


def is_ours(arguments: "list[str]") -> bool:
    """Tell whether the pages are shown by this installation, and not by the program."""
    if is_on(NPM_UI_VARIABLE) or any(option in arguments for option in OTHER_WAYS):
        return False
    return bool(chosen_folder() or installed_pages()) or not _has_npx()


def show(arguments: "list[str]") -> int:
    """Show the pages, with the options that come after `ui`; ends this process."""
    if not chosen_folder() and not installed_pages():
        say(
            "error: the pages of the web UI are not installed, and `npx`, which could fetch some,"
            " is not on `PATH`",
            f"hint: {pages_hint()}",
        )
        return NOT_FOUND
    from .cli import start

    return start(arguments, "lean-spec ui")


def _has_npx() -> bool:
    from leanspec_launcher.installers.detect import program

    return program("npx", ".cmd") is not None
