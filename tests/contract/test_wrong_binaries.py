"""Ways to hand over the wrong binary: each is refused by name when it is collected and when a wheel is built."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from leanspec_build.binaries import choose_binary
from leanspec_build.errors import BuildError
from leanspec_build.project.manifest import load_project

from leanspec_launcher._tables import PLATFORMS
from leanspec_launcher.commands import CommandError
from scripts.collect.staging import must_be_executable_for
from scripts.environment import ROOT
from scripts.model.versions import binary_version
from tests.support import headers
from tests.support.versions import OURS

GOOD = headers.elf(versions={"libc.so.6": ["GLIBC_2.17"]})
# name -> (platform, what is handed over instead, what the refusal says); no bytes mean a folder
WAYS: dict[str, tuple[str, bytes | None, str]] = {
    "a Mac's binary for Linux": (
        "linux-x64",
        headers.mach_o(),
        "for darwin-arm64, not for `linux-x64`",
    ),
    "Linux's binary for a Mac": ("darwin-x64", GOOD, "for linux-x64, not for `darwin-x64`"),
    "Windows' binary for Linux": (
        "linux-x64",
        headers.pe(),
        "for windows-x64, not for `linux-x64`",
    ),
    "the other CPU": ("linux-arm64", GOOD, "for linux-x64, not for `linux-arm64`"),
    "another system with ELF": (
        "linux-x64",
        headers.elf(osabi=9),
        "for freebsd-x64, not for `linux-x64`",
    ),
    "a universal file": (
        "darwin-x64",
        headers.universal(headers.mach_o("x86_64"), headers.mach_o()),
        "for several CPUs (x86_64, aarch64), not for `darwin-x64`",
    ),
    "nothing in it": ("linux-x64", b"", "is empty"),
    "four bytes": ("linux-x64", GOOD[:4], "is truncated"),
    "a header alone": ("linux-x64", GOOD[:64], "is truncated"),
    "one byte missing": ("linux-x64", GOOD[:-1], "is truncated"),
    "a script": (
        "linux-x64",
        b"#!/usr/bin/env node\n",
        "is a script (`#!/usr/bin/env node`)",
    ),
    "a Git LFS pointer": (
        "linux-x64",
        b"version https://git-lfs.github.com/spec/v1\n",
        "is a Git LFS pointer",
    ),
    "a Java class": (
        "darwin-x64",
        b"\xca\xfe\xba\xbe\0\0\0\x41" + bytes(60),
        "is a Java class file",
    ),
    "a shared library": (
        "linux-x64",
        headers.elf(soname="x.so", loader=None),
        "is a shared library",
    ),
    "a DLL": ("windows-x64", headers.pe(dll=True), "is a DLL"),
    "a folder": ("linux-x64", None, "is a directory"),
}


def put(path: Path, data: bytes | None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if data is None:
        path.mkdir()
    else:
        path.write_bytes(data)
    return path


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises((BuildError, CommandError)) as error:
        call()
    return str(error.value)


@pytest.mark.parametrize("way", WAYS)
def test_collect_refuses_a_wrong_binary(way: str, tmp_path: Path) -> None:
    platform, data, words = WAYS[way]
    file = put(tmp_path / "leanspec", data)
    said = refusal(lambda: must_be_executable_for(file, PLATFORMS[platform]))
    assert words in said
    assert f"`{file}`" in said


@pytest.mark.parametrize("way", WAYS)
def test_wheels_refuses_a_wrong_binary(way: str, tmp_path: Path) -> None:
    """Even with a record that says what it says of the right one."""
    platform, data, words = WAYS[way]
    root = tmp_path / "project"
    shutil.copytree(
        ROOT / "platform_wheels/cli", root, ignore=shutil.ignore_patterns("binaries", "bin")
    )
    file = put(root / "binaries" / platform / f"leanspec{PLATFORMS[platform].suffix}", data)
    facts = {
        "platform": platform,
        "version": binary_version(OURS),
        "size": len(data or b""),
    }
    facts |= {"sha256": hashlib.sha256(data or b"").hexdigest()}
    file.with_name("binary.json").write_text(json.dumps(facts), "utf-8")
    said = refusal(lambda: choose_binary(load_project(root), {"platform": platform}))
    assert words in said
    assert file.name in said
