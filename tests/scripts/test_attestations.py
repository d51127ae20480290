"""Attestations beside the files of a release: each of its own bytes, or nothing is published."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
import requests
from twine.package import PackageFile

from leanspec_launcher.manage.errors import CommandError
from scripts.release import attestations, upload
from scripts.release.attestations import attested
from scripts.release.index import Index
from scripts.release.plan import STUB, File, read_files

NAME = "leanspec_cli_bin-1.2.3-py3-none-any.whl"


def write(file: File, name: str, digest: str) -> Path:
    """Write an attestation as pypi-attestations lays it out, without a signature."""
    subject = {"name": name, "digest": {"sha256": digest}}
    statement = base64.b64encode(json.dumps({"subject": [subject]}).encode()).decode()
    path = file.path.with_name(f"{file.path.name}.publish.attestation")
    path.write_text(json.dumps({"version": 1, "envelope": {"statement": statement, "signature": ""}}))
    return path


@pytest.fixture
def file(tmp_path: Path) -> File:
    (tmp_path / NAME).write_bytes(b"content")
    return File(tmp_path / NAME, STUB, "leanspec-cli-bin", "1.2.3", None)


def test_an_attestation_is_of_the_bytes_beside_it(file: File) -> None:
    assert [(each.good, each.found) for each in attested([file])] == [(False, "none")]
    write(file, NAME, file.sha256())
    assert all(each.good for each in attested([file]))
    for name, digest in ((NAME, "0" * 64), ("another.whl", file.sha256())):
        write(file, name, digest)
        assert not any(each.good for each in attested([file]))


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"envelope": {"statement": "***"}}', '{"envelope": {"statement": ""}}']
)
def test_what_is_no_attestation_is_an_error(file: File, text: str) -> None:
    file.path.with_name(f"{NAME}.publish.attestation").write_text(text)
    assert not any(each.good for each in attested([file]))


def test_it_goes_with_its_file_and_is_none_without(file: File) -> None:
    write(file, NAME, file.sha256())
    (file.path.parent / "other-1.0-py3-none-any.whl.publish.attestation").write_text("{}")
    files, strange = read_files(file.path.parent)
    assert [each.path.name for each in files] == [NAME]
    assert strange == ["other-1.0-py3-none-any.whl.publish.attestation"]


def test_it_is_uploaded_with_its_file(file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(file, NAME, file.sha256())
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


def test_nobody_attests_outside_a_workflow(file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(attestations.IDENTITY_VARIABLE, raising=False)
    with pytest.raises(CommandError, match="no identity to attest with"):
        attestations.attest(file.path.parent)
