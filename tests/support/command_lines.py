"""Command lines in texts, compared with the commands that exist."""

from __future__ import annotations

import click


def unknown_words(root: click.Command, arguments: list[str]) -> list[str]:
    """Return what a command line names that does not exist."""
    command, rest = root, arguments
    while isinstance(command, click.Group) and rest:
        name, *rest = rest
        child = command.get_command(click.Context(command), name)
        if child is None:
            return [f"no command `{name}`"]
        command = child
    options = {option for parameter in command.params for option in parameter.opts}
    end = rest.index("--") if "--" in rest else len(rest)
    names = [word.partition("=")[0] for word in rest[:end] if word.startswith("--")]
    return [f"no option `{name}`" for name in names if name not in options]
