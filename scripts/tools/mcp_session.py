"""The shortest session with an MCP server: initialize it and list its tools."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from leanspec_launcher.commands import CommandError
from leanspec_launcher.instead.answer import INITIALIZE

SECONDS = 20
MESSAGES = (
    INITIALIZE,
    {"jsonrpc": "2.0", "method": "notifications/initialized"},
    {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
)


def list_tools(
    command: list[str], folder: Path, env: Mapping[str, str]
) -> tuple[dict[str, Any], list[str]]:
    """Return what a server says of itself (`serverInfo`), and the names of its tools.

    Raises CommandError if it does not answer, says anything but JSON lines, or does not end when
    its input ends.
    """
    text = "".join(f"{json.dumps(message)}\n" for message in MESSAGES)
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=env,
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise CommandError(
            f"`{command[0]}` did not end within {SECONDS} s after its input"
        ) from None
    try:
        # 0.3.0 answers the notification too, with a line that has no id.
        answers = {
            answer.get("id"): answer for answer in map(json.loads, done.stdout.splitlines())
        }
        return answers[1]["result"]["serverInfo"], [
            tool["name"] for tool in answers[2]["result"]["tools"]
        ]
    except (ValueError, KeyError, AttributeError, TypeError):
        words = done.stderr.strip() or done.stdout[:200].strip() or "it said nothing"
        raise CommandError(
            f"`{command[0]}` did not answer as an MCP server does: {words}"
        ) from None
