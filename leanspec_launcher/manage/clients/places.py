"""Places of a client: the files from which it reads its servers, in the order in which they decide."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from leanspec_launcher._search import PROJECT_MARKS
from leanspec_launcher.commands import CommandError
from leanspec_launcher.folders import HOME
from leanspec_launcher.web.project import has_specs

from .table import Client
from .text import Keys

MANAGED, SYSTEM, LOCAL, PROJECT, USER = "managed", "system", "local", "project", "user"
IN_PROJECT = "{project}/"


@dataclass(frozen=True)
class ServersFile:
    """A file from which a client reads servers."""

    client: Client
    path: Path
    scope: str
    local_table: Keys = ()
    """The keys that lead to the servers in it, if they are not the client's."""
    folder: Path = field(default=Path(), compare=False)
    """The folder of the project that it is of, which may be above the one that is looked at."""

    @property
    def table(self) -> Keys:
        """The keys that lead to the servers in it."""
        return self.local_table or self.client.table

    @property
    def exists(self) -> bool:
        """Whether a file or a link has its name."""
        return os.path.lexists(self.path)


def places(client: Client, project: Path) -> Iterator[ServersFile]:
    """Yield where a client looks for servers in a project: the first that has one decides about it."""
    for scope in client.scopes:
        if scope == LOCAL:
            root = os.path.realpath(root_of(project))
            table = tuple(key.replace("{project}", root) for key in client.local)
            path = file_to_change(client, USER, project)
            yield ServersFile(client, path, scope, table)
        folders = _upwards(client, project) if scope == PROJECT else [project]
        for folder in folders if scope != LOCAL else ():
            paths = files(client, scope, folder)
            if not client.is_merged:
                existing = [path for path in paths if os.path.lexists(path)]
                is_first = paths and folder == project
                new = [file_to_change(client, scope, project)] if is_first else []
                paths = (existing or new)[:1]
            for path in paths:
                yield ServersFile(client, path, scope, folder=folder)


def _upwards(client: Client, project: Path) -> list[Path]:
    """Return the folders in which a client looks for a project's file: this one, and some above it."""
    above = [project, *project.parents]
    if client.parents == "top":
        return above
    if client.parents == "git":
        return above[: above.index(root_of(project)) + 1]
    return [project]


def files(client: Client, scope: str, project: Path) -> list[Path]:
    """Return the files of one scope, the deciding one first, whether they exist or not."""
    if scope == PROJECT:
        return [project / name for name in client.project]
    templates = {MANAGED: client.managed, SYSTEM: client.system, USER: client.user}
    return _expand(templates[scope], client)


def settings_files(client: Client, template: str, project: Path) -> list[Path]:
    """Return the files of settings that a template of a row names."""
    if template.startswith(IN_PROJECT):
        return [project / template.removeprefix(IN_PROJECT)]
    return _expand((template,), client)


def root_of(project: Path) -> Path:
    """Return the folder that has the repository of a project; the project's if there is none."""
    above = (project, *project.parents)
    return next((folder for folder in above if (folder / ".git").exists()), project)


def former(client: Client) -> list[Path]:
    """Return the user's files that a client has read once, and reads no more."""
    return _expand(client.former, client)


def is_home(folder: Path) -> bool:
    """Tell whether a folder is this user's home, whose files are no project's."""
    return os.path.realpath(folder) == os.path.realpath(home())


def file_to_change(client: Client, scope: str, project: Path) -> Path:
    """Return the file of a scope that decides: one that is there, or else the one that a client makes."""
    paths = files(client, scope, project)
    for path in paths:
        if os.path.lexists(path):
            return path
    named = [path for path in paths if path.name == client.new] or paths
    expected = [path for path in named if scope == USER and _is_expected(path)]
    # Of several with the name of a new file, the client makes the last one.
    return expected[0] if expected else named[-1 if client.new else 0]


def is_present(client: Client, *, for_removal: bool = False) -> bool:
    """Tell whether this user has a client: a file of its servers, or the folder for it.

    For a removal, a file that the client has read once counts, and a folder does not.
    """
    paths = _expand(client.user, client)
    if for_removal:
        return any(map(os.path.lexists, paths + former(client)))
    return any(os.path.lexists(path) or _is_expected(path) for path in paths)


def home() -> Path:
    """Return this user's home folder; raises CommandError if there is none."""
    try:
        folder = Path.home()
    except RuntimeError:
        folder = Path()
    if not folder.is_absolute() or os.environ.get(HOME) == "":
        raise CommandError(
            "this user has no home folder", hint=f"set `{HOME}` to the path of a folder"
        )
    return folder


def is_project(folder: Path) -> bool:
    """Tell whether the server finds a project in a folder: its specs, or the settings of another tracker."""
    return has_specs(folder) or any(os.path.exists(folder / mark) for mark in PROJECT_MARKS)


def project_above(folder: Path) -> Path | None:
    """Return the nearest project that a folder is in; None if it is in none."""
    return next(filter(is_project, (folder, *folder.parents)), None)


def is_in_wsl() -> bool:
    """Tell whether this is Linux inside Windows, whose own programs read other files."""
    return sys.platform == "linux" and "microsoft" in os.uname().release.lower()


def _is_expected(path: Path) -> bool:
    """Tell whether a client has made the folder of a file, which is the client's own."""
    # The home folder is there for everybody, and says nothing of a client.
    return path.parent != home() and os.path.isdir(path.parent)


def _expand(templates: tuple[str, ...], client: Client) -> list[Path]:
    places, paths = folders(), []
    home()
    for template in templates:
        name = template[1:].partition("}")[0] if template.startswith("{") else ""
        value = os.environ.get(name, "") if name.isupper() else places.get(name, "")
        if name and not os.path.isabs(os.path.expanduser(value)):
            continue  # of another system, or a variable that is not set
        path = _moved(template, client).format(**{**places, name: value})
        # A file that a variable names takes the place of all others.
        if name.isupper() and not client.is_merged:
            return [Path(path)]
        folder, file = os.path.split(os.path.expanduser(path))
        # A package of Windows has a folder with the publisher's number in its name.
        parents = glob.glob(folder) if "*" in folder else [folder]
        paths += [Path(parent, file) for parent in parents]
    return paths


def _moved(template: str, client: Client) -> str:
    """Return a template with the folder that a variable moves; raises CommandError for a relative one."""
    for variable, folder in client.variables:
        moved = os.environ.get(variable, "")
        if not moved or not f"{template}/".startswith(f"{folder}/"):
            continue
        if not os.path.isabs(os.path.expanduser(moved)):
            raise CommandError(
                f"`{variable}` is not an absolute path: `{moved}`",
                hint="make it absolute: a client starts from its own working directory",
            )
        # What is in the variable is no template.
        return moved.replace("{", "{{").replace("}", "}}") + template.removeprefix(folder)
    return template


def folders() -> dict[str, str]:
    """Return this system's folders for settings, by the names that the table uses."""
    xdg = _absolute("XDG_CONFIG_HOME", "~/.config")
    if sys.platform == "win32":
        roaming = _absolute("APPDATA", "~/AppData/Roaming")
        return {
            **_administrators(_absolute("ProgramData", "C:/ProgramData")),
            "settings": roaming,
            "xdg": xdg,
            "goose": f"{roaming}/Block/goose/config",
            "zed": f"{roaming}/Zed",
            "packages": f"{_absolute('LOCALAPPDATA', '~/AppData/Local')}/Packages",
            "config": roaming,
            "claude-code": f"{_absolute('ProgramFiles', 'C:/Program Files')}/ClaudeCode",
        }
    if sys.platform == "darwin":
        library = "/Library/Application Support"
        return {
            **_administrators(library),
            "settings": f"~{library}",
            "xdg": xdg,
            "goose": "~/.config/goose",
            "zed": "~/.config/zed",
            "config": xdg,
            "etc": "/etc",
            "claude-code": f"{library}/ClaudeCode",
            "gemini-cli": f"{library}/GeminiCli",
            "qwen-code": f"{library}/QwenCode",
        }
    return {
        **_administrators("/etc"),
        "settings": xdg,
        "xdg": xdg,
        "goose": f"{xdg}/goose",
        "zed": f"{xdg}/zed",
        "config": xdg,
        "flatpak": "~/.var/app",
        "etc": "/etc",
    }


def _administrators(folder: str) -> dict[str, str]:
    names = ("claude-code", "gemini-cli", "opencode", "qwen-code")
    return {name: f"{folder}/{name}" for name in names}


def _absolute(variable: str, default: str) -> str:
    """Return a folder that a variable names: the XDG specification ignores one that is not absolute."""
    folder = os.environ.get(variable, "")
    return folder if os.path.isabs(folder) else default
