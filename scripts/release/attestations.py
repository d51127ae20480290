"""Attestations (PEP 740): which workflow built a file, said by a signature that the index checks and shows."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path

from leanspec_launcher.manage.errors import CommandError
from scripts.processes import capture, must_succeed
from scripts.release_tools import release_tool

from .finding import Finding, bad, same
from .plan import ATTESTATION, File, read_files

IDENTITY_VARIABLE = "ACTIONS_ID_TOKEN_REQUEST_URL"


def attest(dist: Path) -> list[Path]:
    """Make the attestation of each file of a release, by the identity of the workflow that runs this.

    Raises CommandError where there is no such identity: nobody is to sign in the name of a person.
    """
    files, _ = read_files(dist)
    if not files:
        raise CommandError(f"there are no built files in `{dist}`", hint="build first: `python -m scripts wheels`")
    if IDENTITY_VARIABLE not in os.environ:
        raise CommandError(
            "there is no identity to attest with: this is no job of a workflow with `id-token: write`",
            hint="let .github/workflows/publish.yml do it",
        )
    made = [_beside(file) for file in files]
    for path in made:
        path.unlink(missing_ok=True)
    command = [str(release_tool("pypi-attestations")), "sign", *(str(file.path) for file in files)]
    must_succeed(capture(command), "`pypi-attestations sign`")
    return made


def attestation_of(file: File) -> Path | None:
    """Return the attestation of a file, where there is one."""
    path = _beside(file)
    return path if path.is_file() else None


def attested(files: list[File]) -> Iterator[Finding]:
    """Look whether each file has an attestation of its own bytes. Who signed it is for the index to check."""
    for file in files:
        path, digest = attestation_of(file), file.sha256()
        if path is None:
            yield bad("attestation", file.path.name, "an attestation beside it", "none")
            continue
        try:
            said = json.loads(path.read_text("utf-8"))
            subject = json.loads(base64.b64decode(said["envelope"]["statement"]))["subject"][0]
            found = f"{subject['name']} {subject['digest']['sha256']}"
        except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
            yield bad("attestation", file.path.name, "an attestation", f"{type(error).__name__}: {error}")
            continue
        yield same("attestation", file.path.name, f"{file.path.name} {digest}", found)


def _beside(file: File) -> Path:
    return file.path.with_name(file.path.name + ATTESTATION)
