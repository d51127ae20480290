"""pip's downloads of wheels for machines that this one need not be."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.support.surroundings import run

ONE_WHEEL = ("--no-deps", "--only-binary=:all:", "--python-version", "3.12")
# One process for all downloads: pip starts slowly.
PIP = """
import json, sys
from pip._internal.cli.main import main
sys.exit(any(main(["download", *arguments]) for arguments in json.loads(sys.argv[1])))
"""


def download(
    requirements: dict[Path, tuple[str, str]], env: dict[str, str], *options: str
) -> None:
    """Download a wheel into each folder: by its requirement, for its platform."""
    jobs = [
        [*ONE_WHEEL, *options, "--platform", platform, "--dest", str(folder), requirement]
        for folder, (requirement, platform) in requirements.items()
    ]
    run([sys.executable, "-c", PIP, json.dumps(jobs)], env)
