"""An index that refuses what the real one refuses.

Its rules are written a second time, from the index's own source, without a look at the gate that
knows them: a rule is missed only if both miss it.
"""

from __future__ import annotations

import configparser
import io
import re
import tarfile
import zipfile
from collections.abc import Generator, Iterator
from email.utils import parseaddr
from importlib.metadata import EntryPoint
from urllib.parse import urlsplit

import email_validator
from packaging.metadata import Metadata
from packaging.utils import canonicalize_name, parse_sdist_filename, parse_wheel_filename
from requests_toolbelt.multipart.decoder import MultipartDecoder
from trove_classifiers import all_classifiers, deprecated_classifiers

from .faults import Exchange, Fault, Pass, Reply

MOST_BYTES = 100 << 20
SYSTEMS = re.compile(
    r"any|win(32|_amd64|_arm64)|(many|musl)linux_2_\d+_\w+|macosx_(1[0-5]|26)_\d+_\w+"
)


def strict() -> Fault:
    """Answer an upload that breaks a rule as the real index does: with 400 and the reason."""

    def fault(exchange: Exchange, pass_on: Pass) -> Reply:
        if exchange.is_upload:
            reason = refusal(*_file_of(exchange.body))
            if reason:
                return Reply(400, f"400 {reason}".encode())
        return pass_on()

    return fault


def _file_of(body: bytes) -> tuple[str, bytes]:
    """Return name and content of the file in a form (RFC 7578)."""
    boundary = body.split(b"\r\n", 1)[0].removeprefix(b"--").decode()
    for part in MultipartDecoder(body, f"multipart/form-data; boundary={boundary}").parts:
        found = re.search(rb'filename="([^"]+)"', part.headers[b"Content-Disposition"])
        if found and b'name="content"' in part.headers[b"Content-Disposition"]:
            return found[1].decode(), part.content
    return "", b""


def refusal(name: str, data: bytes) -> str:
    """Return why the index refuses a file; nothing if it takes it."""
    try:
        return next(_reasons(name, data), "")
    except ExceptionGroup as error:
        return str(error.exceptions[0])
    except Exception as error:  # noqa: BLE001 - any reader of the file may be the first to give up
        return f"Invalid distribution file. {type(error).__name__}: {error}"


def _reasons(name: str, data: bytes) -> Iterator[str]:
    if len(data) > MOST_BYTES:
        yield "File too large."
    if name.endswith(".whl"):
        project, version, _, tags = parse_wheel_filename(name)
        if not all(SYSTEMS.fullmatch(tag.platform) for tag in tags):
            yield "Binary wheel has an unsupported platform tag."
        content = yield from _wheel(name, data)
    else:
        project, version = parse_sdist_filename(name)
        content = yield from _sdist(name, data)
    if not name.startswith(f"{project.replace('-', '_')}-{version}"):
        yield "The file name is not normalized."
    metadata = Metadata.from_email(content)
    if (canonicalize_name(metadata.name), metadata.version) != (project, version):
        yield "Metadata and file name are of another project or version."
    yield from _metadata(metadata)


def _wheel(name: str, data: bytes) -> Generator[str, None, bytes]:
    if data[-22:-18] != b"PK\x05\x06":
        yield "ZIP archive has a comment or trailing data."
    info = "-".join(name.split("-")[:2]) + ".dist-info"
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = archive.namelist()
        yield from _entries(archive, len(data))
        for part in ("WHEEL", "RECORD", "METADATA"):
            if f"{info}/{part}" not in names:
                yield f"Wheel does not contain {part}."
        yield from _entry_points(archive, f"{info}/entry_points.txt")
        content = archive.read(f"{info}/METADATA")
        for licence in Metadata.from_email(content).license_files or []:
            if f"{info}/licenses/{licence}" not in names:
                yield f"License-File {licence} does not exist."
    return content


def _entries(archive: zipfile.ZipFile, size: int) -> Iterator[str]:
    entries = archive.infolist()
    names = [entry.filename for entry in entries]
    if min(entry.header_offset for entry in entries) != 0:
        yield "ZIP archive has something before its entries."
    if len(set(names)) < len(names) or not "".join(names).isprintable():
        yield "ZIP archive has an entry twice, or one that cannot be printed."
    if any(
        entry.flag_bits & 0x9 or entry.comment or entry.compress_type not in (0, 8)
        for entry in entries
    ):
        yield "ZIP archive has an entry with a data descriptor, a comment or another compression."
    if sum(entry.file_size for entry in entries) > max(64 << 20, 50 * size):
        yield "ZIP archive is compressed too much."
    if archive.testzip():
        yield "ZIP archive is damaged."


def _entry_points(archive: zipfile.ZipFile, name: str) -> Iterator[str]:
    if name in archive.namelist():
        parser = configparser.ConfigParser(delimiters=("=",))
        parser.read_string(archive.read(name).decode())
        for section in parser.sections():
            for key, value in parser.items(section):
                if not EntryPoint.pattern.fullmatch(value):
                    yield f"Entry point {key} is invalid."


def _sdist(name: str, data: bytes) -> Generator[str, None, bytes]:
    top = name.removesuffix(".tar.gz")
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
        if {member.name.split("/")[0] for member in archive.getmembers()} != {top}:
            yield "Source distribution has another folder than its name."
        content = archive.extractfile(f"{top}/PKG-INFO")
        return content.read() if content else b""


def _metadata(metadata: Metadata) -> Iterator[str]:
    """Apply the rules that the index has in addition to the standard."""
    if metadata.version.local:
        yield "The use of local versions is not allowed."
    if len(metadata.summary or "") > 512:  # noqa: PLR2004 - the index's number
        yield "'summary' field must be 512 characters or less."
    if metadata.license and metadata.license_expression:
        yield "License is deprecated when License-Expression is present."
    if any(requirement.url for requirement in metadata.requires_dist or []):
        yield "Can't have direct dependency."
    for classifier in metadata.classifiers or []:
        if classifier not in all_classifiers or classifier in deprecated_classifiers:
            yield f"{classifier!r} is not a valid classifier."
    yield from _people_and_places(metadata)


def _people_and_places(metadata: Metadata) -> Iterator[str]:
    for field in (metadata.author_email, metadata.maintainer_email):
        if field:
            email_validator.validate_email(parseaddr(field)[1], check_deliverability=False)
    for label, url in (metadata.project_urls or {}).items():
        if not 0 < len(label) <= 32:  # noqa: PLR2004 - the index's number
            yield f"{label!r} must be 32 characters or less."
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
            yield f"{url!r} is not a valid url."
