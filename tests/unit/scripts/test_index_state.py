"""What an index has already is looked at before the first upload: newer versions, closed projects, yanked files."""

from __future__ import annotations

import http.server
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from packaging.version import Version
from twine.auth import Private
from twine.exceptions import TrustedPublishingFailure, TwineException

from leanspec_launcher.manage.errors import CommandError
from scripts.environment import ROOT
from scripts.gates.index_state import index_state
from scripts.index import upload as module
from scripts.index.client import Client, Index, IndexUnreachableError
from scripts.model.files import File, FileKind
from tests.support.wheel_files import stub

NAME = "leanspec-cli-bin"
JSON = "application/vnd.pypi.simple.v1+json"
OLD, NOW = "2026-01-01T00:00:00Z", datetime.now(UTC)


class Page(http.server.BaseHTTPRequestHandler):
    """Serves one page for every project, and leaves uploads without an answer or with a given one."""

    page: dict[str, Any] = {}  # noqa: RUF012 - set by each test
    raw: tuple[str, bytes] | None = None
    """A content type and a body, in the place of the page."""
    answer: tuple[int, bytes] | None = None
    cuts = 0
    """How many uploads get no answer at all."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        page = {"meta": {"api-version": "1.4"}, "name": "x", "files": []} | self.page
        kind, body = self.raw or (JSON, json.dumps(page).encode())
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.cuts:
            type(self).cuts -= 1
            self.close_connection = True
            return
        if self.answer is None:
            time.sleep(30)
            return
        self.send_response(self.answer[0], "")
        self.end_headers()
        self.wfile.write(self.answer[1])


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    Page.page, Page.raw = {}, None
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        server.daemon_threads = True
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def served(version: str, *, days: int = 0, **more: object) -> dict[str, object]:
    name = f"leanspec_cli_bin-{version}-py3-none-any.whl"
    uploaded = (NOW - timedelta(days=days)).isoformat()
    return {"filename": name, "url": f"x/{name}", "hashes": {}, "upload-time": uploaded, **more}


@pytest.mark.parametrize(
    ("version", "page", "words"),
    [
        ("0.3.0", {"files": []}, ""),
        ("0.3.0", {"files": [served("0.2.9"), served("0.4.0.dev1")]}, ""),
        ("0.3.0", {"files": [served("0.9.0")]}, "no version above 0.3.0, found 0.9.0"),
        ("0.3.1.dev1", {"files": [served("0.9.0")]}, "no version above 0.3.1.dev1, found 0.9.0"),
        (
            "0.3.1.dev1",
            {"files": [served("0.3.1.dev2")]},
            "no version above 0.3.1.dev1, found 0.3.1.dev2",
        ),
        (
            "0.3.0",
            {"project-status": {"status": "quarantined", "reason": "malware"}},
            "found quarantined: malware",
        ),
        ("0.3.0", {"project-status": {"status": "archived"}}, "found archived"),
        ("0.3.0", {"project-status": {"status": "deprecated"}}, ""),
        ("0.3.0", {"files": [served("0.3.0", yanked="broken")]}, "nobody has yanked, found yanked"),
        ("0.3.0", {"files": [served("0.3.0", days=13)]}, ""),
        ("0.3.0", {"files": [served("0.3.0", days=15)]}, "a first file of the last 14 days"),
    ],
)
def test_what_the_index_has_is_looked_at_first(
    url: str, tmp_path: Path, version: str, page: dict[str, Any], words: str
) -> None:
    Page.page = page
    file = File(tmp_path / "x", FileKind.STUB, NAME, version, None)
    found = [
        each
        for each in index_state(Client(Index(url, url)), Version(version), [file])
        if not each.good
    ]
    said = " ".join(
        f"{each.subject}: expected {each.expected}, found {each.found}" for each in found
    )
    assert words in said if words else not said


LOGIN = b"<html><body><h1>Welcome to our hotel</h1><a href='/login'>Log in</a></body></html>"


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        ("text/html", LOGIN, "something else than a project's page: it lists no file"),
        ("text/html", b"", "something else than a project's page: it lists no file"),
        (JSON, LOGIN, "something else than a project's page: Expecting value"),
        (JSON, b"[]", "something else than a project's page"),
        (JSON, b'{"meta": {"api-version": "1.1"}}', "something else than a project's page"),
        (
            JSON,
            b'{"meta": {"api-version": "1.1"}, "name": "x", "files": [{}]}',
            "something else than a project's page",
        ),
        (
            JSON,
            b'{"meta": {"api-version": "2.0"}, "name": "x", "files": []}',
            "does not speak the simple API: .*2.0",
        ),
        ("image/png", b"x", "does not speak the simple API"),
    ],
)
def test_what_is_no_page_of_an_index_is_not_taken_for_an_empty_one(
    url: str, tmp_path: Path, kind: str, body: bytes, words: str
) -> None:
    """Where every name looks free, a gate that asks for higher versions would pass."""
    Page.raw = (kind, body)
    file = File(tmp_path / "x", FileKind.STUB, NAME, "0.3.0", None)
    started = time.monotonic()
    with pytest.raises(CommandError, match=words):
        list(index_state(Client(Index(url, url)), Version("0.3.0"), [file]))
    assert time.monotonic() - started < 5, "asking again changes nothing"


def test_a_page_in_html_says_which_version_it_is_of_or_lists_files(url: str) -> None:
    Page.raw = (
        "text/html",
        b"<html><head><meta name='pypi:repository-version' content='1.0'></head></html>",
    )
    assert Client(Index(url, url)).files(NAME) == {}
    Page.raw = ("text/html", b"<a href='x'>leanspec_cli_bin-0.3.0-py3-none-any.whl</a>")
    assert list(Client(Index(url, url)).files(NAME)) == ["leanspec_cli_bin-0.3.0-py3-none-any.whl"]


def test_arrived_cut_and_refused_as_a_duplicate(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index has it, and does not list it yet: nothing is lost, and the message says what to do."""
    monkeypatch.setattr(module, "BACK_OFF", (0.01,) * 8)
    Page.cuts, Page.answer = 1, (400, b"File already exists")
    with pytest.raises(CommandError, match=r"may have arrived without being listed yet") as found:
        module.upload(
            Index(url, url), Client(Index(url, url)), stub(tmp_path / "a", b"1"), ("u", "p")
        )
    assert found.value.hint == module.AGAIN


def test_an_upload_without_an_answer_has_an_end(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Page.answer = None
    monkeypatch.setattr(module, "SECONDS_FOR_AN_ANSWER", 0.5)
    monkeypatch.setattr(module, "BACK_OFF", (0.01,) * 8)
    before = time.monotonic()
    with pytest.raises(IndexUnreachableError, match=r"in 6 attempts \(the last one: ReadTimeout\)"):
        module.upload(
            Index(url, url), Client(Index(url, url)), stub(tmp_path / "a", b"1"), ("u", "p")
        )
    assert time.monotonic() - before < 10


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (400, "rejected `.*`: 400 Invalid value for classifiers"),
        (403, "rejected `.*`: 403 Invalid value for classifiers"),
        (429, r"the last one: 429 Invalid value for classifiers"),
    ],
)
def test_the_reason_of_a_refusal_is_told(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, words: str
) -> None:
    """Over HTTP/2, the status line has none: it is in the body alone."""
    Page.answer = (
        code,
        b"<html><style>x</style><body>Invalid value for\n classifiers</body></html>",
    )
    monkeypatch.setattr(module, "BACK_OFF", (0.01,) * 8)
    with pytest.raises(CommandError, match=words):
        module.upload(
            Index(url, url), Client(Index(url, url)), stub(tmp_path / "a", b"1"), ("u", "p")
        )


def test_more_files_than_threads_are_all_uploaded(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Page.answer = (200, b"")
    files = [stub(tmp_path / str(number), b"1") for number in range(2 * module.AT_ONCE + 1)]
    module.upload_all(Index(url, url), Client(Index(url, url)), files, ("u", "p"))
    assert capsys.readouterr().err.count("uploaded ") == len(files)


UPLOADING = """
import pathlib, sys
from scripts.index.client import Client, Index
from scripts.model.files import FileKind, File
from scripts.index.upload import upload_all
index, path = Index(sys.argv[1], sys.argv[1]), pathlib.Path(sys.argv[2])
print("uploading", flush=True)
upload_all(index, Client(index), [File(path, FileKind.STUB, "leanspec-cli-bin", "1.2.3", None)], ("u", "p"))
"""


@pytest.mark.posix
def test_ctrl_c_does_not_wait_for_an_upload(url: str, tmp_path: Path) -> None:
    Page.answer = None
    command = [sys.executable, "-c", UPLOADING, url, str(stub(tmp_path / "a", b"1").path)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout
        process.stdout.readline()
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        before = time.monotonic()
        process.wait(timeout=20)
    assert time.monotonic() - before < 5


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (
            TrustedPublishingFailure("The token request failed:\n\n* `invalid-publisher`: no"),
            "trusted publishing to `https://example.org/` failed: .*`invalid-publisher`: no",
        ),
        (KeyError("errors"), "did not give a token: KeyError: 'errors'"),
        (requests.ConnectionError("refused"), "did not give a token: ConnectionError: refused"),
        (TwineException("no terminal"), "there are no credentials"),
    ],
)
def test_why_there_is_no_token_is_told(
    monkeypatch: pytest.MonkeyPatch, problem: Exception, words: str
) -> None:
    """What the index answers to a workflow's identity cannot be asked for here."""

    def failing(_: object) -> str:
        raise problem

    monkeypatch.setattr(Private, "password", property(failing))
    monkeypatch.setenv("TWINE_USERNAME", "__token__")
    with pytest.raises(module.CredentialsError, match=words):
        module.credentials(Index("https://example.org/simple/", "https://example.org/"))
