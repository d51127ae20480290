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
NOT_TYPED = re.compile(
    r"^uv \w+$"  # half a line
    r"|\b[A-Z]{2,}\b|…"  # with a placeholder
    r"|uninstall leanspec-\w+$|upgrade lean-spec$"  # of what another line installed
    r"|launcher fetch$| --dev$"  # from the network
    r"| --port 8080$"  # others may have it
    r"|spec validate$"  # LeanSpec has none yet
)
# What ends with Ctrl-C.
SERVES = re.compile(r"^(uvx )?leanspec-ui(?!.*--dry-run)|^lean-spec ui")
PROJECT = """\
[project]
name = "p"
version = "1"
requires-python = ">=3.11"
"""
# The pages share one environment. To make it again would cost more than the rest of a page: pip is
# installed into it once.
PYTHON = f"""#!/bin/sh
if [ "$*" = "-m venv environment" ] && [ -d environment ]; then exit; fi
exec {BASE_PYTHON} "$@"
"""


def blocks() -> dict[str, list[str]]:
    """Return the blocks to run of each page that has some."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    scripts = {page.name: BLOCK.findall(page.read_text("utf-8")) for page in pages}
    return {name: blocks for name, blocks in scripts.items() if blocks}


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
def variables(reader: Path, dist: Path, wheelhouse: Path, tmp_path: Path) -> dict[str, str]:
    """Return the environment of the reader, with nothing installed by pipx and uv."""
    env = from_files(reader, dist, wheelhouse)
    folders = (tmp_path / "uv-bin", tmp_path / "pipx-bin", reader / "bin")
    return env | {
        "PATH": ":".join([*map(str, folders), env["PATH"]]),
        "PIPX_HOME": str(tmp_path / "pipx"),
        "PIPX_BIN_DIR": str(tmp_path / "pipx-bin"),
        "PIPX_DEFAULT_PYTHON": str(BASE_PYTHON),
        "UV_TOOL_DIR": str(tmp_path / "uv-tools"),
        "UV_TOOL_BIN_DIR": str(tmp_path / "uv-bin"),
        "UV_PYTHON": str(BASE_PYTHON),
    }


@pytest.mark.parametrize("page", blocks())
def test_each_block_of_a_page_works_in_its_order(
    page: str, reader: Path, variables: dict[str, str]
) -> None:
    for block in blocks()[page]:
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
        "docs/updating.md",
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


def test_the_pages_contain_commands_to_run() -> None:
    assert sum(map(len, blocks().values())) >= 15


def test_the_picture_of_the_terminal_shows_what_the_program_prints(
    binaries: Path, tmp_path: Path
) -> None:
    (program,) = binaries.glob("cli/binaries/*/leanspec*")
    lines = terminal_picture.transcript(program, tmp_path)
    assert terminal_picture.PICTURE.read_text("utf-8") == terminal_picture.draw(lines)
