"""The core metadata of a built file, as an index reads it."""

import tarfile
import zipfile
from email.message import Message
from email.parser import BytesParser

from leanspec_build.archives import UNREADABLE

from leanspec_launcher.commands import CommandError
from scripts.tools.reasons import reason

from .files import File, FileKind


def metadata_bytes(file: File) -> bytes:
    """Return the metadata file of a wheel or an sdist. Raises CommandError if there is none."""
    try:
        if file.kind == FileKind.SDIST:
            folder = file.path.name.removesuffix(".tar.gz")
            with tarfile.open(file.path) as sdist:
                content = sdist.extractfile(f"{folder}/PKG-INFO")
                return content.read() if content else b""
        with zipfile.ZipFile(file.path) as archive:
            return archive.read(f"{dist_info(file)}/METADATA")
    except UNREADABLE as error:
        raise CommandError(
            f"`{file.path.name}` has no readable metadata: {reason(error)}",
            hint="build it again: `python3 -m scripts wheels`",
        ) from None


def dist_info(file: File) -> str:
    """Return the name of a wheel's `.dist-info` folder (Binary distribution format, File contents)."""
    name, version, _ = file.path.name.split("-", 2)
    return f"{name}-{version}.dist-info"


def read_metadata(file: File) -> Message:
    """Return the core metadata of a built file; raises CommandError if there is none."""
    return BytesParser().parsebytes(metadata_bytes(file))
