"""Commands of the docs, run as they stand there, on wheels built here, by one reader."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from scripts.environment import ROOT
from tests.support import terminal_picture
from tests.support.installers import from_files
from tests.support.surroundings import BASE_PYTHON, run

BLOCK = re.compile(r"^```sh run\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:pip|pipx|uv|uvx|leanspec-\w+|lean-spec) [^`]*|leanspec-ui)`")
# Half a line, a placeholder, what another line left, what needs the network, a port that others may have, and what
# LeanSpec cannot do yet.
NOT_TYPED = re.compile(
    r"^uv \w+$|\b[A-Z]{2,}\b|…|uninstall leanspec-\w+$|launcher fetch$| --dev$| --port 8080$|spec validate$"
)
# What ends with Ctrl-C.
SERVES = re.compile(r"^(uvx )?leanspec-ui(?!.*--dry-run)|^lean-spec ui")
PROJECT = """\
[project]
name = "p"
version = "1"
requires-python = ">=3.11"
"""
# The blocks share one environment. To make it again would cost more than the rest of a block: pip
# is installed into it once.
PYTHON = f"""#!/bin/sh
if [ "$*" = "-m venv environment" ] && [ -d environment ]; then exit; fi
exec {BASE_PYTHON} "$@"
"""


def scripts() -> Iterator[tuple[str, str]]:
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for number, block in enumerate(BLOCK.findall(page.read_text("utf-8")), 1):
            yield f"{page.name}-{number}", block


def inline_lines(text: str) -> list[str]:
    """Return the commands that a page has in its sentences and tables, each once."""
    lines = dict.fromkeys(INLINE.findall(text))
    return [line for line in lines if not NOT_TYPED.search(line)]


@pytest.fixture
def reader(shared: Path) -> Iterator[Path]:
    """Return the home of a reader, whom another test process waits for."""
    home = shared / "reader"
    with FileLock(f"{home}.lock"):
        (home / "here").mkdir(parents=True, exist_ok=True)
        (home / "bin").mkdir(exist_ok=True)
        (home / "bin/python3").write_text(PYTHON)
        (home / "bin/python3").chmod(0o755)
        yield home


@pytest.fixture
def variables(reader: Path, dist: Path, wheelhouse: Path) -> dict[str, str]:
    """Return the environment of the reader."""
    env = from_files(reader, dist, wheelhouse)
    folders = (reader / "uv-bin", reader / "pipx-bin", reader / "bin")
    return env | {
        "PATH": ":".join([*map(str, folders), env["PATH"]]),
        "PIPX_DEFAULT_PYTHON": str(BASE_PYTHON),
        "UV_PYTHON": str(BASE_PYTHON),
    }


@pytest.mark.parametrize(
    "block", [block for _, block in scripts()], ids=[name for name, _ in scripts()]
)
def test_what_the_docs_say_to_type_works(
    block: str, reader: Path, variables: dict[str, str]
) -> None:
    run(["bash", "-euxo", "pipefail", "-c", block], variables, cwd=reader / "here")


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "docs/installing.md",
        "docs/mcp-clients.md",
        "docs/migration.md",
        "docs/troubleshooting.md",
        "docs/web-ui.md",
    ],
)
def test_each_line_in_a_sentence_or_table_works_in_the_order_of_its_page(
    page: str, reader: Path, variables: dict[str, str], tmp_path: Path
) -> None:
    """In an environment that is active, and in a project."""
    lines = inline_lines((ROOT / page).read_text("utf-8"))
    assert len(lines) > 2
    run(["python3", "-m", "venv", "environment"], variables, cwd=reader / "here")
    environment = reader / "here/environment"
    env = variables | {
        "PATH": f"{environment / 'bin'}:{variables['PATH']}",
        "VIRTUAL_ENV": str(environment),
        "SHELL": "/bin/bash",
    }
    project = tmp_path / "project"
    (project / "specs").mkdir(parents=True)
    (project / "pyproject.toml").write_text(PROJECT)
    run(["pip", "install", "lean-spec[ui]"], env, cwd=project)
    for line in lines:
        # A reader has a terminal, and is asked.
        command = ["script", "--quiet", "--return", "--command", line, os.devnull]
        if SERVES.search(line):
            command = ["timeout", "--preserve-status", "--signal=INT", "5", *line.split()]
        run(command, env, cwd=project, text="y\n")


def test_there_are_commands_to_run() -> None:
    assert len([*scripts()]) >= 5


def test_the_picture_of_the_terminal_shows_what_the_program_prints(
    binaries: Path, tmp_path: Path
) -> None:
    (program,) = binaries.glob("cli/binaries/*/leanspec*")
    lines = terminal_picture.transcript(program, tmp_path)
    assert terminal_picture.PICTURE.read_text("utf-8") == terminal_picture.draw(lines)
