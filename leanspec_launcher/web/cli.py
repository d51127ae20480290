"""Command line of `leanspec-ui`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from leanspec_launcher._pins import VERSION

from .place import UI
from .port import FIRST_PORT, HIGHEST, port_of
from .serve import LOCAL_HOSTS, show

FOLDER = click.Path(path_type=Path)


def _port(_: click.Context, __: click.Parameter, text: str | None) -> int | None:
    """Return the port of an option. Raises BadParameter if it is none."""
    port = port_of(text or "")
    if text is not None and port is None:
        raise click.BadParameter(f"'{text}' is not a number from 1 to {HIGHEST}")
    return port


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(
    VERSION or "(source checkout)", "-V", "--version", message=f"{UI.command} %(version)s"
)
@click.option(
    "--project", type=FOLDER, help="The project to show. Default: the nearest one."
)
@click.option(
    "-d",
    "--specs-dir",
    type=FOLDER,
    help="The folder `specs` to show, instead of a project.",
)
@click.option(
    "--multi-project", is_flag=True, help="Show every known project; select none."
)
@click.option(
    "-p",
    "--port",
    metavar="PORT",
    callback=_port,
    help=f"Port to listen on. Default: {FIRST_PORT}, or the next.",
)
@click.option(
    "--host", default=LOCAL_HOSTS[0], show_default=True, help="The address to listen on."
)
@click.option("--no-open", is_flag=True, help="Print the address, and open no browser.")
@click.option(
    "--new", is_flag=True, help="Start another server for a project that has one."
)
@click.option("--readonly", is_flag=True, help="Make the pages read-only.")
@click.option(
    "--dry-run", is_flag=True, help="Print the server's command line, and start nothing."
)
@click.option("-q", "--quiet", is_flag=True, help="Print only the address.")
@click.option(
    "-o", "--output", type=click.Choice(["text", "json"]), default="text", hidden=True
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object when it is ready."
)
@click.argument("more", nargs=-1, metavar="[-- OPTION...]")
def command(*, as_json: bool, output: str, **options: Any) -> None:  # noqa: ANN401 - what click gives by name
    """Show a project's specs in the browser.

    Starts LeanSpec's web server for this machine alone, opens the browser, and ends the server
    when it is interrupted. Needs no network. A second call for the same project opens the
    running server. Options after `--` are passed to the server.

    Exits with 0 after Ctrl-C, with the server's own exit code if that ends by itself, 1 if it
    could not be started, 2 for wrong usage.

    \b
    Examples:
      leanspec-ui
      leanspec-ui --project ../other --port 8080
      leanspec-ui --no-open --json
    """
    show(as_json=as_json or output == "json", **options)
