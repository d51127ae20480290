"""Fetching one file from a folder or a server: bounded in size and time, and hashed while it arrives."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Callable
from urllib.parse import urljoin, urlsplit, urlunsplit

from leanspec_launcher.commands import CommandError
from leanspec_launcher.installers.reinstall import extra_hint

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

BLOCK = 1 << 16
REDIRECTS = (301, 302, 303, 307, 308)
BUSY = (429, 500, 502, 503, 504)
GOOD = 200
PROXY_REFUSES = 407
WEB = ("http", "https")
# What the extra `download` brings.
DOWNLOAD = ("httpx", "cryptography", "filelock")
ANOTHER_FOLDER = "name the folder that holds this file: `--from FOLDER`"
# Called with the number of bytes that arrived so far.
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Limits:
    """How long a server may take, in seconds, and how often it is asked."""

    connect: float = 10
    read: float = 30
    total: float = 900
    attempts: int = 4
    # Seconds before the next attempt; a server may ask for more, up to the longest.
    wait: float = 0.5
    longest_wait: float = 60
    redirects: int = 5


LIMITS = Limits()


class _AgainError(Exception):
    """An attempt failed in a way that another one may not; what a server asks to wait, in seconds."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait = wait


def place_of(text: str) -> str:
    """Return a place of files as an URL with a slash at its end, or as an absolute folder.

    Raises CommandError if it is neither.
    """
    with contextlib.suppress(ValueError):  # it is no URL, or holds a zero byte
        parts = urlsplit(text)
        if parts.scheme in WEB and parts.hostname:
            return text if text.endswith("/") else f"{text}/"
        folder = text
        if parts.scheme == "file":
            from urllib.request import url2pathname

            folder = url2pathname(parts.path)
        if os.path.isdir(folder):
            return os.path.abspath(folder)
    raise CommandError(
        f"`{text.rpartition('@')[2]}` is neither a folder nor a URL",
        hint="name where the files of a release are: `--from /media/usb/lean-spec`",
    )


def shown(url: str) -> str:
    """Return a place without a user or password in it."""
    parts = urlsplit(url)
    if parts.scheme not in WEB:
        return url
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


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
    report = progress or (lambda _: None)
    if urlsplit(place).scheme in WEB:
        return _download(urljoin(place, name), to, most, report, limits)
    source = Path(place, name)
    with _opened(source) as file, to.open("wb") as target:
        blocks = iter(lambda: file.read(BLOCK), b"")
        return _copy(blocks, target, most, report, str(source))


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        # Opening a FIFO would wait for somebody to write to it.
        if not stat.S_ISREG(path.stat().st_mode):
            raise CommandError(f"`{path}` is not a regular file", hint=ANOTHER_FOLDER)
        file = path.open("rb")
    except OSError as error:
        raise CommandError(
            f"`{path}` cannot be read: {error.strerror}",
            hint=ANOTHER_FOLDER,
        ) from None
    with file:
        yield file


def _copy(
    blocks: Iterator[bytes], target: BinaryIO, most: int, report: Progress, name: str
) -> str:
    total, arrived = hashlib.sha256(), 0
    for block in blocks:
        arrived += len(block)
        if arrived > most:
            raise CommandError(
                f"`{name}` is longer than the {most} bytes that it should have",
                hint="it is another file than this release's: name another place with `--from`",
            )
        total.update(block)
        target.write(block)
        report(arrived)
    return total.hexdigest()


def _download(url: str, to: Path, most: int, report: Progress, limits: Limits) -> str:
    """Ask a server, again if it is busy or the connection ends, until the time is over."""
    deadline = time.monotonic() + limits.total
    with _client(limits) as client:
        asked = _Request(client, url, most, report, deadline, limits)
        for attempt in range(1, limits.attempts):
            try:
                return asked.save(to)
            except _AgainError as error:  # noqa: PERF203 - each attempt takes a connection
                wait = limits.wait * 2**attempt if error.wait is None else error.wait
                if time.monotonic() + wait > deadline:
                    raise _unreachable(url, error.reason) from None
                time.sleep(wait)
        try:
            return asked.save(to)
        except _AgainError as error:
            raise _unreachable(url, error.reason) from None


def _client(limits: Limits) -> httpx.Client:
    """Return a client that takes proxies and certificates from the environment, as `curl` does."""
    import httpx

    timeout = httpx.Timeout(limits.read, connect=limits.connect)
    # What is compressed on its way has no size that could be known before.
    headers = {"Accept-Encoding": "identity", "User-Agent": "leanspec-launcher"}
    try:
        return httpx.Client(timeout=timeout, headers=headers, follow_redirects=False)
    except (OSError, ValueError, ImportError) as error:
        raise CommandError(
            f"no connection is possible with these settings: {error}",
            hint="see `SSL_CERT_FILE`, `SSL_CERT_DIR` and the variables that end in `_PROXY`",
        ) from None


@dataclass(frozen=True)
class _Request:
    """A file on a server, and the bounds of getting it."""

    client: httpx.Client
    url: str
    most: int
    report: Progress
    # On the clock of time.monotonic().
    deadline: float
    limits: Limits

    def save(self, to: Path) -> str:
        """Write the file from its beginning, and return its SHA-256.

        What arrived at an earlier attempt may be of another file. Raises _AgainError or
        CommandError.
        """
        import httpx

        try:
            with to.open("wb") as target:
                return self._follow(target)
        except httpx.TransportError as error:
            raise _failure(self.url, error) from None
        except (httpx.InvalidURL, httpx.HTTPError) as error:
            raise _unreachable(self.url, str(error)) from None

    def _follow(self, target: BinaryIO) -> str:
        """Follow redirects to the file, and write it."""
        asked, hosts = self.url, [urlsplit(self.url).hostname]
        for _ in range(self.limits.redirects + 1):
            with self.client.stream("GET", asked) as answer:
                if answer.status_code not in REDIRECTS:
                    _must_be_the_file(answer, self.url, self.limits)
                    # As they arrive: a block of a given size could take for ever to be full.
                    blocks = _in_time(answer.iter_raw(), self.deadline, self.url)
                    return _copy(blocks, target, self.most, self.report, shown(self.url))
                asked = redirected(asked, answer.headers.get("Location", ""), hosts)
        raise _unreachable(
            self.url, f"it redirects more than {self.limits.redirects} times"
        )


def _failure(url: str, error: httpx.TransportError) -> Exception:
    """Tell apart what another attempt may mend, and what it cannot."""
    import httpx

    reason = str(error) or type(error).__name__
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        return CommandError(
            f"the certificate of `{shown(url)}` is not trusted: {reason}",
            hint="see the clock of this machine; set `SSL_CERT_FILE` to your authority's certificate",
        )
    if isinstance(error, httpx.UnsupportedProtocol):
        return _unreachable(url, reason)
    if isinstance(error, httpx.ProxyError) and str(PROXY_REFUSES) in reason:
        return CommandError(
            f"the proxy refuses to connect to `{shown(url)}`: {reason}",
            hint="see the user and password in `HTTPS_PROXY`",
        )
    if isinstance(error, httpx.TimeoutException):
        return _AgainError(f"no answer in time ({type(error).__name__})")
    return _AgainError(reason)


def _unreachable(url: str, reason: str) -> CommandError:
    return CommandError(
        f"`{shown(url)}` cannot be fetched: {reason}",
        hint="try again later, or name another place of the same files: `--from`",
    )


def _must_be_the_file(answer: httpx.Response, url: str, limits: Limits) -> None:
    """Raise unless a server answers with a file as it is."""
    status = answer.status_code
    if status in BUSY:
        asked = answer.headers.get("Retry-After", "")
        # As seconds; its other form, a date, is no better than our own pause.
        wait = float(asked) if asked.isdigit() else None
        if wait is not None and wait > limits.longest_wait:
            raise _unreachable(
                url, f"the server is busy (status {status}) for {wait:.0f} s"
            )
        raise _AgainError(f"the server is busy (status {status})", wait)
    if status != GOOD:
        raise _unreachable(url, f"the server answers with status {status}")
    encoding = answer.headers.get("Content-Encoding", "identity")
    if encoding.lower() != "identity":
        raise _unreachable(url, f"the server compresses it (`{encoding}`)")


def _in_time(blocks: Iterator[bytes], deadline: float, url: str) -> Iterator[bytes]:
    """Pass blocks on until the time is over: a server may send a byte now and then, for ever."""
    for block in blocks:
        if time.monotonic() > deadline:
            raise _unreachable(url, "it takes too long")
        yield block


def redirected(url: str, location: str, hosts: list[str | None]) -> str:
    """Return where a redirect leads: never out of https, and to one other host at most."""
    target = urljoin(url, location)
    parts = urlsplit(target)
    if not location or parts.scheme not in WEB or not parts.hostname:
        raise _unreachable(url, "it redirects to no URL")
    if urlsplit(url).scheme == "https" and parts.scheme != "https":
        raise _unreachable(
            url, f"it redirects to `{shown(target)}`, which is not encrypted"
        )
    if parts.hostname not in hosts:
        hosts.append(parts.hostname)
    if len(hosts) > 2:  # noqa: PLR2004 - the first one, and one other
        raise _unreachable(url, f"it redirects to a third host, `{parts.hostname}`")
    return target


def must_have_extra() -> None:
    """Raise CommandError if the libraries that downloads need are not installed."""
    for name in DOWNLOAD:
        # Not imported here: that would take half a second.
        if importlib.util.find_spec(name) is None:
            raise CommandError(
                f"downloads need the extra `download` of lean-spec: there is no `{name}`",
                hint=extra_hint("download"),
            )
