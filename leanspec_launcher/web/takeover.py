"""`lean-spec ui`: the installed pages, and never by itself a package that npx would fetch.

The program runs `npx --yes @leanspec/ui`, which downloads 195 MB of whatever is newest. `--dev` and
`LEANSPEC_NPM_UI=1` ask for that.
"""

from leanspec_launcher._say import NOT_FOUND, say
from leanspec_launcher._tables import NPM_UI_VARIABLE, is_on

from .place import chosen_folder, installed_pages, pages_hint

OTHER_WAYS = ("--dev", "-h", "--help")


def is_ours(arguments: "list[str]") -> bool:
    """Tell whether the pages are shown by this installation, and not by the program."""
    if is_on(NPM_UI_VARIABLE):
        say(
            f"note: `{NPM_UI_VARIABLE}` runs the program's own command, which downloads the newest"
            " `@leanspec/ui` with `npx`"
        )
        return False
    return not any(option in arguments for option in OTHER_WAYS)


def show(arguments: "list[str]") -> int:
    """Show the pages, with the options that come after `ui`; ends this process."""
    if not chosen_folder() and not installed_pages():
        say(
            "error: the pages of the web UI are not installed",
            f"hint: {pages_hint()}",
        )
        return NOT_FOUND
    from .start import start

    return start(arguments, "lean-spec ui")
