"""One version in two forms, and in every place that repeats it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import semver
import tomlkit
from click.testing import CliRunner
from packaging.version import Version

from leanspec_launcher._tables import PROGRAMS
from leanspec_launcher.commands import CommandError
from scripts.environment import ROOT
from scripts.model import version_places
from scripts.model.repository import MENTIONS, read_repository
from scripts.model.version_places import LINE
from scripts.model.versions import binary_version, next_dev, read_version
from scripts.options import number
from scripts.publish.cli import bump
from scripts.tools.processes import OWN_COMMAND, clean_environment
from tests.support.preconditions import needs
from tests.support.surroundings import run
from tests.support.tree_copy import copy_tree, git
from tests.support.versions import RELEASED
from tests.support.workspace import write_workspace

BEFORE = "0.1.2"  # in the tree that a test changes
PAIRS = {
    "0.1.2": "0.1.2",
    "1.2.3rc1": "1.2.3-rc.1",
    "1.2.3a4": "1.2.3-alpha.4",
    "1.2.3b10": "1.2.3-beta.10",
    "0.1.3.dev7": "0.1.3-dev.7",
}


def test_bump_drops_the_wheel_of_a_removed_program_and_takes_it_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_tree(tmp_path)
    manifest = tmp_path / "pyproject.toml"
    before = read_requirements(manifest)
    version, programs = version_places.home_version(tmp_path), dict(PROGRAMS)
    server = programs.pop("mcp")
    with monkeypatch.context() as patch:
        patch.setattr(version_places, "PROGRAMS", programs)
        patch.setattr(version_places, "ENDED", {"mcp": server})
        version_places.apply(version_places.planned(version, tmp_path))
        remaining = [line for line in before if not line.startswith(server.distribution)]
        assert len(remaining) == len(before) - 1
        assert read_requirements(manifest) == remaining
    version_places.apply(version_places.planned(version, tmp_path))
    assert read_requirements(manifest) == before


def read_requirements(manifest: Path) -> list[str]:
    document: Any = tomlkit.parse(manifest.read_text("utf-8"))
    return sorted(map(str, document["project"]["dependencies"]))


@pytest.mark.parametrize(("python", "cargo"), PAIRS.items())
def test_versions_are_read_in_both_forms(python: str, cargo: str) -> None:
    assert read_version(python) == read_version(cargo) == Version(python)
    assert binary_version(python) == cargo


def test_a_packaging_fix_has_the_binaries_of_its_base() -> None:
    assert binary_version("0.1.2.post2") == "0.1.2"


def test_the_order_of_the_two_forms_is_the_same() -> None:
    forms = [
        *("0.1.0", "0.1.1.dev1", "0.1.1.dev2", "0.1.1.dev10", "0.1.1"),
        *("0.2.0a1", "0.2.0a2", "0.2.0b1", "0.2.0rc1", "0.2.0"),
    ]
    versions = [Version(form) for form in forms]
    assert sorted(versions) == versions
    cargo = [semver.Version.parse(binary_version(form)) for form in forms]
    assert sorted(cargo) == cargo


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x", "invalid version: `x`"),
        ("1!1.0.0", "no counterpart in SemVer"),
        ("1.0.0+local", "no counterpart in SemVer"),
        ("1.2.3.4", "no counterpart in SemVer"),
        ("1.0.0rc1.post1", "fix of a pre-release"),
        ("1.0.0rc1.dev1", "pre-release of a pre-release"),
        ("1.2.3-foo.1", "no counterpart in PEP 440"),
        ("1.2.3-alpha.x", "no counterpart in PEP 440"),
        ("1.2.3+5.sha", "no counterpart in SemVer"),
        ("", "invalid version: ``"),
        (" 1.2.3", "invalid version"),
        ("v1.2.3", "invalid version"),
        ("1.2.03", "invalid version"),
        ("1.2.3-rc1", "no counterpart in PEP 440"),
        ("1.2", "fewer than three numbers"),
        ("1.2.\u0663", "invalid version"),
    ],
)
def test_versions_without_a_counterpart_are_refused(text: str, words: str) -> None:
    with pytest.raises(CommandError, match=words):
        read_version(text)


@pytest.mark.parametrize(
    ("current", "following"),
    [
        ("0.1.0", "0.1.1.dev5"),
        ("0.1.0.post1", "0.1.1.dev5"),
        ("0.1.1.dev4", "0.1.1.dev5"),
        ("0.2.0rc1", "0.2.0.dev5"),
    ],
)
def test_the_next_dev_version(current: str, following: str) -> None:
    assert str(next_dev(Version(current), 5)) == following


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a copy of the files that repeat the version."""
    for path in (
        ROOT / "pyproject.toml",
        ROOT / "CHANGELOG.md",
        ROOT / "server.json",
        *ROOT.glob("*/pyproject.toml"),
        *ROOT.glob("platform_wheels/*/pyproject.toml"),
        *ROOT.glob("docs/recipes/*"),
        *(ROOT / mention.file for mention in MENTIONS),
        *(ROOT / name for name in version_places.NAMES_PLATFORMS),
    ):
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    version_places.apply(version_places.planned(Version(BEFORE), tmp_path))
    return tmp_path


def test_bump_sets_every_place_and_nothing_else(tree: Path) -> None:
    repeating = [*tree.rglob("*.toml"), *(tree / "docs/recipes").iterdir()]
    before = {path: path.read_text() for path in repeating}
    changed = version_places.apply(version_places.planned(Version("0.2.0rc1"), tree))
    assert len(changed) == 14
    for path, text in before.items():
        assert path.read_text() == text.replace(BEFORE, "0.2.0rc1"), path
    assert all(
        place.agrees
        for edit in version_places.planned(Version("0.2.0rc1"), tree)
        for place in edit.places
    )
    changelog = (tree / "CHANGELOG.md").read_text()
    head, _, rest = changelog.partition("## [0.2.0rc1] - 20")
    assert head.endswith("## [Unreleased]\n\n")
    assert rest.count("## [Unreleased]") == 0


def test_bump_without_a_version_repeats_the_present_one(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = version_places.planned
    monkeypatch.setattr(version_places, "home_version", lambda: Version("0.1.3"))
    monkeypatch.setattr(
        version_places,
        "planned",
        lambda version, cargo, **options: planned(version, tree, cargo, **options),
    )
    for options, code, changes in (
        (["--check"], 1, False),
        (["--dry-run"], 0, False),
        ([], 0, True),
        (["--check"], 0, False),
    ):
        before = (tree / "pyproject.toml").read_text()
        result = CliRunner().invoke(bump, options, standalone_mode=False)
        assert result.return_value == code, result.output
        assert ((tree / "pyproject.toml").read_text() != before) is changes
    result = CliRunner().invoke(bump, ["--json"], standalone_mode=False)
    places = json.loads(result.output)["places"]
    assert {place["agrees"] for place in places} == {True}


@needs("git")
def test_bump_lists_the_lines_that_still_name_the_version_before() -> None:
    output = CliRunner().invoke(bump, ["99.0.0", "--offline", "--dry-run"]).output
    _, _, lines = output.partition(f"still name {RELEASED}: correct those that no longer")
    assert re.search(rf"^  docs[/\\]web-ui\.md:\d+: .*\b{RELEASED}\b", lines, re.MULTILINE)
    assert "99.0.0" not in lines


def test_bump_writes_the_platforms_and_the_oldest_systems_of_the_plan(tree: Path) -> None:
    manifest = tree / "pyproject.toml"
    text = manifest.read_text("utf-8")
    text = text.replace('linux-arm64 = "glibc 2.34"', 'linux-arm64 = "glibc 2.35"')
    text = text.replace('"windows-x64", "windows-arm64"]', '"windows-x64"]')
    reason = 'windows-arm64 = "nobody builds it"\n'
    text = text.replace(
        "[tool.leanspec-release.openssl]",
        f"[tool.leanspec-release.missing.cargo]\n{reason}[tool.leanspec-release.openssl]",
    )
    manifest.write_text(text, "utf-8")
    version_places.apply(version_places.planned(Version(BEFORE), tree))
    (line,) = LINE.findall((tree / "README.md").read_text("utf-8"))
    assert line.startswith(
        f"**Platforms of {BEFORE}:** macOS on Intel and Apple silicon (11.0 or"
    )
    assert "Linux on x86-64" in line
    assert line.endswith("Linux on arm64 (glibc 2.35 or newer), Windows on x86-64.")
    for project in ("cli", "mcp", "http"):
        text = (tree / f"platform_wheels/{project}/pyproject.toml").read_text("utf-8")
        assert 'linux-arm64 = "glibc 2.35"\n' in text
    (tree / "README.md").write_text("# lean-spec\n", "utf-8")
    edits = version_places.planned(Version(BEFORE), tree)
    wrong = [place for edit in edits for place in edit.places if not place.agrees]
    assert [(place.file, place.actual) for place in wrong] == [
        ("README.md", "no such line")
    ]


def test_bump_writes_no_heading_for_a_dev_version(tree: Path) -> None:
    before = (tree / "CHANGELOG.md").read_text()
    version_places.apply(version_places.planned(Version("0.1.1.dev2"), tree))
    assert (tree / "CHANGELOG.md").read_text() == before


@pytest.mark.parametrize("is_replaced", [False, True])
@pytest.mark.parametrize("error", [OSError(28, "No space left"), KeyboardInterrupt()])
def test_a_bump_that_fails_halfway_is_undone(
    tree: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, *, is_replaced: bool
) -> None:
    """Before or after a file is replaced."""
    before = {path: path.read_text() for path in tree.rglob("*.toml")}
    real, count = Path.replace, 0

    def failing(self: Path, target: Path) -> Path:
        nonlocal count
        count += 1
        if count == 3 and not is_replaced:
            raise error
        renamed = real(self, target)
        if count == 3:
            raise error
        return renamed

    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(type(error)):
        version_places.apply(version_places.planned(Version("0.2.0"), tree))
    assert {path: path.read_text() for path in tree.rglob("*.toml")} == before
    assert not [path for path in tree.rglob(".*.new") if path.is_file()]


@needs("cargo")
def test_bump_sets_a_cargo_workspace_and_its_lock(tree: Path, tmp_path: Path) -> None:
    workspace = write_workspace(tmp_path / "workspace", "0.1.0")
    env = dict(os.environ)
    run(["cargo", "generate-lockfile", "--offline"], env, cwd=workspace)
    version_places.apply(version_places.planned(Version("0.1.1.dev2"), tree, workspace))
    command = ["cargo", "metadata", "--locked", "--offline", "--format-version", "1"]
    metadata = json.loads(run(command, env, cwd=workspace).stdout)
    versions = {package["version"] for package in metadata["packages"]}
    assert versions == {"0.1.1-dev.2"}


@needs("cargo")
def test_bump_takes_any_path_to_a_workspace(tree: Path, tmp_path: Path) -> None:
    """The docs' own form has `..` in it."""
    workspace = write_workspace(tmp_path / "other/workspace", "0.1.0")
    (workspace / "Cargo.toml").write_text(
        (workspace / "Cargo.toml").read_text()
        + "\n[workspace.metadata]\nkept = true  # as it is\n"
    )
    (tmp_path / "link").symlink_to(workspace)
    for path in (Path("other/../other/workspace"), tmp_path / "link", workspace):
        edits = version_places.planned(Version("0.1.1"), tree, tmp_path / path)
        assert any(
            place.file.endswith("Cargo.toml") for edit in edits for place in edit.places
        )


@needs("cargo")
def test_bump_sets_the_dependencies_of_a_target(tree: Path, tmp_path: Path) -> None:
    workspace = write_workspace(tmp_path / "workspace", "0.1.0")
    manifest = min(workspace.glob("leanspec-*/Cargo.toml"))
    other = next(
        path.parent.name
        for path in sorted(workspace.glob("leanspec-*/Cargo.toml"))
        if path != manifest
    )
    dependency = f"{{ path = '../{other}', version = '0.1.0' }}"
    manifest.write_text(
        f"{manifest.read_text()}\n[target.'cfg(unix)'.dependencies]\n{other} = {dependency}\n"
    )
    version_places.apply(version_places.planned(Version("0.1.1"), tree, workspace))
    assert (
        "version = '0.1.1'" in manifest.read_text()
        or 'version = "0.1.1"' in manifest.read_text()
    )


def test_bump_keeps_line_ends(tree: Path) -> None:
    files = [
        tree / "pyproject.toml",
        tree / "CHANGELOG.md",
        *tree.glob("platform_wheels/*/pyproject.toml"),
    ]
    for path in files:
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    before = {path: path.read_bytes() for path in files}
    version_places.apply(version_places.planned(Version("0.2.0"), tree))
    for path in files:
        data = path.read_bytes()
        assert data.count(b"\n") == data.count(b"\r\n")
        changed = sum(
            a != b
            for a, b in zip(data.split(b"\n"), before[path].split(b"\n"), strict=False)
        )
        assert changed < 10 or path.name == "CHANGELOG.md", path


KILLED = """
import os, pathlib, signal, sys
from packaging.version import Version
from scripts.model import version_places
real, left = pathlib.Path.replace, int(sys.argv[2])
def replace(self, target):
    global left
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    return real(self, target)
pathlib.Path.replace = replace
version_places.apply(version_places.planned(Version("0.2.0"), pathlib.Path(sys.argv[1])))
"""


@pytest.mark.long
@pytest.mark.posix
@pytest.mark.parametrize("files", [0, 1, 4, 8])
@pytest.mark.parametrize("after", ["0.2.0", BEFORE])
def test_a_killed_bump_is_completed_or_taken_back(
    tree: Path, files: int, after: str
) -> None:
    paths = [*tree.rglob("*.toml"), tree / "CHANGELOG.md"]
    before = {path: path.read_text() for path in paths}
    command = [sys.executable, "-c", KILLED, str(tree), str(files)]
    process = subprocess.run(command, cwd=ROOT, check=False, capture_output=True)
    assert process.returncode == -9, "SIGKILL"
    actual = str(version_places.home_version(tree))
    assert actual == BEFORE, "its home is the last to change"
    version_places.apply(version_places.planned(Version(after), tree))
    assert not [path for path in tree.rglob(".*.new") if path.is_file()], (
        "nothing is left beside the files"
    )
    changelog = before.pop(tree / "CHANGELOG.md")
    for path, text in before.items():
        assert path.read_text() == text.replace(BEFORE, after), path
    changelog_text = (tree / "CHANGELOG.md").read_text()
    if after == BEFORE:
        assert changelog_text == changelog
    else:
        assert version_places.released(changelog_text)[0] == after
        assert changelog_text.count(f"## [{after}]") == 1


@pytest.mark.long
def test_a_killed_bump_is_repeated(released_tree: Path, tmp_path: Path) -> None:
    """Its heading in the changelog is in no commit, and so not of a published version."""
    tree = tmp_path / "tree"
    copy_tree(tree, released_tree)

    def bump(*arguments: str, code: int = 0) -> str:
        command = [*OWN_COMMAND, "bump", *arguments]
        env = clean_environment(PYTHONPATH=str(tree))
        result = run(command, env, cwd=tree, code=code)
        return result.stdout + result.stderr

    bump()
    git(tree, "add", "--all")
    git(tree, "commit", "--quiet", "--allow-empty", "--message", "Before")
    text = (tree / "CHANGELOG.md").read_text()
    bump("0.3.1", "--offline")
    git(tree, "checkout", "--quiet", "pyproject.toml")  # the home changes last
    assert "places changed to 0.3.1" in bump("0.3.1", "--offline")
    git(tree, "checkout", "--quiet", "pyproject.toml")
    assert f"places changed to {RELEASED}" in bump()
    assert (tree / "CHANGELOG.md").read_text() == text
    bump("0.3.1", "--offline")
    git(tree, "commit", "--quiet", "--all", "--message", "Release")
    refused = bump("0.3.1", "--offline", code=1)
    message = "`0.3.1` is not above `0.3.1`, which the changelog of the last commit has"
    assert message in refused


@pytest.mark.parametrize(
    "text", [" 7", "\u0667", "1_000", "+7", "007", "7 ", "0x7", "7.0", ""]
)
def test_a_number_is_written_in_plain_digits(text: str) -> None:
    with pytest.raises(ValueError, match="is not a number in plain digits"):
        number(text)
    assert number("0") == 0
    assert number("1000") == 1000


@needs("git")
def test_bump_names_another_repository_everywhere(tmp_path: Path) -> None:
    """What still names the old one is about LeanSpec's sources."""
    copy_tree(tmp_path)
    old, new = read_repository(), "https://github.com/example/packaging"
    manifest = tmp_path / "pyproject.toml"
    line = 'repository = "{}"\n'
    text = manifest.read_text("utf-8")
    manifest.write_text(text.replace(line.format(old.url), line.format(new)), "utf-8")
    edits = version_places.planned(version_places.home_version(), tmp_path)
    actual = {place.subject for edit in edits for place in edit.places if not place.agrees}
    assert {"urls", "name", "repository"} <= actual
    version_places.apply(edits)
    edits = version_places.planned(version_places.home_version(), tmp_path)
    assert all(place.agrees for edit in edits for place in edit.places)
    left = [
        f"{path.relative_to(tmp_path).as_posix()}: {line.strip()}"
        for path in tmp_path.rglob("*")
        if path.is_file() and not path.is_relative_to(tmp_path / "tests")
        for line in path.read_bytes().decode(errors="replace").splitlines()
        if old.slug in line or f"{old.namespace}/" in line
    ]
    workflow = f".github/workflows/publish.yml: repository: {old.slug}"
    assert sorted(set(left)) == [
        f".github/ISSUE_TEMPLATE/config.yml: url: {old.url}/issues",
        workflow,
        f'pyproject.toml: sources = "{old.url}"',
    ]
    assert f"{new}/releases" in (tmp_path / "docs/verifying.md").read_text("utf-8")


@pytest.mark.long
@pytest.mark.parametrize("key", ["repository", "sources"])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "example/packaging",
        "http://github.com/example/packaging",
        "https://github.com/example",
        "https://github.com/example/packaging/",
        "https://github.com/example/packaging.git",
        "https://github.com/example/packaging/tree/main",
    ],
)
def test_bump_refuses_a_repository_without_an_address(
    tree: Path, key: str, text: str
) -> None:
    manifest = tree / "pyproject.toml"
    document: Any = tomlkit.parse(manifest.read_text("utf-8"))
    document["tool"]["leanspec-release"][key] = text
    manifest.write_text(tomlkit.dumps(document), "utf-8")
    with pytest.raises(CommandError, match=f"`{key}` is `{text}`, not the address"):
        version_places.planned(Version(BEFORE), tree)


def test_bump_names_a_missing_line_with_the_repository(tree: Path) -> None:
    (tree / "docs/verifying.md").write_text("# Verifying\n")
    edits = version_places.planned(Version(BEFORE), tree)
    wrong = [place for edit in edits for place in edit.places if not place.agrees]
    expected = {("docs/verifying.md", "no such line")}
    assert {(place.file, place.actual) for place in wrong} == expected


def test_bump_without_a_version_writes_no_heading(tree: Path) -> None:
    version = Version("0.1.3")
    edits = version_places.planned(version, tree, is_new=False)
    assert not [
        place for edit in edits for place in edit.places if place.subject == "heading"
    ]
    edits = version_places.planned(version, tree)
    assert [place for edit in edits for place in edit.places if place.subject == "heading"]
