"""What the backend says of files, as our commands report what is wrong."""

from collections.abc import Iterable
from pathlib import Path

from leanspec_build import inspection
from leanspec_build.errors import BuildError, NoFileError, NotAWheelError
from leanspec_build.inspection import Inspection

from leanspec_launcher.commands import CommandError

MAKE = "`python3 -m scripts wheels` builds the wheels"
MAKE_AGAIN = "build it again: `python3 -m scripts wheels`; or fetch it again from its index"


def inspect_file(path: Path) -> Inspection:
    """Inspect an executable or a wheel; raises CommandError if the file is neither, or is damaged."""
    try:
        return inspection.inspect_file(path)
    except BuildError as error:
        raise CommandError(error.message, hint=_hint(error, path)) from None


def inspect_files(paths: Iterable[Path]) -> tuple[list[Inspection], CommandError | None]:
    """Inspect all files that can be read; return one error about the others."""
    inspections, errors = [], []
    for path in paths:
        try:
            inspections.append(inspect_file(path))
        except CommandError as error:
            errors.append(error)
    if not errors:
        return inspections, None
    hints = dict.fromkeys(error.hint for error in errors if error.hint)
    first, *others = [error.message for error in errors]
    hint = "; ".join(hints) or None
    return inspections, CommandError(first, details=others, hint=hint)


def _hint(error: BuildError, path: Path) -> str | None:
    """Return what to type here: the backend's own hints are for its users."""
    if isinstance(error, NotAWheelError):
        return MAKE_AGAIN
    if isinstance(error, NoFileError):
        return MAKE if path.suffix == ".whl" else None
    return error.hint
