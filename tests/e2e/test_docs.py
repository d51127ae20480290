"""Commands of the docs, run as they stand there, on wheels built here, by one reader."""

from __future__ import annotations

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


@pytest.mark.parametrize(
    "block", [block for _, block in scripts()], ids=[name for name, _ in scripts()]
)
def test_what_the_docs_say_to_type_works(
    block: str, reader: Path, dist: Path, wheelhouse: Path
) -> None:
    env = from_files(reader, dist, wheelhouse)
    folders = (reader / "uv-bin", reader / "pipx-bin", reader / "bin")
    env |= {
        "PATH": ":".join([*map(str, folders), env["PATH"]]),
        "PIPX_DEFAULT_PYTHON": str(BASE_PYTHON),
        "UV_PYTHON": str(BASE_PYTHON),
    }
    run(["bash", "-euxo", "pipefail", "-c", block], env, cwd=reader / "here")


def test_there_are_commands_to_run() -> None:
    assert len([*scripts()]) >= 5


def test_the_picture_of_the_terminal_shows_what_the_program_prints(
    binaries: Path, tmp_path: Path
) -> None:
    (program,) = binaries.glob("cli/binaries/*/leanspec*")
    lines = terminal_picture.transcript(program, tmp_path)
    assert terminal_picture.PICTURE.read_text("utf-8") == terminal_picture.draw(lines)
