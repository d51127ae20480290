"""`collect cargo` with a real cargo: what it builds, where it reads, what it refuses."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from leanspec_launcher._tables import current
from scripts.collect import cargo
from scripts.tools.processes import clean_environment
from tests.support import headers
from tests.support.preconditions import needs
from tests.support.releases import Scripts
from tests.support.tree_copy import git
from tests.support.workspace import write_workspace

Refused = Callable[..., str]
pytestmark = needs("cargo")
ARM = "aarch64-unknown-linux-gnu"


@pytest.fixture
def workspace(tmp_path: Path, version: str) -> Path:
    return write_workspace(tmp_path / "workspace", version)


@pytest.fixture
def collect(scripts: Scripts, workspace: Path, tmp_path: Path) -> Scripts:
    def collect(
        *arguments: str,
        root: Path = workspace,
        code: int = 0,
        env: dict[str, str] | None = None,
    ) -> CompletedProcess[str]:
        command = ["collect", "cargo", root, "--into", tmp_path / "into", *arguments]
        return scripts(*command, code=code, env=env)

    return collect


@pytest.fixture
def refused(collect: Scripts, tmp_path: Path) -> Refused:
    """Return how the message of a run is read that fails and leaves nothing behind."""

    def refused(*arguments: str, **options: Any) -> str:  # noqa: ANN401 - as for `collect`
        errors = collect(*arguments, code=1, **options).stderr
        assert "error: " in errors
        assert not [path for path in tmp_path.glob("into/**/*") if path.is_file()]
        return errors

    return refused


def output(*command: str | Path, **options: Any) -> str:  # noqa: ANN401 - of `subprocess`
    process: CompletedProcess[str] = subprocess.run(
        command, capture_output=True, text=True, check=True, **options
    )
    return process.stdout


def commit_all(workspace: Path) -> str:
    """Commit the workspace to a repository of its own."""
    git(workspace, "init", "--quiet")
    git(workspace, "add", "--all")
    git(workspace, "commit", "--quiet", "--message", "LeanSpec")
    return output("git", "rev-parse", "HEAD", cwd=workspace).strip()


def read_record(folder: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((folder / "binary.json").read_text("utf-8"))
    return record


def test_collect_cargo_builds_and_records_each_program(
    collect: Scripts, workspace: Path, tmp_path: Path, version: str
) -> None:
    head = commit_all(workspace)
    result = collect("--build")
    assert "Compiling leanspec-cli" in result.stderr, "cargo's own output is shown"
    host = current()
    assert host is not None
    folder = tmp_path
    for program in ("cli", "mcp", "http"):
        folder = tmp_path / "into" / program / "binaries" / host.key
        binary = next(path for path in folder.iterdir() if path.name != "binary.json")
        assert output(binary, "a") == f'{binary.name} {version} ["a"]\n'
        record = read_record(folder)
        source = record["source"]
        assert record["commit"] == head
        assert (source["kind"], source["target"]) == ("cargo", None)
        assert source["integrity"].startswith("sha256-")
        assert source["built"] is True
    main = workspace / "leanspec-cli/src/main.rs"
    main.write_text('fn main() { println!("changed"); }\n')
    collect("--build")
    assert read_record(folder)["commit"] == f"{head}-dirty"


def dirty(workspace: Path, target: str = "target") -> bool:
    commit = cargo._commit(workspace, workspace / target)  # noqa: SLF001 - a build takes seconds
    assert commit is not None
    return commit.endswith("-dirty")


def ignored_build_script(workspace: Path) -> None:
    (workspace / ".git/info/exclude").write_text("build.rs\n")
    (workspace / "leanspec-cli/build.rs").write_text("fn main() {}\n")


def hidden_edit(workspace: Path) -> None:
    name = "leanspec-cli/src/main.rs"
    git(workspace, "update-index", "--skip-worktree", name)
    (workspace / name).write_text("fn main() {}\n")


@needs("git")
@pytest.mark.parametrize(
    "change",
    [
        lambda workspace: (workspace / "leanspec-cli/build.rs").write_text("fn main() {}"),
        lambda workspace: (workspace / "leanspec-cli/src/data.json").write_text("{}"),
        ignored_build_script,
        hidden_edit,
    ],
)
def test_commit_is_dirty_with_files_that_git_does_not_show(
    workspace: Path, change: Callable[[Path], object]
) -> None:
    commit_all(workspace)
    for name in ("target/release/leanspec", "target/release/build/out/generated.rs"):
        (workspace / name).parent.mkdir(parents=True, exist_ok=True)
        (workspace / name).write_text("")
    assert not dirty(workspace)
    change(workspace)
    assert dirty(workspace)


def configured(workspace: Path, text: str) -> None:
    (workspace / ".cargo").mkdir()
    (workspace / ".cargo/config.toml").write_text(text)


@pytest.mark.parametrize(
    "text",
    [
        '[build]\ntarget-dir = "elsewhere"\n',
        '[build]\ntarget = "HOST"\n',
        "[profile.release]\nopt-level = 0\n",
    ],
)
def test_build_takes_the_binaries_that_cargo_names(
    collect: Scripts, workspace: Path, tmp_path: Path, version: str, text: str
) -> None:
    """An older program lies where cargo put it before its configuration changed."""
    collect("--build", "--program", "cli")
    (triple,) = re.findall(r"(?m)^host: (.*)", output("rustc", "-vV"))
    configured(workspace, text.replace("HOST", triple))
    main = workspace / "leanspec-cli/src/main.rs"
    main.write_text(main.read_text().replace("{:?}", "new {:?}"))
    collect("--build", "--program", "cli")
    (program,) = (tmp_path / "into/cli/binaries").glob("*/leanspec")
    assert output(program) == f"leanspec {version} new []\n"


def test_a_variable_that_moves_the_output_is_followed(
    collect: Scripts, tmp_path: Path, version: str
) -> None:
    env = clean_environment(CARGO_TARGET_DIR=str(tmp_path / "moved"))
    collect("--build", "--program", "cli", env=env)
    (program,) = (tmp_path / "into/cli/binaries").glob("*/leanspec")
    assert version in output(program)


def test_a_binary_of_another_version_or_crate_is_refused(
    collect: Scripts, refused: Refused, workspace: Path, tmp_path: Path
) -> None:
    collect("--build", "--program", "cli")
    main = workspace / "leanspec-cli/src/main.rs"
    for message in ("leanspec 0.0.9", "other crate"):
        main.write_text(f'fn main() {{ println!("{message}"); }}\n')
        output("cargo", "build", "--release", "--quiet", cwd=workspace)
        shutil.rmtree(tmp_path / "into")
        errors = refused("--program", "cli")
        assert f"says that it is version `{message.split()[1]}`" in errors
        assert "hint: rebuild it: add `--build`" in errors


def put_program(workspace: Path, name: str, data: bytes) -> None:
    """Put a file where cargo writes a program."""
    path = workspace / "target" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def put_programs(workspace: Path, *folders: str) -> None:
    """Put each program for arm64 into the folders."""
    for folder in folders:
        for name in ("leanspec", "leanspec-mcp", "leanspec-http"):
            data = headers.elf("aarch64", needed=[name])
            put_program(workspace, f"{folder}/{name}", data)


@pytest.mark.parametrize(
    "text", ["nonsense", "package = 3", "[[package]]\nversion = 1\n", "package = [1]"]
)
def test_a_damaged_lock_is_named(refused: Refused, workspace: Path, text: str) -> None:
    put_program(workspace, "release/leanspec", headers.elf())
    (workspace / "Cargo.lock").write_text(text)
    assert "Cargo.lock` is not a lock file of cargo" in refused("--program", "cli")


@pytest.mark.parametrize("other", [ARM, f"{ARM}.2.28", "aarch64-unknown-linux-musl"])
def test_two_targets_for_one_platform_are_refused(refused: Refused, other: str) -> None:
    words = f"the targets `{ARM}` and `{other}` are both for `linux-arm64`"
    assert words in refused("--target", ARM, "--target", other)


def test_a_missing_binary_without_build_is_named(refused: Refused) -> None:
    errors = refused()
    assert "target/release/leanspec` does not exist" in errors
    assert "hint: add `--build`" in errors


def test_a_named_target_is_never_read_from_the_hosts_folder(
    refused: Refused, workspace: Path
) -> None:
    put_programs(workspace, "release", "debug")
    words = f"target/{ARM}/release/leanspec` does not exist"
    assert words in refused("--target", ARM)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (headers.mach_o(), "not for `linux-x64`"),
        (headers.elf("aarch64"), "not for `linux-x64`"),
        (headers.pe(), "not for `linux-x64`"),
        (b"#!/bin/sh\n", "is a script"),
    ],
    ids=["macOS", "arm64", "Windows", "script"],
)
def test_a_file_that_is_not_a_binary_for_this_machine_is_refused(
    refused: Refused, workspace: Path, data: bytes, words: str
) -> None:
    """The other kinds are those of `test_it_is_refused_when_collected`."""
    put_program(workspace, "release/leanspec", data)
    assert words in refused("--program", "cli")


def test_a_folder_in_the_place_of_a_binary_is_refused(
    refused: Refused, workspace: Path
) -> None:
    (workspace / "target/release/leanspec").mkdir(parents=True)
    assert "is a directory" in refused("--program", "cli")


def test_an_unknown_target_is_named(refused: Refused) -> None:
    errors = refused("--target", "x86_64-unknown-freebsd")
    assert "`x86_64-unknown-freebsd` is not for a known platform" in errors


def test_a_build_that_fails_shows_cargos_words(refused: Refused, workspace: Path) -> None:
    (workspace / "leanspec-mcp/src/main.rs").write_text("fn main() { nonsense }\n")
    errors = refused("--build")
    assert "cannot find value `nonsense`" in errors
    assert "error: `cargo build` failed" in errors


def test_a_lock_that_is_behind_fails_the_build(refused: Refused, workspace: Path) -> None:
    edit(workspace / "leanspec-cli/Cargo.toml", 'version = "0.', 'version = "9.')
    assert "--locked" in refused("--build")


def test_a_crate_without_the_binary_is_named(refused: Refused, workspace: Path) -> None:
    name = 'name = "{}"\npath'
    manifest = workspace / "leanspec-http/Cargo.toml"
    edit(manifest, name.format("leanspec-http"), name.format("server"))
    errors = refused("--program", "http")
    assert "the crate `leanspec-http` has no binary `leanspec-http`" in errors
    assert "hint: its binaries are `server`" in errors


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_target_and_a_profile_have_their_own_folder(
    collect: Scripts, workspace: Path, tmp_path: Path
) -> None:
    put_programs(workspace, f"{ARM}/debug")
    collect("--target", ARM, "--profile", "dev")
    record = read_record(tmp_path / "into/cli/binaries/linux-arm64")
    source = record["source"]
    assert record["platform"] == "linux-arm64"
    assert (source["target"], source["profile"]) == (ARM, "dev")
    assert source["built"] is False


def test_a_missing_crate_is_passed_over_unless_asked_for(
    collect: Scripts, refused: Refused, tmp_path: Path, version: str
) -> None:
    root = write_workspace(tmp_path / "small", version, ("cli",))
    result = collect("--build", root=root)
    assert "no crate `leanspec-mcp`: `mcp` is skipped" in result.stderr
    assert not (tmp_path / "into/mcp").exists()
    shutil.rmtree(tmp_path / "into")
    assert "has no crate `leanspec-mcp`" in refused("--program", "mcp", root=root)
    empty = write_workspace(tmp_path / "none", version, ())
    assert "has none of the crates" in refused(root=empty)


def test_no_workspace_and_no_cargo_are_named(refused: Refused, tmp_path: Path) -> None:
    assert "is not a cargo workspace" in refused(root=tmp_path)
    errors = refused(env=clean_environment(PATH=os.devnull))
    assert "error: `cargo` is not installed" in errors
