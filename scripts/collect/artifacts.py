"""The binaries of a CI run: one folder `binaries-<platform>/` per build machine, or one for all.

Each has the layout of `platform_wheels/`, as a job uploads it: `<program>/binaries/<platform>/` with
the executable and the `binary.json` that was written where it was built. So they can also be
merged, as `download-artifact` does where only one was asked for.
"""

import contextlib
import json
from pathlib import Path

from leanspec_launcher._search import RECORD_NAME
from leanspec_launcher._tables import PLATFORMS, Platform
from leanspec_launcher.commands import CommandError
from scripts.model.programs import ProgramProject, binary_path
from scripts.tools.console import say

from .staging import Staging, read_record, source_kind

PREFIX = "binaries-"


def collect_artifacts(
    folder: Path,
    projects: list[ProgramProject],
    allow_missing: tuple[str, ...],
    staging: Staging,
) -> None:
    """Stage every program for every platform; those of `allow_missing` may lack a folder, and then lack it whole."""
    if not folder.is_dir():
        raise CommandError(
            f"`{folder}` is not a folder of artifacts",
            hint="download those of the run first, for example `gh run download RUN --dir DIR`",
        )
    for path in sorted(folder.glob(f"{PREFIX}*")):
        if path.name.removeprefix(PREFIX) not in PLATFORMS:
            raise CommandError(
                f"`{path}` is not for a known platform",
                hint=f"known platforms: {', '.join(PLATFORMS)}",
            )
    for platform in PLATFORMS.values():
        artifact = folder / f"{PREFIX}{platform.key}"
        has_folder = artifact.is_dir()
        if has_folder or any(folder.glob(f"*/binaries/{platform.key}")):
            for project in projects:
                _add(artifact if has_folder else folder, project, platform, staging)
        elif platform.key in allow_missing:
            say(f"missing, as allowed: `{platform.key}`")
        else:
            raise CommandError(
                f"there is no `{PREFIX}{platform.key}/` in `{folder}`: the binaries for {platform.label} are missing",
                hint=f"check why its job left no binaries; a release without it needs `--allow-missing {platform.key}`",
            )


def artifact_kinds(folder: Path) -> set[str]:
    """Return the kinds of source that the records of a CI run's binaries state."""
    kinds = set()
    for path in folder.glob(f"**/binaries/*/{RECORD_NAME}"):
        # What cannot be read is an error when it is collected.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            kinds.add(source_kind(json.loads(path.read_text("utf-8"))))
    return kinds


def _add(
    artifact: Path, project: ProgramProject, platform: Platform, staging: Staging
) -> None:
    path = binary_path(artifact, project.program, platform)
    if not path.exists():
        raise CommandError(
            f"`{path}` does not exist: `{project.name}` for {platform.label} is missing",
            hint="check why its job left none, and re-run it",
        )
    record = read_record(path, project, platform)
    staging.add(
        project,
        platform,
        path,
        version=record.version,
        source=record.source,
        commit=record.commit,
        reported=record.reported,
    )
