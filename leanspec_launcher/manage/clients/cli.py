"""Command line of `mcp-config`."""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from leanspec_launcher.commands import (
    CommandError,
    Output,
    echo,
    echo_sentence,
    echo_text,
    explained,
    report,
    say_hint,
)
from leanspec_launcher.manage import options as shared
from leanspec_launcher.manage.options import CommandReport

from . import effects
from .change import Change, put_in, servers_in, take_out, written
from .choice import ChangeOptions, choose
from .entry import install_link
from .places import (
    PROJECT,
    USER,
    ServersFile,
    file_to_change,
    files,
    former,
    home,
    is_home,
    is_present,
)
from .table import CLIENTS, NAME, RENAMED, Client, Form

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
SCOPES = (PROJECT, USER)
# What `--json` prints of a client.
Result = dict[str, object]
SERVER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
# Names of Claude Code's own, of opencode's newer form, and of JavaScript's objects.
RESERVED = ("workspace", "claude-in-chrome", "servers", "constructor", "prototype")


FORMER_NAMES = ", ".join(f"{old} (now {new})" for old, new in RENAMED.items())


def _complete(_: click.Context, __: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in CLIENTS if name.startswith(incomplete.lower())]


def _client_name(_: click.Context, __: click.Parameter, text: str | None) -> str | None:
    """Return the name of a client in lower case. Raises UsageError with the nearest names for any other."""
    name = text.lower() if text else None
    if name is None or name in CLIENTS:
        return name
    if name in RENAMED:
        return RENAMED[name]
    nearest = difflib.get_close_matches(name, CLIENTS, 2, cutoff=0.7)
    suggestion = " or ".join(f"`{command}`" for command in nearest)
    question = f": did you mean {suggestion}?" if suggestion else ""
    raise click.UsageError(f"no client is called `{text}`{question}")


@click.command(
    name="mcp-config",
    epilog=f"CLIENT is one of: {', '.join(CLIENTS)}, {FORMER_NAMES}.",
)
@click.argument(
    "client",
    required=False,
    metavar="[CLIENT]",
    callback=_client_name,
    shell_complete=_complete,
)
@click.option(
    "--project",
    type=FOLDER,
    help="The project whose file changes, and in which the server starts. Default: this one.",
)
@click.option("--write", is_flag=True, help="Add the server to the client's file.")
@click.option("--remove", is_flag=True, help="Take the server out of that file again.")
@click.option(
    "--scope",
    type=click.Choice(SCOPES),
    help="Use the project's file, or your own for all projects. Default: the project's, if any.",
)
@click.option(
    "--all",
    "every",
    is_flag=True,
    help="Change your own file of every client that you have.",
)
@click.option(
    "--portable/--absolute",
    default=None,
    help="Write `uvx leanspec-mcp`, for every machine with uv, or this installation's path."
    " Default: portable in a project's file, absolute in yours.",
)
@click.option("--pin", is_flag=True, help="With `uvx`: write this version of the server.")
@click.option(
    "--enable", is_flag=True, help="Switch the server on, if the file switches it off."
)
@click.option(
    "--name", default=NAME, show_default=True, help="The server's name in the file."
)
@click.option(
    "--policy", is_flag=True, help="Print what an administrator adds to allow the server."
)
@click.option(
    "--link", is_flag=True, help="Print a link that adds the server: vscode, cursor."
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask before a file is changed.")
@shared.dry_run
@click.option("--force", is_flag=True, help="Also replace another server of the same name.")
@shared.report("clients")
def command(client: str | None, **values: Any) -> CommandReport:  # noqa: ANN401 - what click gives by name
    """Connect an MCP CLIENT, or print how.

    Prints the configuration that starts the server of this installation, without Node.js, and the
    name of the file that it goes into. With --write, shows the lines that change and what else
    they do, asks, and adds them. The rest of the file stays as it is, and a copy of the old file
    is kept next to it. Without CLIENT, lists the clients.

    \b
    Examples:
      leanspec-launcher mcp-config
      leanspec-launcher mcp-config claude
      leanspec-launcher mcp-config cursor --write
      leanspec-launcher mcp-config vscode --write --scope user
      leanspec-launcher mcp-config claude-desktop --write --project .
      leanspec-launcher mcp-config --all --write --dry-run
      leanspec-launcher mcp-config cursor --remove
      leanspec-launcher mcp-config vscode --policy
    """
    options = ChangeOptions(**values)
    _check(client, options)
    if options.every and not options.policy:
        return _change_all(options)
    if client is None:
        return _list_clients(options)
    row = CLIENTS[client]
    if options.link:
        address = install_link(client)
        echo(address)
        return _report([{"client": client, "link": address}])
    if options.policy:
        return _print_policy(row, options)
    if options.is_change:
        return _report(_change(row, options, _scope(row, options)))
    return _print_entry(row, options)


def _check(client: str | None, options: ChangeOptions) -> None:
    """Raise UsageError for options that do not go together."""
    actions = (options.write, options.remove, options.link, options.policy)
    if sum(actions) > 1:
        raise click.UsageError(
            "`--write`, `--remove`, `--policy` and `--link` exclude each other"
        )
    has_answer = options.yes or options.dry_run
    needs_change = options.every or has_answer or options.force or options.enable
    if client is None:
        needs_change = needs_change or bool(options.scope)
    if needs_change and not (options.is_change or options.policy):
        raise click.UsageError("without `--write` or `--remove`, no file is changed")
    if options.pin and options.portable is False:
        raise click.UsageError("`--pin` is for `uvx`: it excludes `--absolute`")
    if not SERVER_NAME.fullmatch(options.name) or options.name in RESERVED:
        raise click.UsageError(f"invalid name of a server: `{options.name}`")
    if Output.is_for_programs and options.is_change and not has_answer:
        raise click.UsageError("`--json` asks no questions: add `--yes` or `--dry-run`")
    changes_one = options.is_change and not options.every
    if client is None and (options.link or options.policy or changes_one):
        raise click.UsageError("no CLIENT is given: name one, or add `--all`")


def _report(clients: list[Result], code: int = 0) -> CommandReport:
    return CommandReport({"clients": clients}, code)


def _list_clients(options: ChangeOptions) -> CommandReport:
    """List the clients, those of this user first."""
    clients: list[Result] = []
    for client in CLIENTS.values():
        file = file_to_change(client, _scope(client, options), options.folder)
        is_here = is_present(client)
        # A file that cannot be read tells nothing.
        with contextlib.suppress(CommandError):
            is_here = is_here or _has_server(client, options)
        clients.append(
            {
                "client": client.name,
                "title": client.title,
                "file": str(file),
                "is_present": is_here,
            }
        )
    width = max(map(len, CLIENTS))
    present = [client for client in clients if client["is_present"]]
    others = [client for client in clients if client not in present]
    heading = "others:" if present else "no client was found; supported clients:"
    for title, rows in (("found here:", present), (heading, others)):
        lines = [
            f"  {row['client']:{width}}  {row['title']}: {_short(str(row['file']))}"
            for row in rows
        ]
        if lines:
            echo_text("\n".join([title, *lines]))
    say_hint("`leanspec-launcher mcp-config CLIENT` prints its lines, `--write` adds them")
    return _report(clients)


def _short(path: str) -> str:
    """Return a path as a shell takes it, from this folder or the home folder if it is below."""
    for above, sign in ((Path.cwd(), ""), (home(), f"~{os.sep}")):
        if above in Path(path).parents:
            return f"{sign}{Path(path).relative_to(above)}"
    return path


def _print_entry(client: Client, options: ChangeOptions) -> CommandReport:
    """Print what `--write` would add, and on standard error the file that it goes into."""
    try:
        scope = _scope(client, options)
        file = str(_place(client, options, scope).path)
    except CommandError:  # a user without a home folder, or a folder that is no project's
        if options.scope:
            raise
        scope, file = USER, ""
    server, _ = choose(client, scope, options)
    text = written(client, options.name, server)
    result: Result = {"client": client.name, "text": text}
    if file:
        result["file"] = file
        other = " (your own file, for all projects: `--scope user`)"
        rest = other if scope == PROJECT else ""
        echo_sentence(f"{client.title} reads this from `{file}`{rest}:", err=True)
    echo_text(text)
    return _report([{**result, "command": server.words, "cwd": server.cwd}])


def _scope(client: Client, options: ChangeOptions) -> str:
    """Return the scope of a client's file: if none is asked for, the project's, where there is one."""
    # In the home folder, a project's file may be the user's own.
    usual = PROJECT if client.project and not is_home(options.folder) else USER
    return options.scope or usual


def _change_all(options: ChangeOptions) -> CommandReport:
    """Change the user's file of each client; a file that cannot be changed keeps no other from it.

    A removal also changes those of the project, if they have the server.
    """
    code = 0
    results: list[Result] = []
    home()  # without one, each client would say so
    for client in CLIENTS.values():
        try:
            for scope in _scopes(client, options):
                results += _change(client, options, scope)
        except click.Abort:  # noqa: PERF203 - a few files
            raise
        except Exception as error:  # noqa: BLE001 - as above
            code = report(explained(error))
    if not results and not code:
        echo("no client was found: no settings of any client exist")
    return _report(results, code)


def _scopes(client: Client, options: ChangeOptions) -> Iterator[str]:
    """Yield the scopes of a client whose files `--all` changes."""
    if client.ended and not options.remove:
        return
    if is_present(client, for_removal=options.remove):
        yield USER
    if options.remove and _has_server(client, options):
        yield PROJECT


def _has_server(client: Client, options: ChangeOptions) -> bool:
    """Tell whether a client's file in the project has the server."""
    if not client.project or is_home(options.folder):
        return False
    places = (
        ServersFile(client, path, PROJECT)
        for path in files(client, PROJECT, options.folder)
    )
    return any(options.name in servers_in(place) for place in places)


def _change(client: Client, options: ChangeOptions, scope: str) -> list[Result]:
    if options.remove:
        return _remove(client, options, scope)
    return [_write(client, options, scope)]


def _write(client: Client, options: ChangeOptions, scope: str) -> Result:
    if client.ended:
        raise CommandError(
            f"cannot add a server to {client.title}: {client.ended}",
            hint=f"leanspec-launcher mcp-config {client.name} --remove",
        )
    place = _place(client, options, scope)
    server, reason = choose(client, scope, options)
    if _is_for_hand(place):
        echo(f"{client.title}: add this to `{place.path}` yourself")
        text = written(client, options.name, server)
        echo_text(text)
        return _result(place, "for you to change", text)
    name, enable = options.name, options.enable
    change = put_in(place, name, server, enable=enable, force=options.force)
    entry = effects.Entry(place, name, options.folder)
    effects.must_be_readable(place, change.after)
    effects.must_hide_nothing(place, options.folder)
    effects.must_agree(entry, server)
    remarks = [*change.remarks, *effects.remarks(entry, server, enable=enable)]
    _print_change(client, change, "has it already", [reason])
    for remark in remarks:
        echo_sentence(f"  {remark}")
    return _make(place, change, options)


def _remove(client: Client, options: ChangeOptions, scope: str) -> list[Result]:
    paths = former(client) if scope == USER else []
    others = [ServersFile(client, path, scope) for path in paths if os.path.lexists(path)]
    place = _place(client, options, scope)
    places = others if others and not place.exists else [place, *others]
    if _is_for_hand(places[0]):
        keys = ".".join((*client.table, options.name))
        echo(f"{client.title}: take `{keys}` out of `{places[0].path}` yourself")
        return [_result(places[0], "for you to change")]
    results = []
    root = options.folder if scope == PROJECT else home()
    for place in places:
        change = take_out(place, options.name, root, force=options.force)
        readers = effects.readers(place, options.folder)
        _print_change(client, change, "has no such server", readers)
        results.append(_make(place, change, options))
    # In a dry run, what would be taken out is still there.
    gone = places if options.dry_run else []
    for remark in effects.left(client, options.name, options.folder, gone):
        echo_sentence(remark)
    return results


def _print_change(
    client: Client, change: Change, unchanged: str, remarks: Iterable[str]
) -> None:
    """Print the lines that change and what is to be said of them, or that none does."""
    path = change.file.path
    if not change.difference:
        echo(f"{client.title}: `{path}` {unchanged}")
        return
    change.file.check()
    echo(f"{client.title}: `{path}`")
    echo_text(change.difference)
    for remark in remarks:
        echo_sentence(f"  {remark}")


def _place(client: Client, options: ChangeOptions, scope: str) -> ServersFile:
    """Return the file of a scope that decides about a server.

    Raises CommandError if there is none, or if it leads out of the project.
    """
    if scope == USER:
        return _deciding(client, options, USER)
    if not client.project:
        raise CommandError(
            f"{client.title} has no file in a project", hint="use `--scope user`"
        )
    if is_home(options.folder) or options.folder == Path(options.folder.anchor):
        raise CommandError(
            f"`{options.folder}` is not the folder of a project",
            hint="use `--scope user`, or name a project: `--project FOLDER`",
        )
    place = _deciding(client, options, PROJECT)
    # A project may be a stranger's, and what it leads to is not.
    target = Path(os.path.realpath(place.path))
    if Path(os.path.realpath(options.folder)) not in target.parents:
        raise CommandError(
            f"`{place.path}` leads out of the project, to `{target}`",
            hint="use `--scope user`, or remove that link",
        )
    return place


def _deciding(client: Client, options: ChangeOptions, scope: str) -> ServersFile:
    """Return the file in which a server stands, or else the one that decides about a new one."""
    for path in files(client, scope, options.folder) if client.is_merged else ():
        place = ServersFile(client, path, scope)
        if place.exists and options.name in servers_in(place):
            return place
    return ServersFile(client, file_to_change(client, scope, options.folder), scope)


def _is_for_hand(place: ServersFile) -> bool:
    """Tell whether nothing here can change a file: it is YAML, or TOML for a Python that cannot read it."""
    form = place.client.form
    if form is Form.TOML and sys.version_info < (3, 11):
        return place.exists
    return form is Form.YAML


def _result(place: ServersFile, result: str, text: str = "") -> Result:
    """Return what became of a client's file, for programs."""
    return {
        "client": place.client.name,
        "file": str(place.path),
        "result": result,
        "text": text,
    }


def _make(place: ServersFile, change: Change, options: ChangeOptions) -> Result:
    """Make a change, if there is one, and the user wants it."""
    # What a link leads to.
    place = replace(place, path=change.file.path)
    difference = change.difference
    if not difference:
        return _result(place, "unchanged")
    if options.dry_run:
        return _result(place, "would be changed", difference)
    if not options.yes and not _is_confirmed():
        echo("nothing is changed")
        return _result(place, "unchanged")
    copy = change.make()
    result = "changed" if change.file.content else "written"
    words = result
    if change.is_ours:
        result, words = "removed", "removed, and the empty file with it"
    if copy:
        words += f"; the old file is kept as `{copy.name}`"
    echo_sentence(f"{words}; restart {place.client.title}")
    return _result(place, result, difference)


def _print_policy(client: Client, options: ChangeOptions) -> CommandReport:
    """Print what an administrator adds; raises CommandError for a client without such a list."""
    if client.policy is None:
        raise CommandError(
            f"{client.title} has no known list of allowed servers",
            hint="see the page of the client: " + client.source,
        )
    server, _ = choose(client, _scope(client, options), options)
    text = "\n".join(client.policy.lines).replace("NAME", options.name)
    for word, value in (("COMMAND", server.words), ("PROGRAM", server.command)):
        text = text.replace(word, json.dumps(value, ensure_ascii=False))
    echo(f"# {client.title}: {client.policy.place}")
    echo_text(text)
    result: Result = {"client": client.name, "file": client.policy.place}
    return _report([{**result, "text": text}])


def _is_confirmed() -> bool:
    """Ask; raises CommandError if there is nobody to answer."""
    if not _is_a_terminal():
        raise CommandError(
            "nothing is changed: there is no terminal to ask on", hint="add `--yes`"
        )
    return click.confirm("change it?")


def _is_a_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()
