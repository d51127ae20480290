"""MCP bundles: which are made for which platforms, what their manifests state, universal programs."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from leanspec_build.any_program.universal import join
from macholib.MachO import MachO

from leanspec_launcher.commands import CommandError
from scripts.github import mcp_bundle
from scripts.github.mcp_bundle import ENTRY_POINT, LIBRARIES, describe, write_bundles
from scripts.model.files import File, FileKind
from scripts.model.plan import read_plan
from scripts.wheels.inspection import inspect_file
from tests.support import headers

INTEL, ARM = headers.mach_o("x86_64"), headers.mach_o("aarch64")


def wheel(folder: Path, platform: str, entries: dict[str, bytes]) -> File:
    """Write a platform wheel, as far as a bundle reads one."""
    path = folder / f"{platform}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return File(path, FileKind.PLATFORM, "leanspec-mcp-bin", "1.2.3", platform)


@pytest.fixture
def bundles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with the bundles of five platforms, whose server is never started."""
    monkeypatch.setattr(mcp_bundle, "_tools", lambda _: ["list_specs"])
    library = f"{LIBRARIES}libssl.so.3"
    wheels = [
        wheel(tmp_path, "linux-x64", {ENTRY_POINT: b"x64", library: b"", "other": b""}),
        wheel(tmp_path, "linux-arm64", {ENTRY_POINT: b"arm64"}),
        wheel(tmp_path, "darwin-x64", {ENTRY_POINT: INTEL}),
        wheel(tmp_path, "darwin-arm64", {ENTRY_POINT: ARM}),
        wheel(tmp_path, "windows-x64", {f"{ENTRY_POINT}.exe": b""}),
    ]
    out = tmp_path / "out"
    out.mkdir()
    names = [name for _, name in write_bundles(wheels, out, read_plan())]
    assert sorted(names) == ["darwin", "linux-arm64", "linux-x64"]
    return out


def test_macos_gets_one_program_for_both_cpus(bundles: Path) -> None:
    with zipfile.ZipFile(next(bundles.glob("*-darwin.mcpb"))) as bundle:
        manifest = json.loads(bundle.read("manifest.json"))
        assert bundle.read(ENTRY_POINT) == join([ARM, INTEL])
    assert manifest["compatibility"] == {"platforms": ["darwin"]}


def test_libraries_come_along_and_nothing_else(bundles: Path) -> None:
    with zipfile.ZipFile(next(bundles.glob("*-linux-x64.mcpb"))) as bundle:
        names = {ENTRY_POINT, f"{LIBRARIES}libssl.so.3", "LICENSE", "manifest.json"}
        names.add("OpenSSL-LICENSE.txt")
        assert set(bundle.namelist()) == names
        for name in (ENTRY_POINT, f"{LIBRARIES}libssl.so.3"):
            assert bundle.getinfo(name).external_attr >> 16 == 0o100755


def test_the_same_wheels_make_the_same_bytes(bundles: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    again.mkdir()
    one = wheel(again, "linux-arm64", {ENTRY_POINT: b"arm64"})
    ((path, _),) = write_bundles([one], again, read_plan())
    assert path.read_bytes() == (bundles / path.name).read_bytes()


def test_a_universal_program_has_both_as_they_are(tmp_path: Path) -> None:
    joined = join([ARM, INTEL])
    path = tmp_path / "program"
    path.write_bytes(joined)
    (facts,) = inspect_file(path).executables
    assert set(facts.cpus) == {"aarch64", "x86_64"}
    slices = MachO(str(path)).headers
    # A page of Intel has 4 KiB, one of Apple silicon 16 KiB.
    assert [part.offset for part in slices] == [1 << 12, 1 << 14]
    for part, program in zip(slices, (INTEL, ARM), strict=True):
        assert joined[part.offset : part.offset + part.size] == program


def test_one_macos_program_is_named_after_its_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mcp_bundle, "_tools", lambda _: None)
    one = [wheel(tmp_path, "darwin-arm64", {ENTRY_POINT: ARM})]
    expected = ["darwin-arm64"]
    assert [name for _, name in write_bundles(one, tmp_path, read_plan())] == expected
    manifest = describe("1.2.3", "darwin", None)
    assert manifest["tools_generated"] is True
    assert "tools" not in manifest


def test_a_wheel_without_a_server_is_refused(tmp_path: Path) -> None:
    one = wheel(tmp_path, "linux-x64", {"other": b""})
    with pytest.raises(CommandError, match=f"linux-x64.whl` has no `{ENTRY_POINT}`"):
        list(write_bundles([one], tmp_path, read_plan()))
