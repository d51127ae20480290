"""RECORD of a wheel: the digest and the size of each of its files.

Standard: the binary distribution format (its page in the packaging specifications).
"""

import base64
import contextlib
import csv
import hashlib
import io
from collections.abc import Iterator, Mapping

from .errors import NotAWheelError
from .formats.view import Bytes
from .source import sha256_of

# A line of RECORD: name, digest and size of a file.
RecordLine = tuple[str, str, str]
# The algorithms that the standard allows, and every installer knows.
ALGORITHMS = ("sha256", "sha384", "sha512")
METADATA_FILES = ("METADATA", "WHEEL", "RECORD")
# Files that cannot have a digest in RECORD: itself, and what signs it.
WITHOUT_DIGEST = ("RECORD", "RECORD.jws", "RECORD.p7s")
AGAIN = "build the wheel again, or fetch it again from its index"


def record_line(name: str, data: Bytes) -> RecordLine:
    """Return the line of a file."""
    digest = bytes.fromhex(sha256_of(data))
    return name, f"sha256={_encoded(digest)}", str(len(data))


def record_file(lines: list[RecordLine]) -> bytes:
    """Return the content of RECORD."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue().encode()


def must_match_record(wheel: str, contents: Mapping[str, bytes]) -> None:
    """Raise NotAWheelError unless a wheel has its metadata, and RECORD describes each of its files."""
    problem = next(_problems(contents), None)
    if problem is not None:
        raise NotAWheelError(f"`{wheel}` is not a whole wheel: {problem}", hint=AGAIN)


def _problems(contents: Mapping[str, bytes]) -> Iterator[str]:
    names = (name.partition("/")[0] for name in contents)
    folders = sorted({name for name in names if name.endswith(".dist-info")})
    if len(folders) != 1:
        yield f"it has {len(folders)} folders `*.dist-info`, not one"
        return
    (folder,) = folders
    missing = [name for name in METADATA_FILES if f"{folder}/{name}" not in contents]
    if missing:
        yield f"it has no `{folder}/{missing[0]}`"
        return
    digests = _digests(contents[f"{folder}/RECORD"])
    for name in sorted(digests.keys() - contents.keys()):
        yield f"it has no `{name}`, which its RECORD names"
    without_digest = [f"{folder}/{name}" for name in WITHOUT_DIGEST]
    for name, data in contents.items():
        if name in without_digest:
            continue
        if name not in digests:
            yield f"its RECORD does not name `{name}`"
        elif not _is_digest(digests[name], data):
            yield f"`{name}` is not the file that its RECORD describes"


def _digests(record: bytes) -> dict[str, str]:
    """Return the digest of each file in RECORD, as far as it is one."""
    digests = {}
    # What cannot be read describes no file, which shows at the files.
    with contextlib.suppress(csv.Error):
        for fields in csv.reader(record.decode("utf-8", "replace").splitlines()):
            if fields:
                digests[fields[0]] = "".join(fields[1:2])
    return digests


def _is_digest(text: str, data: bytes) -> bool:
    algorithm, _, encoded = text.partition("=")
    if algorithm not in ALGORITHMS:
        return False
    return encoded.rstrip("=") == _encoded(hashlib.new(algorithm, data).digest())


def _encoded(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
