"""Keys of the table `[tool.leanspec-build]`, and config settings of one build: the values, and which go together."""

import dataclasses
import enum
import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

from leanspec_build.errors import BuildError, escaped, listed
from leanspec_build.tags.derive import read_floor

from .names import same_name, without_exe

TABLE = "[tool.leanspec-build]"
REPAIRS = ("auditwheel",)
WINDOWS_SUFFIX = ".exe"
# The CPUs in the names of platforms: as Node has two of them, and as Linux has the rest.
CPUS = "x64|arm64|i686|armv7l|armv6l|ppc64le|ppc64|s390x|riscv64|loongarch64"
PLATFORMS = rf"linux-({CPUS})(-musl)?|darwin-(x64|arm64)|windows-(x64|arm64|i686)"


class ValueKind(enum.StrEnum):
    """Type of a key's value."""

    TEXT = "a text"
    TEXTS = "a list of texts"
    TEXT_OR_TEXTS = "a text, or a list of texts"
    FLAG = "`true` or `false`"
    TABLE_OF_TEXT = "a table of texts"
    TABLE_OF_TEXTS = "a table of lists of texts"


@dataclasses.dataclass(frozen=True)
class Key:
    """A key of the table."""

    kind: ValueKind
    example: str
    """A line that can take the place of a wrong one."""
    needs: str = ""
    """The key that has to stand beside it."""


KEYS = {
    "programs": Key(ValueKind.TEXTS, 'programs = ["example"]'),
    "from": Key(ValueKind.TEXT_OR_TEXTS, 'from = "dist"'),
    "exclude": Key(ValueKind.TEXTS, 'exclude = ["target/debug"]', "from"),
    "platforms": Key(ValueKind.TEXTS, 'platforms = ["linux-x64", "darwin-arm64"]', "from"),
    "package": Key(ValueKind.TEXT, 'package = "example"'),
    "executable": Key(ValueKind.TEXT, 'executable = "example"', "package"),
    "data": Key(ValueKind.TEXTS, 'data = ["templates/**/*"]', "package"),
    "record": Key(ValueKind.TEXT, 'record = "source.json"', "data"),
    "data-files": Key(
        ValueKind.TABLE_OF_TEXTS, 'data-files."share/man/man1" = ["man/*.1"]'
    ),
    "floors": Key(ValueKind.TABLE_OF_TEXT, 'floors.linux-x64 = "glibc 2.28"'),
    "repair": Key(ValueKind.TEXT, 'repair = "auditwheel"', "executable"),
    "stub": Key(ValueKind.FLAG, "stub = true", "from"),
    "universal2": Key(ValueKind.FLAG, "universal2 = true", "from"),
}
# Keys of programs for the path, and those that may not stand beside them.
OF_PROGRAMS, OF_PACKAGES = ("programs", "from"), ("executable", "record", "repair")
# Config settings of one build, and those that exclude each other.
SETTINGS = ("platform", "binary", "from", "repair", "stub", "version")
EXCLUSIVE = (("platform", "binary"), ("from", "binary"))


def read_keys(table: object, path: Path) -> dict[str, Any]:
    """Return the table if it is valid; raises BuildError, which names the key and a line to write instead."""
    if table is None:
        raise BuildError(
            f"`{path}` has no table `{TABLE}`",
            hint=f"write `{KEYS['from'].example}` below a line `{TABLE}`: where the build leaves the program",
        )
    if not isinstance(table, dict):
        raise BuildError(
            f"`{path}` states `leanspec-build` as a value, not as a table",
            hint=f"write its keys below a line `{TABLE}`",
        )
    for key, value in table.items():
        if key not in KEYS:
            raise BuildError(
                f"`{path}` has the unknown key `{key}` under `{TABLE}`",
                hint=names_hint(key, KEYS, "the keys are"),
            )
        if not _is(value, KEYS[key].kind):
            _refuse(path, f"wants {KEYS[key].kind} as `{key}`", KEYS[key].example)
    _must_go_together(table, path)
    _must_be_programs(table.get("programs", []), path)
    _must_be_a_package(table, path)
    for pattern in [*table.get("data", []), *filter(None, [table.get("record")])]:
        _must_stay_inside(pattern, "data", path)
    _must_be_data_files(table.get("data-files", {}), path)
    _must_be_floors(table.get("floors", {}), path)
    must_be_a_repair(table.get("repair"), f"`{path}`")
    if table.get("platforms") == []:
        _refuse(path, "wants a list of names as `platforms`", KEYS["platforms"].example)
    for name in table.get("platforms", []):
        must_be_a_platform(name, f"`{path}`")
    return dict(table)


def names_hint(name: str, names: Iterable[str], words: str, form: str = "{}") -> str:
    """Return a hint that lists the valid names, and first the one that is nearly `name`."""
    hint = f"{words} {listed(map(form.format, names))}"
    import difflib  # noqa: PLC0415 - few need it

    for near in difflib.get_close_matches(name, names, n=1):
        hint = f"write `{form.format(near)}`; {hint}"
    return hint


def _refuse(path: Path, problem: str, example: str) -> NoReturn:
    raise BuildError(f"`{path}` {problem} under `{TABLE}`", hint=f"for example `{example}`")


def _is(value: object, kind: ValueKind) -> bool:
    """Tell whether a value is of a kind; nothing in it may be empty."""
    if kind in (ValueKind.FLAG, ValueKind.TEXT):
        return isinstance(value, bool if kind is ValueKind.FLAG else str) and value != ""
    if kind is ValueKind.TEXTS:
        return isinstance(value, list) and all(_is(item, ValueKind.TEXT) for item in value)
    if kind is ValueKind.TEXT_OR_TEXTS:
        return _is(value, ValueKind.TEXT) or (bool(value) and _is(value, ValueKind.TEXTS))
    inner = ValueKind.TEXT if kind is ValueKind.TABLE_OF_TEXT else ValueKind.TEXTS
    return isinstance(value, dict) and all(_is(item, inner) for item in value.values())


def _must_go_together(table: Mapping[str, Any], path: Path) -> None:
    for key in table:
        for other in OF_PACKAGES:
            if key in OF_PROGRAMS and other in table:
                raise BuildError(
                    f"`{path}` has both `{key}` and `{other}` under `{TABLE}`",
                    hint="programs go on the path, an `executable` into a package: leave one of them out",
                )
        needed = KEYS[key].needs or key
        if needed not in table:
            _refuse(path, f"has `{key}` without `{needed}`", KEYS[needed].example)
    if not {"programs", "from", "package"} & set(table):
        problem = "neither says where programs are nor names a `package`"
        _refuse(path, problem, KEYS["from"].example)


def _must_be_programs(names: list[str], path: Path) -> None:
    for name in names:
        _must_be_a_file_name(name, path)
        if without_exe(name) != name:
            raise BuildError(
                f"`{path}` names the program `{name}`",
                hint=f"leave the ending out, which only Windows has: `{without_exe(name)}`",
            )
        if [same_name(other) for other in names].count(same_name(name)) > 1:
            raise BuildError(
                f"`{path}` names the program `{name}` twice", hint="take one of them out"
            )


def _must_be_a_package(table: Mapping[str, Any], path: Path) -> None:
    if "programs" in table and not table["programs"]:
        _refuse(path, "wants a list of names as `programs`", KEYS["programs"].example)
    if "package" not in table:
        return
    if not table["package"].isidentifier():
        raise BuildError(
            f"`{path}` names the package `{table['package']}`, which cannot be imported",
            hint=f"for example `{KEYS['package'].example}`: the name of a folder beside it",
        )
    if not {"programs", "from", "executable", "data"} & set(table):
        _refuse(path, "has `package` without `executable`", KEYS["executable"].example)
    if "executable" in table:
        _must_be_a_file_name(table["executable"], path)


def _must_be_a_file_name(name: str, path: Path) -> None:
    is_special = name in (".", "..") or "\\" in name or not name.isprintable()
    if Path(name).name != name or is_special:
        raise BuildError(
            f"`{path}` names the executable `{escaped(name)}`: a file name is wanted, not a path",
            hint=f"for example `{KEYS['programs'].example}`; `from` says where it is",
        )


def _must_stay_inside(pattern: str, key: str, path: Path) -> None:
    """Raise BuildError unless a glob, or a folder of an environment, is relative and leads to no other."""
    parts = PurePosixPath(pattern).parts
    is_absolute = Path(pattern).is_absolute() or pattern.startswith("/")
    if not parts or is_absolute or ".." in parts or "\\" in pattern:
        raise BuildError(
            f"`{path}` names `{pattern}` under `{key}`, which leads out of its folder",
            hint=f"for example `{KEYS[key].example}`",
        )


def _must_be_data_files(table: Mapping[str, list[str]], path: Path) -> None:
    """Raise BuildError if a folder is named twice, which TOML sees only where the text is the same, or leads out."""
    texts: dict[PurePosixPath, str] = {}
    for text, patterns in table.items():
        for place in (text, *patterns):
            _must_stay_inside(place, "data-files", path)
        other = texts.setdefault(PurePosixPath(text), text)
        if other != text:
            raise BuildError(
                f"`{path}` names one folder twice under `data-files`: `{other}` and `{text}`",
                hint="write the files of both into one list",
            )


def _must_be_floors(table: Mapping[str, str], path: Path) -> None:
    for platform, text in table.items():
        try:
            floor = read_floor(text)
        except BuildError as error:
            system = "macos 11.0" if platform.startswith("darwin") else "glibc 2.28"
            raise BuildError(
                f"`{path}` is wrong in `floors.{platform}`: {error.message}",
                hint=f'for example `floors.{platform} = "{system}"`',
            ) from None
        if not re.fullmatch(rf"{floor.system}-({CPUS})", platform):
            raise BuildError(
                f"`{path}` promises `{text}` to `{platform}`, which is not a known platform",
                hint="platforms look like `linux-x64`, `linux-arm64`, `darwin-arm64`",
            )


def must_be_a_platform(name: str, source: str) -> None:
    """Raise BuildError unless this is the name of a platform that a wheel can be for."""
    if not re.fullmatch(PLATFORMS, name):
        raise BuildError(
            f"{source} names the platform `{name}`, which is not a known one",
            hint="platforms look like `linux-x64`, `linux-x64-musl`, `darwin-arm64`, `windows-x64`",
        )


def must_be_a_repair(value: str | None, source: str) -> None:
    """Raise BuildError unless this is a known way to repair a wheel, or none."""
    if value not in (None, *REPAIRS):
        raise BuildError(
            f"{source} asks for the repair `{value}`",
            hint=f"the repairs are {', '.join(REPAIRS)}",
        )


def read_settings(settings: Mapping[str, object] | None) -> dict[str, str]:
    """Return the config settings of `-C name=value`; raises BuildError for one that is not valid."""
    chosen: dict[str, str] = {}
    for key, value in (settings or {}).items():
        if key not in SETTINGS:
            hint = names_hint(key, SETTINGS, "the settings are", "-C {}=...")
            raise BuildError(f"the config setting `{key}` is unknown", hint=hint)
        if not isinstance(value, str) or not value:
            raise BuildError(
                f"the config setting `{key}` wants one text, not `{value}`",
                hint=f"give it once: `-C {key}=VALUE`",
            )
        chosen[key] = value
    for one, other in EXCLUSIVE:
        if {one, other} <= set(chosen):
            raise BuildError(
                f"the config settings `{one}` and `{other}` exclude each other",
                hint="give one of them",
            )
    if "stub" in chosen and set(chosen) - {"stub", "version"}:
        raise BuildError(
            "the config setting `stub` stands alone: a stub carries no binary",
            hint="leave the others out",
        )
    must_be_a_repair(chosen.get("repair"), "the config setting `repair`")
    return chosen
