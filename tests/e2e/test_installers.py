"""The wheels under real installers: installed from files alone, then run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from scripts.model.distributions import DISTRIBUTIONS
from scripts.tools.processes import own_program
from tests.support.installations import (
    INSTALLERS,
    Installed,
    Source,
    must_work,
    own_flit,
    venv,
)
from tests.support.surroundings import packages, run
from tests.support.versions import RELEASED


@pytest.mark.parametrize("installer", INSTALLERS)
def test_an_installer_makes_it_work(
    installer: str, source: Source, tmp_path: Path, version: str
) -> None:
    must_work(INSTALLERS[installer](source), tmp_path / "project", version)


def test_uvx_runs_it(source: Source, version: str) -> None:
    uvx: list[str | Path] = [
        own_program("uv"),
        "tool",
        "run",
        "--python",
        source.python,
        "--from",
        "lean-spec",
    ]
    assert (
        run([*uvx, "lean-spec", "--version"], source.env).stdout == f"lean-spec {version}\n"
    )


def test_uvx_starts_the_mcp_server_by_its_own_name(source: Source, version: str) -> None:
    uvx: list[str | Path] = [own_program("uv"), "tool", "run", "--python", source.python]
    said = run([*uvx, "leanspec-mcp", "--version"], source.env)
    assert said.stdout == f"leanspec-mcp {version}\n"
    assert "warning" not in said.stderr, "the command is called like its package"


def test_the_configuration_of_uvx_needs_no_path(source: Source, version: str) -> None:
    uvx: list[str | Path] = [own_program("uv"), "tool", "run", "--python", source.python]
    command = [*uvx, "--from", "lean-spec", "leanspec-launcher", "mcp-config"]
    server = json.loads(run(command, source.env).stdout)["mcpServers"]["leanspec"]
    assert Path(server["command"]) == Path(own_program("uv")).with_name("uvx")
    assert server["args"] == [f"leanspec-mcp@{version}"]


def test_every_supported_python_runs_it(
    pythons: dict[str, Path], dist: Path, wheelhouse: Path, tmp_path: Path, version: str
) -> None:
    for short, python in pythons.items():
        source = Source(dist, wheelhouse, tmp_path / short, python)
        prefix = venv(source)
        run([prefix / "bin/python", "-m", "pip", "install", "lean-spec"], source.env)
        must_work(
            Installed(prefix / "bin", packages(prefix), source.env),
            tmp_path / f"project-{short}",
            version,
        )


def test_the_extra_brings_the_web_server(
    installed: Path, version: str, surroundings: dict[str, str]
) -> None:
    done = run([installed / "bin/leanspec-http", "--version"], surroundings)
    assert done.stdout == f"leanspec-http {version}\n"


def test_the_sdist_installs_and_carries_the_pins(
    source: Source, dist: Path, version: str
) -> None:
    prefix = venv(source)
    sdist = next(dist.glob("lean_spec-*.tar.gz"))
    flit: list[str | Path] = [
        prefix / "bin/python",
        "-m",
        "pip",
        "install",
        "--no-build-isolation",
    ]
    shutil.copytree(own_flit(), packages(prefix) / "flit_core")
    run([*flit, sdist], source.env)
    assert (
        run([prefix / "bin/lean-spec", "--version"], source.env).stdout
        == f"lean-spec {version}\n"
    )


def test_uninstalling_leaves_nothing(
    own_install: Path, surroundings: dict[str, str]
) -> None:
    pip: list[str | Path] = [own_install / "bin/python", "-m", "pip"]
    names = DISTRIBUTIONS
    run([*pip, "uninstall", "--yes", *names], surroundings)
    left = [
        path
        for path in own_install.rglob("*")
        if path.name.startswith(("leanspec", "lean_spec", "lean-spec"))
    ]
    assert left == []


def start(
    environment: Path, name: str, *arguments: str, env: dict[str, str], code: int
) -> str:
    """Run a command of a copied environment, whose scripts still name the Python of the first one."""
    return run(
        [environment / "bin/python", environment / "bin" / name, *arguments], env, code=code
    ).stderr


def test_without_its_platform_wheel_it_says_what_to_do(source: Source, dist: Path) -> None:
    prefix = venv(source)
    run(
        [
            prefix / "bin/python",
            "-m",
            "pip",
            "install",
            "--no-deps",
            next(dist.glob("lean_spec-*.whl")),
        ],
        source.env,
    )
    said = run([prefix / "bin/lean-spec", "list"], source.env, code=127).stderr
    assert said.startswith(
        "error: no `leanspec` binary for Linux on x86-64 (`linux-x64`) was found\n"
    )
    assert said.splitlines()[-1].endswith(
        f"-m pip install --force-reinstall --no-deps leanspec-cli-bin=={RELEASED}"
    )


def test_a_replaced_binary_is_refused(
    own_install: Path, surroundings: dict[str, str]
) -> None:
    binary = packages(own_install) / "leanspec_cli_bin/bin/leanspec"
    start(own_install, "lean-spec", "--version", env=surroundings, code=0)
    shutil.copyfile("/bin/true", binary)
    said = start(own_install, "lean-spec", "--version", env=surroundings, code=126)
    assert f"error: refusing to run `{binary}`: its SHA-256 is not the expected one" in said
    assert "hint: " in said


def test_a_platform_wheel_of_another_version_is_refused(
    own_install: Path, surroundings: dict[str, str]
) -> None:
    site = packages(own_install)
    (site / "leanspec_cli_bin/bin/leanspec").write_bytes(b"another version")
    (site / f"leanspec_cli_bin-{RELEASED}.dist-info").rename(
        site / "leanspec_cli_bin-0.2.9.dist-info"
    )
    metadata = site / "leanspec_cli_bin-0.2.9.dist-info/METADATA"
    metadata.write_text(
        metadata.read_text("utf-8").replace(f"Version: {RELEASED}", "Version: 0.2.9"),
        "utf-8",
    )
    said = start(own_install, "lean-spec", "--version", env=surroundings, code=126)
    assert (
        f"installed  is leanspec-cli-bin 0.2.9, this lean-spec is {RELEASED} and needs the same"
        in said
    )


def test_a_binary_without_its_run_bit_is_repaired(
    own_install: Path, surroundings: dict[str, str], version: str
) -> None:
    binary = packages(own_install) / "leanspec_cli_bin/bin/leanspec"
    binary.chmod(0o644)
    done = run(
        [own_install / "bin/python", own_install / "bin/lean-spec", "--version"],
        surroundings,
    )
    assert done.stdout == f"lean-spec {version}\n"
    assert done.stderr == ""
