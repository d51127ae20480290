"""Command lines of `leanspec-ui`: those that are read without click, and click's reading of them."""

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leanspec_launcher.web.cli import command
from leanspec_launcher.web.serve import ServerOptions
from leanspec_launcher.web.start import FLAGS, VALUES, plain_options

DEFAULTS = ServerOptions(None)._asdict() | {"specs_dir": None, "multi_project": False}
WORDS = [
    *(*FLAGS, *VALUES, "-n", "--no-open=1", "-o", "json", "-p80"),
    *("80", "0", "65536", "0655350", "٣", "-1", "--", "", "a b", "x"),
]


@given(st.lists(st.sampled_from(WORDS), max_size=5))
def test_a_plain_command_line_is_read_as_click_reads_it(arguments: list[str]) -> None:
    options = plain_options(arguments)
    if options is not None:
        with command.make_context("leanspec-ui", [*arguments]) as context:
            by_click = context.params
        assert by_click.pop("output") == "text"
        assert DEFAULTS | options == by_click


@pytest.mark.parametrize("word", [*FLAGS, *VALUES])
def test_a_plain_option_is_one_of_the_command(word: str) -> None:
    options = [name for option in command.params for name in option.opts]
    assert word in options
    assert plain_options([word, "80"] if word in VALUES else [word]) is not None


def test_plain_options_leave_every_other_one_to_click() -> None:
    words = {name for option in command.params for name in option.opts}
    for word in words - {*FLAGS, *VALUES}:
        assert plain_options([word]) is None, word
    with pytest.raises(click.UsageError):
        command.make_context("leanspec-ui", ["--port", "0"])
