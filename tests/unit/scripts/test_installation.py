"""The gate that installs a release: nothing of it is a stranger's, whatever its index has."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from packaging.version import Version

from leanspec_launcher.commands import CommandError
from scripts.gates import installation
from scripts.index import pins
from scripts.index.built import index_of, installer_settings
from scripts.index.client import IndexClient
from scripts.index.pins import write_pins
from scripts.index.served import fetch
from scripts.locked import entry
from scripts.model.files import read_files
from scripts.model.plan import read_plan
from tests.support.small_index import SmallIndex
from tests.support.wheel_files import REQUIRED, rewrite, stub


def wheel(folder: Path, name: str, version: str, files: dict[str, bytes]) -> Path:
    """Write a stranger's wheel."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}-{version}.dist-info/METADATA", metadata)
        archive.writestr(
            f"{name}-{version}.dist-info/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr(f"{name}-{version}.dist-info/RECORD", "")
    rewrite(path, dict(files))
    return path


def sdist(folder: Path, name: str, version: str, code: str) -> Path:
    """Write a stranger's source archive, whose `setup.py` runs code."""
    path = folder / f"{name}-{version}.tar.gz"
    setup = (
        f"{code}\nfrom setuptools import setup\nsetup(name={name!r}, version={version!r})\n"
    )
    metadata = f"Metadata-Version: 1.0\nName: {name}\nVersion: {version}\n"
    with tarfile.open(path, "w:gz") as archive:
        for member, text in (("setup.py", setup), ("PKG-INFO", metadata)):
            info = tarfile.TarInfo(f"{name}-{version}/{member}")
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    return path


@pytest.mark.long
@pytest.mark.network
def test_a_release_is_installed_with_nothing_that_a_stranger_put_on_its_index(
    quick_index: SmallIndex,
    stand_in: Path,
    released_tree: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a test index anybody may own the name of what `lean-spec` requires."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    mark, folder = tmp_path / "ran", tmp_path / "planted"
    folder.mkdir()
    code = f"open({str(mark)!r}, 'a').write('x')"
    startup = {"planted.pth": f"import os; {code}\n".encode()}
    planted = [wheel(folder, "leanspec_cli_bin", "99.0", startup)]
    for name in REQUIRED:
        same = entry(pins.LOCK, name).partition("==")[2].split()[0]
        planted.append(sdist(folder, name, "99.0", code))
        for version in (same, "98.0"):
            content = {
                f"{name}/__init__.py": code.encode(),
                f"{name}.pth": f"import os; {code}\n".encode(),
            }
            planted.append(wheel(folder, name, version, content))
    built = sorted((stand_in / "dist").iterdir())
    quick_index.files = {path.name: path.read_bytes() for path in (*planted, *built)}
    settings = installer_settings(quick_index.place.simple, tmp_path)
    plan, files = read_plan(released_tree), read_files(stand_in / "dist")[0]
    findings = [*installation.installed_from(plan, files, settings, tmp_path)]
    assert [finding for finding in findings if not finding.passed] == []
    gates = {finding.gate for finding in findings}
    assert gates == {"install by pip", "install by uv", "install of leanspec-mcp"}
    subjects = {finding.subject for finding in findings}
    assert {"leanspec-launcher which", "leanspec-launcher verify"} <= subjects
    assert not mark.exists()


def test_a_release_with_an_unpinned_requirement_is_not_installed(tmp_path: Path) -> None:
    file = stub(tmp_path / "dist", b"")
    requirements = {
        "leanspec-mcp-bin==1.2.3": "the release has no `leanspec-mcp-bin==1.2.3`",
        "colour>=1": "leanspec-cli-bin requires `colour>=1`, which release.lock does not have",
        "click>=99": "leanspec-cli-bin requires `click>=99`, which release.lock does not",
    }
    for number, (line, words) in enumerate(requirements.items()):
        metadata = f"Metadata-Version: 2.4\nName: leanspec-cli-bin\nVersion: 1.2.3\nRequires-Dist: {line}\n"
        rewrite(file.path, {"leanspec_cli_bin-1.2.3.dist-info/METADATA": metadata.encode()})
        with pytest.raises(CommandError, match=words):
            write_pins(("leanspec-cli-bin==1.2.3",), [file], tmp_path / str(number))
    with pytest.raises(CommandError, match=r"the release has no `lean-spec\[ui\]==1"):
        write_pins(("lean-spec[ui]==1.2.3",), [file], tmp_path / "main")


@pytest.mark.long
def test_a_release_is_installed_by_the_hashes_of_its_own_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    ours, other = stub(tmp_path / "ours", b"1"), stub(tmp_path / "other", b"2")
    (pinned,) = write_pins(("leanspec-cli-bin==1.2.3",), [ours], tmp_path / "pins")
    with index_of([other], tmp_path) as settings:
        for install in (installation.install_by_pip, installation.install_by_uv):
            with pytest.raises(CommandError, match=r"(?i)hash"):
                install(pinned, settings, tmp_path / install.__name__)


def test_an_empty_folder_is_an_empty_index(tmp_path: Path) -> None:
    with index_of([], tmp_path) as settings:
        assert settings["UV_NO_BUILD"] == "1"


def test_a_file_on_the_index_that_was_not_built_is_wrong(
    quick_index: SmallIndex, tmp_path: Path
) -> None:
    """It would be the one that an installer prefers: a build number is higher than none."""
    file = stub(tmp_path / "dist", b"")
    stray = file.path.name.replace("-py3-", "-1-py3-")
    data = file.path.read_bytes()
    quick_index.files = {file.path.name: data, stray: data}
    (tmp_path / "fetched").mkdir()
    client = IndexClient(quick_index.place)
    fetched = fetch(client, Version("1.2.3"), tmp_path / "fetched", tmp_path / "dist")
    wrong = [finding.subject for finding in fetched if not finding.passed]
    assert wrong == [stray]
