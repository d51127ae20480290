"""One file to an index: what each answer means, and whose credentials are shown."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests
from twine.auth import Private
from twine.exceptions import TrustedPublishingFailure, TwineException

from leanspec_launcher.commands import CommandError
from scripts.environment import ROOT
from scripts.index import upload as module
from scripts.index.client import ATTEMPTS, Index, IndexClient, IndexUnreachableError
from scripts.index.upload import BurntError, CredentialsError, credentials, upload
from scripts.model.files import File
from tests.support.small_index import CUT, SILENT, SmallIndex
from tests.support.wheel_files import NAME, stub

SECRET = ("user", "password")


@pytest.fixture
def file(tmp_path: Path) -> File:
    return stub(tmp_path / "ours", b"1")


def send(index: SmallIndex, file: File) -> None:
    upload(IndexClient(index.place), file, SECRET)


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_an_accepted_file_is_sent_once(
    quick_index: SmallIndex, file: File, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    quick_index.answers, quick_index.takes_what_it_refuses = [(status, "")], True
    send(quick_index, file)
    assert quick_index.uploaded == [NAME]
    assert f"uploaded {NAME}" in capsys.readouterr().err


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, CUT])
def test_a_busy_index_gets_the_file_again(
    quick_index: SmallIndex, file: File, status: int
) -> None:
    quick_index.answers = [(status, "busy")] * (ATTEMPTS - 1)
    send(quick_index, file)
    assert quick_index.uploaded == [NAME]


def test_an_index_that_stays_busy_is_given_up(quick_index: SmallIndex, file: File) -> None:
    quick_index.answers = [(503, "at night")] * ATTEMPTS
    words = r"in 6 attempts \(the last one: 503 .*night"
    with pytest.raises(IndexUnreachableError, match=words):
        send(quick_index, file)
    assert quick_index.uploaded == []


def test_upload_waits_as_long_as_retry_after_says(
    quick_index: SmallIndex, file: File
) -> None:
    quick_index.answers, quick_index.headers = [(429, "")], {"Retry-After": "1"}
    before = time.monotonic()
    send(quick_index, file)
    assert time.monotonic() - before >= 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413])
def test_a_refusal_ends_the_upload(
    quick_index: SmallIndex, file: File, status: int
) -> None:
    quick_index.answers = [(status, "too large")]
    words = f"rejected `{NAME}`: {status} .*too large"
    with pytest.raises(CommandError, match=words) as error:
        send(quick_index, file)
    assert isinstance(error.value, CredentialsError) is (status in {401, 403})
    assert "cut off" not in error.value.message
    assert quick_index.uploaded == []


def test_a_refusal_of_what_the_index_has_is_a_success(
    quick_index: SmallIndex, file: File
) -> None:
    """Another run brought these very bytes."""
    quick_index.files[NAME] = file.path.read_bytes()
    quick_index.answers = [(400, "file already exists")]
    send(quick_index, file)


@pytest.mark.parametrize("answer", [(400, "file already exists"), (503, ""), (CUT, "")])
def test_other_bytes_under_the_name_are_never_a_success(
    quick_index: SmallIndex, file: File, answer: tuple[int, str]
) -> None:
    quick_index.files[NAME] = b"other"
    quick_index.answers = [answer]
    with pytest.raises(BurntError, match="with other bytes"):
        send(quick_index, file)


@pytest.mark.parametrize("status", [CUT, 500])
def test_a_file_that_arrived_all_the_same_is_not_sent_again(
    quick_index: SmallIndex, file: File, status: int
) -> None:
    quick_index.answers, quick_index.takes_what_it_refuses = [(status, "")], True
    send(quick_index, file)
    assert quick_index.uploaded == [NAME]


def test_an_index_that_cannot_be_read_is_not_taken_to_have_the_file(
    quick_index: SmallIndex, file: File
) -> None:
    quick_index.busy = [503] * 99
    quick_index.answers = [(503, "")]
    send(quick_index, file)
    assert quick_index.uploaded == [NAME]


@pytest.mark.usefixtures("quick_index")
def test_the_credentials_of_pypirc_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TWINE_USERNAME", "TWINE_PASSWORD"):
        monkeypatch.delenv(name)
    place = Index("http://127.0.0.1:9/", "http://127.0.0.1:9/", ("me", "hush"))
    assert credentials(place) == ("me", "hush")
    assert "hush" not in repr(place)


@pytest.mark.usefixtures("quick_index")
def test_the_environment_comes_before_pypirc() -> None:
    place = Index("http://127.0.0.1:9/", "http://127.0.0.1:9/", ("me", "hush"))
    assert credentials(place) == ("u", "p")


def test_a_file_that_arrived_cut_and_is_refused_may_be_there(
    quick_index: SmallIndex, file: File
) -> None:
    """The index has it, and does not list it yet: nothing is lost."""
    quick_index.answers = [(CUT, ""), (400, "file already exists")]
    words = "may have arrived without being listed yet"
    with pytest.raises(CommandError, match=words) as error:
        send(quick_index, file)
    assert error.value.hint == module.AGAIN


def test_an_upload_without_an_answer_has_an_end(
    quick_index: SmallIndex, file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick_index.answers = [(SILENT, "")] * ATTEMPTS
    monkeypatch.setattr(module, "SECONDS_FOR_AN_ANSWER", 0.5)
    before = time.monotonic()
    words = r"in 6 attempts \(the last one: the connection failed: Read timed out"
    with pytest.raises(IndexUnreachableError, match=words):
        send(quick_index, file)
    assert time.monotonic() - before < 10


@pytest.mark.parametrize("status", [400, 403])
def test_the_reason_of_a_refusal_is_shown(
    quick_index: SmallIndex, file: File, status: int
) -> None:
    """Over HTTP/2, the status line has none: it is in the body alone."""
    text = "<html><style>x</style><body>Invalid value for\n classifiers</body></html>"
    quick_index.answers = [(status, text)]
    with pytest.raises(CommandError, match=f"{status} .*Invalid value for classifiers$"):
        send(quick_index, file)


def test_more_files_than_threads_are_all_uploaded(
    quick_index: SmallIndex, tmp_path: Path
) -> None:
    files = [stub(tmp_path / str(number), b"1") for number in range(2 * module.AT_ONCE + 1)]
    module.upload_all(IndexClient(quick_index.place), files, SECRET)
    assert len(quick_index.uploaded) == len(files)


UPLOADING = """
import pathlib, sys
from scripts.index.client import Index, IndexClient
from scripts.model.files import FileKind, File
from scripts.index.upload import upload_all
client, path = IndexClient(Index(sys.argv[1], sys.argv[1])), pathlib.Path(sys.argv[2])
file = File(path, FileKind.STUB, "leanspec-cli-bin", "1.2.3", None)
print("uploading", flush=True)
upload_all(client, [file], ("u", "p"))
"""


@pytest.mark.long
@pytest.mark.posix
def test_ctrl_c_does_not_wait_for_an_upload(quick_index: SmallIndex, file: File) -> None:
    quick_index.answers = [(SILENT, "")]
    command = [sys.executable, "-c", UPLOADING, quick_index.url, str(file.path)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"uploading\n"
        time.sleep(1)
        assert process.poll() is None, "the index does not answer"
        process.send_signal(signal.SIGINT)
        before = time.monotonic()
        process.wait(timeout=20)
    assert time.monotonic() - before < 5


GAVE_NONE = "did not give a token"


@pytest.mark.usefixtures("quick_index")
@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (
            TrustedPublishingFailure("It failed:\n\n* `invalid-publisher`: no"),
            "trusted publishing to `https://example.org/` failed: .*`invalid-publisher`: no",
        ),
        (KeyError("errors"), f"{GAVE_NONE}: its answer has neither a token nor an error$"),
        (requests.ConnectionError("refused"), f"{GAVE_NONE}: refused$"),
        (TwineException("no terminal"), "there are no credentials"),
    ],
)
def test_the_reason_of_a_missing_token_is_shown(
    monkeypatch: pytest.MonkeyPatch, problem: Exception, words: str
) -> None:
    """What the index answers to a workflow's identity cannot be asked for here."""

    def failing(_: object) -> str:
        raise problem

    monkeypatch.setattr(Private, "password", property(failing))
    monkeypatch.setenv("TWINE_USERNAME", "__token__")
    with pytest.raises(CredentialsError, match=words):
        credentials(Index("https://example.org/simple/", "https://example.org/"))
