"""The hooks of PEP 517 and PEP 660: one wheel each, of a package or of programs.

The hooks run with the project as the working directory. What cannot be built ends the process with
status 1 and a message on standard error: a frontend shows that, where it would show a raised error
as a traceback.
"""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NoReturn

from . import package
from .any_program import programs
from .any_program.sets import folders_of
from .errors import BuildError, adding_reason, note
from .project.index_rules import refusal_notes
from .project.keys import read_settings
from .project.manifest import Project, load_project
from .tags.model import LINK, remedies
from .wheel import LOCAL_LEVEL, Content, metadata_entries, write_wheel

Settings = Mapping[str, object] | None


@contextlib.contextmanager
def _reporting() -> Iterator[None]:
    """Turn a BuildError into a message and an exit status."""
    try:
        yield
    except BuildError as error:
        text = error.for_frontend()
        note(f"error: {text}")
        end = SystemExit(text)
        # A text as the code would be printed once more; tox shows it at the end of a traceback.
        end.code = 1
        raise end from None


@_reporting()
def build_wheel(
    wheel_directory: str,
    config_settings: Settings = None,
    metadata_directory: str | None = None,
) -> str:
    """Build the platform wheel; https://peps.python.org/pep-0517/#build-wheel."""
    del metadata_directory  # it would say the same: both come from the executable
    project, settings = _load(config_settings)
    for line in [*project.left_out_notes(), *refusal_notes(project)]:
        note(line)
    out = Path(wheel_directory)
    # An upload of that folder would upload the programs, too.
    if out.resolve() in folders_of(project.root, project.places):
        note(
            f"note: the wheel goes into `{out}`, where the programs are:"
            " `uv build --wheel -o wheelhouse` keeps them apart"
        )
    content = _content(project, settings)
    _explain_tags(project, content)
    return write_wheel(out, project, content)


@_reporting()
def build_editable(
    wheel_directory: str,
    config_settings: Settings = None,
    metadata_directory: str | None = None,
) -> str:
    """Build a wheel that leads to this folder; https://peps.python.org/pep-0660/#build-editable."""
    del metadata_directory
    project, settings = _load(config_settings)
    content = _content(project, settings, is_editable=True)
    for place, target in content.links.items():
        _link(place, target)
    local = dataclasses.replace(content, level=LOCAL_LEVEL)
    return write_wheel(Path(wheel_directory), project, local)


@_reporting()
def prepare_metadata_for_build_wheel(
    metadata_directory: str, config_settings: Settings = None
) -> str:
    """Write the metadata alone; https://peps.python.org/pep-0517/#prepare-metadata-for-build-wheel."""
    return _write_metadata(metadata_directory, config_settings, is_editable=False)


@_reporting()
def prepare_metadata_for_build_editable(
    metadata_directory: str, config_settings: Settings = None
) -> str:
    """Write the metadata alone; https://peps.python.org/pep-0660/#prepare-metadata-for-build-editable."""
    return _write_metadata(metadata_directory, config_settings, is_editable=True)


@_reporting()
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


def _load(config_settings: Settings) -> tuple[Project, dict[str, str]]:
    settings = read_settings(config_settings)
    return load_project(Path.cwd(), settings.get("version", "")), settings


def _content(
    project: Project, settings: Mapping[str, str], *, is_editable: bool = False
) -> Content:
    if is_editable and "stub" in settings:
        raise BuildError(
            "a stub carries nothing to edit",
            hint="build it as a wheel: `python -m build --wheel`",
        )
    mode = programs.wheel_content if project.programs else package.wheel_content
    return mode(project, settings, is_editable=is_editable)


def _write_metadata(directory: str, config_settings: Settings, *, is_editable: bool) -> str:
    project, settings = _load(config_settings)
    content = _content(project, settings, is_editable=is_editable)
    for entry in metadata_entries(project, content):
        path = Path(directory, entry.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(entry.source.load())
    return f"{project.stem}.dist-info"


def _explain_tags(project: Project, content: Content) -> None:
    """Say why a wheel has its tags; nothing of one that is for every machine."""
    tags = content.tags
    if not tags.reasons:
        return
    note(f"{project.metadata.name}: {', '.join(tags.platforms)}")
    folder = f"{project.libraries_folder}/"
    for entry in content.entries:
        if entry.name.startswith(folder):
            note(f"  grafted `{entry.name.removeprefix(folder)}`")
    for line in tags.explanation():
        note(f"  {line}")
    if not tags.publishable:
        advice = remedies(tags.reasons, is_on_path=bool(project.programs))
        note(f"  hint: {', or '.join(advice or [LINK])}")


def _link(place: Path, target: Path) -> None:
    """Lead from the source package to the chosen binary, where an installed wheel has it."""
    error = BuildError(
        f"cannot link `{place}` to `{target}`",
        hint="install the wheel itself: `pip install .`",
    )
    with adding_reason(error):
        place.parent.mkdir(exist_ok=True)
        place.unlink(missing_ok=True)
        place.symlink_to(target.resolve())
