"""`--help` teaches: every command says in one line what it does, every option what it means."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from leanspec_launcher.manage.cli import root as launcher
from scripts.cli import root as scripts
from tests.support.command_lines import must_exist

PROGRAMS = {"python -m scripts": scripts, "leanspec-launcher": launcher}
WIDTH = 80


def commands(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for each in command.list_commands(context):
            found = command.get_command(context, each)
            assert found is not None
            yield from commands(f"{name} {each}", found)


EVERY = [pair for name, root in PROGRAMS.items() for pair in commands(name, root)]
every_command = pytest.mark.parametrize(
    ("name", "command"), EVERY, ids=[name for name, _ in EVERY]
)


def shown(name: str, command: click.Command) -> str:
    """Return the help screen, as in a terminal of 80 columns."""
    context = click.Context(
        command, info_name=name, terminal_width=WIDTH, max_content_width=WIDTH
    )
    return command.get_help(context)


@every_command
def test_it_says_in_one_line_what_it_does(name: str, command: click.Command) -> None:
    first, _, rest = (command.help or "").partition("\n")
    assert re.fullmatch(r"[A-Z][^.]{10,55}\.", first), f"{name}: `{first}`"
    assert rest == "" or rest.startswith("\n"), f"{name}: the first line stands alone"


@every_command
def test_no_line_is_cut_off(name: str, command: click.Command) -> None:
    for line in shown(name, command).splitlines():
        assert not re.search(r"[a-z:,]\.\.\.$", line), line


@every_command
def test_every_option_says_what_it_means(name: str, command: click.Command) -> None:
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, f"{name}: {option.opts[0]}"
            assert re.match(r"[A-Z`]", option.help), (
                f"{name}: {option.opts[0]}: `{option.help}`"
            )
            assert option.help.endswith("."), f"{name}: {option.opts[0]}: `{option.help}`"


@every_command
def test_it_shows_an_example_of_what_it_needs(name: str, command: click.Command) -> None:
    needed = [each for each in command.params if each.required]
    if needed and not isinstance(command, click.Group):
        assert re.search(r"Examples?:\n", command.help or ""), name


@every_command
def test_its_examples_are_commands_that_exist(name: str, command: click.Command) -> None:
    for program, root in PROGRAMS.items():
        pattern = rf"^ *({re.escape(program).replace('python', 'python3?')} .*)$"
        for line in re.findall(pattern, command.help or "", re.MULTILINE):
            words = shlex.split(line, comments=True)
            must_exist(root, words[len(program.split()) :], f"{name}: `{line}`")


def test_help_needs_no_command() -> None:
    for root in PROGRAMS.values():
        done = CliRunner().invoke(root, ["--help"])
        assert done.exit_code == 0
        assert done.output.startswith("Usage: ")
