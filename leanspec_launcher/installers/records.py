"""Records of installers: distributions next to this launcher, and what pipx and uv keep of a tool.

Read here and not with importlib.metadata, which raises if a record is damaged: this is read when
something is wrong.
"""

import base64
import csv
import json
import os
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from leanspec_launcher._pins import VERSION
from leanspec_launcher._search import SITE
from leanspec_launcher._tables import PROGRAMS, Program
from leanspec_launcher.verify.proof import MOST_BYTES, digest

SUFFIX = ".dist-info"
SHA256 = "sha256="

# Distribution of the web UI's pages, and those that only the extra `download` needs.
PAGES, DOWNLOAD = "leanspec-ui", ("httpx", "cryptography")
# Files that pipx and uv leave in the environment of a tool.
PIPX_RECORD, UV_RECEIPT = "pipx_metadata.json", "uv-receipt.toml"
# `requirements` of a receipt is an array of inline tables, one per line. TOML is read by expressions,
# as Python 3.9 has no reader.
REQUIREMENTS = re.compile(r"^requirements = \[(.*?)\]$", re.MULTILINE | re.DOTALL)
REQUIREMENT = re.compile(r"\{ (.*?) \}")
FIELD = re.compile(r'(\S+) = ("[^"]*"|\[[^]]*\])')
KEY = re.compile(r"(\S+) = ")
QUOTED = re.compile(r'"([^"]*)"')
PROGRAMS_OF = re.compile(r'from = "([^"]*)"')
# The fields that a command line can say.
FIELDS = {"name", "extras", "specifier"}


@dataclass
class Distribution:
    """An installed distribution, as far as its record can be read."""

    name: str
    version: str = ""
    installer: str = ""
    # Where an installer was told to take it from; empty if it was an index.
    url: str = ""
    # path as recorded -> (SHA-256 in the record's own form, size); both empty if not recorded
    files: "dict[str, tuple[str, str]]" = field(default_factory=dict)
    # command -> `module:function`
    commands: "dict[str, str]" = field(default_factory=dict)
    # What is wrong with the record, for people.
    problems: "list[str]" = field(default_factory=list)


def distribution(name: str) -> "Distribution | None":
    """Read the record of an installed distribution; None if there is none."""
    folders = _folders(name)
    if not folders:
        return None
    record = Distribution(name)
    if len(folders) > 1:
        record.problems.append(
            f"several versions are recorded: {', '.join(sorted(folders))}"
        )
    path = os.path.join(SITE, folders[0])
    _read_metadata(record, path)
    record.installer = _text(os.path.join(path, "INSTALLER")).strip()
    record.url = _url(_text(os.path.join(path, "direct_url.json")))
    _read_record(record, path)
    _read_commands(record, path)
    return record


def is_left_out(program: Program) -> bool:
    """Tell whether nothing of a program's extra is installed: neither its wheel nor the pages."""
    parts = (program.distribution, PAGES)
    return bool(program.extra) and not any(map(distribution, parts))


def installed_extras() -> "set[str]":
    """Return the extras of `lean-spec` whose distributions are installed."""
    programs = PROGRAMS.values()
    extras = {program.extra for program in programs if not is_left_out(program)} - {""}
    if all(map(distribution, DOWNLOAD)):
        extras.add("download")
    return extras


def recorded_installer(name: str) -> str:
    """Return the installer that a distribution's record names; empty if it names none."""
    folders = _folders(name)
    return _text(os.path.join(SITE, folders[0], "INSTALLER")).strip() if folders else ""


def _folders(name: str) -> "list[str]":
    """Return the names of the `.dist-info` folders of a distribution, first that of this launcher.

    A leftover of another version decides nothing if that one is there.
    """
    try:
        names = sorted(os.listdir(SITE))
    except OSError:
        return []
    folders = [
        folder
        for folder in names
        if folder.endswith(SUFFIX)
        and normalized(folder.rsplit("-", 2)[0]) == normalized(name)
    ]
    return sorted(folders, key=lambda folder: f"-{VERSION}{SUFFIX}" not in folder)


def normalized(name: str) -> str:
    """Return a distribution's name in its one form (Names and normalization)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def with_extras(name: str, extras: Iterable[str]) -> str:
    """Return the requirement of a distribution with extras."""
    listed = ",".join(extras)
    return f"{name}[{listed}]" if listed else name


def _text(path: str) -> str:
    """Return a file's text, whatever its bytes are; empty if it cannot be read."""
    if not os.path.isfile(path):
        return ""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""


def _read_metadata(record: Distribution, folder: str) -> None:
    """Take the version from the metadata (Core metadata specifications, Version)."""
    header = _text(os.path.join(folder, "METADATA")).partition("\n\n")[0]
    version = re.search(
        r"^Version:[ \t]*(\S+)[ \t]*$", header, re.MULTILINE | re.IGNORECASE
    )
    if version:
        record.version = version[1]
        return
    record.version = folder[: -len(SUFFIX)].rpartition("-")[2]
    record.problems.append("METADATA is missing, unreadable, or has no version")


def _url(text: str) -> str:
    """Return what an installer takes for the same place again; empty for none (Direct URL data structure)."""
    try:
        recorded = json.loads(text)
        url = str(recorded["url"])
        if recorded.get("dir_info", {}).get("editable"):
            return ""
        version_control = recorded.get("vcs_info")
        if version_control:
            url = f"{version_control['vcs']}+{url}@{version_control['commit_id']}"
        folder = recorded.get("subdirectory")
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
    return f"{url}#subdirectory={folder}" if folder else url


def _read_record(record: Distribution, folder: str) -> None:
    """Take the files from the record; a line that cannot be understood is left out."""
    text = _text(os.path.join(folder, "RECORD"))
    if not text.strip():
        record.problems.append("RECORD is missing, unreadable, or empty")
    damaged = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            path, recorded, size = next(csv.reader([line]))
        except (csv.Error, ValueError):
            damaged.append(number)
            continue
        if path:
            sha256 = recorded[len(SHA256) :] if recorded.startswith(SHA256) else ""
            record.files[path] = (sha256, size)
    if damaged:
        others = f", and in {len(damaged) - 1} more" if damaged[1:] else ""
        record.problems.append(f"RECORD is damaged in line {damaged[0]}{others}")


def _read_commands(record: Distribution, folder: str) -> None:
    """Take the console scripts from the entry points (Entry points specification)."""
    section = ""
    for line in _text(os.path.join(folder, "entry_points.txt")).splitlines():
        name, equals, value = line.partition("=")
        if line.strip().startswith("["):
            section = line.strip()
        elif equals and section == "[console_scripts]":
            record.commands[name.strip()] = value.strip()


def recorded_digest(path: str) -> str:
    """Return the SHA-256 of a file in the form of the records (urlsafe base64 without padding)."""
    sha256 = bytes.fromhex(digest(path, MOST_BYTES))
    return base64.urlsafe_b64encode(sha256).rstrip(b"=").decode()


def pipx_record() -> "dict[str, Any]":
    """Return what pipx recorded of the tool that this environment is; empty if that is unknown."""
    try:
        record = json.loads(_text(os.path.join(sys.prefix, PIPX_RECORD)))
        return dict(record["main_package"])
    except (ValueError, KeyError, TypeError):
        return {}


def is_pinned() -> bool:
    """Tell whether one version was asked for: an upgrade by pipx or `uv tool` keeps it."""
    if "==" in str(pipx_record().get("package_or_url", "")):
        return True
    tables = [table for table in _requirements() if table["name"] == ["lean-spec"]]
    return any("".join(table.get("specifier", [])).startswith("==") for table in tables)


def tool_of_uv(name: str, extra: str) -> "list[str] | None":
    """Return the requirements of this tool on a command line, with an extra added to one of them.

    Each package as it was asked for: a tool with a version that nobody asked for is never upgraded
    again. None if a command line cannot say them.
    """
    text = _text(os.path.join(sys.prefix, UV_RECEIPT))
    programs = PROGRAMS_OF.findall(text)
    words: list[str] = []
    for table in _requirements():
        # Any other field, whatever its value looks like, would be lost.
        if not FIELDS.issuperset(table):
            return None
        (package,), extras = table["name"], table.get("extras", [])
        if package == name:
            extras = [*extras, extra]
        if words:
            words.append("--with-executables-from" if package in programs else "--with")
        requirement = with_extras(package, extras)
        words.append("".join([requirement, *table.get("specifier", [])]))
    return words or [with_extras(name, [extra])]


def _requirements() -> "list[dict[str, list[str]]]":
    """Return the requirements in the receipt of a tool of uv: the quoted texts of each field."""
    tables = REQUIREMENTS.search(_text(os.path.join(sys.prefix, UV_RECEIPT)))
    return [
        {key: [] for key in KEY.findall(table)}
        | {key: QUOTED.findall(value) for key, value in FIELD.findall(table)}
        for table in (REQUIREMENT.findall(tables[1]) if tables else [])
    ]
