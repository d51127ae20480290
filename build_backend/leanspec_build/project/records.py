"""Readers of the JSON files that a build is given: `binary.json`, and the description of a release for a stub."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

from leanspec_build.errors import BuildError, adding_reason

DIGEST = re.compile(r"[0-9a-f]{64}")
# A name that a package URL can have.
NPM_NAME = re.compile(r"(@[^/\s]+/)?[^/\s]+")
CRATE_NAME = re.compile(r"[^/\s]+")
RECORD_EXAMPLE = '{"sha256": "<the 64 digits that sha256sum prints>"}'
SOURCE_EXAMPLE = '{"source": {"kind": "npm", "package": "example", "version": "1.0.0"}}'
RELEASE_EXAMPLE = '{"builds": {"linux-x64": ["manylinux_2_17_x86_64"]}}'


@dataclass(frozen=True)
class RecordField:
    """A value of a JSON object."""

    form: str
    """The valid values, in words."""
    is_valid: Callable[[object], bool]
    is_required: bool = False
    fields: Mapping[str, "RecordField"] = field(default_factory=dict)
    """Those of the object, or of each object in the list."""


def _is_text(value: object) -> bool:
    # What is not printable, as half of a surrogate pair, may not be encodable.
    return isinstance(value, str) and bool(value) and value.isprintable()


def _is_version(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(Version(value))
    except InvalidVersion:
        return False


def _matches(pattern: re.Pattern[str]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and bool(pattern.fullmatch(value))


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def _are_objects(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_object, value))


def _are_builds(value: object) -> bool:
    """Tell whether this is an object of lists of texts, none of them empty; a release may have no build."""
    return isinstance(value, dict) and all(
        isinstance(tags, list) and tags and all(map(_is_text, tags))
        for tags in value.values()
    )


def _or_null(is_valid: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or is_valid(value)


TEXT = RecordField("a text", _is_text)
REQUIRED_TEXT = RecordField("a text", _is_text, is_required=True)
SHA256 = RecordField("64 hexadecimal digits", _matches(DIGEST), is_required=True)
CRATE = {
    "name": RecordField("the name of a crate", _matches(CRATE_NAME), is_required=True),
    "version": REQUIRED_TEXT,
    "checksum": RecordField("64 hexadecimal digits or `null`", _or_null(_matches(DIGEST))),
}
LIBRARY = {"name": REQUIRED_TEXT, "version": REQUIRED_TEXT, "sha256": SHA256}
SOURCE = {
    "kind": TEXT,
    "package": RecordField("the name of a package", _matches(NPM_NAME)),
    "version": TEXT,
    "integrity": RecordField("a text", lambda value: isinstance(value, str)),
    "packages": RecordField("a list of objects", _are_objects, fields=CRATE),
    "openssl": RecordField("an object", _is_object, fields=LIBRARY),
}
NPM_SOURCE = {
    "package": RecordField("the name of a package", _matches(NPM_NAME), is_required=True),
    "version": REQUIRED_TEXT,
}
DATA_RECORD = {"source": RecordField("an object", _is_object, fields=SOURCE)}
BINARY_RECORD = {
    "sha256": SHA256,
    "size": RecordField("a whole number", lambda value: type(value) is int and value >= 0),
    # A file for several CPUs has no platform.
    "platform": RecordField("a text or `null`", _or_null(_is_text)),
    "version": RecordField("a version, as `1.0.0`", _is_version),
    **DATA_RECORD,
}
RELEASE = {
    "version": TEXT,
    "builds": RecordField(
        "an object of lists of platform tags", _are_builds, is_required=True
    ),
}


def read_binary_record(data: bytes, path: Path) -> dict[str, Any]:
    """Return the content of a `binary.json`; raises BuildError, which names all that is wrong with it."""
    message = f"`{path}` is not a description of a binary"
    return _read(data, message, BINARY_RECORD, RECORD_EXAMPLE)


def read_data_record(data: bytes, path: Path) -> dict[str, Any]:
    """Return the content of a file that says where data are from; raises BuildError if it is not valid."""
    message = f"`{path}` does not say where the data are from"
    return _read(data, message, DATA_RECORD, SOURCE_EXAMPLE)


def read_release(path: Path) -> bytes:
    """Return the description of a release, for a stub; raises BuildError if it describes none."""
    message = f"`{path}` is not the description of a release"
    error = BuildError(
        f"cannot read the description of a release in `{path}`",
        hint=f"write one, for example `{RELEASE_EXAMPLE}`",
    )
    with adding_reason(error):
        data = path.read_bytes()
    _read(data, message, RELEASE, RELEASE_EXAMPLE)
    return data


def _read(
    data: bytes, message: str, fields: Mapping[str, RecordField], example: str
) -> dict[str, Any]:
    hint = f"for example `{example}`"
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BuildError(f"{message}: {error}", hint=hint) from None
    if not isinstance(content, dict):
        raise BuildError(f"{message}: it is not a JSON object", hint=hint)
    problems = [*_problems(content, fields, "")]
    if problems:
        raise BuildError(f"{message}: {'; '.join(problems)}", hint=hint)
    return content


def _problems(
    content: Mapping[str, Any], fields: Mapping[str, RecordField], prefix: str
) -> Iterator[str]:
    """Yield what is wrong with an object, and with those in it."""
    for key, shape in fields.items():
        name = f"{prefix}{key}"
        if key not in content:
            if shape.is_required:
                yield f"`{name}` is missing"
            continue
        value = content[key]
        if not shape.is_valid(value):
            yield f"`{name}` is not {shape.form}"
        elif shape.fields:
            for item in value if isinstance(value, list) else [value]:
                yield from _problems(item, shape.fields, f"{name}.")
    if fields is SOURCE and content.get("kind") == "npm":
        yield from _problems(content, NPM_SOURCE, prefix)
