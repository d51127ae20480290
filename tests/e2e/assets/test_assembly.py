"""`assets DIR`: artifacts that make a release, and artifacts that are refused."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from leanspec_launcher._tables import PLATFORMS
from leanspec_launcher.commands import CommandError
from scripts.collect.bundles import read_bundle, write_checksum
from scripts.github.assemble import assemble
from scripts.github.assembled import verified
from scripts.github.desktop import copy_bundles, missing_bundles, read_bundles
from scripts.github.listing import Listing
from scripts.model.plan import Plan, read_plan
from scripts.tools.processes import OWN_COMMAND
from tests.support.desktop import make_deb, make_installer, write_image
from tests.support.github import names
from tests.support.surroundings import clean, run
from tests.support.versions import RELEASED


def test_desktop_bundle_is_recognized_by_its_name_and_first_bytes(tmp_path: Path) -> None:
    """Names are Tauri's."""
    for name, key in (("amd64", "linux-x64"), ("arm64", "linux-arm64")):
        make_deb(tmp_path / f"LeanSpec_1.2.3_{name}.deb", "1.2.3", name, b"program")
        must_be_read(tmp_path / f"LeanSpec_1.2.3_{name}.deb", key)
    for name, key in (("x64", "windows-x64"), ("arm64", "windows-arm64")):
        must_be_read(make_installer(tmp_path / f"LeanSpec_1.2.3_{name}-setup.exe"), key)
    for name, key in (("x64", "darwin-x64"), ("aarch64", "darwin-arm64")):
        must_be_read(write_image(tmp_path / f"Lean Spec_1.2.3_{name}.dmg"), key)


def must_be_read(path: Path, key: str) -> None:
    bundle = read_bundle(path, PLATFORMS[key])
    assert (bundle.version, bundle.label, bundle.platforms) == ("1.2.3", key, (key,))
    others = [
        other for other in PLATFORMS if other.split("-")[0] == key.split("-", maxsplit=1)[0]
    ]
    for other in set(others) - {key}:
        with pytest.raises(CommandError, match="is for the CPU"):
            read_bundle(path, PLATFORMS[other])
    for size in (0, 1, 15, 600):
        path.write_bytes(path.read_bytes()[1 : 1 + size])
        with pytest.raises(CommandError, match="is not a complete"):
            read_bundle(path, PLATFORMS[key])


def test_a_universal_disk_image_is_for_both_platforms_of_macos(
    plan: Plan, tmp_path: Path
) -> None:
    name = f"LeanSpec_{RELEASED}_universal.dmg"
    image = write_image(tmp_path / "desktop-darwin-arm64" / name)
    write_checksum(image)
    both = ("darwin-x64", "darwin-arm64")
    expected = replace(plan, bundles=(*both, "linux-arm64"))
    bundles = read_bundles(tmp_path, expected, only_planned=True)
    assert [bundle.platforms for bundle in bundles] == [both]
    assert missing_bundles(bundles, expected) == ["linux-arm64"]
    (asset,) = copy_bundles(bundles, tmp_path, expected)
    assert asset.name == f"leanspec-desktop-{RELEASED}-darwin-universal.dmg"
    assert asset.platform == "darwin-universal"
    second = write_image(tmp_path / "desktop-darwin-x64" / f"LeanSpec_{RELEASED}_x64.dmg")
    write_checksum(second)
    with pytest.raises(CommandError, match="are both desktop bundles for `darwin-x64`"):
        read_bundles(tmp_path, expected, only_planned=True)


def test_one_machine_builds_the_disk_image_for_both_platforms(
    tree: Path, tmp_path: Path
) -> None:
    expected = '["darwin-x64", "darwin-arm64", "linux-arm64"]'
    text = (tree / "pyproject.toml").read_text("utf-8")
    old = 'platforms = ["linux-x64"]\n# "'
    assert old in text
    text = text.replace(old, f'platforms = {expected}\n# "')
    (tmp_path / "pyproject.toml").write_text(text, "utf-8")
    planned = read_plan(tmp_path)
    assert planned.bundles == ("darwin-x64", "darwin-arm64", "linux-arm64")
    assert planned.desktop == ("darwin-arm64", "linux-arm64")


def linux_bundle(folder: Path) -> Path:
    (path,) = (folder / "desktop-linux-x64").glob("*.deb")
    return path


def renamed(name: str) -> Callable[[Path], None]:
    """Return what gives the Debian package another name."""

    def rename(folder: Path) -> None:
        path = linux_bundle(folder)
        path.rename(path.with_name(name))

    return rename


def other_format(folder: Path) -> None:
    linux_bundle(folder).write_bytes(b"MZ" + bytes(600))


def truncated(folder: Path) -> None:
    path = linux_bundle(folder)
    path.write_bytes(path.read_bytes()[:-1])


def no_checksum(folder: Path) -> None:
    path = linux_bundle(folder)
    path.with_name(f"{path.name}.sha256").unlink()


def second_bundle(folder: Path) -> None:
    path = linux_bundle(folder)
    other = path.with_name(f"Other_{RELEASED}_amd64.deb")
    shutil.copy(path, other)
    write_checksum(other)


def another_platform(folder: Path) -> None:
    (folder / "desktop-windows-x64").mkdir()
    (folder / "desktop-windows-x64/x.exe").touch()


def text_for_a_bundle(folder: Path) -> None:
    (folder / "desktop-linux-x64/bundle.dmg").write_text("no bundle")


def no_wheels(folder: Path) -> None:
    shutil.rmtree(folder / "dist")


def no_mcp_stub(folder: Path) -> None:
    next((folder / "dist").glob("leanspec_mcp_bin-*-any.whl")).unlink()


def other_binary(folder: Path) -> None:
    place = next((folder / "binaries-linux-x64/http").rglob("leanspec-http"))
    data = place.read_bytes() + b"\0"
    place.write_bytes(data)
    record = json.loads((place.parent / "binary.json").read_text())
    record |= {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    (place.parent / "binary.json").write_text(json.dumps(record))


def other_cargo_version(folder: Path) -> None:
    for path in folder.rglob("binary.json"):
        path.write_text(
            path.read_text().replace(f'"version": "{RELEASED}"', '"version": "0.2.9"')
        )


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (renamed(f"x_{RELEASED}_arm64.deb"), "CPU `arm64`, expected `linux-x64`"),
        (renamed("x_0.2.9_amd64.deb"), f"is of version `0.2.9`, the release is {RELEASED}"),
        (renamed("x.deb"), "does not have the name of a Debian package by Tauri"),
        (other_format, "is not a complete Debian package"),
        (truncated, "does not have the sha256 of its `LeanSpec_.*.sha256`"),
        (no_checksum, "sha256` is missing"),
        (second_bundle, "are both desktop bundles for `linux-x64`"),
        (another_platform, "and the plan has none"),
        (text_for_a_bundle, "does not have the name of a Debian package by Tauri"),
        (no_wheels, "the wheels are missing"),
        (no_mcp_stub, "expected in the release, found missing"),
        (lambda folder: (folder / "notes").mkdir(), "is not an artifact of a release"),
        (other_binary, "has the binary with the sha256 .*, the artifact is"),
        (other_cargo_version, f"is of version `0.2.9`, the release is {RELEASED}"),
    ],
)
def test_assets_refuses_bad_artifacts_and_writes_nothing(
    spoil: Callable[[Path], None],
    words: str,
    spoiled: Path,
    plan: Plan,
    tmp_path: Path,
    tree: Path,
) -> None:
    spoil(spoiled)
    out = tmp_path / "out"
    with pytest.raises(CommandError, match=words) as error:
        assemble(spoiled, out, plan, tree)
    assert error.value.hint
    assert not out.exists() or list(out.iterdir()) == []


def test_assets_names_a_missing_desktop_bundle_and_goes_on(
    spoiled: Path,
    plan: Plan,
    tree: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.rmtree(spoiled / "desktop-linux-x64")
    out = tmp_path / "out"
    assemble(spoiled, out, plan, tree)
    assert not list(out.glob("leanspec-desktop-*"))
    correct = ["linux-x64"]
    assert json.loads((out / "release.json").read_text())["missing_desktop"] == correct
    notes = (out / "RELEASE_NOTES.md").read_text()
    assert "(`linux-x64`): no bundle was built; it can be added later" in notes
    shown = capsys.readouterr().err
    assert "warning: the desktop bundles for `linux-x64` are missing" in shown
    assert "`python3 -m scripts assets DIR --add NAME`" in shown


def test_assets_refuses_a_folder_with_other_files(
    artifacts: Path, plan: Plan, tree: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(CommandError, match=r"contains `mine\.txt`"):
        assemble(artifacts, tmp_path, plan, tree)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    "manifest", ["{}", "[]", "no JSON", '{"assets": [{"name": "ours.whl"}]}']
)
def test_assets_refuses_a_folder_with_another_release_json(
    manifest: str, artifacts: Path, plan: Plan, tree: Path, tmp_path: Path
) -> None:
    """What is there next to would be taken away."""
    (tmp_path / "release.json").write_text(manifest)
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(CommandError, match="which this command did not write"):
        assemble(artifacts, tmp_path, plan, tree)
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_assets_refuses_a_folder_that_has_no_artifacts(tree: Path, tmp_path: Path) -> None:
    env = clean(tmp_path / "home", PYTHONPATH=str(tree))
    for folder, words in (
        (tmp_path / "nowhere", "is not a folder of artifacts"),
        (tmp_path, "home` is not an artifact of a release"),
        (tmp_path / "home", "the wheels are missing"),
    ):
        process = run([*OWN_COMMAND, "assets", folder], env, cwd=tree, code=1)
        assert words in process.stderr
        assert "hint: " in process.stderr


def test_assets_of_a_plan_without_a_key_say_that_nothing_is_signed(
    artifacts: Path, plan: Plan, tree: Path, tmp_path: Path
) -> None:
    unsigned, out = replace(plan, public_key=""), tmp_path / "out"
    assemble(artifacts, out, unsigned, tree)
    assert json.loads((out / "release.json").read_text())["signing"] == "none"
    assert "of this release are not signed" in (out / "RELEASE_NOTES.md").read_text()
    files = verified(out, unsigned, None, Listing())
    assert [path.name for path in files[-2:]] == ["release.json", "SHA256SUMS"]
    assert {path.name for path in files} == names(out)
    (out / "SHA256SUMS.minisig").write_text("of somebody")
    with pytest.raises(CommandError, match=r"minisig` is not of this release"):
        verified(out, unsigned, None, Listing())
