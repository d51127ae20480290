"""`leanspec-launcher` on real installations: doctor, verify, repair, link, unlink."""

from __future__ import annotations

import hashlib
import json
import shlex
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from leanspec_launcher.first_start.proof import digest
from leanspec_launcher.instead.answer import INITIALIZE
from scripts.model.distributions import DISTRIBUTIONS
from scripts.tools.mcp_session import list_tools
from scripts.tools.processes import own_program
from tests.support.installations import (
    Installed,
    Source,
    by_pip,
    by_pip_target,
    by_pipx,
    by_uv_pip,
    by_uv_tool,
)
from tests.support.releases import install
from tests.support.surroundings import clean, packages, run
from tests.support.versions import RELEASED

COMMANDS = ("lean-spec", "leanspec", "leanspec-mcp", "leanspec-http")
MANAGED = {
    "pip": by_pip,
    "pip --target": by_pip_target,
    "uv pip": by_uv_pip,
    "uv tool": by_uv_tool,
    "pipx": by_pipx,
}


@pytest.fixture
def manage(
    own_install: Path, surroundings: dict[str, str]
) -> Callable[..., CompletedProcess[str]]:
    """Return a way to run `leanspec-launcher` in a copied environment."""
    path = f"{own_install / 'bin'}:{surroundings['PATH']}"

    def run_it(*arguments: str, code: int = 0, **env: str) -> CompletedProcess[str]:
        command: list[str | Path] = [
            own_install / "bin/python",
            own_install / "bin/leanspec-launcher",
            *arguments,
        ]
        return run(command, surroundings | {"PATH": path, **env}, code=code)

    return run_it


def binary(environment: Path, family: str = "cli", program: str = "leanspec") -> Path:
    return packages(environment) / f"leanspec_{family}_bin/bin/{program}"


def contents(environment: Path) -> dict[str, bytes]:
    return {name: (environment / "bin" / name).read_bytes() for name in COMMANDS}


def test_linked_commands_are_the_binaries_and_unlink_brings_the_scripts_back(
    own_install: Path,
    manage: Callable[..., CompletedProcess[str]],
    surroundings: dict[str, str],
    version: str,
) -> None:
    scripts = contents(own_install)
    assert manage("link", "--dry-run").stdout.count("would be linked") == 4
    assert contents(own_install) == scripts
    manage("link")
    assert (own_install / "bin/lean-spec").samefile(binary(own_install))
    # By itself, where no Python can be found.
    said = run(
        [own_install / "bin/lean-spec", "--version"], {"HOME": surroundings["HOME"]}
    ).stdout
    assert said == f"lean-spec {version}\n"
    found = json.loads(manage("doctor", "--json").stdout)
    assert (
        sum("is the verified binary itself" in finding["value"] for finding in found) == 4
    )
    assert manage("link").stdout == "nothing to link\n"
    assert manage("unlink").stdout.count("is a script again") == 4
    assert contents(own_install) == scripts
    assert sorted(path.name for path in (own_install / "bin").glob(".*")) == []


def test_a_script_that_was_changed_is_not_replaced(
    own_install: Path, manage: Callable[..., CompletedProcess[str]]
) -> None:
    (own_install / "bin/leanspec-mcp").write_bytes(b"#!/bin/sh\necho mine\n")
    before = contents(own_install)
    said = manage("link", code=1).stderr
    assert (
        f"error: `{own_install / 'bin/leanspec-mcp'}` is neither the installer's script nor the binary"
        in said
    )
    assert contents(own_install) == before


def test_a_damaged_binary_is_not_linked(
    own_install: Path, manage: Callable[..., CompletedProcess[str]]
) -> None:
    before = contents(own_install)
    with binary(own_install, "mcp", "leanspec-mcp").open("ab") as file:
        file.write(b"x")
    assert "decides (its SHA-256 is not the expected one)" in manage("link", code=1).stderr
    assert contents(own_install) == before


def test_a_linked_command_that_was_changed_is_found(
    own_install: Path, manage: Callable[..., CompletedProcess[str]]
) -> None:
    manage("link")
    path = own_install / "bin/lean-spec"
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data + b"x")
    assert (
        f"{path}: it is neither the installer's script nor the binary"
        in manage("verify", code=1).stdout
    )
    assert (
        "neither the installer's script nor the binary of this release"
        in manage("doctor", code=1).stdout
    )


def test_uninstalling_takes_the_links_away(
    own_install: Path,
    manage: Callable[..., CompletedProcess[str]],
    surroundings: dict[str, str],
) -> None:
    manage("link")
    names = DISTRIBUTIONS
    run(
        [own_install / "bin/python", "-m", "pip", "uninstall", "--yes", *names],
        surroundings,
    )
    assert [
        path
        for path in own_install.rglob("*")
        if path.name.startswith(("leanspec", "lean_spec", "lean-spec"))
    ] == []


@pytest.mark.parametrize("installer", MANAGED)
def test_every_installers_commands_can_be_linked_and_brought_back(
    installer: str, source: Source, version: str
) -> None:
    made = MANAGED[installer](source)
    before = (made.scripts / "lean-spec").read_bytes()
    assert (
        run([made.scripts / "leanspec-launcher", "link"], made.env).stdout.count(": linked")
        == 3
    )
    done = run([made.scripts / "lean-spec", "--version"], {"HOME": made.env["HOME"]})
    assert done.stdout == f"lean-spec {version}\n"
    run([made.scripts / "leanspec-launcher", "unlink"], made.env)
    assert (made.scripts / "lean-spec").read_bytes() == before


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_installing_anew_brings_the_scripts_back_and_harms_no_binary(
    installer: str, source: Source
) -> None:
    made = by_pip(source) if installer == "pip" else by_uv_pip(source)
    run([made.scripts / "leanspec-launcher", "link"], made.env)
    program = made.packages / "leanspec_cli_bin/bin/leanspec"
    digest = hashlib.sha256(program.read_bytes()).digest()
    python = made.scripts / "python"
    again: list[str | Path] = [
        python,
        "-m",
        "pip",
        "install",
        "--force-reinstall",
        "--no-deps",
        "lean-spec",
    ]
    if installer == "uv":
        again = [
            own_program("uv"),
            "pip",
            "install",
            "--python",
            python,
            "--reinstall",
            "--no-deps",
            "lean-spec",
        ]
    run(again, made.env)
    assert (made.scripts / "lean-spec").read_bytes().startswith(b"#!")
    assert hashlib.sha256(program.read_bytes()).digest() == digest
    run([made.scripts / "lean-spec", "--version"], made.env)


def test_a_grafted_program_is_linked_so_that_it_finds_its_libraries(
    grafted: Path, wheelhouse: Path, tmp_path: Path, version: str
) -> None:
    install(tmp_path / "venv", grafted, wheelhouse)
    env = clean(tmp_path / "home")
    run([tmp_path / "venv/bin/leanspec-launcher", "link"], env)
    text = (tmp_path / "venv/bin/lean-spec").read_text()
    assert text.startswith("#!/bin/sh\nexec ")
    assert (
        run([tmp_path / "venv/bin/lean-spec", "--version"], env).stdout
        == f"lean-spec {version}\n"
    )
    run([tmp_path / "venv/bin/leanspec-launcher", "verify"], env)


@pytest.mark.parametrize(
    ("client", "table"),
    [("claude", "mcpServers"), ("vscode", "servers"), ("cursor", "mcpServers")],
)
def test_what_a_client_is_told_to_start_is_the_server(
    client: str,
    table: str,
    manage: Callable[..., CompletedProcess[str]],
    tmp_path: Path,
    version: str,
) -> None:
    """Started as a client does it: no PATH, its own environment, another folder."""
    env = {"HOME": str(tmp_path / "home")}
    server = json.loads(manage("mcp-config", client).stdout)[table]["leanspec"]
    assert Path(server["command"]).is_absolute()
    announced, tools = list_tools([server["command"], *server["args"]], tmp_path, env)
    assert (announced["version"], len(tools) > 5) == (version, True)


def test_a_client_that_starts_it_elsewhere_gets_the_project(
    manage: Callable[..., CompletedProcess[str]], tmp_path: Path
) -> None:
    """Some clients ignore `cwd`. A folder may be called anything."""
    project = tmp_path / "my 'project' $HOME"
    spec = project / "specs/001-first/README.md"
    spec.parent.mkdir(parents=True)
    spec.write_text(
        "---\nstatus: planned\ncreated: 2026-01-01\npriority: medium\n---\n\n# First\n"
    )
    said = manage("mcp-config", "cursor", "--project", str(project)).stdout
    server = json.loads(said)["mcpServers"]["leanspec"]
    call = {
        "jsonrpc": "2.0",
        "id": 2,
        "method": "tools/call",
        "params": {"name": "list_specs", "arguments": {}},
    }
    text = f"{json.dumps(INITIALIZE)}\n{json.dumps(call)}\n"
    done = run(
        [server["command"], *server["args"]],
        {"HOME": str(tmp_path)},
        cwd=Path("/"),
        text=text,
    )
    assert (
        json.loads(done.stdout.splitlines()[-1])["result"]["structuredContent"]["count"]
        == 1
    )


def test_doctor_finds_a_whole_installation_well(
    manage: Callable[..., CompletedProcess[str]], version: str
) -> None:
    said = manage("doctor").stdout
    assert said.splitlines()[-1].endswith(" 0 warning, 0 error")
    assert f"says           {version} (" in said
    assert f"handshake      {RELEASED} (" in said


def test_doctor_finds_what_is_wrong(
    own_install: Path, manage: Callable[..., CompletedProcess[str]]
) -> None:
    with binary(own_install).open("r+b") as file:
        file.truncate(1000)
    binary(own_install, "mcp", "leanspec-mcp").unlink()
    found = json.loads(manage("doctor", "--json", code=1).stdout)
    errors = {
        finding["section"]: finding for finding in found if finding["status"] == "error"
    }
    assert set(errors) == {"leanspec", "leanspec-mcp"}
    assert "its SHA-256 is not the expected one" in errors["leanspec"]["value"]
    assert "not found" in errors["leanspec-mcp"]["value"]
    for finding in errors.values():
        assert "-m pip install --force-reinstall --no-deps leanspec-" in finding["hint"]


def test_doctor_warns_of_another_program_of_the_same_name(
    manage: Callable[..., CompletedProcess[str]], own_install: Path, tmp_path: Path
) -> None:
    real = tmp_path / "lib/node_modules/lean-spec/bin.js"
    real.parent.mkdir(parents=True)
    real.write_text("#!/usr/bin/env node\n")
    (tmp_path / "first").mkdir()
    (tmp_path / "first/lean-spec").symlink_to(real)
    said = manage(
        "doctor", PATH=f"{tmp_path / 'first'}:{own_install / 'bin'}:/usr/bin:/bin"
    ).stdout
    assert (
        f"! lean-spec      `{tmp_path / 'first/lean-spec'}` (npm's) comes before `{own_install / 'bin/lean-spec'}`"
        in said
    )


def test_doctor_warns_of_settings_and_places(
    installed: Path, surroundings: dict[str, str]
) -> None:
    doctor: list[str | Path] = [installed / "bin/leanspec-launcher", "doctor"]
    said = run(doctor, surroundings | {"LEANSPEC_VERIFY": "off"}).stdout
    assert "`unset LEANSPEC_VERIFY`: no binary is verified" in said
    # The files of this environment have been there for a while.
    time.sleep(max(0, 3.5 + binary(installed).stat().st_ctime - time.time()))
    assert (
        "not cached yet: the next start hashes the binary"
        in run(doctor, surroundings).stdout
    )
    run([installed / "bin/lean-spec", "--version"], surroundings)
    assert run(doctor, surroundings).stdout.count("verified (cached)") == 1
    stamps = Path(surroundings["HOME"]) / ".cache/lean-spec/verified"
    stamps.chmod(0o777)
    said = run(doctor, surroundings).stdout
    assert (
        f"`{stamps}` is not used: it is a link, another user's, or writable by others"
        in said
    )
    assert "not cached: each start hashes the binary" in said


@pytest.mark.parametrize("installer", MANAGED)
def test_repair_brings_back_a_binary_that_was_changed_in_place(
    installer: str, source: Source, version: str
) -> None:
    """What uv installs is linked to its cache, so that is damaged too."""
    made: Installed = MANAGED[installer](source)
    tools = f"{Path(own_program('uv')).parent}:{made.env['PATH']}"
    env = made.env | {"PATH": tools}
    launcher = made.scripts / "leanspec-launcher"
    with (made.packages / "leanspec_cli_bin/bin/leanspec").open("ab") as file:
        file.write(b"x")
    refused = run([made.scripts / "lean-spec", "--version"], env, code=126).stderr
    shown = run([launcher, "repair", "--dry-run"], env).stderr
    wheel = next(source.dist.glob("leanspec_cli_bin-*linux*.whl"))
    expected = f"leanspec-cli-bin=={version} --hash=sha256:{digest(str(wheel))}"
    assert f"# requirements.txt: {expected}\n" in shown
    assert "leanspec-cli-bin" in refused.splitlines()[-1]
    run([launcher, "verify"], env, code=1)
    assert "repaired: " in run([launcher, "repair"], env).stdout
    assert (
        run([made.scripts / "lean-spec", "--version"], env).stdout
        == f"lean-spec {version}\n"
    )
    assert "nothing to repair" in run([launcher, "repair"], env).stdout


def test_repair_works_inside_uv_run(source: Source, version: str) -> None:
    """As docs recommend after `uv add --dev`. uv's cache is locked by the outer `uv run`: nothing waits for that."""
    project = source.home / "project"
    project.mkdir(parents=True)
    (project / "pyproject.toml").write_text(
        '[project]\nname = "p"\nversion = "1"\nrequires-python = ">=3.11"\n'
        "[tool.uv]\nenvironments = [\"sys_platform == 'linux'\"]\n"
    )
    uv = own_program("uv")
    env = source.env | {"PATH": f"{Path(uv).parent}:{source.env['PATH']}"}
    run([uv, "add", "--dev", "--python", source.python, "lean-spec"], env, cwd=project)
    with binary(project / ".venv").open("ab") as file:
        file.write(b"x")
    before = time.monotonic()
    assert (
        "repaired: "
        in run([uv, "run", "leanspec-launcher", "repair"], env, cwd=project).stdout
    )
    assert time.monotonic() - before < 30
    assert (
        run([uv, "run", "lean-spec", "--version"], env, cwd=project).stdout
        == f"lean-spec {version}\n"
    )


def hint_after_damage(
    scripts: Path, packages: Path, env: dict[str, str], name: str = "lean-spec"
) -> list[str]:
    """Change a binary and return the command that the refusal names."""
    with (packages / "leanspec_cli_bin/bin/leanspec").open("ab") as file:
        file.write(b"x")
    said = run([scripts / name, "--version"], env, code=126).stderr.splitlines()[-1]
    return shlex.split(said.removeprefix("hint: "))


@pytest.mark.parametrize("way", ["--suffix", "--global"])
def test_what_pipx_is_told_is_for_this_very_environment(
    source: Source, way: str, version: str
) -> None:
    pipx = Path(own_program("pipx"))
    home = source.home / "pipx-global"
    env = source.env | {
        "PIPX_GLOBAL_HOME": str(home),
        "PIPX_GLOBAL_BIN_DIR": str(source.home / "pipx-bin"),
    }
    env |= {
        "PATH": f"{pipx.parent}:{env['PATH']}",
        "PIPX_GLOBAL_MAN_DIR": str(source.home / "man"),
    }
    options, name = (
        (["--suffix", "@next"], "lean-spec@next")
        if way == "--suffix"
        else (["--global"], "lean-spec")
    )
    run([pipx, "install", *options, "--python", source.python, "lean-spec"], env)
    venvs = (source.home / "pipx" if way == "--suffix" else home) / "venvs"
    command = hint_after_damage(source.home / "pipx-bin", packages(venvs / name), env, name)
    run([pipx, *command[1:]], env)
    assert (
        run([source.home / "pipx-bin" / name, "--version"], env).stdout
        == f"lean-spec {version}\n"
    )
    # The extra that was left out, for the same environment and not as a second one.
    http = "leanspec-http@next" if way == "--suffix" else "leanspec-http"
    said = run(
        [source.home / "pipx-bin" / http, "--version"], env, code=127
    ).stderr.splitlines()[-1]
    run([pipx, *shlex.split(said.removeprefix("hint: "))[1:]], env)
    run([source.home / "pipx-bin" / http, "--version"], env)
    assert [path.name for path in venvs.glob("[!.]*")] == [name]


@pytest.mark.parametrize(
    "tool", ["pip", "poetry 2.1.3", "without pip", "poetry, without pip"]
)
def test_what_an_environment_without_pip_or_by_another_tool_is_told(
    source: Source, tool: str, version: str
) -> None:
    made = by_pip(source)
    env = made.env | {"PATH": f"{Path(own_program('uv')).parent}:{made.env['PATH']}"}
    if tool.startswith("poetry"):
        (made.packages / f"lean_spec-{version}.dist-info/INSTALLER").write_text(
            f"{tool.partition(',')[0]}\n"
        )
    if "without pip" in tool:
        for path in made.packages.glob("pip*"):
            shutil.rmtree(path)
    command = hint_after_damage(made.scripts, made.packages, env)
    assert command[0] == ("pip" if "without pip" in tool else str(made.scripts / "python"))
    if command[0] == "pip":
        command = [sys.executable, "-m", *command]
    run(command, env)
    assert (
        run([made.scripts / "lean-spec", "--version"], env).stdout
        == f"lean-spec {version}\n"
    )


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_an_externally_managed_environment_is_told_what_pep_668_wants(
    installer: str,
    dist: Path,
    wheelhouse: Path,
    tmp_path: Path,
    pythons: dict[str, Path],
    version: str,
) -> None:
    """A copy of a whole Python, which says that a system's package manager owns it."""
    root = next(iter(pythons.values())).parent.parent
    shutil.copytree(
        root,
        tmp_path / "system",
        symlinks=True,
        ignore=shutil.ignore_patterns("test", "__pycache__"),
    )
    python = tmp_path / "system/bin/python3"
    env = clean(tmp_path / "home")
    stdlib = run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('stdlib'))"], env
    ).stdout.strip()
    assert stdlib.startswith(str(tmp_path)), "the copy finds its own library"
    (Path(stdlib) / "EXTERNALLY-MANAGED").write_text("[externally-managed]\nError=no\n")
    where = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": f"{dist} {wheelhouse}"}
    where |= {
        "UV_NO_INDEX": "1",
        "UV_FIND_LINKS": f"{dist},{wheelhouse}",
        "UV_NO_CONFIG": "1",
    }
    env |= where | {
        "PATH": f"{Path(own_program('uv')).parent}:/usr/bin:/bin",
        "PIP_NO_CACHE_DIR": "1",
    }
    install: list[str | Path] = [
        python,
        "-m",
        "pip",
        "install",
        "--break-system-packages",
        "lean-spec",
    ]
    if installer == "uv":
        install = [
            "uv",
            "pip",
            "install",
            "--python",
            python,
            "--break-system-packages",
            "lean-spec",
        ]
    run(install, env)
    site = Path(stdlib) / "site-packages"
    command = hint_after_damage(tmp_path / "system/bin", site, env)
    assert "--break-system-packages" in command
    run(command, env)
    assert (
        run([tmp_path / "system/bin/lean-spec", "--version"], env).stdout
        == f"lean-spec {version}\n"
    )


def test_uvx_says_how_its_cache_is_mended(source: Source) -> None:
    uvx: list[str | Path] = [own_program("uv"), "tool", "run", "--from", "lean-spec"]
    env = source.env | {"PATH": f"{Path(own_program('uv')).parent}:{source.env['PATH']}"}
    found = json.loads(
        run([*uvx, "leanspec-launcher", "which", "cli", "--json"], env).stdout
    )
    with Path(found[0]["taken"]).open("ab") as file:
        file.write(b"x")
    hint = run([*uvx, "lean-spec", "--version"], env, code=126).stderr.splitlines()[-1]
    commands, waits = hint.removeprefix("hint: ").split("  ")
    assert commands == "uv cache prune && uv cache clean leanspec-cli-bin"
    assert waits == "(waits for every running `uvx` and `uv run`, MCP servers too)"
    for command in commands.split(" && "):
        run(command.split(), env)
    run([*uvx, "lean-spec", "--version"], env)


def test_repair_leaves_the_users_own_choice_alone(
    manage: Callable[..., CompletedProcess[str]], tmp_path: Path
) -> None:
    said = manage("repair", code=1, LEANSPEC_CLI_BINARY=str(tmp_path / "nowhere")).stderr
    assert "hint: `unset LEANSPEC_CLI_BINARY`, which names it" in said
