"""Collected binaries on their way into `platform_wheels/`: all of them, checked, or none."""

import base64
import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from leanspec_build.errors import BuildError
from leanspec_build.formats.executable import read_executable
from leanspec_build.tags.platforms import platform_key

from leanspec_launcher._search import RECORD_NAME
from leanspec_launcher._tables import PLATFORMS, Platform
from leanspec_launcher.commands import CommandError
from leanspec_launcher.verify.proof import digest
from scripts.model.programs import ProgramProject, binary_path, load_programs
from scripts.tools.work_folder import work_folder


@dataclass(frozen=True)
class Collected:
    """Record of a collected binary, as its `binary.json` states it."""

    program: str
    platform: str
    version: str
    size: int
    sha256: str
    source: dict[str, Any]
    commit: str | None
    reported: str | None = None
    """What the binary said that it is, where it was built and could be run."""


class Staging:
    """A new, empty binaries directory next to the one that it will replace."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.collected: list[Collected] = []

    def add(  # noqa: PLR0913 - each is one fact of the record
        self,
        project: ProgramProject,
        platform: Platform,
        file: Path,
        *,
        version: str,
        source: dict[str, Any],
        commit: str | None,
        reported: str | None = None,
        called: str = "",
    ) -> Collected:
        """Copy a file in, as an executable for the platform.

        Raises CommandError if the file is anything else.
        """
        must_be_executable_for(file, platform, called=called)
        target = binary_path(self.root, project.program, platform)
        target.parent.mkdir(parents=True)
        shutil.copyfile(file, target)
        target.chmod(0o755)
        collected = Collected(
            program=project.name,
            platform=platform.key,
            version=version,
            size=target.stat().st_size,
            sha256=digest(str(target)),
            source=source,
            commit=commit,
            reported=reported,
        )
        record = asdict(collected)
        if reported is None:
            del record["reported"]
        text = json.dumps(record, indent=2) + "\n"
        (target.parent / RECORD_NAME).write_text(text, "utf-8")
        self.collected.append(collected)
        return collected


def source_kind(record: dict[str, Any]) -> str:
    """Return the kind of source that a record states; an empty text if it states none."""
    source = record.get("source")
    return str(source.get("kind") or "") if isinstance(source, dict) else ""


def must_be_executable_for(file: Path, platform: Platform, *, called: str = "") -> None:
    """Raise CommandError unless a file is a complete executable for a platform.

    A file that is gone when the message is read is `called` something else in it.
    """
    name = called or f"`{file}`"
    try:
        executable = read_executable(file)
    except BuildError as error:
        message = error.message.replace(f"`{file}`", name)
        raise CommandError(f"{message} for `{platform.key}`", hint=error.hint) from None
    key = platform_key(executable)
    if key != platform.key:
        machines = key or f"several CPUs ({', '.join(executable.cpus)})"
        raise CommandError(
            f"{name} is an executable for {machines}, not for `{platform.key}`",
            hint=f"build it: `python3 -m scripts collect cargo WORKSPACE --target {platform.target} --build`",
        )


@contextlib.contextmanager
def staged(base: Path, *, keep: bool = False) -> Iterator[Staging]:
    """Collect into an empty folder, which replaces the content of `base` if everything succeeds.

    With `keep`, what `base` holds for other programs and platforms stays. Raises CommandError, and
    leaves `base` as it was, if two binaries have the same bytes or different versions.
    """
    # Inside `base`, and so in its file system: a rename into place copies nothing.
    with work_folder(base) as folder:
        staging = Staging(folder)
        yield staging
        if not staging.collected:
            raise CommandError(
                "there was nothing to collect",
                hint="name another version, program or platform",
            )
        others = []
        for project, platform, path in _places(base) if keep else ():
            target = binary_path(staging.root, project.program, platform)
            if not target.exists():
                others.append(read_record(path, project, platform))
                shutil.copytree(path.parent, target.parent)
        _must_be_one_release([*staging.collected, *others])
        _swap(staging.root, base)


def read_collected(base: Path) -> list[Collected]:
    """Return what a binaries directory holds, each file compared with its `binary.json`.

    Raises CommandError if one is missing, differs, or is for another platform than its folder's.
    """
    places = list(_places(base))
    return [read_record(path, project, platform) for project, platform, path in places]


def _places(base: Path) -> Iterator[tuple[ProgramProject, Platform, Path]]:
    """Yield each program and platform that a binaries directory has a folder for, and the binary's path."""
    for project in load_programs():
        for platform in PLATFORMS.values():
            path = binary_path(base, project.program, platform)
            if path.parent.exists():
                yield project, platform, path


def read_record(path: Path, project: ProgramProject, platform: Platform) -> Collected:
    """Return what the `binary.json` next to a binary states; raises CommandError if it is not true of it."""
    record = path.parent / RECORD_NAME
    hint = "collect the binary again"
    try:
        collected = Collected(**json.loads(record.read_text("utf-8")))
    except FileNotFoundError:
        raise CommandError(
            f"`{record}` is missing: `{path.name}` cannot be verified", hint=hint
        ) from None
    except (OSError, ValueError, TypeError) as error:
        raise CommandError(
            f"`{record}` is not a description of a binary: {error}", hint=hint
        ) from None
    if (collected.program, collected.platform) != (project.name, platform.key):
        raise CommandError(
            f"`{record}` describes `{collected.program}` for `{collected.platform}`,"
            f" expected `{project.name}` for `{platform.key}`",
            hint=hint,
        )
    must_be_executable_for(path, platform)
    sha256 = digest(str(path))
    if sha256 != collected.sha256:
        raise CommandError(
            f"`{path}` has the sha256 `{sha256}`, expected `{collected.sha256}`", hint=hint
        )
    return collected


def _must_be_one_release(collected: list[Collected]) -> None:
    # Two programs never have the same bytes: somebody copied one of them to a wrong place.
    by_sha256: dict[str, Collected] = {}
    for one in collected:
        other = by_sha256.setdefault(one.sha256, one)
        if other is not one:
            raise CommandError(
                f"`{one.program}` for `{one.platform}` and `{other.program}` for `{other.platform}` have the same"
                f" bytes (sha256 `{one.sha256}`): one of them has the wrong name",
                hint="see with `python3 -m scripts inspect FILE` which one, and rebuild the other",
            )
    versions = sorted({f"`{binary.version}`" for binary in collected})
    if len(versions) > 1:
        raise CommandError(
            f"the binaries are of different versions: {', '.join(versions)}",
            hint="collect all of them in one version, without `--keep`",
        )


def _swap(staging: Path, base: Path) -> None:
    """Replace the old programs with the staged ones; put the old ones back if that fails."""
    with contextlib.ExitStack() as undo:
        for project in load_programs():
            place = base / project.name / "binaries"
            _move(place, staging / "old" / project.name, undo)
            _move(staging / project.name / "binaries", place, undo)
        undo.pop_all()  # all went well


def _move(source: Path, target: Path, undo: contextlib.ExitStack) -> None:
    if source.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        source.rename(target)
        undo.callback(target.rename, source)


def integrity(algorithm: str, data: bytes) -> str:
    """Return a Subresource Integrity value, `sha512-<base64>`, as npm and browsers write it."""
    return f"{algorithm}-{base64.b64encode(hashlib.new(algorithm, data).digest()).decode()}"
