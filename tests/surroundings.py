"""Clean surroundings: an environment built from scratch, so that no setting of this machine helps or hinders."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

# The system's own programs, without those of the Python that runs the tests.
PATH = "/usr/local/bin:/usr/bin:/bin"


def clean(home: Path, **additions: str) -> dict[str, str]:
    """Return an environment with a home of its own, in which no installer reaches an index."""
    home.mkdir(parents=True, exist_ok=True)
    return {
        "HOME": str(home),
        "PATH": PATH,
        "LANG": "C.UTF-8",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "UV_NO_CONFIG": "1",
        "UV_OFFLINE": "1",
        "UV_NO_INDEX": "1",
        "UV_CACHE_DIR": str(home / "uv-cache"),
        "UV_TOOL_DIR": str(home / "uv-tools"),
        "UV_TOOL_BIN_DIR": str(home / "uv-bin"),
        "PIPX_HOME": str(home / "pipx"),
        "PIPX_BIN_DIR": str(home / "pipx-bin"),
        **additions,
    }


def run(
    command: Sequence[str | Path],
    env: dict[str, str],
    *,
    cwd: Path | None = None,
    text: str | None = None,
    code: int | None = 0,
    timeout: int = 300,
) -> subprocess.CompletedProcess[str]:
    """Run a program, and fail with all its words where its exit code is not the expected one (None: any)."""
    done = subprocess.run(
        [str(part) for part in command],
        env=env,
        cwd=cwd,
        input=text if text is not None else "",
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        timeout=timeout,
    )
    if code is not None and done.returncode != code:
        raise AssertionError(
            f"{' '.join(map(str, command))}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
    assert "Traceback" not in done.stderr, done.stderr
    return done
