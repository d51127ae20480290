"""Clients that start the server already, and problems that keep them from it."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leanspec_launcher._pins import VERSION
from leanspec_launcher.commands import CommandError, explained

from .change import entry_in
from .command import GO_BY_PYTHON, GO_THERE, SHELL
from .table import CLIENTS, Client, user_file

NODE = ("npx", "npm", "bunx", "pnpm", "yarn")
# Options without a value, words of launchers, paths, and names of ours.
HARMLESS = re.compile(
    r"--?[\w-]*|run|tool|exec|dlx|x|sh|/c|[@\w./\\:~ -]*lean-?spec[@\w./\\:=~ -]*|/[^=]*"
)
# A command of ours with a version, as uvx and pipx take it.
PINNED = re.compile(r"(?:leanspec-mcp|lean-spec)(?:@|==)(.+)")


@dataclass(frozen=True)
class Configured:
    """A file of a client that names the server."""

    client: str
    path: Path
    starts: str
    """The command line."""
    problem: str
    """Why it would not start, or not as it should; empty if it does."""
    hint: str


def configured(folder: Path) -> Iterator[Configured]:
    """Yield what this user's clients start, from their own files and those of a project."""
    paths = set()
    for name, client in CLIENTS.items():
        for path, scope in _files(client, folder):
            if path not in paths and os.path.lexists(path):
                paths.add(path)
                yield from _look(name, client, path, scope)


def _files(client: Client, folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield the files that a client may have, with their scopes."""
    with contextlib.suppress(
        CommandError
    ):  # `mcp-config` says that a variable is not a path
        yield user_file(client), "user"
    if client.project:
        yield folder / client.project, "project"


def _look(name: str, client: Client, path: Path, scope: str) -> Iterator[Configured]:
    try:
        entry = entry_in(client, path)
    except Exception as error:  # noqa: BLE001 - one file keeps no other from being looked at
        failure = explained(error)
        yield Configured(name, path, "", failure.message, failure.hint or "")
        return
    if entry is None:
        return
    words = _words(entry)
    problem = _problem(words, scope)
    hint = f"leanspec-launcher mcp-config {name} --write --scope {scope}" if problem else ""
    yield Configured(name, path, _shown(words), problem, hint)


def _words(entry: Any) -> list[str]:  # noqa: ANN401 - whatever stands in a client's file
    """Return the command line of an entry; empty if it has none."""
    if not isinstance(entry, dict):
        return []
    command, more = entry.get("command"), entry.get("args")
    parts = command if isinstance(command, list) else [command]
    parts = parts + (more if isinstance(more, list) else [])
    return [part for part in parts if isinstance(part, str)]


def _shown(words: list[str]) -> str:
    """Return a command line for people, without arguments that may be secret."""
    arguments = [word if HARMLESS.fullmatch(word) else "…" for word in words[1:]]
    return " ".join([*words[:1], *arguments])


def _problem(words: list[str], scope: str) -> str:
    is_by_python = words[1:4] == ["-I", "-c", GO_BY_PYTHON]
    if is_by_python or words[:4] == [SHELL, "-c", GO_THERE, "sh"]:
        return _problem_in_folder(words[4:], scope)
    if not words:
        return "names no command"
    return _problem_of_program(words[0], scope) or _problem_of_version(words)


def _problem_of_program(program: str, scope: str) -> str:
    if re.split(r"[/\\]", program)[-1].partition(".")[0] in NODE:
        return f"starts `{program}`, which needs Node.js and may need the network"
    if os.path.isabs(program) and not os.path.isfile(program):
        return f"starts `{program}`, which is not there"
    # In a project, a name may be meant for other machines too.
    if not os.path.isabs(program) and scope == "user":
        return f"starts `{program}` by its name, and a client may not know your `PATH`"
    return ""


def _problem_of_version(words: list[str]) -> str:
    for word in words:
        pinned = PINNED.fullmatch(word)
        if pinned and pinned[1] != VERSION:
            return f"starts version {pinned[1]}, and this is {VERSION}"
    return ""


def _problem_in_folder(words: list[str], scope: str) -> str:
    """Look at a folder and the command that is started in it."""
    if words and not os.path.isdir(words[0]):
        return f"starts the server in `{words[0]}`, which is not there"
    return _problem(words[1:], scope)
