"""An index, asked by the standards: as JSON, as HTML without hashes, busy, wrong."""

from __future__ import annotations

import hashlib
import re
import time
from pathlib import Path

import pytest
from packaging.version import Version

from leanspec_launcher.commands import CommandError
from scripts.index.built import index_of
from scripts.index.client import (
    Index,
    IndexClient,
    IndexProject,
    IndexUnreachableError,
    Served,
    read_index,
    without_secret,
)
from scripts.index.upload import AT_ONCE, BurntError, CredentialsError, is_there, upload_all
from scripts.publish import publish
from tests.support.small_index import SmallIndex
from tests.support.wheel_files import NAME, stub

JSON = "application/vnd.pypi.simple.v1+json"
PAGE = b'{"meta":{"api-version":"1.0"},"name":"x","files":[]}'
FILE = bytes(range(256)) * 10_000


def client(url: str) -> IndexClient:
    return IndexClient(Index(url, url))


@pytest.mark.parametrize("code", [429, 500, 503])
def test_a_busy_index_is_asked_again(quick_index: SmallIndex, code: int) -> None:
    quick_index.busy = [code] * 3
    assert IndexClient(quick_index.place).files("x") == {}
    assert quick_index.busy == []


def test_retry_after_is_kept(quick_index: SmallIndex) -> None:
    quick_index.busy, quick_index.headers = [429], {"Retry-After": "1"}
    started = time.monotonic()
    IndexClient(quick_index.place).files("x")
    assert time.monotonic() - started >= 1


def test_a_busy_index_is_given_up_in_the_end(quick_index: SmallIndex) -> None:
    quick_index.busy = [503] * 100
    with pytest.raises(IndexUnreachableError, match="is still busy after 6 attempts"):
        IndexClient(quick_index.place).files("x")


def test_a_refusal_is_an_error_at_once(quick_index: SmallIndex) -> None:
    quick_index.busy = [403, 403]
    with pytest.raises(CommandError, match="answers 403"):
        IndexClient(quick_index.place).files("x")
    assert quick_index.busy == [403]


@pytest.mark.usefixtures("quick_index")
def test_an_index_that_does_not_answer_is_given_up() -> None:
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
        reader = client(settings["PIP_INDEX_URL"])
        served = reader.files("leanspec-cli-bin")
        assert [(file.name, file.sha256) for file in served.values()] == [(NAME, None)]
        assert reader.versions("leanspec-cli-bin") == [Version("1.2.3")]
        assert reader.files("leanspec-mcp-bin") == {}
        assert is_there(reader, ours)
        with pytest.raises(BurntError, match="with other bytes"):
            is_there(reader, other)
        publish.wait_until_served(reader, [ours], 5)
        with pytest.raises(BurntError, match="with the sha256"):
            publish.wait_until_served(reader, [other], 5)


def test_upload_reports_the_first_refusal_and_begins_no_other_file(
    tmp_path: Path, quick_index: SmallIndex
) -> None:
    """A release has more files than are uploaded at once."""
    files = [stub(tmp_path / "ours", b"1")] * (AT_ONCE * 50)
    # Late, so that some uploads have not begun when the first one fails.
    quick_index.delay, quick_index.answers = 0.05, [(403, "no")] * len(files)
    place = quick_index.place
    with pytest.raises(CredentialsError, match="403 Forbidden"):
        upload_all(IndexClient(place), files, ("user", "secret"))
    assert len(quick_index.answers) > len(files) / 2


@pytest.fixture
def pypirc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a `.pypirc` with an index and its user."""
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    path = tmp_path / ".pypirc"
    section = "[own]\nrepository = https://example.org/own/\nusername = me\n"
    path.write_text(f"[distutils]\nindex-servers = own\n{section}")
    return path


def test_a_name_of_pypirc_is_read_with_its_credentials(pypirc: Path) -> None:
    assert read_index("own").credentials is None, "a user alone is no credential"
    pypirc.write_text(f"{pypirc.read_text()}password = hush\n")
    index = read_index("own")
    assert index.simple == "https://example.org/own/+simple/"
    assert index.upload == "https://example.org/own/"
    assert index.credentials == ("me", "hush")
    assert "hush" not in f"{index} {index!r}"
    with pytest.raises(CommandError, match="no index called"):
        read_index("testpypi")
    pypirc.unlink()
    assert read_index("testpypi").simple.endswith("/simple/")
    assert read_index("https://example.org/legacy/").simple == "https://example.org/simple/"


def test_download_is_complete_or_leaves_the_target_alone(
    quick_index: SmallIndex, tmp_path: Path
) -> None:
    target = tmp_path / "file"
    quick_index.files["good"], quick_index.cut = FILE, "good"
    served = Served("file", None, f"{quick_index.url}files/good")
    ours, sha256 = IndexClient(quick_index.place), hashlib.sha256(FILE).hexdigest()
    quick_index.cuts = 0
    assert ours.digest(served) == sha256
    assert ours.digest(Served("file", "stated", "http://127.0.0.1:9/")) == "stated"
    for cuts in (0, 2):
        quick_index.cuts = cuts
        target.write_text("before")
        assert ours.download(served, target) == sha256, "at last"
        assert target.read_bytes() == FILE
    target.write_text("before")
    quick_index.cuts = 100
    with pytest.raises(IndexUnreachableError, match=r"`file` on `.*` does not answer"):
        ours.download(served, target)
    assert list(tmp_path.iterdir()) == [target]
    assert target.read_text() == "before"


def test_download_does_not_take_an_error_page_for_the_file(
    quick_index: SmallIndex, tmp_path: Path
) -> None:
    """The page that says so is not taken for it."""
    served = Served("file", None, f"{quick_index.url}files/gone")
    with pytest.raises(CommandError, match="answers 404"):
        IndexClient(quick_index.place).download(served, tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_the_status_of_a_project_is_read(quick_index: SmallIndex) -> None:
    ours = IndexClient(quick_index.place)
    assert ours.project("x") == IndexProject({}, "active", "")
    status = b',"project-status":{"status":"quarantined","reason":"malware"}}'
    quick_index.page = JSON, PAGE[:-1] + status
    assert ours.project("x") == IndexProject({}, "quarantined", "malware")


@pytest.mark.parametrize("secret", ["me:hush@", "me@", ":hush@"])
def test_a_secret_in_a_url_is_refused_and_not_repeated(secret: str) -> None:
    words = "`https://example.org:8443/legacy/` was given with a secret in it"
    with pytest.raises(CommandError, match=words) as error:
        read_index(f"https://{secret}example.org:8443/legacy/?x#y")
    assert "hush" not in f"{error.value.message} {error.value.hint}"


def test_a_url_without_a_port_gets_none() -> None:
    url = "https://example.org/simple/"
    assert without_secret(url.replace("//", "//me:hush@")) == url


@pytest.mark.parametrize("url", ["http://localhost:8080/", "http://[::1]/"])
def test_an_upload_is_encrypted_or_stays_on_this_machine(url: str) -> None:
    assert read_index(url).upload == url
    with pytest.raises(CommandError, match="is not encrypted"):
        read_index("http://example.org/")


def test_a_hash_that_the_index_states_is_not_computed_again(
    quick_index: SmallIndex,
) -> None:
    """Then nothing is downloaded to compute it."""
    url = b"http://127.0.0.1:9/x"
    file = b'{"filename":"x-1.tar.gz","url":"%s","hashes":{"sha256":"ab"}}' % url
    quick_index.page = JSON, PAGE.replace(b"[]", b"[" + file + b"]")
    ours = IndexClient(quick_index.place)
    (served,) = ours.files("x").values()
    assert (served.name, served.sha256) == ("x-1.tar.gz", "ab")
    assert ours.digest(served) == "ab"
