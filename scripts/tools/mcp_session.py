"""Listing the tools of an MCP server that is part of a release."""

from collections.abc import Mapping
from pathlib import Path

from leanspec_launcher.commands import CommandError
from leanspec_launcher.protocol import ServerInfo, ask


def list_tools(command: list[str], folder: Path, env: Mapping[str, str]) -> ServerInfo:
    """Return what a server says of itself, and its tools.

    Raises CommandError if it does not answer, says anything but messages, or does not end when its
    input ends.
    """
    try:
        server = ask(command, str(folder), env, tools=True)
    except OSError as error:
        raise CommandError(
            f"`{command[0]}` did not answer as an MCP server does: {error}"
        ) from None
    if not server.is_clean:
        raise CommandError(
            f"`{command[0]}` printed something but messages, or did not end with its input"
        )
    return server
