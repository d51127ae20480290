"""What the jobs of a CI run leave: binaries with their records, in folders by platform."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from leanspec_launcher._tables import PLATFORMS, PROGRAMS
from tests.support import headers
from tests.support.versions import RELEASED

# A program for each platform, as a runner would build it: what installers read, and nothing to run.
BUILDS = {
    "linux-x64": headers.elf(versions={"libc.so.6": ["GLIBC_2.28"]}),
    "linux-arm64": headers.elf(
        "aarch64",
        loader="/lib/ld-linux-aarch64.so.1",
        versions={"libc.so.6": ["GLIBC_2.28"]},
    ),
    "darwin-x64": headers.mach_o("x86_64", minimum=(10, 12)),
    "darwin-arm64": headers.mach_o(),
    "windows-x64": headers.pe(),
    "windows-arm64": headers.pe("aarch64"),
}


def cargo_source(
    program: str, target: str | None, version: str = RELEASED
) -> dict[str, object]:
    """Return what `collect cargo --build` states of a binary's source."""
    return {
        "kind": "cargo",
        "crate": f"leanspec-{program}",
        "version": version,
        "target": target,
        "profile": "release",
        "built": True,
        "integrity": f"sha256-{'A' * 43}=",
        "packages": [{"name": f"leanspec-{program}", "version": version, "checksum": None}],
    }


def put(
    folder: Path,
    program: str,
    platform: str,
    data: bytes | None = None,
    facts: dict[str, object] | None = None,
) -> Path:
    """Put a binary with its record where a CI job's artifact has it."""
    data = data or BUILDS[platform] + program.encode()
    return put_collected(folder / f"binaries-{platform}", program, platform, data, facts)


def put_collected(
    base: Path,
    program: str,
    platform: str,
    data: bytes,
    facts: dict[str, object] | None = None,
) -> Path:
    """Put a binary with its record where `collect` has it."""
    name = PROGRAMS[program].command + PLATFORMS[platform].suffix
    path = base / program / "binaries" / platform / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    record: dict[str, object] = {
        "program": program,
        "platform": platform,
        "version": RELEASED,
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "source": {"kind": "cargo"},
        "commit": "c0ffee",
    }
    path.with_name("binary.json").write_text(json.dumps(record | (facts or {})), "utf-8")
    return path
