"""What installers recorded of the distributions next to this launcher (Recording installed projects).

Read here and not with importlib.metadata, which raises where a record is damaged: this is read when
something is wrong.
"""

import base64
import csv
import json
import os
import re
from dataclasses import dataclass, field

from leanspec_launcher._pins import VERSION
from leanspec_launcher._search import SITE
from leanspec_launcher.verify.proof import digest

SUFFIX = ".dist-info"
SHA256 = "sha256="


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
    folders = _records(name)
    if not folders:
        return None
    found = Distribution(name)
    # A leftover of another version decides nothing if that of this launcher is there.
    folder = next((each for each in folders if f"-{VERSION}{SUFFIX}" in each), folders[0])
    if len(folders) > 1:
        found.problems.append(f"several versions are recorded: {', '.join(folders)}")
    path = os.path.join(SITE, folder)
    _read_metadata(found, path)
    found.installer = _text(os.path.join(path, "INSTALLER")).strip()
    found.url = _url(_text(os.path.join(path, "direct_url.json")))
    _read_record(found, path)
    _read_commands(found, path)
    return found


def _records(name: str) -> "list[str]":
    """Return the names of the `.dist-info` folders of a distribution."""
    try:
        names = sorted(os.listdir(SITE))
    except OSError:
        return []
    wanted = normalized(name)
    found = [each for each in names if each.endswith(SUFFIX)]
    return [
        each
        for each in found
        if normalized(each.rpartition("-")[0].rpartition("-")[0]) == wanted
    ]


def normalized(name: str) -> str:
    """Return a distribution's name in its one form (Names and normalization)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _text(path: str) -> str:
    """Return a file's text, whatever its bytes are; empty if it cannot be read."""
    if not os.path.isfile(path):
        return ""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""


def _read_metadata(found: Distribution, folder: str) -> None:
    """Take the version from the metadata (Core metadata specifications, Version)."""
    header = _text(os.path.join(folder, "METADATA")).partition("\n\n")[0]
    version = re.search(
        r"^Version:[ \t]*(\S+)[ \t]*$", header, re.MULTILINE | re.IGNORECASE
    )
    if version:
        found.version = version[1]
        return
    found.version = folder.rpartition("-")[0].rpartition("-")[2]
    found.problems.append("METADATA is missing, unreadable, or has no version")


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


def _read_record(found: Distribution, folder: str) -> None:
    """Take the files from the record; a line that cannot be understood is left out."""
    text = _text(os.path.join(folder, "RECORD"))
    if not text.strip():
        found.problems.append("RECORD is missing, unreadable, or empty")
    for number, line in enumerate(text.splitlines(), 1):
        try:
            (path, hashed, size), *_ = [*csv.reader([line])] or [("", "", "")]
        except (csv.Error, ValueError):
            found.problems.append(f"RECORD is damaged in line {number}")
            continue
        if path:
            sha256 = hashed[len(SHA256) :] if hashed.startswith(SHA256) else ""
            found.files[path] = (sha256, size)


def _read_commands(found: Distribution, folder: str) -> None:
    """Take the console scripts from the entry points (Entry points specification)."""
    section = ""
    for line in _text(os.path.join(folder, "entry_points.txt")).splitlines():
        name, equals, value = line.partition("=")
        if line.strip().startswith("["):
            section = line.strip()
        elif equals and section == "[console_scripts]":
            found.commands[name.strip()] = value.strip()


def recorded_digest(path: str) -> str:
    """Return the SHA-256 of a file in the form of the records (urlsafe base64 without padding)."""
    return base64.urlsafe_b64encode(bytes.fromhex(digest(path))).rstrip(b"=").decode()
