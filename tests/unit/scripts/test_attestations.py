"""Attestations next to the files of a release: each of its own bytes, or nothing is published."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from twine.package import PackageFile

from leanspec_launcher.commands import CommandError
from scripts.index import attestations, upload
from scripts.index.attestations import IDENTITY_VARIABLE, attested, is_attested
from scripts.index.client import Index, read_index
from scripts.model.files import File, FileKind, read_files
from scripts.model.plan import read_plan
from tests.support.attestation import write_attestation

NAME = "leanspec_cli_bin-1.2.3-py3-none-any.whl"


@pytest.fixture
def file(tmp_path: Path) -> File:
    (tmp_path / NAME).write_bytes(b"content")
    return File(tmp_path / NAME, FileKind.STUB, "leanspec-cli-bin", "1.2.3", None)


def good(file: File, *, required: bool = True) -> bool:
    return all(each.passed for each in attested([file], required=required))


def test_an_attestation_is_of_the_bytes_beside_it(file: File) -> None:
    assert [(each.passed, each.found) for each in attested([file], required=True)] == [
        (False, "none")
    ]
    assert good(file, required=False)
    write_attestation(file)
    assert good(file)
    for name, digest in (("", "0" * 64), ("another.whl", "")):
        write_attestation(file, name, digest)
        assert not good(file)
        assert not good(file, required=False), (
            "garbage is not uploaded, even where nobody asked for an attestation"
        )
    write_attestation(file, predicate="https://slsa.dev/provenance/v1")
    assert not good(file)


def test_attest_needs_the_identity_of_a_workflow(
    file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(IDENTITY_VARIABLE, raising=False)
    with pytest.raises(CommandError, match="no identity to attest with") as error:
        attestations.attest(file.path.parent)
    assert error.value.hint == "let .github/workflows/publish.yml do it"


def change(name: str, value: object) -> Callable[[dict[str, Any]], None]:
    def changed(said: dict[str, Any]) -> None:
        part, _, key = name.rpartition(".")
        (said[part] if part else said)[key] = value

    return changed


def resign(said: dict[str, Any]) -> None:
    """Flip one bit of what is signed: the statement is of the same file."""
    statement = base64.b64decode(said["envelope"]["statement"]).replace(
        b"Statement/v1", b"Statement/v9"
    )
    said["envelope"]["statement"] = base64.b64encode(statement).decode()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (resign, "its signature is not of the certificate in it"),
        (change("envelope.signature", ""), "its signature is not of the certificate in it"),
        (change("envelope.signature", "***"), "Error: "),
        (change("envelope.signature", "AA AA"), "Error: "),
        (change("envelope.statement", "AA AA"), "Error: "),
        (change("verification_material.certificate", "AA AA"), "Error: "),
        (change("envelope.statement", ""), "its signature is not of the certificate in it"),
        (change("verification_material.certificate", ""), "ValueError"),
        (
            change("verification_material.transparency_entries", []),
            "with its entry in the transparency log",
        ),
        (change("verification_material", {}), "KeyError"),
        (change("version", 2), "not of version 1"),
    ],
)
def test_a_changed_attestation_is_none(
    file: File, change: Callable[[dict[str, Any]], None], words: str
) -> None:
    path = write_attestation(file)
    said = json.loads(path.read_text())
    change(said)
    path.write_text(json.dumps(said))
    found = [each.found for each in attested([file], required=False) if not each.passed]
    assert len(found) == 1
    assert words in found[0]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "null",
        '{"envelope": {"statement": "***"}}',
        '{"envelope": {"statement": ""}}',
    ],
)
def test_what_is_no_attestation_is_an_error(file: File, text: str) -> None:
    file.path.with_name(f"{NAME}.publish.attestation").write_text(text)
    assert not good(file)
    assert not good(file, required=False)


def test_the_plan_says_which_index_demands_them(
    released_tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By whichever name it is given: its address is no way round."""
    monkeypatch.setenv("HOME", str(released_tree / "no-home"))
    plan = read_plan(released_tree)
    assert plan.attestations == ("pypi", "testpypi")
    for name in plan.attestations:
        assert is_attested(plan, read_index(name))
        assert is_attested(
            plan, read_index(read_index(name).upload, "https://example.org/simple/")
        )
    assert not is_attested(plan, Index("http://127.0.0.1:9/simple/", "http://127.0.0.1:9/"))


def test_it_goes_with_its_file_and_is_none_without(file: File) -> None:
    write_attestation(file)
    (file.path.parent / "other-1.0-py3-none-any.whl.publish.attestation").write_text("{}")
    files, strange = read_files(file.path.parent)
    assert [each.path.name for each in files] == [NAME]
    assert strange == ["other-1.0-py3-none-any.whl.publish.attestation"]


def test_it_is_uploaded_with_its_file(file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_attestation(file)
    added: list[list[str]] = []

    class Package:
        def add_attestations(self, paths: list[str]) -> None:
            added.append(paths)

    class Repository:
        session = requests.Session()

        def __init__(self, *_: object, **__: object) -> None:
            pass

        def upload(self, *_: object, **__: object) -> None:
            pass

        def close(self) -> None:
            pass

    assert hasattr(PackageFile, "add_attestations"), "twine's own name for it"
    monkeypatch.setattr(PackageFile, "from_filename", lambda *_, **__: Package())
    monkeypatch.setattr(upload, "Repository", Repository)
    upload._send(Index("https://x/simple/", "https://x/"), file, ("user", "secret"))  # noqa: SLF001
    assert added == [[str(path)]]


def test_nobody_attests_outside_a_workflow(
    file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(attestations.IDENTITY_VARIABLE, raising=False)
    with pytest.raises(CommandError, match="no identity to attest with"):
        attestations.attest(file.path.parent)


def pretend_to_sign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Put a small program in the place of `pypi-attestations`, which needs an identity."""
    program = tmp_path / "sign"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    monkeypatch.setenv(attestations.IDENTITY_VARIABLE, "https://example.org/")
    monkeypatch.setattr(attestations, "own_program", lambda _: str(program))


@pytest.mark.posix
def test_every_file_is_attested_again(
    file: File, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An attestation of an earlier attempt is not taken for one of this."""
    write_attestation(file)
    pretend_to_sign(tmp_path, monkeypatch, f'[ "$1 $2" = "sign {file.path}" ] || exit 9')
    (path,) = attestations.attest(file.path.parent)
    assert not path.exists()


@pytest.mark.posix
def test_a_signer_that_fails_is_an_error(
    file: File, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend_to_sign(tmp_path, monkeypatch, "echo no ticket >&2; exit 1")
    with pytest.raises(CommandError, match=r"(?s)`pypi-attestations sign`.*no ticket"):
        attestations.attest(file.path.parent)


def test_without_files_there_is_nothing_to_attest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(attestations.IDENTITY_VARIABLE, "https://example.org/")
    with pytest.raises(CommandError, match="there are no built files"):
        attestations.attest(tmp_path)
