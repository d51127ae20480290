"""The hooks of PEP 517 and PEP 660: one wheel each, of an executable, of programs, or of data.

The hooks run with the project as the working directory. What cannot be built ends the process with
status 1 and a message on standard error: a frontend shows that, where it would show a raised error
as a traceback.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn, ParamSpec, TypeVar

from .any_program.sets import (
    ProgramSet,
    find_sets,
    for_this_machine,
    of_platform,
    places_of,
)
from .binaries import Binary, choose_binary, read_stub
from .errors import BuildError
from .project.manifest import Project, load_project
from .project.settings import read_settings
from .repair import graft
from .tags.model import Tags
from .wheel import (
    Content,
    binary_content,
    data_content,
    dist_info,
    editable_content,
    metadata_entries,
    programs_content,
    stub_content,
    write_wheel,
)

Settings = Mapping[str, object] | None
WAYS_OUT = "link the library in (vendored OpenSSL, rustls, static musl), or graft it with `-C repair=auditwheel`"
_P = ParamSpec("_P")
_T = TypeVar("_T")


def _reporting(hook: Callable[_P, _T]) -> Callable[_P, _T]:
    """Turn a BuildError into a message and an exit status."""

    @functools.wraps(hook)
    def wrapper(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return hook(*args, **kwargs)
        except BuildError as error:
            _say(f"error: {error}")
            raise SystemExit(1) from None

    return wrapper


@_reporting
def build_wheel(
    wheel_directory: str,
    config_settings: Settings = None,
    metadata_directory: str | None = None,
) -> str:
    """Build the platform wheel; https://peps.python.org/pep-0517/#build-wheel."""
    del metadata_directory  # it would say the same: both come from the executable
    project, content = _load(config_settings, tell=True)
    return write_wheel(Path(wheel_directory), project, content)


@_reporting
def build_editable(
    wheel_directory: str,
    config_settings: Settings = None,
    metadata_directory: str | None = None,
) -> str:
    """Build a wheel that leads to this folder; https://peps.python.org/pep-0660/#build-editable."""
    del metadata_directory
    project, binary, content = _load_editable(config_settings)
    if binary is not None:
        _link(project, binary)
    return write_wheel(Path(wheel_directory), project, content)


def _load_editable(config_settings: Settings) -> tuple[Project, Binary | None, Content]:
    """Return what an editable wheel is made of, and the executable that the package is to have."""
    settings = read_settings(config_settings)
    project = load_project(Path.cwd(), settings.get("version", ""))
    if "stub" in settings:
        raise BuildError(
            "a stub carries nothing to edit",
            hint="build it as a wheel: `python -m build --wheel`",
        )
    if project.programs:
        found = _choose_set(project, settings)
        return project, None, editable_content(project, found.tags.platforms, found)
    if not project.executable_name:
        return project, None, editable_content(project, ("any",))
    binary = choose_binary(project, settings)
    return project, binary, editable_content(project, binary.tags.platforms)


@_reporting
def prepare_metadata_for_build_wheel(
    metadata_directory: str, config_settings: Settings = None
) -> str:
    """Write the metadata alone; https://peps.python.org/pep-0517/#prepare-metadata-for-build-wheel."""
    project, content = _load(config_settings)
    return _write_metadata(metadata_directory, project, content)


@_reporting
def prepare_metadata_for_build_editable(
    metadata_directory: str, config_settings: Settings = None
) -> str:
    """Write the metadata alone; https://peps.python.org/pep-0660/#prepare-metadata-for-build-editable."""
    project, _, content = _load_editable(config_settings)
    return _write_metadata(metadata_directory, project, content)


def _write_metadata(directory: str, project: Project, content: Content) -> str:
    for entry in metadata_entries(project, content):
        path = Path(directory, entry.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(entry.data)
    return dist_info(project)


@_reporting
def build_sdist(sdist_directory: str, config_settings: Settings = None) -> NoReturn:
    """Refuse; https://peps.python.org/pep-0517/#build-sdist.

    Not by the standard's `UnsupportedOperation`: `python -m build` and `uv build` show that as a
    traceback, and this as a message.
    """
    del sdist_directory, config_settings
    raise BuildError(
        "a project with a prebuilt executable has no source distribution",
        hint="build the wheel alone: `python -m build --wheel`, `uv build --wheel` or `pip wheel .`",
    )


def get_requires_for_build_wheel(config_settings: Settings = None) -> list[str]:
    """Return no further requirements; https://peps.python.org/pep-0517/#get-requires-for-build-wheel."""
    del config_settings
    return []


get_requires_for_build_editable = get_requires_for_build_wheel
get_requires_for_build_sdist = get_requires_for_build_wheel


def _load(config_settings: Settings, *, tell: bool = False) -> tuple[Project, Content]:
    settings = read_settings(config_settings)
    project = load_project(Path.cwd(), settings.get("version", ""))
    for note in project.left_out_notes() if tell else ():
        _say(note)
    if project.programs:
        found = _choose_set(project, settings)
        if tell:
            _tell(project.metadata.name, found.tags)
        return project, programs_content(project, found)
    if "stub" in settings:
        return project, stub_content(project, read_stub(Path(settings["stub"])))
    if "from" in settings:
        raise BuildError(
            "the config setting `from` is about `programs`, and this project has none",
            hint="name the executable: `-C binary=/path`",
        )
    if not project.executable_name:
        _must_need_no_setting(settings)
        return project, data_content(project)
    binary = choose_binary(project, settings)
    if (
        settings.get("repair") or project.repair
    ) == "auditwheel" and not binary.tags.publishable:
        binary = graft(project, binary)
    if tell:
        _tell_tags(project, binary)
    return project, binary_content(project, binary)


def _choose_set(project: Project, settings: Mapping[str, str]) -> ProgramSet:
    """Return the programs that the settings ask for, or those for this machine."""
    if "stub" in settings:
        raise BuildError(
            "the config setting `stub` is not for a project with `programs`",
            hint="write `stub = true` under `[tool.leanspec-build]`; `python -m leanspec_build all` makes it",
        )
    for name in ("repair", "binary"):
        if name in settings:
            raise BuildError(
                f"the config setting `{name}` is not for a project with `programs`",
                hint="name the place that has them: `-C from=PLACE`",
            )
    sets = find_sets(project, places_of(project, settings.get("from", "")), _say)
    if "platform" in settings:
        return of_platform(sets, settings["platform"])
    return for_this_machine(sets)


def _must_need_no_setting(settings: Mapping[str, str]) -> None:
    """Raise BuildError for a setting about an executable, where there is none."""
    for name in set(settings) - {"version"}:
        raise BuildError(
            f"the config setting `{name}` is about an executable, and this project has none",
            hint=f"leave `-C {name}=...` out, or name an `executable` under `[tool.leanspec-build]`",
        )


def _tell_tags(project: Project, binary: Binary) -> None:
    _tell(
        project.metadata.name,
        binary.tags,
        *(f"grafted `{name}`" for name in binary.libraries),
    )


def _tell(name: str, tags: Tags, *first: str) -> None:
    _say(f"{name}: {', '.join(tags.platforms)}")
    for line in first:
        _say(f"  {line}")
    for reason in tags.reasons:
        _say(f"  because {reason}")
    for remark in tags.remarks:
        _say(f"  note: {remark}")
    if not tags.publishable:
        _say("  for local use only: no public index takes a wheel with this tag")
        _say(f"  hint: {WAYS_OUT}")


def _say(text: str) -> None:
    """Print a line for the user: a hook has no other way, and a frontend shows it."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def _link(project: Project, binary: Binary) -> None:
    """Lead from the source package to the chosen executable, where an installed wheel has it."""
    link = (
        project.root / project.package / "bin" / f"{project.executable_name}{binary.suffix}"
    )
    try:
        link.parent.mkdir(exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(binary.path.resolve())
    except OSError as error:
        raise BuildError(
            f"cannot link `{link}` to `{binary.path}`: {error.strerror}",
            hint="install the wheel itself: `pip install .`",
        ) from None
