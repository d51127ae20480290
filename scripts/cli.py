"""`python -m scripts`: the commands of each stage, in sections."""

from __future__ import annotations

from typing import NoReturn

import click

from leanspec_launcher.commands import Group, run_command

from .collect.cli import COMMANDS as COLLECT
from .dev.cli import COMMANDS as DEV
from .github.cli import COMMANDS as GITHUB
from .publish.cli import COMMANDS as PUBLISH
from .tools.processes import end_on_signals
from .wheels.cli import COMMANDS as WHEELS

# Where `--help` shows a command; one that is named nowhere is shown last, and a test says so.
SECTIONS = {
    "Try it": ("demo", "test"),
    "Build": ("collect", "wheels", "inspect", "rebuild-check"),
    "Measure": ("bench",),
    "Release": (
        "bump",
        "bump-dev",
        "sync-versions",
        "pre-release",
        "check",
        "publish",
        "verify-release",
        "publish-server",
        "rehearse",
    ),
    "What a release carries": (
        "attest",
        "release-assets",
        "upload-assets",
        "keygen",
        "sign",
        "verify-signature",
    ),
    "Keep in step": ("matrix", "lock"),
}


class Sections(Group):
    """Show the commands by what they are for, in the order in which they are used."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a section a purpose."""
        named = [name for names in SECTIONS.values() for name in names]
        rest = tuple(name for name in self.list_commands(ctx) if name not in named)
        for title, names in (SECTIONS | {"Other": rest}).items():
            width = formatter.width - 6 - max(map(len, self.commands))
            rows = [(name, self.commands[name].get_short_help_str(width)) for name in names]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(
                        [
                            (f"{name:{max(map(len, self.commands))}}", text)
                            for name, text in rows
                        ]
                    )


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
    Your own build:        python -m scripts collect cargo WORKSPACE --build
                           python -m scripts wheels
    """


for command in (*COLLECT, *WHEELS, *PUBLISH, *GITHUB, *DEV):
    root.add_command(command)


def run() -> NoReturn:
    """Run the command line. SIGTERM ends it as Ctrl-C does: children are ended, and what was half done is undone."""
    end_on_signals()
    run_command(root, "python -m scripts")
