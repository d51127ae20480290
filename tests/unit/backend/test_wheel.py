"""What a wheel holds, through the hooks that a frontend calls."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import os
import stat
import sys
import zipfile
from pathlib import Path
from subprocess import CompletedProcess

import leanspec_build
import pytest

from scripts.environment import ROOT
from scripts.tools.processes import clean_environment
from tests.support import headers
from tests.support.inside import call
from tests.support.sample import VERSION, Sample
from tests.support.surroundings import run

CALL = "import leanspec_build, sys; print(getattr(leanspec_build, sys.argv[1])(sys.argv[2], eval(sys.argv[3])))"
LINUX = {"platform": "linux-x64"}


def hook(
    sample: Sample,
    name: str,
    out: Path,
    settings: dict[str, str] | None = None,
    environment: dict[str, str] | None = None,
) -> CompletedProcess[str]:
    """Call a hook with the project as working directory."""
    if not out.exists():
        out.mkdir()
    settings = LINUX if settings is None else settings
    function = getattr(leanspec_build, name)
    return call(lambda: function(str(out), settings), sample.root, **(environment or {}))


def hook_in_a_process(
    sample: Sample, name: str, out: Path, settings: dict[str, str], **environment: str
) -> CompletedProcess[str]:
    """Call a hook as a frontend does: in a process of its own."""
    # The backend of this tree, also where another one is installed.
    env = clean_environment(PYTHONPATH=str(ROOT / "build_backend"), **environment)
    command = [sys.executable, "-c", CALL, name, str(out), repr(settings)]
    return run(command, env, cwd=sample.root, code=None)


def build(
    sample: Sample,
    out: Path,
    settings: dict[str, str] | None = None,
    environment: dict[str, str] | None = None,
) -> Path:
    result = hook(sample, "build_wheel", out, settings, environment)
    assert result.returncode == 0, result.stderr
    return out / result.stdout.strip()


def test_a_wheel_holds_its_files_and_no_others(sample: Sample, tmp_path: Path) -> None:
    wheel = build(sample, tmp_path / "out")
    assert (
        wheel.name
        == f"leanspec_cli_bin-{VERSION}-py3-none-manylinux1_x86_64.manylinux_2_5_x86_64.whl"
    )
    info = f"leanspec_cli_bin-{VERSION}.dist-info"
    with zipfile.ZipFile(wheel) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        assert list(entries) == [
            "leanspec_cli_bin/__init__.py",
            "leanspec_cli_bin/bin/binary.json",
            "leanspec_cli_bin/bin/leanspec",
            f"{info}/METADATA",
            f"{info}/WHEEL",
            f"{info}/licenses/LICENSE",
            f"{info}/licenses/OpenSSL-LICENSE.txt",
            f"{info}/sboms/leanspec-build.cdx.json",
            f"{info}/RECORD",
        ]
        for name, entry in entries.items():
            mode = entry.external_attr >> 16
            assert stat.S_ISREG(mode)
            assert stat.S_IMODE(mode) == (0o755 if name.endswith("/leanspec") else 0o644)
            assert entry.compress_type == zipfile.ZIP_DEFLATED
            assert entry.create_system == 3, "the modes are those of Unix"
            assert entry.date_time == (1980, 1, 1, 0, 0, 0)
        assert archive.read("leanspec_cli_bin/bin/leanspec") == headers.elf()
        lines = archive.read(f"{info}/WHEEL").decode().splitlines()
        metadata = archive.read(f"{info}/METADATA").decode()
        record = archive.read(f"{info}/RECORD").decode().splitlines()
        contents = {name: archive.read(name) for name in entries}
    assert "Root-Is-Purelib: false" in lines
    assert [line for line in lines if line.startswith("Tag:")] == [
        "Tag: py3-none-manylinux1_x86_64",
        "Tag: py3-none-manylinux_2_5_x86_64",
    ]
    for line in (
        "Metadata-Version: 2.4",
        "License-Expression: MIT AND Apache-2.0",
        "License-File: LICENSE",
        f"Version: {VERSION}",
    ):
        assert line in metadata.splitlines()
    assert [line.partition(",")[0] for line in record] == list(contents)
    for name, digest, size in csv.reader(record):
        if name == f"{info}/RECORD":
            assert (digest, size) == ("", "")
            continue
        expected = (
            base64.urlsafe_b64encode(hashlib.sha256(contents[name]).digest())
            .rstrip(b"=")
            .decode()
        )
        assert (digest, size) == (f"sha256={expected}", str(len(contents[name])))


@pytest.mark.parametrize(
    ("epoch", "moment"),
    [
        ("0", (1980, 1, 1, 0, 0, 0)),
        ("315532799", (1980, 1, 1, 0, 0, 0)),
        ("315532802", (1980, 1, 1, 0, 0, 2)),
        ("4354819198", (2107, 12, 31, 23, 59, 58)),
    ],
)
def test_the_one_time_of_all_entries(
    sample: Sample, tmp_path: Path, epoch: str, moment: tuple[int, ...]
) -> None:
    """A zip archive begins with 1980 and ends with 2107."""
    wheel = build(sample, tmp_path / "out", environment={"SOURCE_DATE_EPOCH": epoch})
    with zipfile.ZipFile(wheel) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {moment}


@pytest.mark.parametrize("epoch", ["4354819200", "-1", "1e9", "٣", "9" * 5000, " 1", "1\n"])
def test_a_time_that_is_none_is_one_message(
    sample: Sample, tmp_path: Path, epoch: str
) -> None:
    result = hook(
        sample, "build_wheel", tmp_path / "out", environment={"SOURCE_DATE_EPOCH": epoch}
    )
    assert result.returncode != 0
    assert "not a number of seconds up to the end of 2107" in result.stderr
    assert "Traceback" not in result.stderr
    assert list((tmp_path / "out").iterdir()) == []


def test_a_windows_program_keeps_its_ending(sample: Sample, tmp_path: Path) -> None:
    sample.collect(headers.pe(), "windows-x64", "leanspec.exe")
    wheel = build(sample, tmp_path / "out", {"platform": "windows-x64"})
    with zipfile.ZipFile(wheel) as archive:
        assert "leanspec_cli_bin/bin/leanspec.exe" in archive.namelist()


def test_the_same_input_gives_the_same_bytes(sample: Sample, tmp_path: Path) -> None:
    first = build(sample, tmp_path / "1").read_bytes()
    binary = sample.root / "binaries/linux-x64/leanspec"
    binary.chmod(0o600)
    os.utime(binary, (1, 1))
    os.utime(sample.root / "LICENSE", (2, 2))
    (tmp_path / "2").mkdir()
    settings = {"binary": str(binary)}
    # Python reads the path of an editable installation in the encoding of the locale.
    locale = "C" if str(ROOT).isascii() else "C.UTF-8"
    elsewhere = {"TZ": "Asia/Tokyo", "LC_ALL": locale}
    result = hook_in_a_process(sample, "build_wheel", tmp_path / "2", settings, **elsewhere)
    assert (tmp_path / "2" / result.stdout.strip()).read_bytes() == first
    later = build(
        sample, tmp_path / "3", environment={"SOURCE_DATE_EPOCH": "1700000000"}
    ).read_bytes()
    assert later != first


def test_the_reason_for_the_tag_is_printed(sample: Sample, tmp_path: Path) -> None:
    sample.collect(headers.elf(needed=["libssl.so.3", "libc.so.6"]))
    result = hook(sample, "build_wheel", tmp_path / "out")
    assert "linux_x86_64" in result.stdout
    assert "`libssl.so.3` is in no manylinux policy" in result.stderr
    assert "for local use only" in result.stderr


def test_prepared_metadata_is_that_of_the_wheel(sample: Sample, tmp_path: Path) -> None:
    result = hook(sample, "prepare_metadata_for_build_wheel", tmp_path / "out")
    folder = tmp_path / "out" / result.stdout.strip()
    wheel = build(sample, tmp_path / "wheel")
    with zipfile.ZipFile(wheel) as archive:
        for name in ("METADATA", "WHEEL"):
            assert (folder / name).read_bytes() == archive.read(f"{folder.name}/{name}")


@pytest.mark.posix
def test_an_editable_wheel_leads_to_the_local_binary(
    sample: Sample, tmp_path: Path
) -> None:
    result = hook(sample, "build_editable", tmp_path / "out")
    with zipfile.ZipFile(tmp_path / "out" / result.stdout.strip()) as archive:
        path_file = archive.read("__editable__.leanspec_cli_bin.pth").decode()
    link = Path(path_file.strip()) / "leanspec_cli_bin/bin/leanspec"
    assert link.read_bytes() == headers.elf()
    sample.collect(headers.elf(needed=["libm.so.6", "libc.so.6"]))
    assert link.read_bytes() == headers.elf(needed=["libm.so.6", "libc.so.6"])


@pytest.mark.parametrize(
    ("name", "environment", "words"),
    [
        (
            "build_sdist",
            {},
            "a project with a prebuilt executable has no source distribution",
        ),
        (
            "build_wheel",
            {"SOURCE_DATE_EPOCH": "yesterday"},
            "`SOURCE_DATE_EPOCH` is `yesterday`",
        ),
    ],
)
def test_a_refusal_is_a_message_and_a_status(
    sample: Sample, tmp_path: Path, name: str, environment: dict[str, str], words: str
) -> None:
    (tmp_path / "out").mkdir()
    result = hook_in_a_process(sample, name, tmp_path / "out", LINUX, **environment)
    assert result.returncode == 1
    assert result.stderr.count("error: ") == 1
    assert words in result.stderr
    assert not list((tmp_path / "out").iterdir())


def with_data(sample: Sample) -> None:
    """Let a project carry data alone, with a command."""
    sample.edit(
        'executable = "leanspec"', 'data = ["pages/**/*"]\nrecord = "pages/source.json"'
    )
    sample.edit(
        "[project.urls]",
        '[project.scripts]\nshow = "leanspec_cli_bin:main"\n\n[project.urls]',
    )
    pages = sample.root / "leanspec_cli_bin/pages"
    (pages / "deep").mkdir(parents=True)
    (pages / "index.html").write_text("1")
    (pages / "deep/app.js").write_text("2")
    source = {"kind": "npm", "package": "@scope/pages", "version": "1.2.3", "integrity": ""}
    (pages / "source.json").write_text(json.dumps({"source": source}))


def test_a_package_of_data_is_for_every_machine(sample: Sample, tmp_path: Path) -> None:
    with_data(sample)
    wheel = build(sample, tmp_path / "out", {})
    assert wheel.name == f"leanspec_cli_bin-{VERSION}-py3-none-any.whl"
    info = f"leanspec_cli_bin-{VERSION}.dist-info"
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        commands = archive.read(f"{info}/entry_points.txt").decode()
        bill = json.loads(archive.read(f"{info}/sboms/leanspec-build.cdx.json"))
        assert b"Root-Is-Purelib: true" in archive.read(f"{info}/WHEEL")
    assert {
        f"leanspec_cli_bin/pages/{name}" for name in ("index.html", "deep/app.js")
    } < names
    assert commands == "[console_scripts]\nshow = leanspec_cli_bin:main\n"
    assert "pkg:npm/%40scope/pages@1.2.3" in [
        entry.get("purl") for entry in bill["components"]
    ]
    assert build(sample, tmp_path / "again", {}).read_bytes() == wheel.read_bytes()


def test_a_package_of_data_refuses_a_setting_about_an_executable(
    sample: Sample, tmp_path: Path
) -> None:
    with_data(sample)
    result = hook(sample, "build_wheel", tmp_path / "out", {"platform": "linux-x64"})
    assert "the config setting `platform` is about an executable" in result.stderr


def test_prepared_editable_metadata_is_that_of_the_editable_wheel(
    sample: Sample, tmp_path: Path
) -> None:
    result = hook(sample, "prepare_metadata_for_build_editable", tmp_path / "prepared")
    prepared = tmp_path / "prepared" / result.stdout.strip()
    name = hook(sample, "build_editable", tmp_path / "out").stdout.strip()
    with zipfile.ZipFile(tmp_path / "out" / name) as archive:
        names = [
            name for name in archive.namelist() if name.startswith(f"{prepared.name}/")
        ]
        wheel = {name: archive.read(name) for name in names if not name.endswith("/RECORD")}
    entries = {
        path.relative_to(prepared.parent).as_posix(): path.read_bytes()
        for path in prepared.rglob("*")
        if path.is_file()
    }
    assert entries == wheel


@pytest.mark.system
def test_a_full_disk_leaves_no_half_wheel(sample: Sample, small_disk: Path) -> None:
    sample.collect(headers.elf() + os.urandom(4_000_000))
    result = hook(sample, "build_wheel", small_disk)
    assert result.returncode == 1
    assert "No space left on device" in result.stderr
    assert not list(small_disk.iterdir())


def test_an_output_folder_that_is_a_file_is_named(sample: Sample, tmp_path: Path) -> None:
    out = tmp_path / "file"
    out.write_text("")
    result = hook(sample, "build_wheel", out)
    assert (result.returncode, result.stderr.count("error: cannot write")) == (1, 1)
