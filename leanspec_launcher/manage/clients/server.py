"""Command that starts the MCP server of this installation. No Node, and no `PATH` in a user's own file."""

import os
import re
import site
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from leanspec_launcher._pins import VERSION
from leanspec_launcher._search import SITE
from leanspec_launcher._tables import PROGRAMS
from leanspec_launcher.commands import CommandError
from leanspec_launcher.installers.detect import MAIN, program_on_path
from leanspec_launcher.installers.records import distribution
from leanspec_launcher.installers.table import in_use
from leanspec_launcher.installers.words import words
from leanspec_launcher.manage import link
from leanspec_launcher.processes import SAFE_PATH

MCP_COMMAND = PROGRAMS["mcp"].command
SHELL, GO_THERE = "/bin/sh", 'cd "$1" && shift && exec "$@"'
# The same where there is no shell, as in an image with nothing but its programs.
GO_BY_PYTHON = "import os, sys; os.chdir(sys.argv[1]); os.execvp(sys.argv[2], sys.argv[2:])"
CMD = ("/d", "/c", "cd", "/d")
# What `cmd` reads in a word, quoted or not; no option turns that off.
READ_BY_CMD = re.compile(r'[%!^&|<>"]')


@dataclass(frozen=True)
class ServerCommand:
    """A command of the MCP server, for a client."""

    command: str
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    cwd: str = ""

    @property
    def words(self) -> list[str]:
        """The command line."""
        return [self.command, *self.args]


# For any machine: a file that a team shares, and a link, name no path of this one.
PORTABLE = ServerCommand("uvx", (MCP_COMMAND,))


def this_server() -> ServerCommand:
    """Return how this installation's server is started: by an absolute path, that stays if one does.

    Raises CommandError if this installation has no such command.
    """
    installer = in_use()
    if installer.server:
        path, *arguments = words(installer.server, PROGRAMS["mcp"])
        return ServerCommand(path, tuple(arguments))
    if any(installer.entry):
        archive = os.path.abspath(os.environ.get("PEX") or sys.argv[0])
        return ServerCommand(archive, (), (installer.entry,))
    scripts = [script for script in link.commands() if script.name == MCP_COMMAND]
    if not scripts or scripts[0].state is link.LinkState.ABSENT:
        raise CommandError(
            f"this installation has no command `{MCP_COMMAND}`", hint=link.REINSTALL
        )
    if sys.platform == "win32" and _is_importable():
        # The installer's `.exe` is not signed, which Smart App Control may refuse; Python's is.
        options = SAFE_PATH or ["-I"]
        launcher = (*options, "-m", "leanspec_launcher", "mcp")
        return ServerCommand(lasting(sys.executable), launcher)
    return ServerCommand(lasting(str(scripts[0].path)))


def pinned(server: ServerCommand) -> ServerCommand:
    """Return the portable command for the version that is installed here, and no other.

    Raises CommandError in a checkout, which has none.
    """
    if not version():
        raise CommandError("this is a source checkout, which has no version to name")
    return replace(server, args=(f"{MCP_COMMAND}@{version()}",))


def has_uvx() -> bool:
    """Tell whether a shell of this machine finds uvx."""
    return program_on_path("uvx") is not None


def lasting(path: str) -> str:
    """Return the path of a file that is still there after an upgrade; the one that is given if there is none.

    Some installers keep each version in a folder of its own (mise, Homebrew's Cellar), and lead to the
    newest one by a link.
    """
    if not ends(path):
        return path
    return next((link for link in _links_to(path) if not ends(link)), path)


def ends(path: str) -> bool:
    """Tell whether a path names the version that is installed, and so ends with it."""
    release = version()
    return bool(release) and bool(
        re.search(rf"(?<![\d.]){re.escape(release)}(?![\d.])", path)
    )


def _links_to(path: str) -> Iterator[str]:
    """Yield other paths of a file: by a link in `PATH`, or beside the folder of its version."""
    real = os.path.realpath(path)
    candidates = [program_on_path(os.path.basename(path), "")]
    for folder in Path(path).parents:
        if ends(folder.name):
            inside = Path(path).relative_to(folder)
            links = [entry for entry in folder.parent.iterdir() if entry.is_symlink()]
            links.sort(key=lambda entry: (entry.name != "latest", len(entry.name)))
            candidates += [str(entry / inside) for entry in links]
    for candidate in filter(None, candidates):
        if os.path.realpath(candidate) == real:
            yield candidate


def in_folder(server: ServerCommand, folder: str) -> ServerCommand:
    """Let a server start in a folder, for clients that ignore `cwd`: 0.3.0 finds a project in no other way.

    A shell goes there, and then becomes the server. Raises CommandError if the shell of Windows cannot
    be told this folder.
    """
    if sys.platform == "win32":
        for word in (folder, *server.words):
            if match := READ_BY_CMD.search(word):
                raise CommandError(
                    f"cannot pass `{word}` to `cmd`, which interprets `{match[0]}`",
                    hint="move the project, or install lean-spec, to a path without this sign",
                )
        return replace(server, command="cmd", args=(*CMD, folder, "&&", *server.words))
    shell, begin = SHELL, ("-c", GO_THERE, "sh")
    if not os.access(SHELL, os.X_OK):
        # Not the link in an environment, which may lie in a cache.
        shell, begin = os.path.realpath(sys.executable), ("-I", "-c", GO_BY_PYTHON)
    return replace(server, command=shell, args=(*begin, folder, *server.words))


def out_of_folder(server: ServerCommand) -> tuple[ServerCommand, str]:
    """Return a server without what lets it start in a folder, and that folder; empty if there is none."""
    words = server.words
    is_by_python = words[1:4] == ["-I", "-c", GO_BY_PYTHON]
    if is_by_python or words[1:4] == ["-c", GO_THERE, "sh"]:
        folder, *command = words[4:] or [""]
    elif words[1:5] == list(CMD) and words[6:7] == ["&&"]:
        folder, command = words[5], words[7:]
    else:
        return server, server.cwd
    program, *arguments = command or [""]
    return replace(server, command=program, args=tuple(arguments)), folder


def must_be_utf_8(server: ServerCommand) -> None:
    """Raise CommandError if no configuration could name this command."""
    for text in (*server.words, server.cwd):
        try:
            text.encode()
        except UnicodeEncodeError:  # noqa: PERF203 - a few texts
            raise CommandError(
                f"`{os.fsencode(text).decode('utf-8', 'backslashreplace')}` is not UTF-8, and a"
                " configuration is",
                hint="move the project, or install lean-spec, to a path in UTF-8",
            ) from None


def version() -> str:
    """Return the version that is installed."""
    record = distribution(MAIN)
    return record.version if record else VERSION


def _is_importable() -> bool:
    """Tell whether this Python finds the launcher by itself, in a place of its own."""
    places = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    if SAFE_PATH:  # `-I` leaves the user's own packages out
        places.add(site.getusersitepackages())
    return os.path.realpath(SITE) in map(os.path.realpath, places)
