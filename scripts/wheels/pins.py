"""The pins in `lean-spec`: what it knows of the wheels of its own release."""

import ast
import hashlib
import json
import posixpath
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from leanspec_build.archives import UNREADABLE

from leanspec_launcher._release import Wheel
from leanspec_launcher._tables import Platform
from leanspec_launcher.commands import CommandError
from leanspec_launcher.verify.proof import digest
from scripts.model.programs import ProgramProject
from scripts.model.versions import binary_version
from scripts.tools.reasons import reason

PINS = "leanspec_launcher/_pins.py"
# The whole of `leanspec_launcher/_pins.py`.
TEMPLATE = '''"""The pins of a release: its versions, its checksums, the URL of its files, and its keys.

On the hot path. `python3 -m scripts wheels` writes this file whole into the `lean-spec` that it
builds. In a checkout all of it is empty: a checkout pins nothing.
"""

VERSION = {version}
# The version that the binaries report.
BINARIES = {binaries}
# program -> platform -> SHA-256 of the binary, in hexadecimal
SHA256: "dict[str, dict[str, str]]" = {sha256}
# SHA-256 of a binary -> path from its folder -> SHA-256 of a library that its wheel contains
LIBRARIES: "dict[str, dict[str, str]]" = {libraries}
# SHA-256 of the pages of the web UI: of the checksums and paths of their files.
PAGES = {pages}
# program -> platform -> file name, SHA-256 and size of the wheel
WHEELS: "dict[str, dict[str, tuple[str, str, int]]]" = {wheels}
# URL of a release's files, for any version.
FILES = {files}
# adapter -> tool of the MCP server -> its outline: see `leanspec_launcher/tools.py`
TOOLS: "dict[str, dict[str, str]]" = {tools}
# The minisign public keys that may sign a release's manifest.
KEYS: "tuple[str, ...]" = {keys}
# The npm package and version of LeanSpec's last release in TypeScript.
TYPESCRIPT = {typescript}
'''


@dataclass(frozen=True)
class WheelPins:
    """The pins of a platform wheel.

    SHA-256 of its executable, of each library by relative path, and of the wheel itself.
    """

    executable: str
    libraries: dict[str, str]
    wheel: Wheel


# program -> platform -> pins of its wheel
ReleasePins = dict[str, dict[str, WheelPins]]


def wheel_pins(wheel: Path, project: ProgramProject, platform: Platform) -> WheelPins:
    """Return the pins of a platform wheel, in hexadecimal."""
    folder = f"{project.program.package}/bin"
    with zipfile.ZipFile(wheel) as archive:
        executable = f"{folder}/{project.program.command}{platform.suffix}"
        sha256 = _digest(archive, executable)
        libraries = {
            posixpath.relpath(name, folder): _digest(archive, name)
            for name in archive.namelist()
            if name.partition("/")[0].endswith(".libs")
        }
    file = Wheel(wheel.name, digest(str(wheel)), wheel.stat().st_size)
    return WheelPins(sha256, libraries, file)


def _digest(archive: zipfile.ZipFile, name: str) -> str:
    return hashlib.sha256(archive.read(name)).hexdigest()


def render_pins(  # noqa: PLR0913 - one argument per pin
    version: str,
    pins: ReleasePins,
    pages: str = "",
    files: str = "",
    keys: tuple[str, ...] = (),
    tools: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
    *,
    typescript: str = "",
) -> str:
    """Return the text of `_pins.py` for a release.

    `pages` is the digest of the web UI's pages, `files` the URL of a release's files, `tools` the
    outlines of the server's tools for each adapter, `typescript` the npm package that
    `LEANSPEC_USE_TS` runs; each is empty if there are none.
    """
    sha256: dict[str, dict[str, str]] = {name: {} for name in pins}
    wheels: dict[str, dict[str, Wheel]] = {name: {} for name in pins}
    libraries = {}
    for name, program in pins.items():
        for key, wheel in program.items():
            sha256[name][key] = wheel.executable
            wheels[name][key] = wheel.wheel
            if wheel.libraries:
                libraries[wheel.executable] = wheel.libraries
    outlines = {adapter: dict(table) for adapter, table in tools.items()}
    values = {
        "version": version,
        "binaries": binary_version(version) if version else "",
        "sha256": sha256,
        "libraries": libraries,
        "pages": pages,
        "wheels": wheels,
        "files": files,
        "tools": outlines,
        "keys": keys,
        "typescript": typescript,
    }
    literals = {name: _literal(value) for name, value in values.items()}
    return TEMPLATE.format(**literals)


def pinned_binaries(wheel: Path) -> dict[str, tuple[str, dict[str, str]]]:
    """Return the binaries that a `lean-spec` wheel pins: name -> SHA-256, and those of its libraries.

    Raises CommandError if the wheel has no pins.
    """
    try:
        values = _values(wheel)
        libraries = values["LIBRARIES"]
        return {
            f"{program} for {platform}": (sha256, libraries.get(sha256, {}))
            for program, platforms in values["SHA256"].items()
            for platform, sha256 in platforms.items()
        }
    except (*UNREADABLE, SyntaxError, AttributeError, TypeError) as error:
        raise CommandError(
            f"`{wheel.name}` has no checksums of its binaries: {reason(error)}",
            hint="download the file and compare it with its release",
        ) from None


def pinned_tools(wheel: Path) -> dict[str, dict[str, str]]:
    """Return the tools that a `lean-spec` wheel pins: adapter -> tool -> outline; none if it has no such pin."""
    try:
        return dict(_values(wheel).get("TOOLS", {}))
    except (*UNREADABLE, SyntaxError, TypeError):
        return {}


def _values(wheel: Path) -> dict[str, Any]:
    with zipfile.ZipFile(wheel) as archive:
        return dict(_constants(ast.parse(archive.read(PINS))))


def _constants(tree: ast.Module) -> Iterator[tuple[str, Any]]:
    """Yield the constants of a module, which is read and never run."""
    for statement in tree.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name), *_], value=value):
                yield name, ast.literal_eval(value)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                yield name, ast.literal_eval(value)


def _literal(value: object, indent: str = "") -> str:
    """Return a Python literal, as the formatter writes it: one entry per line, sorted by key."""
    inner = f"{indent}    "
    if isinstance(value, dict) and value:
        entries = [
            f"{_literal(key)}: {_literal(value[key], inner)}" for key in sorted(value)
        ]
        return _block("{", entries, "}", indent)
    if isinstance(value, tuple) and value:
        entries = [_literal(entry, inner) for entry in value]
        return _block("(", entries, ")", indent)
    if value == ():
        return "()"
    # JSON's strings and numbers are Python's, too.
    return json.dumps(value)


def _block(start: str, entries: list[str], end: str, indent: str) -> str:
    lines = [f"{indent}    {entry}," for entry in entries]
    return "\n".join([start, *lines, indent + end])
