"""Real MCP clients, from npm: each reads what `mcp-config --write` wrote, and starts the server."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from scripts.tools.processes import clean_environment
from tests.support.installers import Installation
from tests.support.preconditions import needs
from tests.support.surroundings import clean, run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.network,
    needs("npm"),
]
# client -> its package, its command, and what `mcp list` says of a server that it can start. Codex and
# Copilot list without starting any. Qwen Code asks `ping`, which the server of 0.3.0 refuses.
REAL = {
    "claude": ("@anthropic-ai/claude-code@2.1.197", "claude", "Connected"),
    "codex": ("@openai/codex@0.169.0", "codex", "enabled"),
    "copilot": ("@github/copilot@1.0.102", "copilot", "leanspec (local)"),
    "gemini": ("@google/gemini-cli@0.61.0", "gemini", "Connected"),
    "opencode": ("opencode-ai@1.18.33", "opencode", "connected"),
    "qwen": ("@qwen-code/qwen-code@0.15.10", "qwen", "Disconnected"),
}


def servers() -> set[str]:
    """Return the processes of this machine whose program is the server."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"/leanspec-mcp"):
            found.add(path.parent.name)
    return found


@pytest.mark.parametrize("client", list(REAL))
def test_a_client_reads_what_was_written(
    client: str, installed: Installation, tmp_path: Path
) -> None:
    package, command, expected = REAL[client]
    env = clean(tmp_path / "home", GEMINI_CLI_TRUST_WORKSPACE="true")
    npm = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(tmp_path / "npm")]
    run([*npm, package], clean_environment(), timeout=600)
    project = tmp_path / "a project's é"
    (project / "specs").mkdir(parents=True)
    launcher = installed.commands / "leanspec-launcher"
    written = [
        "mcp-config",
        client,
        "--write",
        "--scope",
        "user",
        "--project",
        ".",
        "--yes",
    ]
    run([launcher, *written], env, cwd=project)
    program = tmp_path / "npm/node_modules/.bin" / command
    before = servers()
    said = run([program, "mcp", "list"], env, cwd=project, timeout=120, code=None)
    assert "leanspec" in said.stdout + said.stderr
    assert expected in said.stdout + said.stderr
    time.sleep(1)
    assert servers() <= before, "the client has ended, and so has its server"
    removed = ["mcp-config", client, "--remove", "--scope", "user", "--yes"]
    run([launcher, *removed], env, cwd=project)
    said = run([program, "mcp", "list"], env, cwd=project, timeout=120, code=None)
    assert expected not in said.stdout + said.stderr
