"""What the backend says of a file, as our commands report what is wrong."""

from __future__ import annotations

from pathlib import Path

from leanspec_build.errors import BuildError
from leanspec_build.inspection import Inspection
from leanspec_build.inspection import inspect_file as inspect_with_backend

from leanspec_launcher.commands import CommandError


def inspect_file(path: Path) -> Inspection:
    """Inspect an executable or a wheel; raises CommandError if the file is neither, or is damaged."""
    try:
        return inspect_with_backend(path)
    except BuildError as error:
        raise CommandError(error.message, hint=error.hint) from None
