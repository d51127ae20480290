"""The command `assets` in tests, and changes to the folder of a release."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

from scripts.github.listing import Listing
from tests.support.github import GitHub
from tests.support.preconditions import require
from tests.support.surroundings import run

# `assets`, as a maintainer runs it.
AssetsCommand = Callable[..., CompletedProcess[str]]
LATER = Listing("desktop")
LISTS = ("SHA256SUMS", "release.json")
PASSWORD = "a password of a test"  # noqa: S105 - of a key that signs nothing


def must_be_signed(path: Path, public_key: str, version: object) -> None:
    """Let minisign itself verify a file and what its signature states."""
    require("minisign program")
    command = ["minisign", "-V", "-P", public_key, "-m", str(path)]
    output = run(command, {**os.environ}).stdout
    assert f"file:{path.name}\tversion:{version}\tplatform:any" in output


def must_only_read(github: GitHub) -> None:
    """Check that GitHub was only asked, and forget the requests."""
    changes = ("POST /repos", "PATCH", "DELETE")
    assert not [request for request in github.asked if request.startswith(changes)]


def change_byte(folder: Path) -> None:
    (path,) = folder.glob("leanspec-*-linux-x64.tar.gz")
    path.write_bytes(path.read_bytes()[:-1] + b"x")


def write_provenance_bundle(folder: Path, sums: Path, **changed: str) -> Path:
    """Write what `actions/attest` writes, as far as it states which files it is of."""
    pairs = [line.split("  ") for line in sums.read_text().splitlines()]
    subjects = [
        {"name": name, "digest": {"sha256": changed.get("digest", digest)}}
        for digest, name in pairs
    ]
    statement = base64.b64encode(json.dumps({"subject": subjects}).encode()).decode()
    path = folder / "attestation.json"
    path.write_text(json.dumps({"dsseEnvelope": {"payload": statement}}, indent=2))
    return path
