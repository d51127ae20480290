"""The independent words on wheels of other projects' programs, and the tables of docs/programs.md."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from scripts.proofs.repack.beside import CONTENDERS, Result
from scripts.proofs.repack.checks import tag_objections
from scripts.proofs.repack.packing import Row
from scripts.proofs.repack.page import page
from scripts.proofs.repack.tools import TOOLS
from tests.support import headers

MAC = headers.mach_o("aarch64", minimum=(12, 3))
INTEL = headers.mach_o("x86_64", minimum=(10, 12))


@pytest.mark.parametrize(
    ("data", "tags", "seen"),
    [
        (MAC, "macosx_13_0_arm64", ""),
        (MAC, "macosx_12_0_arm64", "macosx_13_0_arm64"),
        (INTEL, "macosx_10_12_x86_64", ""),
        (headers.universal(INTEL, MAC), "macosx_10_12_x86_64.macosx_13_0_arm64", ""),
        (headers.universal(INTEL, MAC), "macosx_10_12_x86_64", "macosx_13_0_arm64"),
        (headers.pe(), "win_amd64", ""),
        (headers.pe("aarch64"), "win_amd64", "win_arm64"),
    ],
)
def test_a_tag_that_another_reader_does_not_see_is_an_objection(
    tmp_path: Path, data: bytes, tags: str, seen: str
) -> None:
    wheel = tmp_path / f"a_tool-1.0.0-py3-none-{tags}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("a_tool-1.0.0.data/scripts/tool", data)
    found = list(tag_objections(wheel))
    assert len(found) == bool(seen)
    assert seen in "".join(found)


def test_the_tables_say_what_was_found() -> None:
    row = Row(TOOLS[0], published=6, same=5, corrections=["too loose: a reason"])
    row.says = {"pip": "it 1.0", "uv": "it 1.0", "pipx": "it 1.0"}
    assert not row.is_good
    row.is_reproducible = True
    assert row.is_good
    result = Result(CONTENDERS[0], 8, 1, 0.5, is_reproducible=False, wheels=2, bills=2)
    text = page([row], [result])
    assert "| 6 | 5 | 1 | 0 | the same | it 1.0 (pip, uv, pipx) |" in text
    assert "| 8 lines | 1 | 2 | 0 | differ | in each |" in text
    assert f"- `{TOOLS[0].name}`, too loose: a reason" in text
    row.says["uv"] = ""
    assert not row.is_good
    assert "**no**" in page([row], [])
