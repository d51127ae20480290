"""A dynamic version: Cargo's, that of the commit's tag, or the one that is given."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from leanspec_build.errors import BuildError
from leanspec_build.project.manifest import load_project

from tests.support.preconditions import needs
from tests.support.tool import Tool

DYNAMIC = 'dynamic = ["version"]'
with_git = needs("git")


@pytest.fixture
def dynamic(tool: Tool) -> Tool:
    tool.edit('version = "1.2.3"', DYNAMIC)
    return tool


@pytest.mark.parametrize(
    ("cargo", "version"),
    [
        ('[package]\nname = "tool"\nversion = "1.4.0"', "1.4.0"),
        ('[package]\nversion.workspace = true\n[workspace.package]\nversion = "2.0.0-rc.1"', "2.0.0rc1"),
        ('[workspace.package]\nversion = "3.0.0"', "3.0.0"),
        ('[package]\nversion = "1.0.0-alpha.2"', "1.0.0a2"),
        ('[package]\nversion = "1.0.0-beta"', "1.0.0b0"),
        ('[package]\nversion = "1.0.0-pre.3"', "1.0.0rc3"),
        ('[package]\nversion = "1.0.0-dev.4"', "1.0.0.dev4"),
    ],
)  # fmt: skip
def test_a_dynamic_version_is_that_of_cargo(
    dynamic: Tool, cargo: str, version: str
) -> None:
    (dynamic.root / "Cargo.toml").write_text(cargo)
    assert load_project(dynamic.root).version == version


def test_a_package_of_a_workspace_has_the_version_of_the_folder_above(
    dynamic: Tool,
) -> None:
    (dynamic.root / "Cargo.toml").write_text("[package]\nversion.workspace = true\n")
    above = dynamic.root.parent / "Cargo.toml"
    above.write_text('[workspace]\nmembers = ["a tool"]\npackage.version = "4.5.6"\n')
    assert load_project(dynamic.root).version == "4.5.6"


@pytest.mark.parametrize(
    "version", ["1.0.0-nightly", "1.0.0-alpha.1.2", "1.0.0-1", "1.0.0-post.1", "one"]
)
def test_a_version_of_cargo_without_a_form_in_python_names_its_file(
    dynamic: Tool, version: str
) -> None:
    """`1.0.0-1` is before 1.0.0 for Cargo, and after it for Python."""
    (dynamic.root / "Cargo.toml").write_text(f'[package]\nversion = "{version}"\n')
    with pytest.raises(BuildError, match="which has no form in Python") as error:
        load_project(dynamic.root)
    assert f"Cargo.toml` states the version `{version}`" in error.value.message
    assert "--version 1.2.3" in (error.value.hint or "")


@pytest.mark.parametrize(
    "cargo",
    ["[package]", "package = 3", "[package]\nversion = 3", "[package", "workspace = 1"],
)
def test_a_cargo_file_without_a_version_is_refused(dynamic: Tool, cargo: str) -> None:
    (dynamic.root / "Cargo.toml").write_text(cargo)
    with pytest.raises(
        BuildError, match=r"Cargo\.toml` (states no version|cannot be read)"
    ):
        load_project(dynamic.root)


def git(folder: Path, *arguments: str) -> None:
    author = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    command = ["git", "-C", str(folder), *author, *arguments]
    subprocess.run(command, check=True, capture_output=True)


@with_git
@pytest.mark.parametrize(
    ("tags", "version"),
    [
        (["v1.4.0"], "1.4.0"),
        (["1.4.0"], "1.4.0"),
        (["tool-v1.4.0"], "1.4.0"),
        (["cmd/tool/v1.4.0"], "1.4.0"),
        (["v1.4.0", "tool/v1.4.0", "nightly", "latest"], "1.4.0"),
        (["v2.0.0-rc.1"], "2.0.0rc1"),
        (["v1.4.0-1"], "1.4.0.post1"),
        (["v1.4.0", "v1.5.0"], None),
        (["nightly"], None),
        ([], None),
    ],
)
def test_a_dynamic_version_is_that_of_the_commits_tag(
    dynamic: Tool, tags: list[str], version: str | None
) -> None:
    git(dynamic.root, "init", "--quiet")
    git(dynamic.root, "commit", "--quiet", "--allow-empty", "--message", "one")
    for tag in tags:
        git(dynamic.root, "tag", tag)
    if version is not None:
        assert load_project(dynamic.root).version == version
        return
    with pytest.raises(
        BuildError,
        match=r"this commit has (no tag of a version|the tags of 2 versions: `1.4.0` and)",
    ) as error:
        load_project(dynamic.root)
    assert "`--version 1.2.3`" in (error.value.hint or "")
    hints = (
        "`git tag v1.2.3` gives the commit one; `-",
        "delete the wrong tag: `git tag -d",
    )
    assert any(hint in (error.value.hint or "") for hint in hints)


@with_git
def test_a_dynamic_version_without_a_source_has_a_hint(
    dynamic: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(dynamic.root.parent))
    with pytest.raises(BuildError, match="not a git repository") as error:
        load_project(dynamic.root)
    assert 'write `version = "..."`' in (error.value.hint or "")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(BuildError, match=r"neither a `Cargo\.toml` nor git"):
        load_project(dynamic.root)


def test_a_local_version_of_cargo_is_refused_with_its_source(dynamic: Tool) -> None:
    text = '[package]\nname = "a"\nversion = "1.2.3+build5"\n'
    (dynamic.root / "Cargo.toml").write_text(text)
    message = dynamic.build("all", code=1).stderr
    assert "no local version, found `1.2.3+build5`\n" in message
    assert "the version is that of `Cargo.toml`, of a git tag or of `--version`" in message


@pytest.mark.posix
@pytest.mark.parametrize("name", ["Cargo.toml", "pyproject.toml"])
def test_a_pipe_in_the_place_of_a_manifest_is_not_read(dynamic: Tool, name: str) -> None:
    (dynamic.root / name).unlink(missing_ok=True)
    if sys.platform != "win32":
        os.mkfifo(dynamic.root / name)
    with pytest.raises(BuildError, match=rf"{name}` is not a regular file"):
        load_project(dynamic.root)


def test_a_dynamic_version_is_that_of_the_option(dynamic: Tool) -> None:
    assert load_project(dynamic.root, "7.8.9").version == "7.8.9"
    dynamic.edit(DYNAMIC, 'version = "1.2.3"')
    with pytest.raises(BuildError, match=r"`7\.8\.9` cannot be given: .* states one"):
        load_project(dynamic.root, "7.8.9")
