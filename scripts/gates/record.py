"""What `binary.json` states of a binary's origin: known fields, of the right form, that fit together.

The record goes into the wheel, the bill of materials and the release's manifest, so what nobody
can have found out where the binary was built is refused.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from leanspec_launcher._tables import Platform, Program
from scripts.collect.cargo import DIRTY, PROFILE, is_target_of
from scripts.collect.staging import source_kind
from scripts.model.finding import Finding, problem
from scripts.model.programs import load_programs

COLLECT = "collect the binaries again: `python3 -m scripts collect --help`"
HINTS = {
    "built": "an older program may lie in `target`: collect again, with `--build`",
    "profile": "collect again, without `--profile`",
}
BASE64 = "[A-Za-z0-9+/]"
SHA256, SHA512 = rf"sha256-{BASE64}{{43}}=", rf"sha512-{BASE64}{{86}}=="
HEX = "[0-9a-f]{64}"
COMMIT = rf"[0-9a-f]{{40}}([0-9a-f]{{24}})?({DIRTY})?"
TEXT = ".+"
# What cargo writes of a package, and what is stated of an OpenSSL.
PACKAGE = {"name": TEXT, "version": TEXT, "checksum": HEX}
OPENSSL = {"name": "openssl", "version": TEXT, "sha256": HEX}


@dataclass(frozen=True)
class Field:
    """What a field of a record may hold."""

    expected: str
    accepts: Callable[[object], bool]
    is_optional: bool = False


ANYTHING = Field("anything", lambda _: True, is_optional=True)
OBJECT = Field("an object", lambda value: isinstance(value, dict))


def record_problems(
    record: dict[str, Any],
    program: Program,
    platform: Platform,
    subject: str,
    *,
    is_draft: bool,
) -> Iterator[Finding]:
    """Yield what is wrong with the record of a binary whose source is of a known kind."""
    (project,) = load_programs((program.name,))
    version = str(record.get("version"))
    of_platform = Field(
        f"a target of {platform.key}", lambda value: is_target_of(str(value), platform)
    )
    common = {
        "program": _exactly(program.name),
        "platform": _exactly(platform.key),
        "version": _text(TEXT, "a version"),
        "size": Field("a number", lambda value: type(value) is int),
        "sha256": _text(HEX, "a SHA-256"),
        "source": OBJECT,
        "commit": _or_none(_text(COMMIT, "a commit")),
        "reported": _optional(_exactly(version)),
        "grafted": _optional(OBJECT),
    }
    kinds = {
        "npm": {
            "package": _exactly(project.npm_package(platform)),
            "integrity": _text(SHA512, "a SHA-512 integrity"),
        },
        "cargo": {
            "crate": _exactly(project.crate),
            "target": _or_none(of_platform),
            "profile": _exactly(PROFILE),
            # A draft may have a binary that was built before it was collected.
            "built": ANYTHING if is_draft else _exactly(expected=True),
            "integrity": _or_none(_text(SHA256, "a SHA-256 integrity")),
            "packages": Field("a list of packages", _are_packages),
            "openssl": _optional(
                Field("an OpenSSL", lambda value: _has_texts(value, OPENSSL))
            ),
        },
    }
    kind = source_kind(record)
    source = {"kind": _exactly(kind), "version": _exactly(version)} | kinds[kind]
    for table, fields in ((record, common), (record["source"], source)):
        for name, expected, actual in _differences(table, fields):
            hint = HINTS.get(name, COLLECT)
            yield problem("provenance", f"{subject}: {name}", expected, actual, hint=hint)


def _differences(
    table: dict[str, Any], fields: dict[str, Field]
) -> Iterator[tuple[str, str, object]]:
    for name, field in fields.items():
        if name not in table and not field.is_optional:
            yield name, field.expected, "not stated"
        elif name in table and not field.accepts(table[name]):
            yield name, field.expected, table[name]
    for name in table.keys() - fields:
        yield name, "no such field", table[name]


def _exactly(expected: object) -> Field:
    # In Python, `True == 1`.
    return Field(
        str(expected),
        lambda value: type(value) is type(expected) and value == expected,
    )


def _text(pattern: str, expected: str) -> Field:
    return Field(expected, lambda value: _matches(pattern, value))


def _or_none(field: Field) -> Field:
    return Field(field.expected, lambda value: value is None or field.accepts(value))


def _optional(field: Field) -> Field:
    return Field(field.expected, field.accepts, is_optional=True)


def _matches(pattern: str, value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(pattern, value) is not None


def _has_texts(value: object, patterns: dict[str, str]) -> bool:
    if not isinstance(value, dict) or value.keys() != patterns.keys():
        return False
    return all(_matches(pattern, value[name]) for name, pattern in patterns.items())


def _are_packages(value: object) -> bool:
    return isinstance(value, list) and all(_is_package(package) for package in value)


def _is_package(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    # A member of the workspace has no checksum.
    checksum = value.get("checksum") or "0" * 64
    return _has_texts(value | {"checksum": checksum}, PACKAGE)
