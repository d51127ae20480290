"""Files from an untrusted package archive."""

from collections.abc import Callable
from pathlib import Path, PurePosixPath

from leanspec_build.archives import FILE, FOLDER, Bounds, Member, read_members
from leanspec_build.errors import BuildError

from leanspec_launcher.commands import CommandError

# The largest package so far unpacks to 49 MB.
LARGEST_ARCHIVE = 128 * 1024 * 1024
# A program's package has some five members, that of the pages 918; each costs time, however small.
BOUNDS = Bounds(4_000, LARGEST_ARCHIVE, LARGEST_ARCHIVE)


def extract_file(archive: Path, member: str, target: Path) -> None:
    """Copy the regular file `member` of a `.tar.gz` to `target`; nothing else is ever written.

    Raises CommandError if it is not there, or if any entry of the archive leads out of it, is a
    link, or is too large.
    """
    if not extract_files(archive, lambda name: target if name == member else None):
        raise CommandError(
            f"the archive `{archive.name}` is refused: it contains no `{member}`"
        )


def extract_files(
    archive: Path, place: Callable[[str], Path | None], bounds: Bounds = BOUNDS
) -> list[Path]:
    """Copy the regular files of a `.tar.gz` for which `place` names a target; return the targets.

    Raises CommandError, and leaves no target, if any entry of the archive leads out of it, is a
    link, is too large, or is there twice.
    """
    targets: dict[str, Path] = {}

    def is_chosen(member: Member) -> bool:
        path = PurePosixPath(member.name)
        if path.is_absolute() or ".." in path.parts or "\\" in member.name:
            raise BuildError(f"its entry `{member.name}` leads out of it")
        if member.kind not in (FILE, FOLDER):
            raise BuildError(f"its entry `{member.name}` is {member.kind}")
        target = place(member.name)
        if target is None or member.kind != FILE:
            return False
        if target in targets.values():
            raise BuildError(f"it contains `{member.name}` twice")
        targets[member.name] = target
        return True

    try:
        for member, data in read_members(archive, is_chosen, bounds=bounds):
            target = targets[member.name]
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as file:
                file.write(data)
    except BuildError as error:
        for target in targets.values():
            target.unlink(missing_ok=True)
        raise CommandError(
            f"the archive `{archive.name}` is refused: {error.message}"
        ) from None
    return list(targets.values())
