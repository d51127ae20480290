"""`python3 -m scripts`: the commands of each stage, in sections."""

from typing import NoReturn

import click

from leanspec_launcher.command_line import CommandGroup, run_command

from .collect.cli import COMMANDS as COLLECT
from .dev.cli import COMMANDS as DEV
from .github.cli import COMMANDS as GITHUB
from .publish.cli import COMMANDS as PUBLISH
from .tools.processes import end_on_signals
from .wheels.cli import COMMANDS as WHEELS

# Where `--help` shows a command; one that is named nowhere is shown last, and a test says so.
# Commands that only the workflow calls are hidden: `--help` after their name explains them.
SECTIONS = {
    "Try it": ("demo", "test", "lock"),
    "Build": ("collect", "wheels", "inspect"),
    "Prepare a release": ("bump", "pre-release", "check"),
    "Release": ("publish", "verify-release", "assets"),
    "Measure": ("bench", "rehearse"),
}


class Sections(CommandGroup):
    """Commands in sections by their purpose, in the order in which they are used."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one section per purpose."""
        placed = {name for names in SECTIONS.values() for name in names}
        visible = [
            name for name in self.list_commands(ctx) if not self.commands[name].hidden
        ]
        others = tuple(name for name in visible if name not in placed)
        # All sections have the first column of the longest name.
        column = max(map(len, self.commands))
        width = formatter.width - 6 - column
        for title, names in (SECTIONS | {"Other": others}).items():
            rows = [
                (name.ljust(column), self.commands[name].get_short_help_str(width))
                for name in names
            ]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


@click.group(
    cls=Sections,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)
def root() -> None:
    """Build, check and release the wheels of LeanSpec.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.

    \b
    A first look:          python3 -m scripts demo
    The test suite:        python3 -m scripts test
    Your own build:        python3 -m scripts collect cargo WORKSPACE --build
                           python3 -m scripts wheels
    """


for command in (*COLLECT, *WHEELS, *PUBLISH, *GITHUB, *DEV):
    root.add_command(command)


def run() -> NoReturn:
    """Run the command line. SIGTERM ends it as Ctrl-C does: children are ended, and what was half done is undone."""
    end_on_signals()
    run_command(root, "python3 -m scripts")
