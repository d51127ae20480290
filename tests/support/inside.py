"""Our own code, called in this process as one of its own would call it."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from unittest.mock import patch

from scripts.tools.processes import clean_environment


def call(
    function: Callable[[], object], folder: Path, **variables: str
) -> CompletedProcess[str]:
    """Call a function with a working directory, variables and streams of its own.

    A number that it returns is the exit code; a text is printed, as a frontend would.
    """
    out, errors = io.StringIO(), io.StringIO()
    environment = clean_environment(**variables)
    code: object = 0
    with (
        contextlib.chdir(folder),
        patch.dict(os.environ, environment, clear=True),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(errors),
    ):
        try:
            result = function()
        except SystemExit as error:
            code = error.code
        else:
            code = result if isinstance(result, int) else 0
            out.write(f"{result}\n" if isinstance(result, str) else "")
    assert isinstance(code, int)
    return CompletedProcess(folder, code, out.getvalue(), errors.getvalue())
