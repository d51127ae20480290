"""Asking a binary for its version, and an MCP server for its tools, if this machine can run it."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from leanspec_launcher._search import ADAPTER_FILES
from leanspec_launcher._tables import Platform, Program, current
from leanspec_launcher.commands import CommandError
from leanspec_launcher.instead.answer import reported_version
from leanspec_launcher.protocol import ServerInfo, ask
from leanspec_launcher.tools import MARKDOWN, outlines
from scripts.tools.processes import program_environment

# adapter -> what a project has to say of it. Nobody is asked: no such project exists.
ADAPTERS = {
    MARKDOWN: "",
    "github": "owner: example\nrepo: example\n",
    "ado": "organization: example\nproject: example\n",
    "jira": "host: example.invalid\nproject: EXAMPLE\nemail: user@example.invalid\n",
}
# A server asks the issue tracker of a project which labels and states it has, and takes those that
# LeanSpec knows if it cannot reach it. The port is reserved, and nothing listens on it.
WITHOUT_NETWORK = {
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "GITHUB_TOKEN": "none",
    "ADO_TOKEN": "none",
    "JIRA_TOKEN": "none",
}


def runs_here(platform: Platform) -> bool:
    """Tell whether this machine runs binaries of a platform."""
    return platform is current()


def reported_here(program: Program, platform: Platform, binary: Path) -> str | None:
    """Return the version that a binary reports; None if this machine cannot run it, or it reports none."""
    if not runs_here(platform):
        return None
    try:
        return reported_version(program, str(binary))
    except OSError:
        return None


def reported_tools(program: Path) -> dict[str, dict[str, str]]:
    """Return the outlines of the tools of an MCP server: adapter -> tool -> outline.

    Each adapter has a project of its own, without specs, schemas or a network. Raises OSError if the
    server cannot be started, or does not list its tools.
    """
    tools = {}
    for adapter, settings in ADAPTERS.items():
        with tempfile.TemporaryDirectory(prefix="leanspec-tools-") as name:
            Path(name, ADAPTER_FILES[0]).write_text(
                f"adapter: {adapter}\n{settings}", "utf-8"
            )
            env = program_environment(Path(name, "home")) | WITHOUT_NETWORK
            server = ask([str(program)], name, env, tools=True)
            tools[adapter] = outlines(server.tools)
    return tools


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
