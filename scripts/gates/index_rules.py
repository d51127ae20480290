"""The rules by which the index refuses an upload, applied before the first one.

A rebuild cannot see what is wrong in the tree itself. The rules are those of the index's own
validation (Warehouse, the software that runs it: warehouse/forklift/legacy.py and metadata.py,
warehouse/utils/zipfiles.py and wheel.py); those of metadata are the
backend's, so that whoever builds hears of them first.
Each is tested with a file that breaks it. How an archive is put together is not looked at here: the
gate of the same bytes takes only archives of our writers, and a test holds these to the index's rules.
"""

import configparser
import re
import tarfile
import zipfile
from collections.abc import Iterator
from importlib.metadata import EntryPoint

from leanspec_build.archives import UNREADABLE
from leanspec_build.project import index_rules as backend_rules
from leanspec_build.tags.model import INDEX_TAGS
from packaging.metadata import Metadata
from packaging.utils import canonicalize_name, parse_wheel_filename

from leanspec_launcher.commands import CommandError
from scripts.model.files import File, FileKind
from scripts.model.finding import LONGEST_REASON, Finding, compare, confirm_unless, problem
from scripts.model.gates import INDEX_RULES as GATE
from scripts.model.metadata import dist_info, metadata_bytes
from scripts.tools.processes import capture, own_program
from scripts.tools.reasons import reason
from scripts.wheels.build import GRAFT

MIB = 1 << 20
LARGEST_FILE = 100 * MIB
# A file that unpacks to more than this may not unpack to more than so many times its size.
LARGE, LARGEST_RATIO = 64 * MIB, 50
# Inline links and images of Markdown, and those of HTML.
LINKS = re.compile(r"\]\(\s*<?([^)\s>]+)|\b(?:href|src)=\"([^\"]*)\"")


def index_rules(files: list[File]) -> Iterator[Finding]:
    """Check each file as the index will."""
    whole = []
    for file in files:
        refusals = list(_refusals(file))
        problems = (_problem(file, *refusal) for refusal in refusals)
        yield from confirm_unless(GATE, file.path.name, problems, "accepted")
        if not refusals:
            whole.append(file)
    if whole:
        yield _rendered(whole)


# Subject, expected and actual value.
Refusal = tuple[str, str, object]


def _problem(file: File, subject: str, expected: str, actual: object) -> Finding:
    hint = GRAFT if str(actual).startswith("linux_") else ""
    return problem(GATE, f"{file.path.name}: {subject}", expected, actual, hint=hint)


def _refusals(file: File) -> Iterator[Refusal]:
    try:
        size = file.path.stat().st_size
        if size > LARGEST_FILE:
            yield "size", f"at most {LARGEST_FILE} bytes", size
        yield from _name(file)
        if file.kind != FileKind.SDIST:
            yield from _zip(file)
        yield from _metadata(file)
    except CommandError as error:
        yield "content", "a complete archive with metadata", str(error)
    except UNREADABLE as error:
        yield "content", "a whole archive", reason(error)


def _name(file: File) -> Iterator[Refusal]:
    """Names are normalized, and of platforms that the index knows (PEP 427, PEP 600, PEP 625, PEP 656)."""
    name = canonicalize_name(file.distribution).replace("-", "_")
    if file.kind == FileKind.SDIST:
        expected = f"{name}-{file.version}.tar.gz"
        if file.path.name != expected:
            yield "file name", expected, file.path.name
        return
    if not file.path.name.startswith(f"{name}-{file.version}-"):
        yield "file name", f"{name}-{file.version}-...", file.path.name
    _, _, build, tags = parse_wheel_filename(file.path.name)
    if build:
        yield "file name", "no build number", file.path.name
    for tag in sorted(tags, key=str):
        if not INDEX_TAGS.fullmatch(tag.platform):
            yield "platform tag", "one that the index takes", tag.platform


def _zip(file: File) -> Iterator[Refusal]:
    """Check what an archive unpacks to (warehouse/utils/zipfiles.py)."""
    with zipfile.ZipFile(file.path) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
        ratio = unpacked / file.path.stat().st_size
        if unpacked > LARGE and ratio > LARGEST_RATIO:
            yield "zip", f"a compression ratio of at most {LARGEST_RATIO}", ratio
        for entry in archive.infolist():
            name = entry.orig_filename
            if not name.isprintable():
                yield f"zip: {entry.filename}", "printable characters", ascii(name)
        yield from _entry_points(file, archive)


def _entry_points(file: File, archive: zipfile.ZipFile) -> Iterator[Refusal]:
    """Entry points can be parsed (Entry points specification, File format)."""
    name = f"{dist_info(file)}/entry_points.txt"
    if name not in archive.namelist():
        return
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None)
    try:
        parser.read_string(archive.read(name).decode())
    except (configparser.Error, UnicodeDecodeError) as error:
        yield "entry points", "a file that can be parsed", error
    for section in parser.sections():
        for key, value in parser.items(section):
            if not EntryPoint.pattern.fullmatch(value):
                yield "entry points", "module:attribute", f"{key} = {value}"


def _metadata(file: File) -> Iterator[Refusal]:
    """Apply the standard's rules, by packaging, then those that the index has in addition (metadata.py)."""
    try:
        metadata = Metadata.from_email(metadata_bytes(file), validate=True)
    except ExceptionGroup as group:
        yield from backend_rules.standard_refusals(group)
        return
    if str(metadata.version) != file.version:
        yield "metadata: Version", f"{file.version}, as in the file name", metadata.version
    if canonicalize_name(metadata.name) != file.distribution:
        yield "metadata: Name", f"{file.distribution}, as in the file name", metadata.name
    yield from backend_rules.index_refusals(metadata)
    yield from _licences(file, metadata)
    yield from _description(metadata)


def _licences(file: File, metadata: Metadata) -> Iterator[Refusal]:
    """Every licence file that is stated is there (PEP 639, Add License-File field)."""
    if file.kind == FileKind.SDIST:
        with tarfile.open(file.path) as archive:
            names, folder = archive.getnames(), file.path.name.removesuffix(".tar.gz")
    else:
        with zipfile.ZipFile(file.path) as archive:
            names, folder = archive.namelist(), f"{dist_info(file)}/licenses"
    for licence in metadata.license_files or []:
        if f"{folder}/{licence}" not in names:
            yield "metadata: License-File", f"`{folder}/{licence}`", "missing"


def _description(metadata: Metadata) -> Iterator[Refusal]:
    """Check that the project's page has a description without dead relative links."""
    text = metadata.description or ""
    if not text.strip():
        yield "description", "a long description", "none"
    if metadata.description_content_type is None:
        yield "metadata: Description-Content-Type", "text/markdown", "none"
    for groups in LINKS.findall(text):
        target = "".join(groups)
        if not target.startswith(("https://", "http://", "mailto:", "#")):
            yield "description", "links that work on the index's page", target


def _rendered(files: list[File]) -> Finding:
    """Render each description with twine, as the index does."""
    names = [str(file.path) for file in files]
    run = capture([own_program("twine"), "check", "--strict", *names])
    lines = (run.stdout + run.stderr).splitlines()
    wrong = [line.strip() for line in lines if "PASSED" not in line]
    result = "PASSED" if run.returncode == 0 else " ".join(wrong)[:LONGEST_REASON]
    return compare("twine check --strict", f"{len(files)} files", "PASSED", result)
