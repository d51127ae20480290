"""Commands of the docs, run as they stand there: in an empty folder, on wheels built here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.environment import ROOT
from scripts.tools.processes import own_program
from tests.support.installations import Source
from tests.support.surroundings import run

BLOCK = re.compile(r"^```sh run\n(.*?)^```", re.MULTILINE | re.DOTALL)


def scripts() -> Iterator[tuple[str, str]]:
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for number, block in enumerate(BLOCK.findall(page.read_text("utf-8")), 1):
            yield f"{page.name}-{number}", block


@pytest.mark.parametrize(
    "block", [block for _, block in scripts()], ids=[name for name, _ in scripts()]
)
def test_what_the_docs_say_to_type_works(
    block: str, source: Source, tmp_path: Path
) -> None:
    (tmp_path / "here").mkdir()
    programs = f"{source.home / 'uv-bin'}:{source.home / 'pipx-bin'}:{tmp_path / 'own'}"
    (tmp_path / "own").mkdir()
    for program in (
        "uv",
        "pipx",
    ):  # without the other programs of the development environment
        (tmp_path / "own" / program).symlink_to(own_program(program))
    (tmp_path / "own/python3").symlink_to(source.python)
    env = source.env | {
        "PATH": f"{programs}:{source.env['PATH']}",
        "PIPX_DEFAULT_PYTHON": str(source.python),
        "UV_PYTHON": str(source.python),
    }
    run(["bash", "-euo", "pipefail", "-c", block], env, cwd=tmp_path / "here")


def test_there_are_commands_to_run() -> None:
    assert len([*scripts()]) >= 5
