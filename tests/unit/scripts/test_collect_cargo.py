"""`collect cargo` with a real cargo: what it builds, where it reads, what it refuses."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from leanspec_launcher._tables import current
from scripts.collect import cargo
from scripts.tools.processes import clean_environment
from tests.support import headers
from tests.support.preconditions import needs
from tests.support.tree_copy import git
from tests.support.workspace import write_workspace

Scripts = Callable[..., CompletedProcess[str]]
pytestmark = needs("cargo")
ARM = "aarch64-unknown-linux-gnu"


@pytest.fixture
def workspace(tmp_path: Path, version: str) -> Path:
    return write_workspace(tmp_path / "workspace", version)


@pytest.fixture
def collect(scripts: Scripts, workspace: Path, tmp_path: Path) -> Scripts:
    def collect(
        *arguments: str, code: int = 0, env: dict[str, str] | None = None
    ) -> CompletedProcess[str]:
        command = ["collect", "cargo", workspace, "--into", tmp_path / "into", *arguments]
        return scripts(*command, code=code, env=env)

    return collect


def refused(result: CompletedProcess[str], into: Path) -> str:
    """Return the message of a failed run that left nothing behind."""
    assert result.stderr.count("error: ") >= 1
    assert [path for path in into.rglob("*") if path.is_file()] == []
    return result.stderr


def test_collect_cargo_builds_and_records_each_program(
    collect: Scripts, workspace: Path, tmp_path: Path, version: str
) -> None:
    for command in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=x", "-c", "user.email=x", "commit", "-qm", "x"],
    ):
        subprocess.run(["git", *command], cwd=workspace, check=True)
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"],
        cwd=workspace,
        capture_output=True,
        text=True,
        check=True,
    )
    result = collect("--build")
    assert "Compiling leanspec-cli" in result.stderr, "cargo's own output is shown"
    host = current()
    assert host is not None
    folder = tmp_path
    for program in ("cli", "mcp", "http"):
        folder = tmp_path / "into" / program / "binaries" / host.key
        record = json.loads((folder / "binary.json").read_text("utf-8"))
        binary = next(path for path in folder.iterdir() if path.name != "binary.json")
        printed = subprocess.run(
            [binary, "a"], capture_output=True, text=True, check=True
        ).stdout
        assert printed == f'{binary.name} {version} ["a"]\n'
        assert record["commit"] == head.stdout.strip()
        assert record["source"]["kind"] == "cargo"
        assert record["source"]["target"] is None
        assert record["source"]["integrity"].startswith("sha256-")
        assert record["source"]["built"] is True
    (workspace / "leanspec-cli/src/main.rs").write_text(
        'fn main() { println!("changed"); }\n'
    )
    collect("--build")
    assert (
        json.loads((folder / "binary.json").read_text("utf-8"))["commit"]
        == f"{head.stdout.strip()}-dirty"
    )


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
    git(workspace, "init", "--quiet")
    git(workspace, "add", "--all")
    git(workspace, "commit", "--quiet", "--message", "LeanSpec")
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
    host = subprocess.run(
        ["rustc", "-vV"], capture_output=True, text=True, check=True
    ).stdout
    triple = next(
        line.split(": ")[1] for line in host.splitlines() if line.startswith("host: ")
    )
    configured(workspace, text.replace("HOST", triple))
    main = workspace / "leanspec-cli/src/main.rs"
    main.write_text(main.read_text().replace("{:?}", "new {:?}"))
    collect("--build", "--program", "cli")
    (program,) = (tmp_path / "into/cli/binaries").glob("*/leanspec")
    printed = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    assert printed == f"leanspec {version} new []\n"


def test_a_variable_that_moves_the_output_is_followed(
    collect: Scripts, tmp_path: Path, version: str
) -> None:
    env = clean_environment(CARGO_TARGET_DIR=str(tmp_path / "moved"))
    collect("--build", "--program", "cli", env=env)
    (program,) = (tmp_path / "into/cli/binaries").glob("*/leanspec")
    assert (
        version
        in subprocess.run([program], capture_output=True, text=True, check=True).stdout
    )


def test_a_binary_of_another_version_or_crate_is_refused(
    collect: Scripts, workspace: Path, tmp_path: Path
) -> None:
    collect("--build", "--program", "cli")
    main = workspace / "leanspec-cli/src/main.rs"
    for message in ("leanspec 0.0.9", "other crate"):
        main.write_text(f'fn main() {{ println!("{message}"); }}\n')
        subprocess.run(
            ["cargo", "build", "--release", "--quiet"], cwd=workspace, check=True
        )
        shutil.rmtree(tmp_path / "into")
        words = refused(collect("--program", "cli", code=1), tmp_path / "into")
        assert f"says that it is version `{message.split()[1]}`" in words
        assert "hint: rebuild it: add `--build`" in words


@pytest.mark.parametrize(
    "text", ["nonsense", "package = 3", "[[package]]\nversion = 1\n", "package = [1]"]
)
def test_a_damaged_lock_is_named(
    collect: Scripts, workspace: Path, tmp_path: Path, text: str
) -> None:
    path = workspace / "target/release/leanspec"
    path.parent.mkdir(parents=True)
    path.write_bytes(headers.elf())
    (workspace / "Cargo.lock").write_text(text)
    words = refused(collect("--program", "cli", code=1), tmp_path / "into")
    assert "Cargo.lock` is not a lock file of cargo" in words


@pytest.mark.parametrize("other", [ARM, f"{ARM}.2.28", "aarch64-unknown-linux-musl"])
def test_two_targets_for_one_platform_are_refused(
    collect: Scripts, tmp_path: Path, other: str
) -> None:
    words = refused(collect("--target", ARM, "--target", other, code=1), tmp_path / "into")
    assert f"the targets `{ARM}` and `{other}` are both for `linux-arm64`" in words


def test_a_missing_binary_without_build_is_named(collect: Scripts, tmp_path: Path) -> None:
    words = refused(collect(code=1), tmp_path / "into")
    assert "target/release/leanspec` does not exist" in words
    assert "hint: add `--build`" in words


def test_a_named_target_is_never_read_from_the_hosts_folder(
    collect: Scripts, workspace: Path, tmp_path: Path
) -> None:
    for profile in ("release", "debug"):
        for name in ("leanspec", "leanspec-mcp", "leanspec-http"):
            path = workspace / "target" / profile / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(headers.elf("aarch64", needed=[name]))
    words = refused(collect("--target", ARM, code=1), tmp_path / "into")
    assert f"target/{ARM}/release/leanspec` does not exist" in words


def test_the_hosts_folder_is_never_taken_for_another_platform(
    collect: Scripts, workspace: Path, tmp_path: Path
) -> None:
    """A Mac's binary, or another CPU's, in the place of this machine's."""
    path = workspace / "target/release/leanspec"
    path.parent.mkdir(parents=True)
    for data in (headers.mach_o(), headers.elf("aarch64"), headers.pe()):
        path.write_bytes(data)
        assert "not for `linux-x64`" in refused(
            collect("--program", "cli", code=1), tmp_path / "into"
        )


def test_a_target_and_a_profile_have_their_own_folder(
    collect: Scripts, workspace: Path, tmp_path: Path
) -> None:
    for name in ("leanspec", "leanspec-mcp", "leanspec-http"):
        path = workspace / "target" / ARM / "debug" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(headers.elf("aarch64", needed=[name]))
    collect("--target", ARM, "--profile", "dev")
    record = json.loads(
        (tmp_path / "into/cli/binaries/linux-arm64/binary.json").read_text("utf-8")
    )
    assert (
        record["platform"],
        record["source"]["target"],
        record["source"]["profile"],
    ) == (
        "linux-arm64",
        ARM,
        "dev",
    )
    assert record["source"]["built"] is False


def test_an_unknown_target_is_named(collect: Scripts, tmp_path: Path) -> None:
    words = refused(
        collect("--target", "x86_64-unknown-freebsd", code=1), tmp_path / "into"
    )
    assert "`x86_64-unknown-freebsd` is not for a known platform" in words


def test_a_build_that_fails_shows_cargos_words(
    collect: Scripts, workspace: Path, tmp_path: Path
) -> None:
    (workspace / "leanspec-mcp/src/main.rs").write_text("fn main() { nonsense }\n")
    words = refused(collect("--build", code=1), tmp_path / "into")
    assert "cannot find value `nonsense`" in words
    assert "error: `cargo build` failed" in words


def test_a_lock_that_is_behind_fails_the_build(
    collect: Scripts, workspace: Path, tmp_path: Path
) -> None:
    manifest = workspace / "leanspec-cli/Cargo.toml"
    manifest.write_text(manifest.read_text().replace('version = "0.', 'version = "9.'))
    assert "--locked" in refused(collect("--build", code=1), tmp_path / "into")


def test_a_missing_crate_is_passed_over_unless_asked_for(
    scripts: Scripts, tmp_path: Path, version: str
) -> None:
    root = write_workspace(tmp_path / "small", version, ("cli",))
    into = tmp_path / "into"
    result = scripts("collect", "cargo", root, "--build", "--into", into)
    assert "no crate `leanspec-mcp`: `mcp` is skipped" in result.stderr
    assert not (into / "mcp").exists()
    shutil.rmtree(into)
    result = scripts("collect", "cargo", root, "--program", "mcp", "--into", into, code=1)
    assert "has no crate `leanspec-mcp`" in refused(result, into)
    none = write_workspace(tmp_path / "none", version, ())
    result = scripts("collect", "cargo", none, "--into", into, code=1)
    assert "has none of the crates" in refused(result, into)


def test_a_crate_without_the_binary_is_named(
    collect: Scripts, workspace: Path, tmp_path: Path
) -> None:
    manifest = workspace / "leanspec-http/Cargo.toml"
    manifest.write_text(
        manifest.read_text().replace(
            'name = "leanspec-http"\npath', 'name = "server"\npath'
        )
    )
    words = refused(collect("--program", "http", code=1), tmp_path / "into")
    assert "the crate `leanspec-http` has no binary `leanspec-http`" in words
    assert "hint: its binaries are `server`" in words


def test_no_workspace_and_no_cargo_are_named(
    scripts: Scripts, collect: Scripts, tmp_path: Path
) -> None:
    into = tmp_path / "into"
    assert "is not a cargo workspace" in refused(
        scripts("collect", "cargo", tmp_path, "--into", into, code=1), into
    )
    result = collect(code=1, env=clean_environment(PATH=os.devnull))
    assert "error: `cargo` is not installed" in refused(result, into)


@pytest.mark.parametrize(
    ("data", "words"), [(b"#!/bin/sh\n", "is a script"), (None, "is a directory")]
)
def test_a_file_that_is_no_executable_is_named(
    collect: Scripts, workspace: Path, tmp_path: Path, data: bytes | None, words: str
) -> None:
    """The other kinds are those of `test_it_is_refused_when_collected`."""
    path = workspace / "target/release/leanspec"
    path.parent.mkdir(parents=True)
    path.mkdir() if data is None else path.write_bytes(data)
    assert words in refused(collect("--program", "cli", code=1), tmp_path / "into")
