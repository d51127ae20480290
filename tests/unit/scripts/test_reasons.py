"""Reasons of errors: as a person says them, never with Python's names."""

from __future__ import annotations

import json
import re
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.environment import ROOT
from scripts.model.finding import Finding, to_its_end
from scripts.tools.reasons import reason

NAMES = re.compile(r"type\(\w+\)\.__name__\}: ")


def of(work: Callable[[], object]) -> str:
    with pytest.raises(Exception) as error:  # noqa: PT011 - whatever it is
        work()
    return reason(error.value)


def test_reasons_have_no_name_of_python(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"\xff")
    archive = tmp_path / "archive.zip"
    with zipfile.ZipFile(archive, "w"):
        pass
    nowhere = tmp_path / "nowhere"
    reasons = {
        of(lambda: json.loads("{}")["sha256"]): "`sha256` is missing",
        of(nowhere.read_text): f"`{nowhere}`: no such file or directory",
        of(lambda: (tmp_path / "text").read_text("utf-8")): "it is not text in UTF-8",
        of(lambda: json.loads("{")): "line 1 is not JSON: Expecting property name",
        of(lambda: json.loads("1")["a"]): "it has another structure than it should have",
        of(lambda: zipfile.ZipFile(archive).read("x")): "There is no item named 'x'",
        of(lambda: zipfile.ZipFile(tmp_path / "text")): "File is not a zip file",
        of(lambda: tomllib.loads("=")): "Invalid",
        reason(EOFError()): "it is damaged",
    }
    actual = {text: text.startswith(start) for text, start in reasons.items()}
    assert actual == dict.fromkeys(reasons, True)


def test_a_stopped_gate_has_a_reason_in_words(tmp_path: Path) -> None:
    def gate() -> list[Finding]:
        return [*tmp_path.joinpath("index").iterdir()]  # type: ignore[list-item]

    (finding,) = to_its_end("installs", lambda: iter(gate()))
    assert not finding.passed
    assert finding.actual.startswith(f"crashed: `{tmp_path / 'index'}`: ")
    assert "python3 -m scripts wheels" in finding.hint


def test_no_message_of_the_commands_names_an_exception_of_python() -> None:
    modules = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "scripts").rglob("*.py")
        if NAMES.search(path.read_text("utf-8"))
    }
    assert modules <= {"scripts/github/assembled.py"}
