"""The wheels under real installers: installed from files alone, then run."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import pytest

from scripts.tools.processes import own_program
from tests.support import installers
from tests.support.installers import Fresh, Installation, Lend, Pip, Uvx, must_work
from tests.support.snapshots import put_back
from tests.support.versions import RELEASED


@pytest.mark.parametrize("installer", installers.INSTALLERS)
def test_the_commands_work_after_an_installation(
    installer: type[Installation], lend: Lend, tmp_path: Path, version: str
) -> None:
    must_work(lend(installer), tmp_path / "project", version)


@pytest.mark.parametrize("installer", installers.EVERYWHERE)
def test_uninstalling_leaves_nothing(installer: type[Installation], lend: Lend) -> None:
    installation = lend(installer)
    assert installation.leftovers() != []
    installation.uninstall()
    assert installation.leftovers() == []


def test_uvx_runs_the_command_line(lend: Lend, version: str) -> None:
    lend(Uvx).must_report(version)


def test_uvx_starts_the_mcp_server_by_its_own_name(lend: Lend, version: str) -> None:
    result = lend(Uvx, "leanspec-mcp").start("leanspec-mcp", "--version")
    assert result.stdout == f"leanspec-mcp {version}\n"
    assert "warning" not in result.stderr, "the command is called like its package"


def test_the_configuration_of_uvx_needs_no_path(lend: Lend, version: str) -> None:
    command = ("leanspec-launcher", "mcp-config", "claude", "--scope", "user")
    output = lend(Uvx).start(*command).stdout
    server = json.loads(output)["mcpServers"]["leanspec"]
    assert Path(server["command"]) == Path(own_program("uv")).with_name("uvx")
    assert server["args"] == [f"leanspec-mcp@{version}"]


def test_every_supported_python_runs_the_commands(
    pythons: dict[str, Path], dist: Path, wheelhouse: Path, tmp_path: Path, version: str
) -> None:
    for short, python in pythons.items():
        home = tmp_path / short
        installation = installers.UvPip(
            home, installers.from_files(home, dist, wheelhouse), python
        )
        installation.install()
        must_work(installation, tmp_path / f"project-{short}", version)


def test_the_pip_of_the_oldest_python_installs_the_wheels(
    pythons: dict[str, Path], fresh: Fresh, tmp_path: Path, version: str
) -> None:
    installation = fresh(Pip)
    oldest = min(pythons, key=lambda short: int(short.rstrip("t").partition(".")[2]))
    installation.python = pythons[oldest]
    installation.install()
    must_work(installation, tmp_path / "project", version)


def test_the_extra_brings_the_web_server(installed: Installation, version: str) -> None:
    installed.must_report(version, "leanspec-http")


def test_the_sdist_installs_and_carries_the_pins(
    fresh: Fresh, dist: Path, version: str
) -> None:
    installation = fresh(Pip)
    installation.prepare()
    shutil.copytree(installers.own_flit(), installation.packages / "flit_core")
    sdist = next(dist.glob("lean_spec-*.tar.gz"))
    installation.install("--no-build-isolation", sdist)
    installation.must_report(version)


def test_a_missing_platform_wheel_is_an_error_with_a_hint(lend: Lend) -> None:
    installation = lend(Pip)
    installation.pip("uninstall", "--yes", "leanspec-cli-bin")
    lines = installation.start("lean-spec", "list", code=127).stderr.splitlines()
    error = "error: no `leanspec` binary for Linux on x86-64 (`linux-x64`) was found"
    assert lines[0] == error
    command = lines[-1].removeprefix("hint: ")
    assert command.endswith("/leanspec-launcher repair cli")
    installation.run(*shlex.split(command))
    installation.start("lean-spec", "--version")


def test_a_replaced_binary_is_refused(installed: Installation) -> None:
    binary = installed.binary()
    installed.start("lean-spec", "--version")
    shutil.copyfile("/bin/true", binary)
    error = installed.start("lean-spec", "--version", code=126).stderr
    refusal = f"error: refusing to run `{binary}`: its SHA-256 is not the expected one"
    assert refusal in error
    assert "hint: " in error


def test_a_platform_wheel_of_another_version_is_refused(installed: Installation) -> None:
    installed.binary().write_bytes(b"another version")
    info = installed.packages / f"leanspec_cli_bin-{RELEASED}.dist-info"
    info = info.rename(info.with_name("leanspec_cli_bin-0.2.9.dist-info"))
    text = (info / "METADATA").read_text("utf-8")
    text = text.replace(f"Version: {RELEASED}", "Version: 0.2.9")
    (info / "METADATA").write_text(text, "utf-8")
    error = installed.start("lean-spec", "--version", code=126).stderr
    reason = f"leanspec-cli-bin 0.2.9; lean-spec {RELEASED} needs the same version"
    assert f"installed  {reason}" in error


def test_a_binary_without_its_run_bit_is_repaired(
    installed: Installation, version: str
) -> None:
    installed.binary().chmod(0o644)
    result = installed.start("lean-spec", "--version")
    assert (result.stdout, result.stderr) == (f"lean-spec {version}\n", "")


def test_a_shared_installation_is_restored_after_each_test(tmp_path: Path) -> None:
    """In the installations that tests share, whose files uv links to its cache."""
    folder, copy = tmp_path / "folder", tmp_path / "copy"
    for name in ("bin/program", "cache/file", "packages/module.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{name}\n")
    (folder / "bin/linked").hardlink_to(folder / "cache/file")
    (folder / "bin/python").symlink_to("/usr/bin/python3")
    (folder / "bin/program").chmod(0o755)
    copy.mkdir()
    put_back(folder, copy)
    before = contents(folder)
    assert contents(copy) == before

    with (folder / "bin/linked").open("a") as file:
        file.write("x")
    (folder / "bin/program").chmod(0o644)
    (folder / "bin/python").unlink()
    (folder / "bin/python").write_text("")
    (folder / "bin/added").write_text("")
    shutil.rmtree(folder / "packages")
    (folder / "packages").write_text("")
    put_back(copy, folder)
    assert contents(folder) == before
    assert (folder / "bin/linked").samefile(folder / "cache/file")
    assert not (folder / "bin/linked").samefile(copy / "bin/linked")

    # The link alone, as an installer replaces it.
    (folder / "bin/linked").unlink()
    (folder / "bin/linked").write_text("x")
    put_back(copy, folder)
    assert contents(folder) == before
    assert (folder / "bin/linked").samefile(folder / "cache/file")


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return the mode and the contents of every file below a folder."""
    return {
        str(path.relative_to(folder)): (
            path.lstat().st_mode,
            bytes(path.readlink()) if path.is_symlink() else path.read_bytes(),
        )
        for path in folder.rglob("*")
        if path.is_symlink() or not path.is_dir()
    }
