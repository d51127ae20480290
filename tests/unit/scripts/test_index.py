"""An index, asked by the standards: as JSON, as HTML without hashes, busy, wrong."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.version import Version

from leanspec_launcher.commands import CommandError
from scripts.index import client as module
from scripts.index.built import index_of
from scripts.index.client import (
    Client,
    Index,
    IndexUnreachableError,
    Project,
    Served,
    read_index,
    without_secret,
)
from scripts.index.upload import AT_ONCE, BurntError, CredentialsError, is_there, upload_all
from scripts.model.files import File, FileKind
from scripts.publish import publish
from scripts.tools.loopback import Silent, serving
from tests.support.wheel_files import NAME, stub

EMPTY = b'{"meta":{"api-version":"1.0"},"name":"x","files":[]}'
FILE = bytes(range(256)) * 10_000


class Busy(Silent):
    """Answers with an error code a few times, then with an empty page of one project."""

    left = 0
    code = 503
    headers_too: dict[str, str] = {}  # noqa: RUF012 - set by each test
    page = EMPTY

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(0.05)  # so that some uploads have not begun when the first one fails
        self.send_response(403)
        self.end_headers()

    def do_GET(self) -> None:
        kind = type(self)
        if self.path.startswith("/files/"):
            self.answer_with_a_file()
            return
        if kind.left:
            kind.left -= 1
            self.send_response(kind.code)
            for name, value in kind.headers_too.items():
                self.send_header(name, value)
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.pypi.simple.v1+json")
        self.end_headers()
        self.wfile.write(kind.page)

    def answer_with_a_file(self) -> None:
        """Serve `FILE`, cut short `left` times."""
        kind = type(self)
        if self.path != "/files/good":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(FILE)))
        self.end_headers()
        self.wfile.write(FILE[:1000] if kind.left else FILE)
        kind.left = max(kind.left - 1, 0)


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(module, "BACK_OFF", (0.01,) * 8)
    Busy.left, Busy.page = 0, EMPTY
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with serving(Busy) as url:
        yield url


def client(url: str) -> Client:
    return Client(Index(url, url))


@pytest.mark.parametrize("code", [429, 500, 503])
def test_a_busy_index_is_asked_again(busy: str, code: int) -> None:
    Busy.left, Busy.code, Busy.headers_too = 3, code, {}
    assert client(busy).files("x") == {}
    assert Busy.left == 0


def test_retry_after_is_kept(busy: str) -> None:
    Busy.left, Busy.code, Busy.headers_too = 1, 429, {"Retry-After": "1"}
    started = time.monotonic()
    client(busy).files("x")
    assert time.monotonic() - started >= 1


def test_a_busy_index_is_given_up_in_the_end(busy: str) -> None:
    Busy.left, Busy.code, Busy.headers_too = 100, 503, {}
    with pytest.raises(IndexUnreachableError, match="is still busy after 6 attempts"):
        client(busy).files("x")
    Busy.left = 0


def test_a_refusal_is_no_success_and_is_not_asked_again(busy: str) -> None:
    Busy.left, Busy.code, Busy.headers_too = 1, 403, {}
    with pytest.raises(CommandError, match="answers 403"):
        client(busy).files("x")
    assert Busy.left == 0


@pytest.mark.usefixtures("busy")
def test_no_index_at_all() -> None:
    with pytest.raises(IndexUnreachableError) as error:
        client("http://127.0.0.1:9/").files("x")
    # The number and the words of the error are those of the system.
    assert re.fullmatch(
        r"`http://127\.0\.0\.1:9/` does not answer \(.*refused.*\) after 6 attempts",
        error.value.message,
    )


def test_html_without_hashes_is_compared_by_its_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PEP 503 leaves hashes out where it likes."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    ours, other = stub(tmp_path / "ours", b"1"), stub(tmp_path / "other", b"2")
    with index_of([ours], tmp_path) as settings:
        asked = client(settings["PIP_INDEX_URL"])
        served = asked.files("leanspec-cli-bin")
        assert [(each.name, each.sha256) for each in served.values()] == [(NAME, None)]
        assert asked.versions("leanspec-cli-bin") == [Version("1.2.3")]
        assert asked.files("leanspec-mcp-bin") == {}
        publish.wait_until_served(asked, [ours], 5)
        with pytest.raises(BurntError, match="with the sha256"):
            publish.wait_until_served(asked, [other], 5)


def test_a_refusal_counts_only_where_the_bytes_are_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An index without hashes that refuses a name: it may have other bytes under it."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    ours, other = stub(tmp_path / "ours", b"1"), stub(tmp_path / "other", b"2")
    with index_of([ours], tmp_path) as settings:
        asked = client(settings["PIP_INDEX_URL"])
        assert is_there(asked, ours)
        with pytest.raises(BurntError, match="with other bytes"):
            is_there(asked, other)


def test_the_first_refusal_is_told_and_the_rest_is_not_begun(
    tmp_path: Path, busy: str
) -> None:
    """A release has more files than are uploaded at once."""
    one = stub(tmp_path / "ours", b"1")
    started = time.monotonic()
    with pytest.raises(CredentialsError, match="403 Forbidden"):
        upload_all(
            Index(busy, busy), client(busy), [one] * (AT_ONCE * 50), ("user", "secret")
        )
    assert time.monotonic() - started < 3


def test_waiting_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    ours = stub(tmp_path / "ours", b"1")
    missing = File(ours.path, FileKind.STUB, "leanspec-mcp-bin", "1.2.3", None)
    with index_of([ours], tmp_path) as settings:
        started = time.monotonic()
        with pytest.raises(CommandError, match=r"after 2 s .* still does not serve"):
            publish.wait_until_served(client(settings["PIP_INDEX_URL"]), [missing], 2)
        assert time.monotonic() - started < 6


def test_a_name_of_pypirc_is_read_with_its_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / ".pypirc"
    own = "[own]\nrepository = https://example.org/own/\nusername = me\npassword = hush\n"
    file.write_text(f"[distutils]\nindex-servers = own\n{own}")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    found = read_index("own")
    assert (found.simple, found.upload, found.credentials) == (
        "https://example.org/own/+simple/",
        "https://example.org/own/",
        ("me", "hush"),
    )
    assert "hush" not in f"{found} {found!r}"
    with pytest.raises(CommandError, match="no index called"):
        read_index("testpypi")
    file.unlink()
    assert read_index("testpypi").simple.endswith("/simple/")
    assert read_index("https://example.org/legacy/").simple == "https://example.org/simple/"


def test_a_download_is_whole_or_not_there(busy: str, tmp_path: Path) -> None:
    target = tmp_path / "file"
    served = Served("file", None, f"{busy}files/good")
    assert client(busy).download(served, target) == hashlib.sha256(FILE).hexdigest()
    assert target.read_bytes() == FILE
    assert client(busy).digest(served) == hashlib.sha256(FILE).hexdigest()
    assert client(busy).digest(Served("file", "stated", "http://127.0.0.1:9/")) == "stated"
    target.write_text("before")
    Busy.left = 2
    assert client(busy).download(served, target) == hashlib.sha256(FILE).hexdigest(), (
        "cut twice, then whole"
    )
    target.write_text("before")
    Busy.left = 100
    with pytest.raises(IndexUnreachableError, match=r"`file` on `.*` does not answer"):
        client(busy).download(served, target)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [
        ("file", "before")
    ]


def test_a_file_that_is_not_there_is_no_file(busy: str, tmp_path: Path) -> None:
    """The page that says so is not taken for it."""
    with pytest.raises(CommandError, match="answers 404"):
        client(busy).download(Served("file", None, f"{busy}files/gone"), tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("page", "words"),
    [
        (
            b'{"meta":{"api-version":"2.0"},"name":"x","files":[]}',
            "does not speak the simple API",
        ),
        (b"<html>Log in</html>", "something else than a project's page"),
        (b"[]", "something else than a project's page"),
        (b'{"meta":{},"files":[{}]}', "something else than a project's page"),
    ],
)
def test_a_page_that_is_none_is_named(busy: str, page: bytes, words: str) -> None:
    Busy.page = page
    with pytest.raises(CommandError, match=words):
        client(busy).files("x")


def test_the_status_of_a_project_is_read(busy: str) -> None:
    Busy.page = (
        EMPTY[:-1] + b',"project-status":{"status":"quarantined","reason":"malware"}}'
    )
    assert client(busy).project("x") == Project({}, "quarantined", "malware")
    Busy.page = EMPTY
    assert client(busy).project("x") == Project({}, "active", "")


@pytest.mark.parametrize("secret", ["me:hush@", "me@", ":hush@"])
def test_a_secret_in_a_url_is_refused_and_not_repeated(secret: str) -> None:
    with pytest.raises(CommandError) as error:
        read_index(f"https://{secret}example.org:8443/legacy/?x#y")
    assert (
        "`https://example.org:8443/legacy/` was given with a secret in it"
        in error.value.message
    )
    assert "hush" not in f"{error.value.message} {error.value.hint}"


def test_a_url_without_a_port_gets_none() -> None:
    assert (
        without_secret("https://me:hush@example.org/simple/")
        == "https://example.org/simple/"
    )


@pytest.mark.parametrize(
    ("url", "is_taken"),
    [
        ("http://example.org/", False),
        ("http://localhost:8080/", True),
        ("http://[::1]/", True),
    ],
)
def test_an_upload_is_encrypted_or_stays_on_this_machine(
    url: str, *, is_taken: bool
) -> None:
    if is_taken:
        assert read_index(url).upload == url
    else:
        with pytest.raises(CommandError, match="is not encrypted"):
            read_index(url)


def test_a_user_without_a_password_is_no_credential(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = "[own]\nrepository = https://example.org/own/\nusername = me\n"
    (tmp_path / ".pypirc").write_text(f"[distutils]\nindex-servers = own\n{own}")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert read_index("own").credentials is None


def test_a_hash_that_the_index_states_is_taken(busy: str) -> None:
    """Then nothing is downloaded to compute it."""
    file = (
        b'{"filename":"x-1.tar.gz","url":"http://127.0.0.1:9/x","hashes":{"sha256":"ab"}}'
    )
    Busy.page = EMPTY.replace(b"[]", b"[" + file + b"]")
    (served,) = client(busy).files("x").values()
    assert (served.name, served.sha256) == ("x-1.tar.gz", "ab")
    assert client(busy).digest(served) == "ab"
