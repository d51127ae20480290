"""What a tool of uv was made of, as `uv tool install` recorded it, and the command that adds an extra of ours to it."""

import os
import re
import sys

RECEIPT = "uv-receipt.toml"
# `requirements` is an array of inline tables, one a line; TOML is read by expressions, as Python
# 3.9 has no reader.
REQUIREMENTS = re.compile(r"^requirements = \[(.*?)\]$", re.MULTILINE | re.DOTALL)
REQUIREMENT = re.compile(r"\{ (.*?) \}")
FIELD = re.compile(r'(\S+) = ("[^"]*"|\[[^]]*\])')
KEY = re.compile(r"(\S+) = ")
QUOTED = re.compile(r'"([^"]*)"')
SOURCE = re.compile(r'from = "([^"]*)"')
# What a requirement on the command line can say.
SAID = {"name", "extras", "specifier"}


def is_one() -> bool:
    """Tell whether this environment is a tool of uv."""
    return os.path.exists(os.path.join(sys.prefix, RECEIPT))


def with_extra(name: str, extra: str) -> "list[str]":
    """Return the command that makes this tool again, with an extra of one of its packages; none if that is unknown.

    Each package as it was asked for: a tool with a version that nobody asked for is never upgraded
    again.
    """
    text = _receipt()
    tables = _tables(text)
    if not tables:
        return _install([f"{name}[{extra}]"])
    # Any other key, whatever its value looks like, would be lost.
    if any(set(KEY.findall(each)) - SAID for each in tables):
        return []
    asked = [_fields(each) for each in tables]
    for each in asked:
        if each["name"] == [name]:
            each["extras"] = [*each.get("extras", []), extra]
    tool, *others = asked
    programs = set(SOURCE.findall(text))
    command = [_written(tool)]
    for each in others:
        has_programs = each["name"][0] in programs
        command += ["--with-executables-from" if has_programs else "--with", _written(each)]
    return _install(command)


def is_pinned(name: str) -> bool:
    """Tell whether one version of a package was asked for, which `uv tool upgrade` keeps."""
    asked = [_fields(each) for each in _tables(_receipt())]
    versions = [each.get("specifier", [""])[0] for each in asked if each["name"] == [name]]
    return any(version.startswith("==") for version in versions)


def _install(words: "list[str]") -> "list[str]":
    return ["uv", "tool", "install", "--reinstall", *words]


def _receipt() -> str:
    try:
        with open(os.path.join(sys.prefix, RECEIPT), encoding="utf-8") as file:
            return file.read()
    except (OSError, ValueError):
        return ""


def _tables(receipt: str) -> "list[str]":
    """Return the requirements of a receipt, each as the inline table that it is."""
    listed = REQUIREMENTS.search(receipt)
    return REQUIREMENT.findall(listed[1]) if listed else []


def _fields(table: str) -> "dict[str, list[str]]":
    return {key: QUOTED.findall(value) for key, value in FIELD.findall(table)}


def _written(fields: "dict[str, list[str]]") -> str:
    extras = ",".join(fields.get("extras", []))
    listed = f"[{extras}]" if extras else ""
    return "".join([*fields["name"], listed, *fields.get("specifier", [])])
