"""The gate on binaries: their origin, their record, and the version that they report."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.gates import binaries
from scripts.model.plan import Plan
from tests.support import headers
from tests.support.preconditions import require
from tests.support.release_files import (
    CLI,
    MCP,
    PROGRAM,
    RECORD,
    change_record,
    failures,
    release_files,
    rewrite_bytes,
)
from tests.support.versions import RELEASED
from tests.support.wheel_files import content, rewrite

ONE, OTHER = "c0ffee".ljust(40, "0"), "decaf".ljust(40, "0")


def binary_failures(plan: Plan, dist: Path, commit: str | None = None) -> list[str]:
    return failures(binaries.binaries(plan, release_files(dist), commit))


def put_program(wheel: Path, data: bytes) -> None:
    """Put another program into the CLI's wheel, with a record that is true of it: nobody ran it."""
    record = json.loads(content(wheel, RECORD))
    record.pop("reported", None)
    record |= {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    rewrite(wheel, {PROGRAM: data, RECORD: json.dumps(record, indent=2).encode()})


def test_binaries_refuse_the_same_binary_for_two_platforms(dist: Path, plan: Plan) -> None:
    other = f"leanspec_cli_bin-{RELEASED}-py3-none-macosx_11_0_arm64.whl"
    shutil.copy(dist / CLI, dist / other)
    errors = binary_failures(plan, dist)
    assert any("bytes of its own, found the same as in" in line for line in errors)


def test_binaries_refuse_one_that_reports_another_version(
    dist: Path, plan: Plan, tmp_path: Path
) -> None:
    source = tmp_path / "old.c"
    source.write_text(
        '#include <stdio.h>\nint main(void) { puts("lean-spec 0.2.10"); return 0; }\n'
    )
    require("cc")
    subprocess.run(["cc", source, "-o", tmp_path / "old"], check=True)
    put_program(dist / CLI, (tmp_path / "old").read_bytes())
    errors = binary_failures(plan, dist)
    assert f"{CLI}: its own version: expected {RELEASED}, found 0.2.10" in errors


def test_binaries_refuse_one_that_nobody_ran(dist: Path, plan: Plan) -> None:
    """Of a platform that this machine does not run: only the record of where it was built can tell."""
    other = dist / f"leanspec_cli_bin-{RELEASED}-py3-none-macosx_11_0_arm64.whl"
    (dist / CLI).rename(other)
    put_program(other, headers.mach_o())
    errors = binary_failures(plan, dist)
    words = f"expected {RELEASED}, found not run where it was built"
    assert any(words in line for line in errors)
    change_record(other, reported=RELEASED, platform="darwin-arm64")
    assert not any("its own version" in line for line in binary_failures(plan, dist))


UNSTATED = "expected a source with its integrity or commit"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"commit": f"{ONE}-dirty"}, "expected a commit without uncommitted changes"),
        ({"source": None}, f"{UNSTATED}, found None"),
        ({"source": {"kind": "cargo"}, "commit": None}, UNSTATED),
        ({"source": "npm"}, UNSTATED),
    ],
)
def test_binaries_refuse_one_without_its_origin(
    dist: Path, plan: Plan, changes: dict[str, object], words: str
) -> None:
    change_record(dist / CLI, **changes)
    assert any(words in line for line in binary_failures(plan, dist))


def test_binaries_are_of_one_commit_or_the_plan_says_why(dist: Path, plan: Plan) -> None:
    for wheel in (CLI, MCP):
        change_record(dist / wheel, commit=ONE)
    assert binary_failures(plan, dist) == []
    change_record(dist / MCP, commit=OTHER)
    words = f"expected one for all binaries, found {ONE}, {OTHER}"
    assert any(words in line for line in binary_failures(plan, dist))
    exceptions = plan.exceptions | {"commits": "a fix for one of them"}
    assert binary_failures(replace(plan, exceptions=exceptions), dist) == []


def add_second_platform(dist: Path) -> None:
    (dist / CLI).rename(dist / CLI.replace("x86_64.whl", "x86_64.win_amd64.whl"))


def cut(dist: Path) -> None:
    rewrite_bytes(dist / CLI, lambda data: data[:1000])


def set_entry_byte(offset: int, value: int) -> Callable[[Path], None]:
    """Set a byte of each entry in the central directory of the CLI's wheel."""

    def change(dist: Path) -> None:
        data = bytearray((dist / CLI).read_bytes())
        place = data.find(b"PK\x01\x02")
        while place != -1:
            data[place + offset] = value
            place = data.find(b"PK\x01\x02", place + 4)
        (dist / CLI).write_bytes(data)

    return change


@pytest.mark.parametrize(
    ("attack", "words"),
    [
        (add_second_platform, "is not for exactly one known platform"),
        (set_entry_byte(8, 1), "is encrypted"),
        (set_entry_byte(10, 99), "That compression method is not supported"),
        (cut, "not a zip file"),
    ],
)
def test_binaries_refuse_a_wheel_that_cannot_be_read(
    attack: Callable[[Path], None], words: str, dist: Path, plan: Plan
) -> None:
    """Here and on an index: what is fetched may be anything."""
    attack(dist)
    (error,) = binary_failures(plan, dist)
    assert words in error


def test_binaries_are_of_the_commit_in_the_option_sources(dist: Path, plan: Plan) -> None:
    """A tag may move while the jobs of a workflow run: they take the commit that the first one saw."""
    for wheel in (CLI, MCP, CLI.replace("cli", "http")):
        change_record(dist / wheel, commit=ONE)

    errors = binary_failures(plan, dist, ONE)
    assert not [line for line in errors if line.startswith("commits: ")]
    errors = binary_failures(plan, dist, OTHER)
    assert f"commits: expected {OTHER}, found {ONE}" in errors
    change_record(dist / MCP, commit=None)
    errors = binary_failures(plan, dist, ONE)
    assert f"commits: expected {ONE}, found {ONE}, none stated" in errors


@pytest.mark.parametrize("record", [b"[]", b"", b"{", b"\xff", b"null"])
def test_binaries_refuse_a_damaged_record(dist: Path, plan: Plan, record: bytes) -> None:
    rewrite(dist / CLI, {RECORD: record})
    words = f"{CLI}: expected a binary and its record"
    assert any(line.startswith(words) for line in binary_failures(plan, dist))


def test_description_of_a_web_server_without_pages_must_say_so(
    dist: Path, plan: Plan
) -> None:
    wheel = next(dist.glob("leanspec_http_bin-*linux*.whl"))
    name = f"leanspec_http_bin-{RELEASED}.dist-info/METADATA"
    rewrite(wheel, {name: content(wheel, name).replace(b"API only", b"whole")})
    words = "there is no index.html in it"
    assert any(words in line for line in binary_failures(plan, dist))


NPM_SOURCE = {
    "kind": "npm",
    "package": "@leanspec/http-linux-x64",
    "version": RELEASED,
    "integrity": f"sha512-{'A' * 86}==",
}


def source_of(wheel: Path) -> dict[str, object]:
    source: dict[str, object] = json.loads(content(wheel, RECORD))["source"]
    return source


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"kind": "rumour"}, ""),
        ({"profile": "dev"}, ": profile"),
        ({"built": False}, ": built"),
        ({"built": "yes"}, ": built"),
        ({"crate": "leanspec-mcp"}, ": crate"),
        ({"version": "0.2.9"}, ": version"),
        ({"target": "aarch64-unknown-linux-gnu"}, ": target"),
        ({"integrity": "sha256-x"}, ": integrity"),
        ({"packages": ["serde"]}, ": packages"),
        ({"packages": [{"name": "serde", "version": "1", "checksum": "x"}]}, ": packages"),
        ({"openssl": {"name": "openssl", "version": "3.5.7"}}, ": openssl"),
        ({"reviewed-by": "everybody"}, ": reviewed-by"),
        ({"package": "@leanspec/cli-linux-x64"}, ": package"),
    ],
)
def test_invented_source_is_refused_by_name(
    dist: Path, plan: Plan, changes: dict[str, object], place: str
) -> None:
    change_record(dist / CLI, source=source_of(dist / CLI) | changes)
    errors = binary_failures(plan, dist)
    assert any(line.startswith(f"{CLI}{place}: expected ") for line in errors), errors


@pytest.mark.parametrize("name", ["crate", "profile", "built", "target", "packages"])
def test_source_states_every_fact(dist: Path, plan: Plan, name: str) -> None:
    source = source_of(dist / CLI)
    del source[name]
    change_record(dist / CLI, source=source)
    (error,) = binary_failures(plan, dist)
    assert error.startswith(f"{CLI}: {name}: expected ")
    assert error.endswith("found not stated")


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"commit": "main"}, "commit"),
        ({"size": "3 MB"}, "size"),
        ({"reported": "0.2.9"}, "reported"),
        ({"approved": True}, "approved"),
    ],
)
def test_invented_record_is_refused_by_name(
    dist: Path, plan: Plan, changes: dict[str, object], place: str
) -> None:
    change_record(dist / CLI, **changes)
    errors = binary_failures(plan, dist)
    assert any(line.startswith(f"{CLI}: {place}: expected ") for line in errors), errors


def test_draft_may_have_binaries_that_were_built_before(dist: Path, plan: Plan) -> None:
    change_record(dist / CLI, source=source_of(dist / CLI) | {"built": False})
    draft = replace(plan, is_draft=True)
    findings = list(binaries.binaries(draft, release_files(dist)))
    assert failures(iter(findings)) == []
    assert any("built before it was collected" in finding.actual for finding in findings)


@pytest.mark.parametrize(
    ("kind", "exceptions", "words"),
    [
        ("cargo", {}, None),
        ("npm", {}, "sources: expected one for all binaries"),
        ("npm", {"sources": "npm has one of them"}, None),
        ("cargo", {"sources": "npm has one of them"}, "sources: expected several"),
    ],
)
def test_binaries_are_of_one_source_or_the_plan_says_why(
    dist: Path, plan: Plan, kind: str, exceptions: dict[str, str], words: str | None
) -> None:
    http = next(dist.glob("leanspec_http_bin-*linux*.whl"))
    if kind == "npm":
        change_record(http, source=NPM_SOURCE)
    planned = binaries.plan_of(replace(plan, exceptions=exceptions), release_files(dist))
    assert planned.sources == tuple(sorted({kind, "cargo"}, reverse=True))
    errors = failures(binaries.binaries(planned, release_files(dist)))
    assert any(line.startswith(words) for line in errors) if words else errors == []
