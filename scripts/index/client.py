"""Reading an index by the simple API, as JSON (PEP 691) or HTML (PEP 503)."""

import base64
import hashlib
import itertools
import json
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import requests
from packaging.version import InvalidVersion, Version
from pypi_simple import (
    ACCEPT_ANY,
    PYPI_SIMPLE_ENDPOINT,
    NoSuchProjectError,
    PyPISimple,
    UnsupportedContentTypeError,
    UnsupportedRepoVersionError,
)
from twine.exceptions import TwineException
from twine.utils import DEFAULT_REPOSITORY, get_repository_from_config

from leanspec_launcher.commands import CommandError
from scripts.model.finding import LONGEST_REASON
from scripts.tools.work_folder import replacing

ANSWER_SECONDS = 20
T = TypeVar("T")
CONFIGURATION = "~/.pypirc"
# Seconds between two looks at an index that does not show a file yet: at once, then slower, a
# minute at most.
BACK_OFF = (0.5, 1, 2, 4, 8, 15, 30, 60)
BUSY = (429, 500, 502, 503, 504)
ATTEMPTS = 6
LONGEST_WAIT = 120


def looks(seconds: float) -> Iterator[float]:
    """Yield the pause after each look at an index, ever longer; 0 with the last look."""
    started = time.monotonic()
    for longest in itertools.chain(BACK_OFF, itertools.repeat(BACK_OFF[-1])):
        left = seconds - (time.monotonic() - started)
        pause = max(0.0, min(longest, left))
        yield pause
        time.sleep(pause)


class IndexUnreachableError(CommandError):
    """An index that does not answer."""


@dataclass(frozen=True)
class Index:
    """Where an index is read and where it takes uploads."""

    simple: str
    upload: str
    credentials: tuple[str, str] | None = field(default=None, repr=False)

    def __str__(self) -> str:
        """Write its address without any secret."""
        return without_secret(self.simple)


def without_secret(url: str) -> str:
    """Return a URL without a user or password in it."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    place = f"{host}:{parts.port}" if parts.port else host
    return urlunsplit((parts.scheme, place, parts.path, "", ""))


def read_index(name: str, simple: str | None = None) -> Index:
    """Return the index of a name in `~/.pypirc`, or of an upload URL.

    Where its simple API is elsewhere than next to the upload URL, `simple` says so. Raises
    CommandError for a name that is configured nowhere, and for a password in a URL: others could
    see it.
    """
    if "://" not in name:
        return _configured(name, simple)
    parts = urlsplit(name)
    if parts.username or parts.password:
        raise CommandError(
            f"`{without_secret(name)}` was given with a secret in it, which others on this machine can see",
            hint="use the variables `TWINE_USERNAME` and `TWINE_PASSWORD`, or a name in ~/.pypirc",
        )
    if parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise CommandError(f"`{name}` is not encrypted", hint="use an https URL")
    # Where indexes usually have their simple API.
    base = name.rstrip("/")
    is_legacy = base.endswith("/legacy")
    usual = f"{base.removesuffix('/legacy')}/simple/" if is_legacy else f"{base}/+simple/"
    return Index(simple or usual, name)


def _configured(name: str, simple: str | None) -> Index:
    """Return an index by twine's name for it: from ~/.pypirc, or built into twine."""
    try:
        section = get_repository_from_config(CONFIGURATION, name)
    except (TwineException, KeyError):
        raise CommandError(
            f"no index called `{name}` is configured",
            hint=f"add a section `[{name}]` with `repository = URL` to {CONFIGURATION}, or give its URL",
        ) from None
    upload = str(section["repository"])
    if simple is None and upload == DEFAULT_REPOSITORY:
        simple = PYPI_SIMPLE_ENDPOINT
    index = read_index(upload, simple)
    user, password = section.get("username"), section.get("password")
    # twine has a user of its own for an index with tokens, whose password comes from elsewhere.
    return replace(index, credentials=(user, password)) if user and password else index


@dataclass(frozen=True)
class Served:
    """One file as an index lists it."""

    name: str
    sha256: str | None
    url: str
    is_yanked: bool = False
    uploaded: datetime | None = None
    provenance: str | None = None
    """The URL of its provenance (PEP 740)."""


@dataclass(frozen=True)
class IndexProject:
    """A project as an index lists it."""

    files: dict[str, Served]
    # Project status markers (PEP 792): `active` if the index does not say.
    status: str = "active"
    reason: str = ""


class IndexClient:
    """A client of an index, which asks again if the index is busy and not if it refuses."""

    def __init__(self, index: Index) -> None:
        self.index = index
        session = requests.Session()
        session.headers["Cache-Control"] = "no-cache"
        self._client = PyPISimple(
            index.simple, auth=index.credentials, accept=ACCEPT_ANY, session=session
        )

    def files(self, project: str, *, attempts: int = ATTEMPTS) -> dict[str, Served]:
        """Return the files that the index lists for a project, by name; none if it knows no such project.

        Raises IndexUnreachableError if it does not answer, or is busy, at every attempt.
        """
        return self.project(project, attempts=attempts).files

    def project(self, project: str, *, attempts: int = ATTEMPTS) -> IndexProject:
        """Return a project as the index lists it; without files if the index does not know it."""
        try:
            page = self._patiently(
                lambda: self._client.get_project_page(project, timeout=ANSWER_SECONDS),
                attempts,
                f"`{self.index}`",
            )
        except NoSuchProjectError:
            return IndexProject({})
        except (UnsupportedContentTypeError, UnsupportedRepoVersionError) as error:
            raise CommandError(
                f"`{self.index}` does not speak the simple API: {error}",
                hint="name it with `--simple URL`",
            ) from None
        except (ValueError, KeyError, TypeError) as error:
            raise _no_page(self.index, error) from None
        # A network's login page, too, is a list of links to a parser.
        has_files = any(package.package_type for package in page.packages)
        if not has_files and page.repository_version is None:
            raise _no_page(self.index, "it lists no file and states no version of the API")
        files = {
            package.filename: Served(
                name=package.filename,
                sha256=(package.digests or {}).get("sha256"),
                url=package.url,
                is_yanked=bool(package.is_yanked),
                uploaded=package.upload_time,
                provenance=package.provenance_url,
            )
            for package in page.packages
        }
        return IndexProject(files, page.status or "active", page.status_reason or "")

    def versions(self, project: str, *, attempts: int = ATTEMPTS) -> list[Version]:
        """Return the versions that the index has files of, lowest first."""
        versions = {version_of(name) for name in self.files(project, attempts=attempts)}
        return sorted(version for version in versions if version)

    def digest(self, served: Served) -> str:
        """Return the sha256 of a served file, as the index states it; else computed from a download."""
        if served.sha256:
            return served.sha256
        with tempfile.TemporaryDirectory() as folder:
            return self.download(served, Path(folder, served.name))

    def download(self, served: Served, target: Path) -> str:
        """Download a file and return its sha256. `target` appears only if the download is complete."""
        subject = f"`{served.name}` on `{self.index}`"
        with replacing(target) as new:
            return self._patiently(lambda: self._fetch(served, new), ATTEMPTS, subject)

    def predicates(self, served: Served) -> frozenset[str]:
        """Return the types of the statements that the index shows of a file; none without provenance.

        Raises CommandError for a provenance object that cannot be read (PEP 740, Provenance objects).
        """
        if not served.provenance:
            return frozenset()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "provenance")
            self.download(replace(served, url=served.provenance), path)
            data = path.read_bytes()
        try:
            bundles = json.loads(data)["attestation_bundles"]
            lists = [bundle["attestations"] for bundle in bundles]
            return predicate_types(itertools.chain.from_iterable(lists))
        except (ValueError, KeyError, TypeError):
            raise CommandError(
                f"the provenance of `{served.name}` on `{self.index}` cannot be read",
                hint=f"open `{served.provenance}`",
            ) from None

    def _fetch(self, served: Served, target: Path) -> str:
        digest = hashlib.sha256()
        with requests.get(
            served.url, timeout=ANSWER_SECONDS, stream=True, auth=self.index.credentials
        ) as answer:
            answer.raise_for_status()
            with target.open("wb") as file:
                for block in answer.iter_content(1 << 20):
                    digest.update(block)
                    file.write(block)
        return digest.hexdigest()

    def _patiently(self, ask: Callable[[], T], attempts: int, subject: str) -> T:
        """Return an answer; ask again if the index is busy or out of reach."""
        reason, wait = "", 0.0
        for pause in BACK_OFF[:attempts]:
            if reason:
                time.sleep(wait)
            try:
                return ask()
            except requests.exceptions.InvalidJSONError as error:
                raise _no_page(self.index, error) from None
            except requests.HTTPError as error:
                wait = _wait_if_busy(self.index, error.response, pause)
                reason = "is still busy"
            except requests.RequestException as error:
                reason, wait = f"does not answer ({short_reason(error)})", pause
        raise IndexUnreachableError(
            f"{subject} {reason} after {attempts} attempts",
            hint="check its address and your proxy, or try again later",
        )


def _no_page(index: Index, cause: object) -> CommandError:
    words = " ".join(str(cause).split())[:LONGEST_REASON]
    return CommandError(
        f"`{index}` answered with something else than a project's page: {words}",
        hint="open that URL in a browser: a network that wants a login answers for everybody",
    )


def predicate_types(attestations: Iterable[dict[str, Any]]) -> frozenset[str]:
    """Return the types of the statements in attestations (PEP 740, Attestation objects).

    Raises ValueError, KeyError or TypeError if one has another structure.
    """
    encoded = [attestation["envelope"]["statement"] for attestation in attestations]
    statements = [base64.b64decode(text, validate=True) for text in encoded]
    contents = [json.loads(text) for text in statements]
    return frozenset(str(content["predicateType"]) for content in contents)


def newest_release(
    files: Iterable[Served], accepts: Callable[[Version], bool]
) -> list[Served]:
    """Return the files of the highest version that is accepted; none if there is no such version."""
    releases: dict[Version, list[Served]] = {}
    for file in files:
        version = version_of(file.name)
        if version and accepts(version):
            releases.setdefault(version, []).append(file)
    return releases[max(releases)] if releases else []


def version_of(name: str) -> Version | None:
    """Return the version that a file's name states; None for a foreign name."""
    parts = name.removesuffix(".tar.gz").removesuffix(".whl").split("-")
    try:
        return Version(parts[1]) if len(parts) > 1 else None
    except InvalidVersion:
        return None


def _wait_if_busy(index: Index, answer: requests.Response | None, pause: float) -> float:
    """Return the seconds to wait; raises CommandError for an answer that waiting will not change."""
    if answer is None or answer.status_code not in BUSY:
        code = answer.status_code if answer is not None else "nothing"
        raise CommandError(
            f"`{index}` answers {code}", hint="check its URL and your credentials"
        )
    return retry_after(answer) or pause


def retry_after(answer: requests.Response) -> float | None:
    """Return the seconds that an answer asks to wait (RFC 9110, 10.2.3), bounded; None if it names none."""
    value = answer.headers.get("Retry-After", "")
    return min(float(value), LONGEST_WAIT) if value.isdigit() else None


def short_reason(error: Exception) -> str:
    """Return the reason of a failed request, without the addresses that each layer repeats."""
    cause = error.args[0] if error.args else error
    # urllib3 wraps the reason in an error about its number of attempts.
    reason = getattr(cause, "reason", None) or cause
    return str(reason).rpartition(": ")[2][:LONGEST_REASON]
