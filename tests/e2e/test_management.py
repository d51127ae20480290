"""`leanspec-launcher` on real installations: doctor, verify, repair, link, unlink."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from leanspec_launcher.protocol import handshake
from leanspec_launcher.verify.proof import digest
from scripts.collect.reported import list_tools
from tests.support import installers
from tests.support.installers import Fresh, Installation, Lend, Pip, UvPip, install_with_pip
from tests.support.preconditions import needs
from tests.support.surroundings import packages, run
from tests.support.versions import RELEASED

COMMANDS = ("lean-spec", "leanspec", "leanspec-mcp", "leanspec-http")
MANAGED = (Pip, installers.PipTarget, UvPip, installers.UvTool, installers.Pipx)
Manage = Callable[..., CompletedProcess[str]]


@pytest.fixture
def manage(installed: Installation) -> Manage:
    """Return how `leanspec-launcher` is run, with the installed commands on the path."""
    path = f"{installed.commands}:{installed.env['PATH']}"

    def manage(*arguments: str, code: int = 0, **env: str) -> CompletedProcess[str]:
        env = {"PATH": path, **env}
        return installed.start("leanspec-launcher", *arguments, code=code, env=env)

    return manage


def contents(installation: Installation) -> dict[str, bytes]:
    return {name: (installation.commands / name).read_bytes() for name in COMMANDS}


def damage(binary: Path) -> None:
    """Change a file in place."""
    with binary.open("ab") as file:
        file.write(b"x")


def hint(result: CompletedProcess[str]) -> list[str]:
    """Return the command that an error ends with."""
    command = result.stderr.splitlines()[-1].removeprefix("hint: ")
    return shlex.split(command, comments=True)


def test_link_makes_commands_the_binaries_and_unlink_brings_the_scripts_back(
    installed: Installation, manage: Manage, version: str
) -> None:
    scripts = contents(installed)
    assert manage("link", "--dry-run").stdout.count("would be linked") == 4
    assert contents(installed) == scripts
    manage("link")
    command = installed.commands / "lean-spec"
    assert command.samefile(installed.binary())
    # By itself, where no Python can be found.
    output = run([command, "--version"], {"HOME": str(installed.home)}).stdout
    assert output == f"lean-spec {version}\n"
    findings = json.loads(manage("doctor", "--json").stdout)["findings"]
    linked = [
        finding
        for finding in findings
        if "is the verified binary itself" in finding["value"]
    ]
    assert len(linked) == 4
    assert manage("link").stdout == "nothing to link\n"
    assert manage("unlink").stdout.count("is a script again") == 4
    assert contents(installed) == scripts
    assert sorted(path.name for path in installed.commands.glob(".*")) == []


def test_link_does_not_replace_a_script_that_was_changed(
    installed: Installation, manage: Manage
) -> None:
    command = installed.commands / "leanspec-mcp"
    command.write_bytes(b"#!/bin/sh\necho mine\n")
    before = contents(installed)
    error = f"error: `{command}` is neither the installer's script nor the binary"
    assert error in manage("link", code=1).stderr
    assert contents(installed) == before


def test_link_refuses_a_damaged_binary(installed: Installation, manage: Manage) -> None:
    before = contents(installed)
    damage(installed.binary("mcp"))
    assert "decides (its SHA-256 is not the expected one)" in manage("link", code=1).stderr
    assert contents(installed) == before


def test_verify_and_doctor_report_a_linked_command_that_was_changed(
    installed: Installation, manage: Manage
) -> None:
    manage("link")
    path = installed.commands / "lean-spec"
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data + b"x")
    finding = f"{path}: it is neither the installer's script nor the binary"
    assert finding in manage("verify", code=1).stdout
    finding = "neither the installer's script nor the binary of this release"
    assert finding in manage("doctor", code=1).stdout


def test_uninstalling_takes_the_links_away(installed: Installation, manage: Manage) -> None:
    manage("link")
    installed.uninstall()
    assert installed.leftovers() == []


@pytest.mark.parametrize("installer", MANAGED)
def test_every_installers_commands_can_be_linked_and_brought_back(
    installer: type[Installation], lend: Lend, version: str
) -> None:
    installation = lend(installer)
    command = installation.commands / "lean-spec"
    before = command.read_bytes()
    output = installation.start("leanspec-launcher", "link").stdout
    assert output.count(": linked") == 3
    result = run([command, "--version"], {"HOME": str(installation.home)})
    assert result.stdout == f"lean-spec {version}\n"
    installation.start("leanspec-launcher", "unlink")
    assert command.read_bytes() == before


@pytest.mark.parametrize("installer", [Pip, UvPip])
def test_reinstalling_brings_the_scripts_back_and_harms_no_binary(
    installer: type[Pip], lend: Lend
) -> None:
    installation = lend(installer)
    installation.start("leanspec-launcher", "link")
    data = installation.binary().read_bytes()
    installation.reinstall()
    assert (installation.commands / "lean-spec").read_bytes().startswith(b"#!")
    assert installation.binary().read_bytes() == data
    installation.start("lean-spec", "--version")


def test_a_grafted_program_is_linked_so_that_it_finds_its_libraries(
    grafted: Path, wheelhouse: Path, tmp_path: Path, version: str
) -> None:
    installation = install_with_pip(tmp_path / "home", grafted, wheelhouse)
    installation.start("leanspec-launcher", "link")
    text = (installation.commands / "lean-spec").read_text()
    assert text.startswith("#!/bin/sh\nexec ")
    installation.must_report(version)
    installation.start("leanspec-launcher", "verify")


@pytest.mark.system
@needs("Linux", "root", "unshare")
def test_link_and_mcp_config_need_no_shell(
    grafted: Path, wheelhouse: Path, tmp_path: Path, version: str
) -> None:
    installation = install_with_pip(tmp_path / "home", grafted, wheelhouse)
    hide = 'mount --bind /dev/null "$(realpath /bin/sh)"; exec "$@"'
    installation.prefix = ("unshare", "--mount", "bash", "-ec", hide, "bash")
    error = installation.start("leanspec-launcher", "link", code=1).stderr
    assert "only `/bin/sh` could start it, which is not on this system" in error
    installation.must_report(version)
    project = ("mcp-config", "cursor", "--scope", "user", "--project", tmp_path)
    output = installation.start("leanspec-launcher", *project).stdout
    server = json.loads(output)["mcpServers"]["leanspec"]
    command = [*installation.prefix, server["command"], *server["args"]]
    announced = list_tools(command, Path("/"), installation.env)
    assert (announced.version, len(announced.tools) > 5) == (version, True)


@pytest.mark.parametrize(
    ("client", "table"),
    [("claude", "mcpServers"), ("vscode", "servers"), ("qwen", "mcpServers")],
)
def test_mcp_config_prints_a_command_that_starts_the_server(
    client: str, table: str, manage: Manage, tmp_path: Path, version: str
) -> None:
    """Started as a client does it: no PATH, its own environment, another folder."""
    output = manage("mcp-config", client, "--scope", "user").stdout
    server = json.loads(output)[table]["leanspec"]
    assert Path(server["command"]).is_absolute()
    command = [server["command"], *server["args"]]
    announced = list_tools(command, tmp_path, {"HOME": str(tmp_path / "home")})
    assert (announced.version, len(announced.tools) > 5) == (version, True)


def test_mcp_config_names_the_project_for_a_client_that_starts_elsewhere(
    manage: Manage, tmp_path: Path
) -> None:
    """Some clients ignore `cwd`. A folder may be called anything."""
    project = tmp_path / "my 'project' $HOME"
    spec = project / "specs/001-first/README.md"
    spec.parent.mkdir(parents=True)
    spec.write_text(
        "---\nstatus: planned\ncreated: 2026-01-01\npriority: medium\n---\n\n# First\n"
    )
    command = ("mcp-config", "cursor", "--scope", "user", "--project", str(project))
    output = manage(*command).stdout
    server = json.loads(output)["mcpServers"]["leanspec"]
    call = {
        "jsonrpc": "2.0",
        "id": 2,
        "method": "tools/call",
        "params": {"name": "list_specs", "arguments": {}},
    }
    result = run(
        [server["command"], *server["args"]],
        {"HOME": str(tmp_path)},
        cwd=Path("/"),
        text=f"{json.dumps(handshake())}\n{json.dumps(call)}\n",
    )
    answer = json.loads(result.stdout.splitlines()[-1])
    assert answer["result"]["structuredContent"]["count"] == 1


def test_doctor_has_no_complaint_about_an_intact_installation(
    manage: Manage, version: str
) -> None:
    output = manage("doctor").stdout
    assert output.endswith("\neverything works\n")
    assert f"says           {version} (" in output
    assert f"handshake      {RELEASED} (" in output


def test_doctor_reports_a_damaged_and_a_missing_binary(
    installed: Installation, manage: Manage
) -> None:
    with installed.binary().open("r+b") as file:
        file.truncate(1000)
    installed.binary("mcp").unlink()
    findings = json.loads(manage("doctor", "--json", code=1).stdout)["findings"]
    errors = {
        finding["section"]: finding for finding in findings if finding["status"] == "error"
    }
    assert set(errors) == {"leanspec", "leanspec-mcp"}
    assert "its SHA-256 is not the expected one" in errors["leanspec"]["value"]
    assert "not found" in errors["leanspec-mcp"]["value"]
    hints = {finding["hint"] for finding in errors.values()}
    assert hints == {"leanspec-launcher repair cli", "leanspec-launcher repair mcp"}


def test_doctor_warns_of_another_program_of_the_same_name(
    manage: Manage, installed: Installation, tmp_path: Path
) -> None:
    real = tmp_path / "lib/node_modules/lean-spec/bin.js"
    real.parent.mkdir(parents=True)
    real.write_text("#!/usr/bin/env node\n")
    other = tmp_path / "first/lean-spec"
    other.parent.mkdir()
    other.symlink_to(real)
    path = f"{other.parent}:{installed.commands}:/usr/bin:/bin"
    ours = installed.commands / "lean-spec"
    warning = f"! lean-spec      `{other}` (npm's) comes before `{ours}`"
    assert warning in manage("doctor", PATH=path).stdout


def test_doctor_warns_of_settings_and_places(installed: Installation) -> None:
    def doctor(**env: str) -> str:
        return installed.start("leanspec-launcher", "doctor", env=env).stdout

    assert "`unset LEANSPEC_VERIFY`: no binary is verified" in doctor(LEANSPEC_VERIFY="off")
    # A file is cached only if it was there for a while.
    age = time.time() - installed.binary().stat().st_ctime
    time.sleep(max(0, 3.5 - age))
    assert "not cached yet; the next start verifies the binary" in doctor()
    installed.start("lean-spec", "--version")
    assert doctor().count("verified (cached)") == 1
    stamps = installed.home / ".cache/lean-spec/verified"
    stamps.chmod(0o777)
    output = doctor()
    warning = f"`{stamps}` is not used: it is a link, another user's, or writable by others"
    assert warning in output
    assert "not cached: each start hashes the binary" in output


@pytest.mark.parametrize("installer", MANAGED)
def test_repair_brings_back_a_binary_that_was_changed_in_place(
    installer: type[Installation], lend: Lend, dist: Path, version: str
) -> None:
    """What uv installs is linked to its cache, so that is damaged too."""
    installation = lend(installer)
    damage(installation.binary())
    refusal = installation.start("lean-spec", "--version", code=126).stderr
    plan = installation.start("leanspec-launcher", "repair", "--dry-run").stderr
    wheel = next(dist.glob("leanspec_cli_bin-*linux*.whl"))
    requirement = f"leanspec-cli-bin=={version} --hash=sha256:{digest(str(wheel))}"
    assert f"# requirements.txt: {requirement}\n" in plan
    hint = refusal.splitlines()[-1]
    # Our command in a folder of `--target` may not start where the hint is typed.
    words = (
        "leanspec-cli-bin"
        if installer is installers.PipTarget
        else "leanspec-launcher repair cli"
    )
    assert words in hint
    installation.start("leanspec-launcher", "verify", code=1)
    assert "repaired: " in installation.start("leanspec-launcher", "repair").stdout
    installation.must_report(version)
    assert "nothing to repair" in installation.start("leanspec-launcher", "repair").stdout


def test_repair_works_inside_uv_run(fresh: Fresh, tmp_path: Path, version: str) -> None:
    """As docs recommend after `uv add --dev`. uv's cache is locked by the outer `uv run`: nothing waits for that."""
    uv, project = fresh(UvPip), tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[project]\nname = "p"\nversion = "1"\nrequires-python = ">=3.11"\n'
        "[tool.uv]\nenvironments = [\"sys_platform == 'linux'\"]\n"
    )
    uv.run("uv", "add", "--dev", "--python", uv.python, "lean-spec", cwd=project)
    damage(packages(project / ".venv") / "leanspec_cli_bin/bin/leanspec")
    before = time.monotonic()
    output = uv.run("uv", "run", "leanspec-launcher", "repair", cwd=project).stdout
    assert "repaired: " in output
    assert time.monotonic() - before < 30
    output = uv.run("uv", "run", "lean-spec", "--version", cwd=project).stdout
    assert output == f"lean-spec {version}\n"


@pytest.mark.parametrize("option", ["--suffix", "--global"])
def test_hints_name_the_very_environment_of_pipx(
    fresh: Fresh, option: str, version: str
) -> None:
    pipx = fresh(installers.Pipx)
    folder = pipx.home / "pipx-global"
    pipx.env |= {
        "PIPX_GLOBAL_HOME": str(folder),
        "PIPX_GLOBAL_BIN_DIR": str(pipx.commands),
        "PIPX_GLOBAL_MAN_DIR": str(pipx.home / "man"),
    }
    suffix, venvs = "@next", pipx.home / "pipx/venvs"
    options = ["--suffix", suffix]
    if option == "--global":
        suffix, venvs = "", folder / "venvs"
        options = ["--global"]
    pipx.install(*options, "lean-spec")
    name = f"lean-spec{suffix}"
    damage(packages(venvs / name) / "leanspec_cli_bin/bin/leanspec")
    pipx.run(*hint(pipx.start(name, "--version", code=126)))
    assert pipx.start(name, "--version").stdout == f"lean-spec {version}\n"
    # The extra that was left out, for the same environment and not as a second one.
    http = f"leanspec-http{suffix}"
    pipx.run(*hint(pipx.start(http, "--version", code=127)))
    pipx.start(http, "--version")
    assert [path.name for path in venvs.glob("[!.]*")] == [name]


@pytest.mark.parametrize(
    "tool", ["pip", "poetry 2.1.3", "without pip", "poetry, without pip"]
)
def test_hints_suit_an_environment_without_pip_or_of_another_tool(
    lend: Lend, tool: str, version: str
) -> None:
    installation = lend(Pip)
    if tool.startswith("poetry"):
        record = installation.packages / f"lean_spec-{version}.dist-info/INSTALLER"
        record.write_text(f"{tool.partition(',')[0]}\n")
    if "without pip" in tool:
        for path in installation.packages.glob("pip*"):
            shutil.rmtree(path)
    damage(installation.binary())
    command = hint(installation.start("lean-spec", "--version", code=126))
    if "without pip" in tool:
        assert command[0] == "pip"
        command = [sys.executable, "-m", *command]
    else:
        expected = [str(installation.commands / "leanspec-launcher"), "repair", "cli"]
        assert command == expected
    installation.run(*command)
    installation.must_report(version)


@pytest.mark.parametrize("installer", [installers.PipSystem, installers.UvPipSystem])
def test_hints_suit_an_externally_managed_environment(
    installer: type[Installation], fresh: Fresh, version: str
) -> None:
    installation = fresh(installer)
    installation.install()
    damage(installation.binary())
    command = hint(installation.start("lean-spec", "--version", code=126))
    assert command[1:] == ["repair", "cli"]
    installation.run(*command)
    installation.must_report(version)


def test_the_hint_for_uvx_removes_the_binary_from_its_cache(fresh: Fresh) -> None:
    uvx = fresh(installers.Uvx)
    output = uvx.start("leanspec-launcher", "which", "cli", "--json").stdout
    damage(Path(json.loads(output)["programs"][0]["binary"]))
    error = uvx.start("lean-spec", "--version", code=126).stderr
    commands, waits = error.splitlines()[-1].removeprefix("hint: ").split("  ")
    assert commands == "uv cache prune && uv cache clean leanspec-cli-bin"
    assert waits == "# waits for every running `uvx` and `uv run`, MCP servers too"
    for command in commands.split(" && "):
        uvx.run(*command.split())
    uvx.start("lean-spec", "--version")


def test_repair_leaves_the_users_own_choice_alone(manage: Manage, tmp_path: Path) -> None:
    result = manage("repair", code=1, LEANSPEC_CLI_BINARY=str(tmp_path / "nowhere"))
    assert "hint: `unset LEANSPEC_CLI_BINARY`, which names it" in result.stderr
