"""Command line of `mcp-config`."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from leanspec_launcher._tables import current
from leanspec_launcher.commands import CommandError, echo, echo_text, explained, report
from leanspec_launcher.manage.options import dry_run

from .change import changed, written
from .command import describe, install_link, server
from .table import CLIENTS, NAME, Client, Form, is_present, user_file

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
SCOPES = ("project", "user")


@dataclass(frozen=True)
class ChangeOptions:
    """Options about a change of a client's file, by their names on the command line."""

    project: Path | None
    scope: str | None
    remove: bool
    portable: bool
    yes: bool
    dry_run: bool
    force: bool


@click.command(name="mcp-config", epilog=f"CLIENT is one of: {', '.join(CLIENTS)}.")
@click.argument(
    "client", type=click.Choice(list(CLIENTS)), default="claude", metavar="[CLIENT]"
)
@click.option(
    "--project",
    type=FOLDER,
    help="The folder to start the server in, for clients that start it elsewhere.",
)
@click.option("--write", is_flag=True, help="Add the server to the client's file.")
@click.option("--remove", is_flag=True, help="Take the server out of that file again.")
@click.option(
    "--scope",
    type=click.Choice(SCOPES),
    help="Which file: the project's, or yours for all. Default: the project's, if any.",
)
@click.option(
    "--all", "every", is_flag=True, help="Every client that this user has; your own files."
)
@click.option(
    "--portable", is_flag=True, help="Name no path of this machine: `uvx leanspec-mcp`."
)
@click.option(
    "--link", is_flag=True, help="Print a link that adds the server: vscode, cursor."
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask before a file is changed.")
@dry_run
@click.option(
    "--force", is_flag=True, help="Replace another server of the name `leanspec`, too."
)
def command(
    client: str,
    *,
    write: bool,
    every: bool,
    link: bool,
    **values: Any,  # noqa: ANN401 - what click gives by name
) -> int:
    """Connect an MCP CLIENT, or print how.

    Prints the configuration that starts the server of this installation by its absolute path,
    without Node.js. With --write, adds it to the client's file: shows the lines that change, asks,
    keeps the rest of the file as it is, and the old file beside it.

    \b
    Examples:
      leanspec-launcher mcp-config
      leanspec-launcher mcp-config cursor --write
      leanspec-launcher mcp-config vscode --write --scope user --project .
      leanspec-launcher mcp-config --all --write --dry-run
      leanspec-launcher mcp-config cursor --remove
      leanspec-launcher mcp-config vscode --link
    """
    options = ChangeOptions(**values)
    if sum((write, options.remove, link)) > 1:
        raise click.UsageError("`--write`, `--remove` and `--link` exclude each other")
    needs_change = every or options.scope or options.yes or options.dry_run or options.force
    if needs_change and not (write or options.remove):
        raise click.UsageError("without `--write` or `--remove`, no file is changed")
    if link:
        echo(install_link(client))
        return 0
    if not write and not options.remove:
        echo_text(written(CLIENTS[client], _entry(CLIENTS[client], options)))
        return 0
    if not every:
        _change(CLIENTS[client], options, SCOPES[0])
        return 0
    return _change_all([each for each in CLIENTS.values() if is_present(each)], options)


def _entry(client: Client, options: ChangeOptions) -> dict[str, Any]:
    """Return the server in a client's own words."""
    command = server(options.project, current(), portable=options.portable)
    return describe(client, command)


def _change_all(clients: list[Client], options: ChangeOptions) -> int:
    """Change the user's file of each client; a file that cannot be changed keeps no other from it."""
    code = 0
    for client in clients:
        try:
            _change(client, options, "user")
        except click.Abort:  # noqa: PERF203 - a few files
            raise
        except Exception as error:  # noqa: BLE001 - a few files
            code = report(explained(error))
    if not clients:
        echo("no client is found: none of them has a folder for its settings")
    return code


def _file(client: Client, options: ChangeOptions, scope: str) -> Path:
    """Return the file to change: of the scope that was asked for, else of `scope` if there is one."""
    if (options.scope or scope) == "user" or not (client.project or options.scope):
        return user_file(client)
    if not client.project:
        raise CommandError(
            f"there is no file of {client.title} in a project", hint="use `--scope user`"
        )
    project = (options.project or Path.cwd()).absolute()
    file = project / client.project
    # A project may be a stranger's, and what it leads to is not.
    target = Path(os.path.realpath(file))
    if Path(os.path.realpath(project)) not in target.parents:
        raise CommandError(
            f"`{file}` leads out of the project, to `{target}`",
            hint="use `--scope user`, or remove that link",
        )
    return file


def _change(client: Client, options: ChangeOptions, scope: str) -> None:
    file = _file(client, options, scope)
    if client.form is Form.YAML:
        _print_for_hand(client, file, options)
        return
    entry = None if options.remove else _entry(client, options)
    change = changed(client, file, entry, force=options.force)
    if not change.difference:
        state = "has no such server" if options.remove else "has it already"
        echo(f"{client.title}: `{change.file.path}` {state}")
        return
    change.file.check()
    echo(f"{client.title}: `{change.file.path}`")
    echo_text(change.difference)
    if options.dry_run:
        return
    if not options.yes and not _is_confirmed():
        echo("nothing is changed")
        return
    backup = change.make()
    result = f"changed; the old one is `{backup.name}`" if backup else "written"
    echo(f"{result}. {client.title} reads it when it starts.")


def _print_for_hand(client: Client, file: Path, options: ChangeOptions) -> None:
    """Print what the user has to change in a file."""
    if options.remove:
        keys = ".".join((*client.table, NAME))
        echo(f"{client.title}: take `{keys}` out of `{file}` yourself")
        return
    echo(f"{client.title}: add this to `{file}` yourself")
    echo_text(written(client, _entry(client, options)))


def _is_confirmed() -> bool:
    """Ask; raises CommandError if there is nobody to answer."""
    if not _is_a_terminal():
        raise CommandError(
            "nothing is changed: there is no terminal to ask on", hint="add `--yes`"
        )
    return click.confirm("change it?")


def _is_a_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()
