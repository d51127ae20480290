"""`--help` teaches: every command says in one line what it does, every option what it means."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import click
from click.testing import CliRunner

from leanspec_launcher.manage.cli import root as launcher
from leanspec_launcher.manage.overview import COMMANDS as SUMMARIES
from leanspec_launcher.manage.overview import help_text
from scripts.cli import root as scripts
from tests.support.command_lines import unknown_words
from tests.support.rules import must_hold

# The maintainers' commands that report nothing, or in another way.
WITHOUT_JSON = {
    "demo": "shows what other programs print",
    "test": "passes on what pytest prints; `--junitxml` is its report",
    "lock": "prints the path of each file that it wrote",
    "wheels": "prints the path of each file that it built",
    "attest": "prints the path of each file that it wrote",
    "collect npm": "prints nothing; each `binary.json` states what was collected",
    "collect cargo": "prints nothing; each `binary.json` states what was collected",
    "collect artifacts": "prints nothing; each `binary.json` states what was collected",
    "collect pages": "prints nothing; `pages.json` states what was collected",
    "collect desktop": "prints nothing; the file is named on standard error",
    "matrix": "prints JSON, an object, always",
    "publish-server": "prints JSON, an object, with `--dry-run`",
}
PROGRAMS = {"python3 -m scripts": scripts, "leanspec-launcher": launcher}
WIDTH = 80


def commands(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for word in command.list_commands(context):
            child = command.get_command(context, word)
            assert child is not None
            yield from commands(f"{name} {word}", child)


COMMANDS = [pair for name, root in PROGRAMS.items() for pair in commands(name, root)]


def screen(name: str, command: click.Command) -> str:
    """Return the help screen, as in a terminal of 80 columns."""
    context = click.Context(
        command, info_name=name, terminal_width=WIDTH, max_content_width=WIDTH
    )
    return command.get_help(context)


def test_help_says_in_one_line_what_a_command_does() -> None:
    assert len(COMMANDS) > 30
    # A first line of its own, then nothing or an empty line.
    shape = re.compile(r"[A-Z][^.\n]{10,55}\.(?:\n\n.*)?", re.DOTALL)
    must_hold(
        f"{name}: {(command.help or '')[:80]!r}"
        for name, command in COMMANDS
        if not shape.fullmatch(command.help or "")
    )


def test_help_of_the_launcher_is_the_text_that_click_would_print() -> None:
    result = CliRunner().invoke(launcher, ["--help"], prog_name="leanspec-launcher")
    assert help_text() == result.output.rstrip()


def test_help_of_the_launcher_lists_each_command_by_its_first_line() -> None:
    context = click.Context(launcher)
    assert isinstance(launcher, click.Group)
    for name, (_, summary) in SUMMARIES.items():
        command = launcher.get_command(context, name)
        assert command is not None
        assert (command.help or "").partition("\n")[0] == summary
    own = {command.name for command in launcher.commands.values()}
    assert own == {name for name, (package, _) in SUMMARIES.items() if not package}


def test_help_cuts_off_no_line() -> None:
    must_hold(
        f"{name}: `{line}`"
        for name, command in COMMANDS
        for line in screen(name, command).splitlines()
        if re.search(r"[a-z:,]\.\.\.$", line)
    )


def test_help_says_of_every_option_what_it_means() -> None:
    must_hold(
        f"{name} {option.opts[0]}: `{option.help}`"
        for name, command in COMMANDS
        for option in command.params
        if isinstance(option, click.Option)
        and not re.fullmatch(r"[A-Z`].*\.", option.help or "", re.DOTALL)
    )


def test_each_maintainers_command_that_reports_has_json_or_a_reason() -> None:
    options = {
        name.removeprefix("python3 -m scripts "): "--json"
        in (option for parameter in command.params for option in parameter.opts)
        for name, command in commands("python3 -m scripts", scripts)
        if not isinstance(command, click.Group)
    }
    assert {name for name, has in options.items() if not has} == set(WITHOUT_JSON)


def test_help_shows_an_example_of_what_a_command_needs() -> None:
    must_hold(
        f"{name}: no example"
        for name, command in COMMANDS
        if not isinstance(command, click.Group)
        and any(parameter.required for parameter in command.params)
        and not re.search(r"Examples?:\n", command.help or "")
    )


def examples(program: str, text: str) -> Iterator[str]:
    """Yield the lines of a help text that begin with a program of ours."""
    start = re.escape(program).replace("python", "python3?")
    yield from re.findall(rf"^ *({start} .*)$", text, re.MULTILINE)


def test_help_has_examples_that_exist() -> None:
    must_hold(
        f"{name}: `{line}`: {problem}"
        for name, command in COMMANDS
        for program, root in PROGRAMS.items()
        for line in examples(program, command.help or "")
        for problem in unknown_words(
            root, shlex.split(line, comments=True)[len(program.split()) :]
        )
    )


def test_help_needs_no_command() -> None:
    for root in PROGRAMS.values():
        done = CliRunner().invoke(root, ["--help"])
        assert done.exit_code == 0
        assert done.output.startswith("Usage: ")
