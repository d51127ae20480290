"""Each way in which a release of this project once broke: stopped by a gate, by name, before any upload.

The numbers are those of the rows that the project keeps of its broken releases.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import random
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.version import Version

from leanspec_launcher.manage.errors import CommandError
from scripts.environment import ROOT, Group
from scripts.release import binary_gates, check, publish, tree_gates, wheel_gates
from scripts.release.finding import Finding
from scripts.release.index import Index, read_index
from scripts.release.plan import File, Plan, expected_set, read_files, read_plan
from tests import headers
from tests.versions import RELEASED

CLI = f"leanspec_cli_bin-{RELEASED}-py3-none-manylinux_2_34_x86_64.whl"
MCP = f"leanspec_mcp_bin-{RELEASED}-py3-none-manylinux_2_34_x86_64.whl"
MAIN = f"lean_spec-{RELEASED}-py3-none-any.whl"
PINNED = b"Requires-Dist: leanspec-cli-bin==" + RELEASED.encode()
PROGRAM = "leanspec_cli_bin/bin/leanspec"
RECORD = "leanspec_cli_bin/bin/binary.json"


@pytest.fixture
def dist(stand_in: Path, tmp_path: Path) -> Path:
    """Return a copy of a release that passes, which a test may break."""
    shutil.copytree(stand_in / "dist", tmp_path / "dist")
    return tmp_path / "dist"


@pytest.fixture
def plan(released_tree: Path) -> Plan:
    return read_plan(released_tree)


def files(dist: Path) -> list[File]:
    return read_files(dist)[0]


def wrong(findings: Iterator[Finding]) -> list[str]:
    return [f"{each.subject}: expected {each.expected}, found {each.found}" for each in findings if not each.good]


def of_set(plan: Plan, dist: Path) -> list[str]:
    return wrong(expected_set(plan, *read_files(dist)))


def rewrite(wheel: Path, changes: dict[str, bytes | None], *, modes: dict[str, int] | None = None) -> None:
    """Change, add or remove (None) entries of a wheel, with a RECORD that is true of the outcome."""
    with zipfile.ZipFile(wheel) as archive:
        entries = {entry.filename: (entry.external_attr >> 16, archive.read(entry)) for entry in archive.infolist()}
    for name, data in changes.items():
        mode = entries.pop(name, (0o100644, b""))[0]
        if data is not None:
            entries[name] = (mode, data)
    record = next(name for name in entries if name.endswith("/RECORD"))
    del entries[record]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for name, (_, data) in entries.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        writer.writerow([name, f"sha256={digest}", len(data)])
    writer.writerow([record, "", ""])
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, (mode, data) in {**entries, record: (0o100644, text.getvalue().encode())}.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (modes or {}).get(name, mode) << 16
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)


def content(wheel: Path, name: str) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(name)


def with_program(wheel: Path, data: bytes) -> None:
    """Put another program into the CLI's wheel, with a record that is true of it: nobody ran it."""
    record = json.loads(content(wheel, RECORD))
    record.pop("reported", None)
    record |= {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    rewrite(wheel, {PROGRAM: data, RECORD: json.dumps(record, indent=2).encode()})


def test_a_good_release_passes_every_gate_on_its_files(dist: Path, plan: Plan) -> None:
    assert of_set(plan, dist) == []
    assert wrong(binary_gates.binaries(plan, files(dist))) == []
    assert wrong(wheel_gates.wheels(plan, files(dist))) == []
    assert wrong(wheel_gates.bills(files(dist))) == []


def test_1_one_machines_binary_for_another_platform(dist: Path, plan: Plan) -> None:
    other = f"leanspec_cli_bin-{RELEASED}-py3-none-macosx_11_0_arm64.whl"
    shutil.copy(dist / CLI, dist / other)
    both = replace(plan, platforms=("linux-x64", "darwin-arm64"))
    said = wrong(binary_gates.binaries(both, files(dist)))
    assert any("an executable for darwin-arm64, found one for linux-x64" in line for line in said)
    assert any("bytes of its own, found the same as in" in line for line in said)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x7fELF", "is truncated"),
        (b"", "is empty"),
        (headers.elf("aarch64", versions={"libc.so.6": ["GLIBC_2.17"]}), "found one for linux-arm64"),
        (b"#!/bin/sh\n", "is a script"),
    ],
)
def test_2_a_binary_that_is_none_or_another(dist: Path, plan: Plan, data: bytes, words: str) -> None:
    with_program(dist / CLI, data)
    assert any(words in line for line in wrong(binary_gates.binaries(plan, files(dist))))


def test_3_a_missing_an_extra_and_a_second_version(dist: Path, plan: Plan) -> None:
    (dist / CLI).rename(dist / CLI.replace(RELEASED, "0.2.9"))
    (dist / MCP).unlink()
    (dist / "notes.txt").touch()
    said = of_set(plan, dist)
    assert f"{CLI.replace(RELEASED, '0.2.9')}: expected {RELEASED}, found 0.2.9" in said
    assert "leanspec-mcp-bin (linux-x64): expected a platform wheel, found missing" in said
    assert "notes.txt: expected no such file in a release, found there" in said
    shutil.copy(dist / MAIN, dist / MAIN.replace("py3", "py2.py3"))
    assert any("found a second one beside" in line for line in of_set(plan, dist))


def test_4_a_stale_binary_under_a_new_record(dist: Path, plan: Plan) -> None:
    rewrite(dist / CLI, {PROGRAM: content(dist / CLI, PROGRAM) + b"old"})
    said = wrong(binary_gates.binaries(plan, files(dist)))
    assert any(": sha256: expected " in line for line in said)


def committed(root: Path, *names: tuple[str, bytes]) -> Path:
    """Make a git repository of files."""
    root.mkdir()
    for name, data in names:
        (root / name).write_bytes(data)
    who = ["-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"]):
        subprocess.run(["git", "-C", root, *who, *command], check=True)
    return root


def test_4_a_binary_or_a_large_file_in_git(tmp_path: Path) -> None:
    root = committed(tmp_path / "r", ("program", b"\x7fELF"), ("large", bytes((1 << 20) + 1)), ("fine", b"x"))
    said = wrong(tree_gates.tree(root))
    assert said == [
        "large: expected at most 1048576 bytes, found 1048577",
        "program: expected no program in git, found a program",
    ]


def test_5_and_16_a_binary_that_says_another_version(dist: Path, plan: Plan, tmp_path: Path) -> None:
    source = tmp_path / "old.c"
    source.write_text('#include <stdio.h>\nint main(void) { puts("lean-spec 0.2.10"); return 0; }\n')
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    subprocess.run([compiler, source, "-o", tmp_path / "old"], check=True)
    with_program(dist / CLI, (tmp_path / "old").read_bytes())
    said = wrong(binary_gates.binaries(plan, files(dist)))
    assert f"{CLI}: its own version: expected {RELEASED}, found 0.2.10" in said


def test_5_a_binary_that_nobody_ran(dist: Path, plan: Plan) -> None:
    """Of a platform that this machine does not run: only the record of where it was built can tell."""
    other = dist / f"leanspec_cli_bin-{RELEASED}-py3-none-macosx_11_0_arm64.whl"
    (dist / CLI).rename(other)
    with_program(other, headers.mach_o())
    said = wrong(binary_gates.binaries(plan, files(dist)))
    assert any(f"expected {RELEASED}, found not run where it was built" in line for line in said)
    record = json.loads(content(other, RECORD)) | {"reported": RELEASED, "platform": "darwin-arm64"}
    rewrite(other, {RECORD: json.dumps(record).encode()})
    assert not any("its own version" in line for line in wrong(binary_gates.binaries(plan, files(dist))))


def test_6_another_familys_binary_in_a_wheel(dist: Path, plan: Plan) -> None:
    rewrite(dist / CLI, {"leanspec_cli_bin/bin/leanspec-mcp": b"\x7fELF"})
    rewrite(dist / MAIN, {"leanspec_launcher/leanspec": b"\x7fELF" + bytes(range(256)) * 1000})
    said = wrong(wheel_gates.wheels(plan, files(dist)))
    assert f"{CLI}: expected nothing else, found `leanspec_cli_bin/bin/leanspec-mcp`" in said
    assert f"{MAIN}: expected no program, found `leanspec_launcher/leanspec`" in said


def test_6_a_launcher_that_is_too_large(dist: Path, plan: Plan) -> None:
    rewrite(dist / MAIN, {"leanspec_launcher/__init__.py": random.Random(1).randbytes(300_000)})  # noqa: S311
    assert any("expected less than 200000 bytes" in line for line in wrong(wheel_gates.wheels(plan, files(dist))))


def test_7_a_web_server_without_its_pages_says_so(dist: Path, plan: Plan) -> None:
    wheel = next(dist.glob("leanspec_http_bin-*linux*.whl"))
    name = f"leanspec_http_bin-{RELEASED}.dist-info/METADATA"
    rewrite(wheel, {name: content(wheel, name).replace(b"API only", b"whole")})
    assert any("as there is no index.html in it" in line for line in wrong(wheel_gates.wheels(plan, files(dist))))


def test_8_no_long_description(dist: Path, plan: Plan) -> None:
    name = f"leanspec_cli_bin-{RELEASED}.dist-info/METADATA"
    head = content(dist / CLI, name).split(b"\n\n", 1)[0]
    rewrite(dist / CLI, {name: head + b"\n\n"})
    said = wrong(wheel_gates.wheels(plan, files(dist)))
    assert f"{CLI}: description: expected a long description, found none" in said
    assert any(line.startswith("8 files: expected PASSED") for line in said), "twine says so too"


def test_9_a_binary_without_its_run_bit(dist: Path, plan: Plan) -> None:
    for mode in (0o100644, 0o755):
        rewrite(dist / CLI, {}, modes={PROGRAM: mode})
        said = wrong(wheel_gates.wheels(plan, files(dist)))
        assert f"{CLI}: {PROGRAM}: expected mode 100755, found {mode:o}" in said


def test_11_a_binary_that_needs_a_newer_system_than_promised(dist: Path, plan: Plan) -> None:
    with_program(dist / CLI, headers.elf(versions={"libc.so.6": ["GLIBC_2.39"]}))
    said = wrong(binary_gates.binaries(plan, files(dist)))
    assert any("expected a system of glibc 2.34" in line for line in said)


def test_12_a_wheel_that_no_index_takes(
    dist: Path, plan: Plan, binaries: Path, scripts: Callable[..., object], tmp_path: Path
) -> None:
    scripts("wheels", "--binaries", binaries, "--out", tmp_path / "plain")
    (dist / CLI).unlink()
    shutil.copy(next((tmp_path / "plain").glob("leanspec_cli_bin-*linux*.whl")), dist)
    said = wrong(wheel_gates.wheels(plan, files(dist)))
    assert any("a tag that an index takes" in line and "libssl.so.3" in line for line in said)


def test_13_a_wheel_that_promises_more_than_its_binary_keeps(dist: Path, plan: Plan) -> None:
    loose = dist / CLI.replace("manylinux_2_34", "manylinux_2_17")
    (dist / CLI).rename(loose)
    name = f"leanspec_cli_bin-{RELEASED}.dist-info/WHEEL"
    rewrite(loose, {name: content(loose, name).replace(b"manylinux_2_34", b"manylinux_2_17")})
    assert any("expected true, found too loose" in line for line in wrong(wheel_gates.wheels(plan, files(dist))))


def test_14_a_platform_that_nobody_speaks_of(tmp_path: Path) -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("linux-arm64 = ")]
    assert len(lines) == len(text.splitlines()) - 1
    (tmp_path / "pyproject.toml").write_text("\n".join(lines))
    with pytest.raises(CommandError, match="`linux-arm64` must be either in `platforms` or in `missing`"):
        read_plan(tmp_path)


def test_21_tag_tree_and_heading(tmp_path: Path, plan: Plan) -> None:
    root = committed(tmp_path / "r", ("a", b"1"))
    assert wrong(tree_gates.tag(plan, root)) == [f"HEAD: expected v{RELEASED}, found no tag"]
    subprocess.run(["git", "-C", root, "tag", "v0.2.9"], check=True)
    assert wrong(tree_gates.tag(plan, root)) == [f"HEAD: expected v{RELEASED}, found v0.2.9"]
    subprocess.run(["git", "-C", root, "tag", f"v{RELEASED}"], check=True)
    assert wrong(tree_gates.tag(plan, root)) == []
    assert wrong(tree_gates.tag(replace(plan, version=Version("0.3.1.dev1")), root)) == []
    (root / "a").write_text("2")
    assert wrong(tree_gates.tree(root)) == ["git status: expected clean, found 1 changes: M a"]


def test_21_the_changelog_has_no_heading_yet(plan: Plan, released_tree: Path, tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns("binaries")
    wheels = "platform_wheels"
    shutil.copytree(released_tree / wheels, tmp_path / wheels, ignore=ignored)
    shutil.copytree(released_tree / "build_backend", tmp_path / "build_backend")
    shutil.copy(released_tree / "pyproject.toml", tmp_path)
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## [Unreleased]\n")
    (said,) = wrong(tree_gates.versions(plan, tmp_path, None))
    assert said == f"CHANGELOG.md: heading: expected [{RELEASED}], found none"


@pytest.mark.parametrize(
    ("requirement", "words"),
    [
        (b"Requires-Dist: leanspec-cli-bin>=" + RELEASED.encode(), f"leanspec-cli-bin=={RELEASED}"),
        (b"Requires-Dist: leanspec-cli-bin==0.2.9", f"leanspec-cli-bin=={RELEASED}"),
        (b"Requires-Dist: leanspec-cli-bin @ file:///x", "no direct reference"),
        (b"Requires-Dist: leanspec-cli-bin==0.0.0", "no placeholder"),
        (b"X: y", "own distributions"),
    ],
)
def test_22_and_24_requirements_of_the_built_metadata(dist: Path, plan: Plan, requirement: bytes, words: str) -> None:
    name = f"lean_spec-{RELEASED}.dist-info/METADATA"
    text = content(dist / MAIN, name).replace(PINNED, requirement)
    rewrite(dist / MAIN, {name: text})
    assert any(words in line for line in wrong(wheel_gates.wheels(plan, files(dist))))


def test_23_a_lock_that_was_left_behind(tmp_path: Path) -> None:
    for path in (ROOT / "pyproject.toml", *(group.lock for group in Group)):
        shutil.copy(path, tmp_path)
    shutil.copytree(ROOT / "build_backend", tmp_path / "build_backend")
    assert wrong(tree_gates.lock(tmp_path)) == []
    text = (tmp_path / "pyproject.toml").read_text()
    (tmp_path / "pyproject.toml").write_text(text.replace('"twine>=6.1"', '"twine>=999"'))
    assert any(line.startswith("twine: expected twine>=999, found ") for line in wrong(tree_gates.lock(tmp_path)))


def test_a_record_that_is_not_true(dist: Path, plan: Plan) -> None:
    with zipfile.ZipFile(dist / CLI, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("leanspec_cli_bin/__init__.py", b"print('changed')\n")
    said = wrong(wheel_gates.wheels(plan, files(dist)))
    assert any("each entry once" in line for line in said)
    assert any("RECORD: expected `leanspec_cli_bin/__init__.py`" in line for line in said)


def test_checksums_of_other_binaries(dist: Path) -> None:
    assert wrong(binary_gates.pins(files(dist))) == []
    text = content(dist / MAIN, "leanspec_launcher/_tables.py")
    rewrite(dist / MAIN, {"leanspec_launcher/_tables.py": text.replace(b"'linux-x64': '", b"'linux-x64': '0", 1)})
    (said,) = wrong(binary_gates.pins(files(dist)))
    assert said.startswith(f"{MAIN}: expected {{")
    rewrite(dist / MAIN, {"leanspec_launcher/_tables.py": b"SHA256 = {}\n"})
    assert wrong(binary_gates.pins(files(dist)))[0].endswith("found no table")


def test_names_are_not_to_be_confused() -> None:
    assert wrong(tree_gates.names()) == []
    assert (
        tree_gates.confusable("lean-spec") == tree_gates.confusable("Lean.Spec") == tree_gates.confusable("1ean_spec")
    )


def test_10_30_and_34_nothing_is_uploaded_unless_every_gate_passes(
    dist: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index would be reached last: here it may not be reached at all."""
    index = Index("http://127.0.0.1:9/simple/", "http://127.0.0.1:9/")

    def forbidden(*_: object) -> None:
        raise AssertionError("the index was reached")

    for module in (publish, check):
        monkeypatch.setattr(module, "read_plan", lambda *_: plan)
    monkeypatch.setattr(publish, "upload_all", forbidden)
    monkeypatch.setattr(publish, "Client", forbidden)
    settings = {"dry_run": False, "resume": False, "need_attestations": False, "cargo": None, "wait": 1}
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(CommandError, match="published by CI"):
        publish.publish(dist, index, allow_local=False, **settings)  # type: ignore[arg-type]
    (dist / CLI).unlink()
    with pytest.raises(publish.GatesError) as error:
        publish.publish(dist, index, allow_local=True, **settings)  # type: ignore[arg-type]
    assert "leanspec-cli-bin (linux-x64): expected a platform wheel, found missing" in error.value.message
    assert f"tag: HEAD: expected v{RELEASED}" in error.value.message


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nowhere", "no index that is configured"),
        ("https://me:secret@example.org/", "given with a secret in it"),
        ("http://example.org/", "is not encrypted"),
    ],
)
def test_an_index_that_is_none(name: str, words: str) -> None:
    with pytest.raises(CommandError, match=words) as error:
        read_index(name)
    assert "secret@" not in error.value.message
