"""Download of one file from a folder or a server: bounded in size and time, and hashed on arrival."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import stat
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Callable
from urllib.parse import urljoin, urlsplit

from leanspec_launcher.commands import CommandError
from leanspec_launcher.installers.reinstall import extra_hint

if TYPE_CHECKING:
    import httpx

BLOCK = 1 << 16
BUSY = (429, 500, 502, 503, 504)
GOOD = 200
WEB = ("http", "https")
# Hints for failures that no other attempt can fix, by a part of their text.
HINTS = {
    "CERTIFICATE_VERIFY_FAILED": "check the clock of this machine;"
    " set `SSL_CERT_FILE` to the certificate of your company's authority",
    "407 ": "check the user and password in `HTTPS_PROXY`",
}
ANOTHER_PLACE = "try again later, or name another place of the same files: `--from`"
ANOTHER_FOLDER = "name the folder that holds this file: `--from FOLDER`"
# Called with the number of bytes that arrived so far.
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Limits:
    """Time limits of a download in seconds, and the number of its attempts."""

    connect: float = 10
    read: float = 30
    # Of everything: names, connections, headers, pauses and the file.
    total: float = 900
    attempts: int = 4
    # Before the next attempt; a server may ask for more, up to the longest.
    wait: float = 0.5
    longest_wait: float = 60


LIMITS = Limits()


class _AgainError(Exception):
    """Failure of an attempt that another one may not have."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait = wait


def place_of(text: str) -> str:
    """Return a place of files as an URL with a slash at its end, or as an absolute folder.

    Raises CommandError if it is neither.
    """
    if is_url(text):
        return text if text.endswith("/") else f"{text}/"
    folder = text
    if text.startswith("file:"):
        from urllib.request import url2pathname

        folder = url2pathname(urlsplit(text).path)
    # A zero byte is in no path.
    if "\0" not in folder and os.path.isdir(folder):
        return os.path.abspath(folder)
    raise CommandError(
        f"`{text.rpartition('@')[2]}` is neither a folder nor a URL",
        hint="name where the files of a release are: `--from /media/usb/lean-spec`",
    )


def is_url(place: str) -> bool:
    """Tell whether a place is on a server."""
    try:
        parts = urlsplit(place)
        # A port that is not a number raises ValueError: a password with a slash ends up there.
        return parts.scheme in WEB and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def shown(url: str) -> str:
    """Return a place without what may be secret: user, password and query.

    A password may contain any character, so whatever is before the last `@` is left out.
    """
    scheme, separator, rest = url.partition("://")
    if scheme not in WEB:
        return url
    secret, _, address = rest.rpartition("@")
    address = re.split(r"[?#&]", address)[0]
    return f"{scheme}{separator}{'…@' if secret else ''}{address}"


def save(
    place: str,
    name: str,
    to: Path,
    most: int,
    progress: Progress | None = None,
    limits: Limits = LIMITS,
) -> str:
    """Write a file of a place to a path, and return its SHA-256.

    At most `most` bytes. Raises CommandError if it cannot be had, or is longer.
    """
    arrival = _Arrival(to, most, progress)
    if is_url(place):
        must_have_extra("httpx")
        _download(urljoin(place, name), arrival, limits)
    else:
        with _opened(Path(place, name)) as file, arrival:
            for block in iter(lambda: file.read(BLOCK), b""):
                arrival.write(block)
    return arrival.hash.hexdigest()


def _opened(path: Path) -> BinaryIO:
    try:
        # Opening a FIFO would wait for somebody to write to it.
        if not stat.S_ISREG(path.stat().st_mode):
            raise CommandError(f"`{path}` is not a regular file", hint=ANOTHER_FOLDER)
        return path.open("rb")
    except OSError as error:
        raise CommandError(
            f"`{path}` cannot be read: {error.strerror}", hint=ANOTHER_FOLDER
        ) from None


class _Arrival:
    """A file that is written and hashed as it arrives, each time from its beginning."""

    def __init__(self, path: Path, most: int, progress: Progress | None) -> None:
        self.path = path
        self.most = most
        self.progress = progress

    def __enter__(self) -> None:
        self.file = self.path.open("wb")
        self.hash = hashlib.sha256()

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def write(self, block: bytes) -> None:
        """Write the next bytes. Raises CommandError if these are too many."""
        self.file.write(block)
        self.hash.update(block)
        length = self.file.tell()
        if length > self.most:
            raise CommandError(
                f"the file is longer than the {self.most} bytes that it should have",
                hint="it is another file than this release's: name another place with `--from`",
            )
        if self.progress:
            self.progress(length)


def _download(url: str, arrival: _Arrival, limits: Limits) -> None:
    """Download a file within the total time.

    In a thread: httpx's own limits are those of one read, and a server that sends a byte of its
    headers now and then never reaches them. Such a thread ends with this process.
    """
    errors: list[BaseException] = []

    def download() -> None:
        try:
            _attempts(url, arrival, limits)
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)

    thread = threading.Thread(target=download, daemon=True)
    thread.start()
    # While a file arrives, the thread itself looks at the time: by then, it has ended and closed it.
    thread.join(limits.total + limits.read)
    if thread.is_alive():
        raise _too_slow(url)
    for error in errors:
        raise error


def _attempts(url: str, arrival: _Arrival, limits: Limits) -> None:
    """Ask a server, again if it is busy or the connection ends."""
    deadline = time.monotonic() + limits.total
    with _client(url, limits) as client:
        for attempt in range(1, limits.attempts + 1):
            try:
                _attempt(client, url, arrival, deadline)
            except _AgainError as error:
                wait = limits.wait * 2**attempt if error.wait is None else error.wait
                if attempt == limits.attempts or wait > limits.longest_wait:
                    raise _failed(url, error.reason) from None
            else:
                return
            if time.monotonic() + wait > deadline:
                raise _too_slow(url)
            time.sleep(wait)


def _too_slow(url: str) -> CommandError:
    return _failed(url, "it takes too long")


def _client(url: str, limits: Limits) -> httpx.Client:
    """Return a client that takes proxies and certificates from the environment, as `curl` does."""
    import httpx

    def must_stay_encrypted(request: httpx.Request) -> None:
        if url.startswith("https:") and request.url.scheme != "https":
            target = shown(str(request.url))
            raise _failed(url, f"it redirects to `{target}`, which is not encrypted")

    try:
        return httpx.Client(
            timeout=httpx.Timeout(limits.read, connect=limits.connect),
            headers={"User-Agent": "leanspec-launcher"},
            follow_redirects=True,
            event_hooks={"request": [must_stay_encrypted]},
        )
    except (httpx.InvalidURL, ValueError):
        # Its text may contain a part of a password.
        reason = "the address of a proxy is not valid"
    except (OSError, ImportError) as error:
        reason = str(error)
    raise CommandError(
        f"no connection is possible with these settings: {reason}",
        hint="check `SSL_CERT_FILE`, `SSL_CERT_DIR` and the variables that end in `_PROXY`",
    )


def _attempt(client: httpx.Client, url: str, arrival: _Arrival, deadline: float) -> None:
    import httpx

    try:
        with client.stream("GET", url) as answer:
            reason = f"the server answers with status {answer.status_code}"
            if answer.status_code in BUSY:
                raise _busy(answer, reason)
            if answer.status_code != GOOD:
                raise _failed(url, reason)
            with arrival:
                for block in answer.iter_bytes():
                    arrival.write(block)
                    if time.monotonic() > deadline:
                        raise _too_slow(url)
    # A host name that IDNA refuses is a ValueError of Python, or an InvalidURL of httpx.
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        reason = str(error) or type(error).__name__
        if isinstance(error, httpx.TimeoutException):
            reason = "no answer in time"
        elif isinstance(error, httpx.ConnectError):
            reason = str(_first_cause(error))
        is_final = isinstance(error, httpx.UnsupportedProtocol) or _hint(reason)
        if isinstance(error, httpx.TransportError) and not is_final:
            raise _AgainError(reason) from None
        raise _failed(url, reason) from None


def _first_cause(error: BaseException) -> BaseException:
    """Return the system's error: the libraries' own names no reason."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return error


def _busy(answer: httpx.Response, reason: str) -> _AgainError:
    # In seconds; its other form, a date, is no better than our own pause.
    match = re.fullmatch("[0-9]{1,9}", answer.headers.get("Retry-After", ""))
    if match is None:
        return _AgainError(reason)
    return _AgainError(f"{reason}, and asks to wait {match[0]} s", float(match[0]))


def _failed(url: str, reason: str) -> CommandError:
    text = f"`{shown(url)}` cannot be fetched: {reason}"
    return CommandError(text, hint=_hint(reason) or ANOTHER_PLACE)


def _hint(reason: str) -> str:
    return next((hint for text, hint in HINTS.items() if text in reason), "")


def must_have_extra(name: str) -> None:
    """Raise CommandError if a library of the extra `download` is not installed."""
    if importlib.util.find_spec(name) is None:
        raise CommandError(
            f"this needs the extra `download` of lean-spec: `{name}` is not installed",
            hint=extra_hint("download"),
        )
