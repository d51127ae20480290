"""Values of a wrong type in each file that the backend reads: a message, and never a traceback."""

from __future__ import annotations

import contextlib
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from leanspec_build.errors import BuildError
from leanspec_build.package import wheel_content
from leanspec_build.project.index_rules import refusal_notes
from leanspec_build.project.keys import KEYS
from leanspec_build.project.manifest import load_project
from leanspec_build.project.records import read_data_record
from leanspec_build.project.version import find_version
from leanspec_build.wheel import wheel_entries

from tests.support import headers
from tests.support.sample import Sample

# A value of each type, and those that nearly fit.
VALUES: list[Any] = [
    *(True, 0, -1, 1.5, "", "x", "\0", "../x", "é", [], [0], [""], ["x"], [[]], [{}]),
    *({}, {"x": 0}, {"x": "x"}, {"x": ["x"]}, {"x": {}}, {"": ""}),
]
DIGEST = "a" * 64
OPENSSL = {"name": "openssl", "version": "3.5.7", "sha256": DIGEST}
CRATE = {"name": "serde", "version": "1.0.0", "checksum": DIGEST}
INTEGRITY = "sha512-" + "aa" * 43 + "=="
SOURCE = {
    "kind": "npm",
    "package": "@example/cli",
    "version": "1.2.3",
    "integrity": INTEGRITY,
    "packages": [CRATE],
    "openssl": OPENSSL,
}
# Keys of the standard table (pyproject.toml specification).
STANDARD = (
    *("name", "version", "description", "readme", "requires-python", "license"),
    *("license-files", "authors", "maintainers", "keywords", "classifiers", "urls"),
    *("scripts", "gui-scripts", "entry-points", "dependencies"),
    *("optional-dependencies", "dynamic", "import-names"),
)


def variants(content: object) -> Iterator[object]:
    """Yield a content once per value and place in it, with the value there."""
    yield from VALUES
    if isinstance(content, dict):
        for key, old in content.items():
            for new in variants(old):
                yield content | {key: new}
    if isinstance(content, list):
        for new in variants(content[0]):
            yield [new]


def test_each_value_of_a_record_is_valid_or_refused(sample: Sample) -> None:
    binary = sample.collect(headers.elf())
    path = binary.with_name("binary.json")
    record = json.loads(path.read_text("utf-8")) | {"source": SOURCE}
    project = load_project(sample.root)
    refused = 0
    for wrong in variants(record):
        path.write_text(json.dumps(wrong), "utf-8")
        try:
            content = wheel_content(project, {"binary": str(binary)})
            wheel_entries(project, content)
            assert content.make_sbom is not None
            content.make_sbom()
        except BuildError:
            refused += 1
    assert refused > len(VALUES)
    path.write_text(json.dumps(record), "utf-8")
    assert wheel_content(project, {"binary": str(binary)}).make_sbom


def test_a_record_of_data_that_is_not_valid_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"does not say where the data are from: `source`"):
        read_data_record(b'{"source": 1}', tmp_path)


def toml_text(value: object) -> str:
    """Return a value as TOML has it inside of a line."""
    if isinstance(value, dict):
        pairs = [f"{json.dumps(key)} = {toml_text(item)}" for key, item in value.items()]
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml_text, value))}]"
    return json.dumps(value)


def must_be_read_or_refused(root: Path) -> None:
    """Do what a build does with the metadata."""
    with contextlib.suppress(BuildError):
        project = load_project(root)
        refusal_notes(project)
        project.placed_files()
        project.license_files()


@pytest.mark.parametrize("key", STANDARD)
def test_each_value_of_a_standard_key_is_valid_or_refused(tmp_path: Path, key: str) -> None:
    for value in VALUES:
        table = {"name": "example", "version": "1.0.0"} | {key: value}
        text = f"project = {toml_text(table)}\ntool.leanspec-build.from = 'dist'\n"
        assert tomllib.loads(text)["project"] == table
        (tmp_path / "pyproject.toml").write_text(text, "utf-8")
        must_be_read_or_refused(tmp_path)


@pytest.mark.parametrize("key", [*KEYS, "project", "tool", "tool.leanspec-build"])
def test_each_value_of_an_own_key_is_valid_or_refused(tmp_path: Path, key: str) -> None:
    (tmp_path / "example").mkdir()
    (tmp_path / "example/__init__.py").touch()
    for value in VALUES:
        tables: dict[str, Any] = {
            "project": {"name": "example", "version": "1.0.0"},
            "tool": {"leanspec-build": {"from": "dist", "package": "example"}},
        }
        keys = tables["tool"]["leanspec-build"]
        if key in tables:
            tables[key] = value
        elif key in KEYS:
            tables["tool"]["leanspec-build"] = keys | {key: value}
        else:
            tables["tool"]["leanspec-build"] = value
        lines = [f"{name} = {toml_text(table)}\n" for name, table in tables.items()]
        (tmp_path / "pyproject.toml").write_text("".join(lines), "utf-8")
        must_be_read_or_refused(tmp_path)


@pytest.mark.parametrize(
    "form", ["{}", "package = {}", "package.version = {}", "workspace = {}"]
)
def test_each_value_of_a_cargo_manifest_is_valid_or_refused(
    tmp_path: Path, form: str
) -> None:
    for value in VALUES:
        text = form.format(toml_text(value))
        (tmp_path / "Cargo.toml").write_text(text, "utf-8")
        with pytest.raises(BuildError):
            find_version(tmp_path / "pyproject.toml")
