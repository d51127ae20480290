"""The table of MCP clients: where each keeps its servers, and in which form."""

from __future__ import annotations

import enum
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from leanspec_launcher.commands import CommandError

NAME = "leanspec"
"""Under which name the server stands in every client's file."""


class Form(enum.Enum):
    """What a file is written in."""

    JSON = "JSON"  # with comments, which most of these clients accept
    TOML = "TOML"
    YAML = "YAML"  # printed for the user to copy: nothing here could change it safely


class Shape(enum.Enum):
    """How a server is described."""

    PLAIN = "plain"  # command, args, env
    LIST = "list"  # the command and its arguments in one list: opencode
    GOOSE = "goose"  # cmd, args, envs


@dataclass(frozen=True)
class Client:
    """An MCP client."""

    title: str
    source: str
    """The page of the client's own documentation that says all this."""
    table: tuple[str, ...]
    """The keys that lead to its servers."""
    user: tuple[str, ...] = ()
    """The user's own file; of several, the first that exists is read by the client."""
    project: str = ""
    """The file in a project's folder; empty if the client has none."""
    more: tuple[tuple[str, object], ...] = ()
    """What a server has to state in addition to its command."""
    form: Form = Form.JSON
    shape: Shape = Shape.PLAIN
    variable: tuple[str, str] = ("", "")
    """A variable that moves the user's file: its name, and the folder that it stands for."""


SERVERS = ("mcpServers",)
# The settings of VS Code and its extensions.
CODE = "{settings}/Code/User"
STORAGE = f"{CODE}/globalStorage"

CLIENTS: dict[str, Client] = {
    "amp": Client(
        "Amp",
        "https://ampcode.com/manual#mcp",
        ("amp.mcpServers",),
        ("~/.config/amp/settings.json", "~/.config/amp/settings.jsonc"),
        ".amp/settings.json",
    ),
    "claude": Client(
        "Claude Code",
        "https://code.claude.com/docs/en/mcp",
        SERVERS,
        ("~/.claude.json",),
        ".mcp.json",
        variable=("CLAUDE_CONFIG_DIR", "~"),
    ),
    "claude-desktop": Client(
        "Claude Desktop",
        "https://modelcontextprotocol.io/docs/develop/connect-local-servers",
        SERVERS,
        ("{settings}/Claude/claude_desktop_config.json",),
    ),
    "cline": Client(
        "Cline",
        "https://docs.cline.bot/mcp/mcp-overview",
        SERVERS,
        (
            f"{STORAGE}/saoudrizwan.claude-dev/settings/cline_mcp_settings.json",
            "~/.cline/data/settings/cline_mcp_settings.json",
        ),
    ),
    "codex": Client(
        "Codex",
        "https://developers.openai.com/codex/mcp",
        ("mcp_servers",),
        ("~/.codex/config.toml",),
        ".codex/config.toml",
        form=Form.TOML,
        variable=("CODEX_HOME", "~/.codex"),
    ),
    "continue": Client(
        "Continue",
        "https://docs.continue.dev/customize/deep-dives/mcp",
        SERVERS,
        ("~/.continue/mcpServers/leanspec.json",),
        ".continue/mcpServers/leanspec.json",
    ),
    "copilot": Client(
        "GitHub Copilot CLI",
        "https://docs.github.com/en/copilot/how-tos/copilot-cli/customize-copilot/add-mcp-servers",
        SERVERS,
        ("~/.copilot/mcp-config.json",),
        ".mcp.json",
        more=(("type", "local"), ("tools", ["*"])),
    ),
    "cursor": Client(
        "Cursor",
        "https://cursor.com/docs/context/mcp",
        SERVERS,
        ("~/.cursor/mcp.json",),
        ".cursor/mcp.json",
    ),
    "gemini": Client(
        "Gemini CLI",
        "https://geminicli.com/docs/tools/mcp-server",
        SERVERS,
        ("~/.gemini/settings.json",),
        ".gemini/settings.json",
    ),
    "goose": Client(
        "Goose",
        "https://block.github.io/goose/docs/guides/config-files",
        ("extensions",),
        ("{goose}/config.yaml",),
        form=Form.YAML,
        shape=Shape.GOOSE,
    ),
    "junie": Client(
        "Junie (JetBrains)",
        "https://www.jetbrains.com/help/junie/model-context-protocol-mcp.html",
        SERVERS,
        ("~/.junie/mcp/mcp.json",),
        ".junie/mcp/mcp.json",
    ),
    "kiro": Client(
        "Kiro",
        "https://kiro.dev/docs/mcp/configuration",
        SERVERS,
        ("~/.kiro/settings/mcp.json",),
        ".kiro/settings/mcp.json",
    ),
    "lmstudio": Client(
        "LM Studio",
        "https://lmstudio.ai/docs/app/mcp",
        SERVERS,
        ("~/.lmstudio/mcp.json",),
    ),
    "opencode": Client(
        "opencode",
        "https://opencode.ai/docs/mcp-servers",
        ("mcp",),
        ("{xdg}/opencode/opencode.json", "{xdg}/opencode/opencode.jsonc"),
        "opencode.json",
        more=(("type", "local"), ("enabled", True)),
        shape=Shape.LIST,
    ),
    "qwen": Client(
        "Qwen Code",
        "https://qwenlm.github.io/qwen-code-docs/en/users/features/mcp",
        SERVERS,
        ("~/.qwen/settings.json",),
        ".qwen/settings.json",
    ),
    "roo": Client(
        "Roo Code",
        "https://docs.roocode.com/features/mcp/using-mcp-in-roo",
        SERVERS,
        (f"{STORAGE}/rooveterinaryinc.roo-cline/settings/mcp_settings.json",),
        ".roo/mcp.json",
    ),
    "vscode": Client(
        "VS Code",
        "https://code.visualstudio.com/docs/copilot/customization/mcp-servers",
        ("servers",),
        (f"{CODE}/mcp.json",),
        ".vscode/mcp.json",
        more=(("type", "stdio"),),
    ),
    "windsurf": Client(
        "Windsurf",
        "https://docs.windsurf.com/windsurf/cascade/mcp",
        SERVERS,
        ("~/.codeium/windsurf/mcp_config.json",),
    ),
    "zed": Client(
        "Zed",
        "https://zed.dev/docs/ai/mcp",
        ("context_servers",),
        ("{zed}/settings.json",),
        ".zed/settings.json",
        more=(("source", "custom"),),
    ),
}


def name_of(client: Client) -> str:
    """Return what a client is called on the command line."""
    return next(name for name, each in CLIENTS.items() if each is client)


def user_file(client: Client) -> Path:
    """Return the user's file of a client, whether it exists or not."""
    files = _user_files(client)
    existing = [file for file in files if os.path.lexists(file)]
    expected = [file for file in files if _is_expected(file)]
    return [*existing, *expected, *files][0]


def is_present(client: Client) -> bool:
    """Tell whether this user has a client: a file of its servers, or the folder for it."""
    return any(os.path.lexists(file) or _is_expected(file) for file in _user_files(client))


def _user_files(client: Client) -> list[Path]:
    return [_expand(template, client) for template in client.user]


def _is_expected(file: Path) -> bool:
    """Tell whether a client has made the folder of a file, which is the client's own."""
    return file.parent != home() and os.path.isdir(file.parent)


def home() -> Path:
    """Return this user's home folder; raises CommandError if there is none."""
    try:
        folder = Path.home()
    except RuntimeError:
        folder = Path()
    if not folder.is_absolute() or os.environ.get("HOME") == "":
        raise CommandError(
            "this user has no home folder", hint="set `HOME` to the path of a folder"
        )
    return folder


def _expand(template: str, client: Client) -> Path:
    path = template.format(**_folders())
    variable, folder = client.variable
    moved = os.environ.get(variable, "") if variable else ""
    if moved:
        path = path.replace(folder, moved, 1)
    home()
    expanded = Path(path).expanduser()
    if not expanded.is_absolute():
        raise CommandError(
            f"`{variable}` is not an absolute path: `{moved}`",
            hint="correct the variable: a client takes it from its own working directory",
        )
    return expanded


def _folders() -> dict[str, str]:
    """Return this system's folders for settings, by the names that the table uses."""
    xdg = _absolute("XDG_CONFIG_HOME", "~/.config")
    if sys.platform == "win32":
        roaming = _absolute("APPDATA", "~/AppData/Roaming")
        goose = f"{roaming}/Block/goose/config"
        return {"settings": roaming, "xdg": xdg, "goose": goose, "zed": f"{roaming}/Zed"}
    if sys.platform == "darwin":
        support, own = "~/Library/Application Support", "~/.config"
        return {
            "settings": support,
            "xdg": xdg,
            "goose": f"{own}/goose",
            "zed": f"{own}/zed",
        }
    return {"settings": xdg, "xdg": xdg, "goose": f"{xdg}/goose", "zed": f"{xdg}/zed"}


def _absolute(variable: str, default: str) -> str:
    """Return a folder that a variable names: the XDG specification ignores one that is not absolute."""
    folder = os.environ.get(variable, "")
    return folder if os.path.isabs(folder) else default
