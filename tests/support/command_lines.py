"""Command lines that are written somewhere, compared with the commands that there are."""

from __future__ import annotations

import click


def must_exist(root: click.Command, arguments: list[str], where: str) -> None:
    """Follow a command line's words, and fail where it names a command or an option that does not exist."""
    command, rest = root, arguments
    while isinstance(command, click.Group) and rest:
        name, *rest = rest
        found = command.get_command(click.Context(command), name)
        assert found is not None, f"{where}: no command `{name}`"
        command = found
    known = {option for parameter in command.params for option in parameter.opts}
    for argument in rest[: rest.index("--") if "--" in rest else None]:
        if argument.startswith("--"):
            assert argument.partition("=")[0] in known, f"{where}: no option `{argument}`"
