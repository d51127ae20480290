"""Uploading a file with twine. The status code decides what an answer means, never its text."""

import contextlib
import io
import os
import queue
import re
import threading
import time
from typing import Any

import requests
import requests.adapters
from twine.auth import CredentialInput, Private
from twine.exceptions import TrustedPublishingFailure, TwineException
from twine.package import PackageFile
from twine.repository import Repository

from leanspec_launcher.commands import CommandError
from scripts.model.files import File
from scripts.model.finding import LONGEST_REASON
from scripts.tools.console import say
from scripts.tools.reasons import reason
from scripts.tools.threads import take

from .attestations import attestations_of
from .client import (
    ATTEMPTS,
    BACK_OFF,
    BUSY,
    Index,
    IndexClient,
    IndexUnreachableError,
    Served,
    retry_after,
    short_reason,
)

# User and password.
Credentials = tuple[str, str]
AT_ONCE = 4
# Between two bytes of an answer; an index looks at a file while the uploader waits.
SECONDS_FOR_AN_ANSWER = 120
CREATED = (200, 201, 202, 204)
REFUSES_US = (401, 403)
# All jobs of a run build again, and have other bytes then.
BURNT = (
    "in a workflow, run only the failed jobs again (`gh run rerun RUN --failed`), never all jobs;"
    " if these files were built again, this version cannot be used any more: bump to a higher one"
)
AGAIN = "run the same command again: it goes on from what the index has"


class BurntError(CommandError):
    """A file name that the index has forever with other bytes."""


class CredentialsError(CommandError):
    """Credentials that are missing, or that the index rejects."""


def credentials(index: Index) -> Credentials:
    """Return user and password from the environment, ~/.pypirc, a keyring or trusted publishing.

    Raises CredentialsError if there are none. They are never printed, and never in an argument.
    """
    variables = CredentialInput(
        os.environ.get("TWINE_USERNAME"), os.environ.get("TWINE_PASSWORD")
    )
    user, password = index.credentials or (None, None)
    section = {"repository": index.upload, "username": user, "password": password}
    resolver = Private(section, variables)
    try:
        user, password = resolver.username, resolver.password
    except TrustedPublishingFailure as error:
        words = reason(error)[:LONGEST_REASON]
        raise CredentialsError(
            f"trusted publishing to `{index.upload}` failed: {words}",
            hint="compare repository, workflow and environment with each project's trusted publisher",
        ) from None
    except (KeyError, requests.RequestException) as error:
        # twine looks up the field of a token, or that of the errors, in whatever the index answers.
        is_answer = isinstance(error, KeyError)
        no_field = "its answer has neither a token nor an error"
        words = no_field if is_answer else reason(error)
        raise CredentialsError(
            f"`{index.upload}` did not give a token: {words}", hint=AGAIN
        ) from None
    except TwineException:
        # twine would ask on a terminal, which nobody watches.
        user = password = None
    if not user or not password:
        raise CredentialsError(
            f"there are no credentials for `{index.upload}`",
            hint="set `TWINE_USERNAME` (`__token__` for a token) and `TWINE_PASSWORD`, or add them to ~/.pypirc",
        )
    return user, password


def upload_all(client: IndexClient, files: list[File], secret: Credentials) -> None:
    """Upload several files at a time; raise the first error when the running uploads have ended.

    Ctrl-C ends it at once: nobody waits for the threads, which end with the process.
    """
    waiting: queue.SimpleQueue[File] = queue.SimpleQueue()
    ended: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()
    failed = threading.Event()
    for file in files:
        waiting.put(file)

    def work() -> None:
        error = None
        with contextlib.suppress(queue.Empty):
            while not failed.is_set():
                file = waiting.get_nowait()
                try:
                    upload(client, file, secret)
                except Exception as problem:  # noqa: BLE001 - handed to the thread that waits
                    failed.set()
                    error = problem
        ended.put(error)

    with contextlib.redirect_stdout(io.StringIO()):
        threads = [threading.Thread(target=work, daemon=True) for _ in files[:AT_ONCE]]
        for thread in threads:
            thread.start()
        outcomes = [take(ended) for _ in threads]
    for error in outcomes:
        if error:
            raise error


def upload(client: IndexClient, file: File, secret: Credentials) -> None:
    """Upload one file; try again if the index is busy or out of reach.

    Raises BurntError, CredentialsError, IndexUnreachableError, or CommandError if the index
    refuses the file.
    """
    index, outcome, was_cut = client.index, "no answer", False
    for pause in BACK_OFF[:ATTEMPTS]:
        wait: float = pause
        is_refused = False
        try:
            answer = _send(index, file, secret)
        except requests.RequestException as error:
            # The file may have arrived before the connection broke.
            outcome, was_cut = f"the connection failed: {short_reason(error)}", True
        else:
            outcome = _summary(answer)
            if answer.status_code in CREATED:
                say(f"  uploaded {file.path.name}")
                return
            if answer.status_code in REFUSES_US:
                raise CredentialsError(
                    f"`{index.upload}` rejected `{file.path.name}`: {outcome}",
                    hint="check the token, and whether it may upload this project",
                )
            is_refused = answer.status_code not in BUSY
            wait = retry_after(answer) or pause
        # Even a refusal is a success if the index has exactly these bytes.
        if is_there(client, file):
            return
        if is_refused:
            raise _refusal(index, file, outcome, was_cut=was_cut)
        say(
            f"  {file.path.name}: the index is busy or out of reach, trying again in {wait:g} s"
        )
        time.sleep(wait)
    text = f"`{index.upload}` did not take `{file.path.name}` in {ATTEMPTS} attempts (the last one: {outcome})"
    raise IndexUnreachableError(text, hint=AGAIN)


def _summary(answer: requests.Response) -> str:
    """Return an answer's status, its reason phrase, and the text of its body."""
    text = re.sub(r"<(style|script).*?</\1>|<[^>]+>", " ", answer.text, flags=re.DOTALL)
    # HTTP/2 has no reason phrase, and some servers repeat theirs as the body.
    body = " ".join(text.split())
    parts = filter(None, [str(answer.status_code), answer.reason, body])
    return " ".join(dict.fromkeys(parts))[:LONGEST_REASON]


def _refusal(index: Index, file: File, outcome: str, *, was_cut: bool) -> CommandError:
    text = f"`{index.upload}` rejected `{file.path.name}`: {outcome}"
    if was_cut:
        return CommandError(
            f"{text}; an earlier attempt was cut off, and may have arrived without being listed yet",
            hint=AGAIN,
        )
    return CommandError(text, hint="check this name and version on the index")


class _Bounded(requests.adapters.HTTPAdapter):
    """Waits for an answer for a limited time: twine itself waits forever."""

    def send(
        self,
        request: requests.PreparedRequest,
        *arguments: Any,  # noqa: ANN401 - requests' own signature
        **options: Any,  # noqa: ANN401
    ) -> requests.Response:
        return super().send(
            request, *arguments, **(options | {"timeout": SECONDS_FOR_AN_ANSWER})
        )


def _send(index: Index, file: File, secret: Credentials) -> requests.Response:
    repository = Repository(index.upload, *secret, disable_progress_bar=True)
    for scheme in ("http://", "https://"):
        repository.session.mount(scheme, _Bounded())
    try:
        package = PackageFile.from_filename(str(file.path), comment=None)
        attestations = attestations_of(file)
        if attestations:
            package.add_attestations([str(path) for path in attestations.values()])
        return repository.upload(package, max_redirects=1)
    finally:
        repository.close()


def is_there(client: IndexClient, file: File) -> bool:
    """Tell whether the index serves a file; raises BurntError if it serves other bytes under its name."""
    try:
        # One attempt: the caller repeats the question itself.
        files = client.files(file.distribution, attempts=1)
    except IndexUnreachableError:
        return False
    if file.path.name not in files:
        return False
    must_be_same(client, files[file.path.name], file)
    return True


def must_be_same(client: IndexClient, served: Served, file: File) -> None:
    """Raise BurntError if the index serves other bytes than those of a file."""
    actual, expected = client.digest(served), file.sha256()
    if actual != expected:
        raise BurntError(
            f"`{file.path.name}` is on `{client.index}` with other bytes: sha256 `{actual}`, ours is `{expected}`",
            hint=BURNT,
        )
