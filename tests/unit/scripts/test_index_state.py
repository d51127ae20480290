"""What an index has already is looked at before the first upload: newer versions, closed projects, yanked files."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from packaging.version import Version

from leanspec_launcher.commands import CommandError
from scripts.gates.index_state import index_state
from scripts.index.client import IndexClient
from scripts.model.files import File, FileKind
from tests.support.release_files import failures
from tests.support.small_index import SmallIndex

NAME = "leanspec-cli-bin"
JSON = "application/vnd.pypi.simple.v1+json"
NOW = datetime.now(UTC)


def page_of(**project: object) -> bytes:
    """Return the page of a project."""
    page = {"meta": {"api-version": "1.4"}, "name": "x", "files": []}
    return json.dumps(page | project).encode()


def status(name: str, **more: str) -> bytes:
    return page_of(**{"project-status": {"status": name, **more}})


def listed(version: str, *, days: int = 0, **more: object) -> bytes:
    """Return the page of a project with one file, and with one that is older."""
    name, old = (f"leanspec_cli_bin-{text}-py3-none-any.whl" for text in (version, "0.2.9"))
    uploaded = (NOW - timedelta(days=days)).isoformat()
    file = {"filename": name, "url": f"x/{name}", "hashes": {}, "upload-time": uploaded}
    return page_of(files=[file | {"filename": old}, file | more])


FINAL, DEV = "0.3.0", "0.3.1.dev1"


@pytest.mark.parametrize(
    ("version", "page", "words"),
    [
        (FINAL, page_of(), ""),
        (FINAL, listed("0.4.0.dev1"), ""),
        (FINAL, listed("0.9.0"), "no version above 0.3.0, found 0.9.0"),
        (DEV, listed("0.9.0"), "no version above 0.3.1.dev1, found 0.9.0"),
        (DEV, listed("0.3.1.dev2"), "no version above 0.3.1.dev1, found 0.3.1.dev2"),
        (FINAL, status("quarantined", reason="malware"), "found quarantined: malware"),
        (FINAL, status("archived"), "found archived"),
        (FINAL, status("deprecated"), ""),
        (FINAL, listed(FINAL, yanked="broken"), "nobody has yanked, found yanked"),
        (FINAL, listed(FINAL, days=13), ""),
        (FINAL, listed(FINAL, days=15), "a first file of the last 14 days"),
    ],
)
def test_index_state_refuses_newer_closed_and_yanked_projects(
    quick_index: SmallIndex, tmp_path: Path, version: str, page: bytes, words: str
) -> None:
    quick_index.page = JSON, page
    file = File(tmp_path / "x", FileKind.STUB, NAME, version, None)
    findings = index_state(IndexClient(quick_index.place), Version(version), [file])
    text = " ".join(failures(findings))
    assert words in text if words else not text


OTHER_PAGE = "something else than a project's page"


LOGIN = (
    b"<html><body><h1>Welcome to our hotel</h1><a href='/login'>Log in</a></body></html>"
)


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        ("text/html", LOGIN, f"{OTHER_PAGE}: it lists no file"),
        ("text/html", b"", f"{OTHER_PAGE}: it lists no file"),
        (JSON, LOGIN, f"{OTHER_PAGE}: Expecting value"),
        (JSON, b"[]", OTHER_PAGE),
        (JSON, b'{"meta": {"api-version": "1.1"}}', OTHER_PAGE),
        (JSON, page_of(files=[{}]), OTHER_PAGE),
        (JSON, page_of(files=[{}], meta={}), OTHER_PAGE),
        (
            JSON,
            page_of(meta={"api-version": "2.0"}),
            "does not speak the simple API: .*2.0",
        ),
        ("image/png", b"x", "does not speak the simple API"),
    ],
)
def test_index_state_does_not_take_a_login_page_for_an_empty_project(
    quick_index: SmallIndex, tmp_path: Path, kind: str, body: bytes, words: str
) -> None:
    """Where every name looks free, a gate that asks for higher versions would pass."""
    quick_index.page = kind, body
    file = File(tmp_path / "x", FileKind.STUB, NAME, "0.3.0", None)
    started = time.monotonic()
    with pytest.raises(CommandError, match=words):
        list(index_state(IndexClient(quick_index.place), Version("0.3.0"), [file]))
    assert time.monotonic() - started < 5, "asking again changes nothing"


def test_a_page_in_html_states_its_api_version_or_lists_files(
    quick_index: SmallIndex,
) -> None:
    client = IndexClient(quick_index.place)
    version = b"<meta name='pypi:repository-version' content='1.0'>"
    quick_index.page = "text/html", b"<html><head>" + version + b"</head></html>"
    assert client.files(NAME) == {}
    name = "leanspec_cli_bin-0.3.0-py3-none-any.whl"
    quick_index.page = "text/html", f"<a href='x'>{name}</a>".encode()
    assert list(client.files(NAME)) == [name]
