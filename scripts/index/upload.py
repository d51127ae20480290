"""Uploading a file with twine. The status code decides what an answer means, never its text."""

from __future__ import annotations

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
    retry_after,
    short_reason,
)

AT_ONCE = 4
# Between two bytes of an answer; an index looks at a file while the uploader waits.
SECONDS_FOR_AN_ANSWER = 120
CREATED = (200, 201, 202, 204)
REFUSES_US = (401, 403)
# All jobs of a run build again, and have other bytes then.
BURNT = (
    "of a workflow's run, only the failed jobs can be run again (`gh run rerun RUN --failed`), never all;"
    " if these files were built anew, this version cannot be used any more: bump to a higher one"
)
AGAIN = "run the same command again: it goes on from what the index has"


class BurntError(CommandError):
    """A file name that the index has forever with other bytes."""


class CredentialsError(CommandError):
    """Credentials that are missing, or that the index rejects."""


def credentials(index: Index) -> tuple[str, str]:
    """Return user and password from the environment, ~/.pypirc, a keyring or trusted publishing.

    Raises CredentialsError if there are none. They are never printed, and never in an argument.
    """
    given = CredentialInput(
        os.environ.get("TWINE_USERNAME"), os.environ.get("TWINE_PASSWORD")
    )
    known = {"repository": index.upload, "username": None, "password": None}
    if index.credentials:
        known |= {"username": index.credentials[0], "password": index.credentials[1]}
    resolver = Private(known, given)
    try:
        user, password = resolver.username, resolver.password
    except TrustedPublishingFailure as error:
        said = " ".join(str(error).split())[:LONGEST_REASON]
        raise CredentialsError(
            f"trusted publishing to `{index.upload}` failed: {said}",
            hint="compare repository, workflow and environment with each project's trusted publisher",
        ) from None
    except (KeyError, requests.RequestException) as error:
        raise CredentialsError(
            f"`{index.upload}` did not give a token: {_why_no_token(error)}",
            hint=AGAIN,
        ) from None
    except TwineException:
        user = password = None  # it would ask on a terminal, which nobody watches
    if not user or not password:
        raise CredentialsError(
            f"there are no credentials for `{index.upload}`",
            hint="set `TWINE_USERNAME` (`__token__` for a token) and `TWINE_PASSWORD`, or add them to ~/.pypirc",
        )
    return user, password


def _why_no_token(error: Exception) -> str:
    # twine looks up the field of a token, or that of the errors, in whatever the index answers.
    is_answer = isinstance(error, KeyError)
    return "its answer has neither a token nor an error" if is_answer else reason(error)


def upload_all(
    index: Index, client: IndexClient, files: list[File], secret: tuple[str, str]
) -> None:
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
                    upload(index, client, file, secret)
                except Exception as problem:  # noqa: BLE001 - handed to the thread that waits
                    failed.set()
                    error = problem
        ended.put(error)

    with contextlib.redirect_stdout(io.StringIO()):
        threads = [threading.Thread(target=work, daemon=True) for _ in files[:AT_ONCE]]
        for thread in threads:
            thread.start()
        errors = [error for error in [take(ended) for _ in threads] if error]
    if errors:
        raise errors[0]


def upload(index: Index, client: IndexClient, file: File, secret: tuple[str, str]) -> None:
    """Upload one file; try again if the index is busy or out of reach.

    Raises BurntError, CredentialsError, IndexUnreachableError, or CommandError if the index
    refuses the file.
    """
    last, was_cut = "no answer", False
    for pause in BACK_OFF[:ATTEMPTS]:
        try:
            answer = _send(index, file, secret)
        except requests.RequestException as error:
            last, was_cut = f"the connection failed: {short_reason(error)}", True
            wait: float = pause  # the connection broke: the file may have arrived
        else:
            last = _said(answer)
            if answer.status_code in CREATED:
                say(f"  uploaded {file.path.name}")
                return
            if answer.status_code in REFUSES_US:
                raise CredentialsError(
                    f"`{index.upload}` rejected `{file.path.name}`: {_said(answer)}",
                    hint="check the token, and whether it may upload this project",
                )
            if answer.status_code not in BUSY:
                _must_be_there(index, client, file, answer, was_cut=was_cut)
                return
            wait = retry_after(answer) or pause
        if is_there(client, file):
            return
        say(
            f"  {file.path.name}: the index is busy or out of reach, trying again in {wait:g} s"
        )
        time.sleep(wait)
    text = f"`{index.upload}` did not take `{file.path.name}` in {ATTEMPTS} attempts (the last one: {last})"
    raise IndexUnreachableError(text, hint=AGAIN)


def _said(answer: requests.Response) -> str:
    """Return an answer's status, its reason phrase, and the text of its body."""
    body = " ".join(
        re.sub(
            r"<(style|script).*?</\1>|<[^>]+>", " ", answer.text, flags=re.DOTALL
        ).split()
    )
    words = dict.fromkeys([str(answer.status_code), answer.reason or "", body])
    return " ".join(filter(None, words))[:LONGEST_REASON]


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


def _send(index: Index, file: File, secret: tuple[str, str]) -> requests.Response:
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


def _must_be_there(
    index: Index,
    client: IndexClient,
    file: File,
    answer: requests.Response,
    *,
    was_cut: bool,
) -> None:
    """Accept a refusal as success only if the index has exactly these bytes."""
    if is_there(client, file):
        return
    refused = f"`{index.upload}` rejected `{file.path.name}`: {_said(answer)}"
    if was_cut:
        raise CommandError(
            f"{refused}; an earlier attempt was cut off, and may have arrived without being listed yet",
            hint=AGAIN,
        )
    raise CommandError(refused, hint="see what the index says of this name and version")


def is_there(client: IndexClient, file: File) -> bool:
    """Tell whether the index serves a file; raises BurntError if it serves other bytes under its name."""
    try:
        served = client.files(file.distribution, attempts=1).get(
            file.path.name
        )  # whoever asks is patient itself
    except IndexUnreachableError:
        return False
    if served is None:
        return False
    found, own = client.digest(served), file.sha256()
    if found != own:
        raise BurntError(
            f"`{file.path.name}` is on `{client.index}` with other bytes: sha256 `{found}`, ours is `{own}`",
            hint=BURNT,
        )
    return True
