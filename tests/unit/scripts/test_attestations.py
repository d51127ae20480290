"""Attestations next to the files of a release: each of its own bytes, or nothing is published."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from twine.package import PackageFile
from twine.repository import Repository

from leanspec_launcher.commands import CommandError
from scripts.index import attestations, upload
from scripts.index.attestations import IDENTITY_VARIABLE, attested, is_attested
from scripts.index.client import Index, read_index
from scripts.model.files import ATTESTATIONS, PUBLISH, SLSA, File, FileKind, read_files
from scripts.model.plan import read_plan
from tests.support.attestation import (
    PREDICATES,
    attestation,
    write_attestation,
    write_statement,
)

OF_ANOTHER = "its signature is not of the certificate in it"
UNLOGGED = "with its entry in the transparency log"
NO_CONTENT = "its content is not that of an attestation"
NAME = "leanspec_cli_bin-1.2.3-py3-none-any.whl"


@pytest.fixture
def file(tmp_path: Path) -> File:
    (tmp_path / NAME).write_bytes(b"content")
    return File(tmp_path / NAME, FileKind.STUB, "leanspec-cli-bin", "1.2.3", None)


def good(file: File, *, required: bool = True) -> bool:
    return all(finding.passed for finding in attested([file], required=required))


def test_attestation_of_other_bytes_is_refused(file: File) -> None:
    findings = [*attested([file], required=True)]
    actual = [(finding.passed, finding.actual) for finding in findings]
    assert actual == 2 * [(False, "none")]
    assert good(file, required=False)
    write_attestation(file)
    assert good(file)
    for name, digest in (("", "0" * 64), ("another.whl", "")):
        write_attestation(file, name, digest)
        assert not good(file)
        # Garbage is not uploaded, even where nobody asked for an attestation.
        assert not good(file, required=False)
    write_attestation(file)
    write_statement(file, PUBLISH, "https://slsa.dev/provenance/v1")
    assert not good(file), "one of each kind: the index takes no second one of a kind"


def test_attest_needs_the_identity_of_a_workflow(
    file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(IDENTITY_VARIABLE, raising=False)
    with pytest.raises(CommandError, match="no identity to attest with") as error:
        attestations.attest(file.path.parent)
    assert error.value.hint == "let .github/workflows/publish.yml do it"


def change(name: str, value: object) -> Callable[[dict[str, Any]], None]:
    def changed(content: dict[str, Any]) -> None:
        part, _, key = name.rpartition(".")
        (content[part] if part else content)[key] = value

    return changed


def resign(content: dict[str, Any]) -> None:
    """Flip one bit of what is signed: the statement is of the same file."""
    before = base64.b64decode(content["envelope"]["statement"])
    after = before.replace(b"Statement/v1", b"Statement/v9")
    content["envelope"]["statement"] = base64.b64encode(after).decode()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (resign, OF_ANOTHER),
        (change("envelope.signature", ""), OF_ANOTHER),
        (change("envelope.signature", "***"), NO_CONTENT),
        (change("envelope.signature", "AA AA"), NO_CONTENT),
        (change("envelope.statement", "AA AA"), NO_CONTENT),
        (change("verification_material.certificate", "AA AA"), NO_CONTENT),
        (change("envelope.statement", ""), OF_ANOTHER),
        (change("verification_material.certificate", ""), NO_CONTENT),
        (change("verification_material.transparency_entries", []), UNLOGGED),
        (change("verification_material", {}), NO_CONTENT),
        (change("version", 2), "not of version 1"),
    ],
)
def test_changed_attestation_is_refused(
    file: File, change: Callable[[dict[str, Any]], None], words: str
) -> None:
    path = write_attestation(file)
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    findings = attested([file], required=False)
    (error,) = [finding.actual for finding in findings if not finding.passed]
    assert words in error


STATEMENTS = ['{"envelope": {"statement": "***"}}', '{"envelope": {"statement": ""}}']


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", *STATEMENTS])
def test_file_that_is_not_an_attestation_is_refused(file: File, text: str) -> None:
    file.path.with_name(f"{NAME}.publish.attestation").write_text(text)
    assert not good(file)
    assert not good(file, required=False)


def test_plan_names_the_indices_that_require_attestations(
    released_tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By whichever name it is given: its address is no way round."""
    monkeypatch.setenv("HOME", str(released_tree / "no-home"))
    plan = read_plan(released_tree)
    assert plan.attestations == ("pypi", "testpypi")
    for name in plan.attestations:
        index = read_index(name)
        assert is_attested(plan, index)
        assert is_attested(plan, read_index(index.upload, "https://example.org/simple/"))
    assert not is_attested(plan, Index("http://127.0.0.1:9/simple/", "http://127.0.0.1:9/"))


def test_attestation_without_its_file_is_a_stray(file: File) -> None:
    write_attestation(file)
    (file.path.parent / "other-1.0-py3-none-any.whl.publish.attestation").write_text("{}")
    files, strange = read_files(file.path.parent)
    assert [file.path.name for file in files] == [NAME]
    assert strange == ["other-1.0-py3-none-any.whl.publish.attestation"]


def test_upload_sends_both_attestations_with_their_file(
    file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_attestation(file)
    added: list[list[str]] = []
    assert hasattr(PackageFile, "add_attestations"), "twine's own name for it"
    package = SimpleNamespace(add_attestations=added.append)
    monkeypatch.setattr(PackageFile, "from_filename", lambda *_, **__: package)
    monkeypatch.setattr(Repository, "upload", lambda *_, **__: None)
    upload._send(Index("https://x/simple/", "https://x/"), file, ("user", "secret"))  # noqa: SLF001
    assert added == [[str(path), str(file.path) + SLSA]]


RUN = {
    "GITHUB_SERVER_URL": "https://github.example",
    "GITHUB_REPOSITORY": "owner/name",
    "GITHUB_REPOSITORY_ID": "1",
    "GITHUB_REPOSITORY_OWNER_ID": "2",
    "GITHUB_WORKFLOW_REF": "owner/name/.github/workflows/publish.yml@refs/tags/v1@2",
    "GITHUB_REF": "refs/tags/v1@2",
    "GITHUB_SHA": "c0ffee",
    "GITHUB_EVENT_NAME": "workflow_dispatch",
    "GITHUB_RUN_ID": "3",
    "GITHUB_RUN_ATTEMPT": "4",
    "RUNNER_ENVIRONMENT": "github-hosted",
    IDENTITY_VARIABLE: "https://example.org/",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in RUN.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def workflow(environment: None, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001 - what it sets
    """Stand in for a workflow's run, whose identity only a workflow has."""

    @contextlib.contextmanager
    def signing() -> Iterator[attestations.Sign]:
        yield lambda file, ending, predicate: attestation(
            attestations.statement(file, PREDICATES[ending], predicate)
        )

    monkeypatch.setattr(attestations, "signing", signing)


@pytest.mark.usefixtures("workflow")
def test_attest_makes_one_attestation_of_each_kind(file: File) -> None:
    write_attestation(file, sha256="0" * 64)
    paths = attestations.attest(file.path.parent)
    assert [path.name for path in paths] == [NAME + PUBLISH, NAME + SLSA]
    assert good(file), "an attestation of an earlier attempt is not taken for one of this"


@pytest.mark.usefixtures("workflow")
def test_attest_describes_the_run_as_githubs_own_action_does(file: File) -> None:
    attestations.attest(file.path.parent)
    content = json.loads(file.path.with_name(NAME + SLSA).read_text())
    predicate = json.loads(base64.b64decode(content["envelope"]["statement"]))["predicate"]
    definition, details = predicate["buildDefinition"], predicate["runDetails"]
    assert definition["externalParameters"]["workflow"] == {
        "ref": "refs/tags/v1@2",
        "repository": "https://github.example/owner/name",
        "path": ".github/workflows/publish.yml",
    }
    (source,) = definition["resolvedDependencies"]
    assert source["digest"] == {"gitCommit": "c0ffee"}
    assert source["uri"] == "git+https://github.example/owner/name@refs/tags/v1@2"
    run = "https://github.example/owner/name/actions/runs/3/attempts/4"
    assert details["metadata"]["invocationId"] == run
    workflow = RUN["GITHUB_WORKFLOW_REF"]
    assert details["builder"]["id"] == f"https://github.example/{workflow}"


@pytest.mark.usefixtures("workflow")
def test_attest_needs_the_facts_of_the_run(
    file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_SHA")
    with pytest.raises(CommandError, match="are not set: `GITHUB_SHA`"):
        attestations.attest(file.path.parent)


def test_attest_makes_statements_that_the_library_of_the_index_reads(file: File) -> None:
    """The library of the index itself reads them."""
    from pypi_attestations import AttestationType  # noqa: PLC0415 - takes a second
    from sigstore.dsse import Statement  # noqa: PLC0415

    kinds = [kind.value for kind in AttestationType]
    assert len(kinds) == len(ATTESTATIONS), "one file for each"
    for ending in ATTESTATIONS:
        (predicate,) = [
            kind for kind in kinds if kind.endswith(attestations.PREDICATES[ending])
        ]
        Statement(attestations.statement(file, predicate, None))


@pytest.mark.usefixtures("environment")
def test_attest_reports_an_error_of_sigstore_in_one_line(
    file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sigstore.errors import Error  # noqa: PLC0415 - takes a second
    from sigstore.models import ClientTrustConfig  # noqa: PLC0415

    def production() -> None:
        raise Error("no\nticket")

    monkeypatch.setattr(ClientTrustConfig, "production", production)
    with pytest.raises(CommandError, match="the files cannot be attested: no ticket"):
        attestations.attest(file.path.parent)


def test_attest_needs_built_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(attestations.IDENTITY_VARIABLE, "https://example.org/")
    with pytest.raises(CommandError, match="there are no built files"):
        attestations.attest(tmp_path)
