"""The installed pages of the web UI: where they are, and whether they are those of this release."""

import hashlib
import json
import os
from pathlib import Path

from leanspec_launcher import folders
from leanspec_launcher._pins import PAGES
from leanspec_launcher._search import is_absolute, is_trusted, state_of
from leanspec_launcher.commands import CommandError
from leanspec_launcher.verify.proof import MOST_BYTES, digest, leave_stamps
from leanspec_launcher.verify.refusal import Refusal

from .place import VARIABLE, chosen_folder, installed_pages, pages_hint

INDEX = "index.html"
RECORD = "pages.json"


def verified_pages() -> str:
    """Return the folder of the installed pages, verified once for each of their states.

    Raises CommandError if there are none, or if one file is not that of this release.
    """
    folder = installed_pages()
    if not folder:
        raise CommandError("the pages of the web UI are not installed", hint=pages_hint())
    if not PAGES:
        raise CommandError(
            "this lean-spec has no checksum for the pages of the web UI",
            hint="install a release: a source checkout contains no checksums",
        )
    try:
        state = state_of_tree(folder)
        if _is_stamped(state):
            return folder
        sha256 = tree_digest(folder)
        is_unchanged = state == state_of_tree(folder)
    except (OSError, Refusal) as error:
        raise CommandError(
            f"cannot verify the pages in `{folder}`: {error}", hint=pages_hint()
        ) from None
    if sha256 != PAGES:
        raise CommandError(
            f"the pages in `{folder}` are not those of this release: sha256 `{sha256}`,"
            f" expected `{PAGES}`",
            hint=pages_hint(),
        )
    if state and is_unchanged:
        leave_stamps([(state, PAGES)])
    return folder


def missing_parts(pages: str) -> list[str]:
    """Return the parts of the pages for which this release's web server has no API; none if nobody wrote a list."""
    try:
        record = json.loads(Path(pages, os.pardir, RECORD).read_text("utf-8"))
        # `/api/sessions/x/stop` belongs to the part `sessions`.
        return sorted({path.split("/")[2] for path in record["missing-api"]})
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return []


def chosen_pages() -> str:
    """Return the folder that the user names in `LEANSPEC_UI_DIST`; empty if it names none.

    Raises CommandError if it has no pages.
    """
    folder = chosen_folder()
    if not folder:
        return ""
    if not is_absolute(folder):
        raise CommandError(
            f"`{VARIABLE}` is `{folder}`, a relative path, which depends on the working directory",
            hint="name an absolute path",
        )
    if not os.path.isfile(os.path.join(folder, INDEX)):
        raise CommandError(
            f"`{VARIABLE}` is `{folder}`, which has no `{INDEX}`",
            hint=f"name a folder with pages, or leave `{VARIABLE}` out to see the installed ones",
        )
    return folder


def files_of(folder: str, above: str = "") -> list[str]:
    """Return the files below a folder, and its links to folders: their paths from there, with `/`, sorted."""
    paths = []
    with os.scandir(folder) as entries:
        for entry in entries:
            path = f"{above}{entry.name}"
            # The server would show what is in a linked folder: it is no file, and so it is refused.
            if entry.is_dir(follow_symlinks=False):
                paths += files_of(entry.path, f"{path}/")
            else:
                paths.append(path)
    return sorted(paths)


def tree_digest(folder: str) -> str:
    """Return one SHA-256 over the files of a folder: of their checksums and paths, in order.

    Raises OSError or Refusal for a file that cannot be read to its end.
    """
    lines = [
        f"{digest(os.path.join(folder, name), MOST_BYTES)}  {name}\n"
        for name in files_of(folder)
    ]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def state_of_tree(folder: str) -> str:
    """Return what changes with every change of a file in a folder, in the form of a file's state.

    Empty if the file system has no such thing.
    """
    names = files_of(folder)
    states = [state_of(os.path.join(folder, name)) for name in names]
    if not all(states):
        return ""
    latest = max((int(state.split(".")[-1], 16) for state in states), default=0)
    lines = [f"{state}  {name}\n" for state, name in zip(states, names)]
    whole = hashlib.sha256("".join(lines).encode()).hexdigest()
    # Five numbers, as the state of one file has them; the last one is the newest change.
    return f"0.{whole}.{len(names):x}.{latest:x}.{latest:x}"


def _is_stamped(state: str) -> bool:
    folder = folders.cache()
    if not state or not folder or not is_trusted(folder):
        return False
    return os.path.lexists(os.path.join(folder, f"{state}.{PAGES}"))
