"""The table of MCP clients: which files each reads, how strictly, what it starts, where, and after which question."""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass

NAME = "leanspec"
"""Under which name the server stands in every client's file, unless `--name` says another."""


class Form(enum.Enum):
    """What a file is written in."""

    JSON = "JSON"  # with comments, unless the client is strict
    TOML = "TOML"
    YAML = "YAML"  # printed for the user to copy: nothing here could change it safely


class Shape(enum.Enum):
    """How a server is described."""

    PLAIN = "plain"  # command, args, env
    LIST = "list"  # the command and its arguments in one list: opencode
    GOOSE = "goose"  # cmd, args, envs


class ServerFolder(enum.Enum):
    """Where a client starts a server that names no folder."""

    PROJECT = "in the project that is open"
    ELSEWHERE = "outside of your project"
    UNKNOWN = "in a folder that is not documented"


OPEN, ELSEWHERE, UNKNOWN = ServerFolder


@dataclass(frozen=True)
class Policy:
    """What an administrator adds where only some servers may start."""

    place: str
    lines: tuple[str, ...]
    """The lines, with NAME for the server's name, and COMMAND for its command line as a list in JSON."""
    files: tuple[str, ...] = ()
    """The files in which such lines can be read here."""


@dataclass(frozen=True)
class Switch:
    """What switches servers off in a file of settings: a list of their names, or a `false` for one."""

    file: str
    keys: tuple[str, ...]
    hint: str
    """What switches one on again, with NAME for the server's name."""
    ignores_case: bool = False
    is_of_allowed: bool = False
    """Whether the list has those that are on, and no other is."""
    scopes: tuple[str, ...] = ("project", "local", "user")
    """The files of servers for which it counts."""


@dataclass(frozen=True)
class Approval:
    """Where a client keeps what the user approved: `true`, a word, or a list of servers or folders."""

    file: str
    keys: tuple[str, ...]
    answer: bool = True
    covers_below: bool = True
    """Whether the approval of a folder is one of those below it."""


@dataclass(frozen=True)
class Client:
    """An MCP client."""

    name: str
    """What it is called on the command line."""
    title: str
    source: str
    """The page of the client's own documentation that says where its servers are."""
    checked: dt.date = dt.date(2026, 11, 29)
    """The day on which its row was compared with that page, the sources, or the client itself."""
    table: tuple[str, ...] = ("mcpServers",)
    """The keys that lead to its servers."""

    scopes: tuple[str, ...] = ("project", "user")
    """Its files in the order in which they decide about a name."""
    user: tuple[str, ...] = ()
    """The user's own files, in that order, too."""
    project: tuple[str, ...] = ()
    """The files in a project's folder."""
    other_project: tuple[str, ...] = ()
    """Files there that it reads as another client's."""
    local: tuple[str, ...] = ()
    """The keys that lead to a project's servers in the user's own file."""
    managed: tuple[str, ...] = ()
    """The files of an administrator; if there is one, the client reads no other."""
    system: tuple[str, ...] = ()
    """The files that decide before the project's."""
    new: str = ""
    """The name of the file that it makes: the last one of that name, if not the first of all."""
    is_merged: bool = False
    """Whether it reads all files of a scope, and not just the first that is there."""
    joins_members: bool = False
    """Whether it makes one entry of the members that several files have under one name."""
    takes_bare: bool = False
    """Whether a project's file may have the servers at its top level, in no table."""
    nested: str = ""
    """The key inside its table under which a newer form of the file has the servers."""
    former: tuple[str, ...] = ()
    """The user's own files that it has read once, and reads no more."""
    parents: str = ""
    """How far up it looks for a project's file: to the `git` root, to the `top`, or not at all."""
    variables: tuple[tuple[str, str], ...] = ()
    """Variables that move its files: the name, and the folder or file that it stands for."""

    form: Form = Form.JSON
    refuses: tuple[str, ...] = ()
    """What it does not take in a file of JSON: it refuses the whole file then."""
    is_strict_for_users: bool = True
    """Whether that is so for the user's own file, too."""
    shape: Shape = Shape.PLAIN
    kind: tuple[tuple[str, object], ...] = ()
    """What an entry has to state in addition to its command."""
    new_entry: tuple[tuple[str, object], ...] = ()
    """What a new entry states, and the user may change."""
    types: tuple[str, ...] = ()
    """The types of a server with a command that it knows; any if empty."""
    off: tuple[tuple[str, object], ...] = (("disabled", True),)
    """The members that switch an entry off."""
    lists: tuple[Switch, ...] = ()
    """What switches a server off elsewhere."""

    start: ServerFolder = UNKNOWN
    """Where it starts a server of the user's own file."""
    start_in_project: ServerFolder = OPEN
    """Where it starts a server of a project's file."""
    has_cwd: bool = False
    """Whether it starts a server in the `cwd` of its entry."""
    folder: str = ""
    """What the user's own file may say for the folder of the project that is open."""
    folder_in_project: str = ""
    """The same for a project's file."""

    expands: str = ""
    """What a variable begins with in its entries, as a regular expression; none if empty."""

    approval: str = ""
    """What it asks before it starts a server of a project."""
    asks_for_users: bool = False
    """Whether it asks that for the user's own servers, too."""
    approvals: tuple[Approval, ...] = ()
    """Where the answers are; until there is one, a project's file does not decide."""
    policy: Policy | None = None
    remark: str = ""
    """What else decides whether it starts a server."""
    ended: str = ""
    """Why there is nothing to write any more."""
    is_desktop: bool = False
    """Whether it has windows: in WSL, such a program is one of Windows."""


# What a variable begins with.
BRACED, DOLLAR = r"\$\{", r"\$\w|\$\{"
# What RFC 8259 does not have.
COMMENT, COMMA, MARK = "a comment", "a comma after the last member", "a byte order mark"
STRICT = (COMMENT, COMMA, MARK)
# The settings of VS Code and its extensions.
CODE = "{settings}/Code/User"
BY_NAME_OR_COMMAND = ('{"serverName": "NAME"}', '{"serverCommand": COMMAND}')
SETTINGS_OF_CLAUDE = (
    "{project}/.claude/settings.local.json",
    "{project}/.claude/settings.json",
    "~/.claude/settings.json",
)
UNLIST = "take `NAME` out of that list"
ASKS_FOR_TRUST = "starts it once you trust the folder"


def settings_of_gemini(name: str) -> tuple[Switch, ...]:
    """Return the lists of Gemini CLI, and of what was made of it."""
    files = (f"{{project}}/.{name}/settings.json", f"~/.{name}/settings.json")
    rows = (("excluded", UNLIST), ("allowed", "add `NAME` to that list"))
    return tuple(
        Switch(
            file=file,
            keys=("mcp", key),
            hint=hint,
            ignores_case=True,
            is_of_allowed=key == "allowed",
        )
        for key, hint in rows
        for file in files
    )


_ROWS = (
    Client(
        "amp",
        "Amp",
        "https://ampcode.com/manual#mcp",
        table=("amp.mcpServers",),
        user=("{xdg}/amp/settings.json", "{xdg}/amp/settings.jsonc"),
        project=(".amp/settings.json", ".amp/settings.jsonc"),
        parents="git",
        variables=(("AMP_SETTINGS_FILE", "{xdg}/amp/settings.json"),),
        refuses=(MARK,),
        expands=BRACED,
        start=OPEN,
        approval="starts it once you have typed `amp mcp approve NAME`",
        policy=Policy(
            "`amp.mcpPermissions` in `managed-settings.json`",
            ('{"matches": {"command": PROGRAM}, "action": "allow"}',),
        ),
    ),
    Client(
        "antigravity",
        "Antigravity",
        "https://antigravity.google/docs/mcp",
        user=("~/.gemini/config/mcp_config.json",),
        project=(".agents/mcp_config.json",),
        former=(
            "~/.gemini/antigravity/mcp_config.json",
            "~/.gemini/antigravity-cli/mcp_config.json",
        ),
        refuses=STRICT,
        start=ELSEWHERE,
        # Its window starts one in the home folder, its command line in the working directory.
        start_in_project=ELSEWHERE,
        is_desktop=True,
    ),
    Client(
        "claude",
        "Claude Code",
        "https://code.claude.com/docs/en/mcp",
        scopes=("managed", "local", "project", "user"),
        managed=("{claude-code}/managed-mcp.json",),
        local=("projects", "{project}", "mcpServers"),
        user=("~/.claude/.config.json", "~/.claude.json"),
        project=(".mcp.json",),
        new=".claude.json",
        parents="top",
        variables=(("CLAUDE_CONFIG_DIR", "~/.claude"), ("CLAUDE_CONFIG_DIR", "~")),
        refuses=(COMMENT, COMMA),
        kind=(("type", "stdio"),),
        types=("stdio",),
        off=(),
        lists=(
            *(
                Switch(file, ("disabledMcpjsonServers",), UNLIST, scopes=("project",))
                for file in SETTINGS_OF_CLAUDE
            ),
            Switch(
                "~/.claude.json",
                ("projects", "{project}", "disabledMcpServers"),
                "type `/mcp` in Claude Code, and enable NAME",
                scopes=("local", "user"),
            ),
        ),
        approvals=(
            *(
                Approval(file, (key,))
                for file in SETTINGS_OF_CLAUDE
                for key in ("enabledMcpjsonServers", "enableAllProjectMcpServers")
            ),
            Approval(
                "~/.claude.json",
                ("projects", "{project}", "enabledMcpjsonServers"),
                covers_below=False,
            ),
        ),
        start=OPEN,
        approval="leaves it `Pending approval` until you start `claude` there, and approve it",
        policy=Policy(
            "`allowedMcpServers` in `managed-settings.json`",
            BY_NAME_OR_COMMAND,
            ("{claude-code}/managed-settings.json", *SETTINGS_OF_CLAUDE),
        ),
        expands=BRACED,
    ),
    Client(
        "claude-desktop",
        "Claude Desktop",
        "https://modelcontextprotocol.io/docs/develop/connect-local-servers",
        user=(
            "{packages}/Claude_*/LocalCache/Roaming/Claude/claude_desktop_config.json",
            "{settings}/Claude/claude_desktop_config.json",
        ),
        refuses=STRICT,
        off=(),
        start=ELSEWHERE,
        policy=Policy(
            "the policy `isLocalDevMcpEnabled` of `com.anthropic.claudefordesktop`",
            ("true",),
        ),
        remark="Quit it first: it writes this file itself, from what it read when it started.",
        is_desktop=True,
    ),
    Client(
        "cline",
        "Cline",
        "https://docs.cline.bot/mcp/mcp-overview",
        user=("~/.cline/data/settings/cline_mcp_settings.json",),
        former=(
            f"{CODE}/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json",
        ),
        variables=(
            ("CLINE_MCP_SETTINGS_PATH", "~/.cline/data/settings/cline_mcp_settings.json"),
            ("CLINE_DATA_DIR", "~/.cline/data"),
            ("CLINE_DIR", "~/.cline"),
        ),
        refuses=STRICT,
        types=("stdio",),
        start=ELSEWHERE,
        has_cwd=True,
        policy=Policy("`allowedMCPServers` of the organisation", ('{"id": "NAME"}',)),
    ),
    Client(
        "codex",
        "Codex",
        "https://developers.openai.com/codex/mcp",
        table=("mcp_servers",),
        scopes=("system", "project", "user"),
        system=("{etc}/codex/managed_config.toml",),
        user=("~/.codex/config.toml",),
        project=(".codex/config.toml",),
        joins_members=True,
        parents="git",
        variables=(("CODEX_HOME", "~/.codex"),),
        form=Form.TOML,
        off=(("enabled", False),),
        start=OPEN,
        has_cwd=True,
        approval="reads this file once you trust the project",
        approvals=(
            Approval("~/.codex/config.toml", ("projects", "{project}", "trust_level")),
        ),
        policy=Policy(
            "`/etc/codex/requirements.toml`",
            ("[mcp_servers.NAME.identity]", "command = PROGRAM"),
        ),
    ),
    Client(
        "continue",
        "Continue",
        "https://docs.continue.dev/customize/deep-dives/mcp",
        user=("~/.continue/mcpServers/leanspec.json",),
        project=(".continue/mcpServers/leanspec.json",),
        variables=(("CONTINUE_GLOBAL_DIR", "~/.continue"),),
        types=("stdio",),
        off=(),
        start=OPEN,
        remark="Its command `cn` reads `~/.continue/config.yaml` alone.",
    ),
    Client(
        "copilot",
        "GitHub Copilot CLI",
        "https://docs.github.com/en/copilot/how-tos/copilot-cli/customize-copilot/add-mcp-servers",
        user=("~/.copilot/mcp-config.json",),
        project=(".mcp.json", ".github/mcp.json"),
        parents="git",
        variables=(("COPILOT_HOME", "~/.copilot"),),
        refuses=STRICT,
        is_strict_for_users=False,
        takes_bare=True,
        # One word that Claude Code knows, too: both read a project's `.mcp.json`.
        kind=(("type", "stdio"),),
        types=("local", "stdio"),
        lists=(
            Switch(
                "~/.copilot/settings.json",
                ("disabledMcpServers",),
                "copilot mcp enable NAME",
            ),
            *(
                Switch(
                    f"{{project}}/.github/copilot/{file}", ("disabledMcpServers",), UNLIST
                )
                for file in ("settings.json", "settings.local.json")
            ),
        ),
        start=OPEN,
        has_cwd=True,
        approval="shows it, and starts it, once you trust the folder",
        approvals=(
            Approval("~/.copilot/config.json", ("trusted_folders",)),
            Approval("~/.copilot/config.json", ("trustedFolders",)),
        ),
        policy=Policy(
            "`allowedMcpServers` in GitHub's `managed-settings.json`", BY_NAME_OR_COMMAND
        ),
        expands=DOLLAR,
    ),
    Client(
        "cursor",
        "Cursor",
        "https://cursor.com/docs/mcp",
        user=("~/.cursor/mcp.json",),
        project=(".cursor/mcp.json",),
        types=("stdio",),
        start=ELSEWHERE,
        start_in_project=UNKNOWN,
        folder_in_project="${workspaceFolder}",
        approval="asks before it starts the server; in its command line, type `agent mcp enable NAME`",
        policy=Policy("the MCP allowlist of the team's dashboard", ("COMMAND",)),
        is_desktop=True,
        expands=BRACED,
    ),
    Client(
        "devin",
        "Devin Desktop",
        "https://docs.devin.ai/cli/extensibility/mcp/configuration",
        user=("{config}/devin/mcp_config.json",),
        project=(".devin/mcp_config.local.json", ".devin/mcp_config.json"),
        is_merged=True,
        # Its older agent alone still reads this one.
        former=("~/.codeium/windsurf/mcp_config.json",),
        start_in_project=UNKNOWN,
        policy=Policy(
            "the whitelist of the team: a server's ID, and a regular expression for each word",
            ("NAME", "COMMAND"),
        ),
        is_desktop=True,
        expands=BRACED,
    ),
    Client(
        "gemini",
        "Gemini CLI",
        "https://geminicli.com/docs/tools/mcp-server",
        scopes=("system", "project", "user"),
        system=("{gemini-cli}/settings.json",),
        user=("~/.gemini/settings.json",),
        project=(".gemini/settings.json",),
        variables=(("GEMINI_CLI_HOME", "~"),),
        refuses=(COMMA, MARK),
        off=(),
        lists=(
            *settings_of_gemini("gemini"),
            Switch("~/.gemini/mcp-server-enablement.json", ("NAME", "enabled"), UNLIST),
        ),
        start=OPEN,
        has_cwd=True,
        policy=Policy("`mcp.allowed` in `/etc/gemini-cli/settings.json`", ('["NAME"]',)),
        approval="starts no server, not even your own, in a folder that you do not trust",
        asks_for_users=True,
        approvals=(
            Approval("~/.gemini/trustedFolders.json", ("{project}",)),
            # Whether it asks at all.
            Approval(
                "~/.gemini/settings.json",
                ("security", "folderTrust", "enabled"),
                answer=False,
            ),
        ),
        remark="Personal accounts have Antigravity instead.",
        expands=DOLLAR,
    ),
    Client(
        "goose",
        "Goose",
        "https://block.github.io/goose/docs/guides/config-files",
        table=("extensions",),
        user=("{GOOSE_PATH_ROOT}/config/config.yaml", "{goose}/config.yaml"),
        form=Form.YAML,
        shape=Shape.GOOSE,
        types=("stdio",),
        off=(("enabled", False),),
        start=OPEN,
    ),
    Client(
        "junie",
        "Junie (JetBrains)",
        "https://junie.jetbrains.com/docs/junie-cli-mcp-configuration.html",
        user=("~/.junie/mcp/mcp.json",),
        project=(".junie/mcp/mcp.json",),
        off=(),
    ),
    Client(
        "kiro",
        "Kiro",
        "https://kiro.dev/docs/mcp/configuration",
        user=("~/.kiro/settings/mcp.json",),
        project=(".kiro/settings/mcp.json",),
        start=ELSEWHERE,
        has_cwd=True,
        policy=Policy(
            "the registry of MCP servers in the console: its name has to be the registry's",
            ("NAME",),
        ),
        is_desktop=True,
        expands=BRACED,
    ),
    Client(
        "lmstudio",
        "LM Studio",
        "https://lmstudio.ai/docs/app/mcp",
        user=("~/.cache/lm-studio/mcp.json", "~/.lmstudio/mcp.json"),
        new="mcp.json",
        variables=(("LMSTUDIO_HOME", "~/.lmstudio"),),
        off=(),
        remark="It starts the server, without a question, when it starts itself.",
        is_desktop=True,
    ),
    Client(
        "opencode",
        "opencode",
        "https://opencode.ai/docs/mcp-servers",
        table=("mcp",),
        scopes=("system", "project", "user"),
        system=(
            "{opencode}/opencode.jsonc",
            "{opencode}/opencode.json",
            "{OPENCODE_CONFIG_DIR}/opencode.jsonc",
            "{OPENCODE_CONFIG_DIR}/opencode.json",
            "~/.opencode/opencode.jsonc",
            "~/.opencode/opencode.json",
        ),
        user=(
            "{OPENCODE_CONFIG}",
            "{xdg}/opencode/opencode.jsonc",
            "{xdg}/opencode/opencode.json",
            "{xdg}/opencode/config.json",
        ),
        project=(
            ".opencode/opencode.jsonc",
            ".opencode/opencode.json",
            "opencode.jsonc",
            "opencode.json",
        ),
        new="opencode.json",
        is_merged=True,
        joins_members=True,
        nested="servers",
        parents="git",
        kind=(("type", "local"),),
        new_entry=(("enabled", True),),
        types=("local",),
        shape=Shape.LIST,
        off=(("enabled", False), ("disabled", True)),
        start=OPEN,
        has_cwd=True,
        expands=r"\{env:|\{file:",
    ),
    Client(
        "qwen",
        "Qwen Code",
        "https://qwenlm.github.io/qwen-code-docs/en/users/features/mcp",
        scopes=("system", "project", "user"),
        system=("{qwen-code}/settings.json",),
        user=("~/.qwen/settings.json",),
        project=(".qwen/settings.json",),
        variables=(("QWEN_HOME", "~/.qwen"),),
        refuses=(COMMA, MARK),
        off=(),
        lists=settings_of_gemini("qwen"),
        start=OPEN,
        has_cwd=True,
        policy=Policy("`mcp.allowed` in `/etc/qwen-code/settings.json`", ('["NAME"]',)),
        expands=DOLLAR,
    ),
    Client(
        "roo",
        "Roo Code",
        "https://docs.roocode.com/features/mcp/using-mcp-in-roo",
        user=(
            f"{CODE}/globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json",
        ),
        project=(".roo/mcp.json",),
        refuses=STRICT,
        types=("stdio",),
        start=OPEN,
        ended="it ended on 2026-05-15",
        expands=BRACED,
    ),
    Client(
        "vscode",
        "VS Code",
        "https://code.visualstudio.com/docs/agents/reference/mcp-configuration",
        table=("servers",),
        user=(
            f"{CODE}/mcp.json",
            "{settings}/Code - Insiders/User/mcp.json",
            "{settings}/VSCodium/User/mcp.json",
            "{flatpak}/com.visualstudio.code/config/Code/User/mcp.json",
            # On the other side of a remote window: a server, WSL, a container.
            "~/.vscode-server/data/User/mcp.json",
        ),
        project=(".vscode/mcp.json",),
        other_project=(".mcp.json",),
        kind=(("type", "stdio"),),
        types=("stdio",),
        off=(),
        start=ELSEWHERE,
        has_cwd=True,
        folder="${workspaceFolder}",
        approval=ASKS_FOR_TRUST,
        policy=Policy(
            "`chat.mcp.allowedServers`, by the policy `ChatAllowedMcpServers`",
            BY_NAME_OR_COMMAND,
        ),
        remark="Another profile or a remote window reads another file: see `MCP: Open User Configuration`.",
        is_desktop=True,
        expands=BRACED,
    ),
    Client(
        "zed",
        "Zed",
        "https://zed.dev/docs/ai/mcp",
        table=("context_servers",),
        user=("{zed}/settings.json", "{flatpak}/dev.zed.Zed/config/zed/settings.json"),
        project=(".zed/settings.json",),
        kind=(("source", "custom"),),
        off=(("enabled", False),),
        start=OPEN,
        approval=ASKS_FOR_TRUST,
        is_desktop=True,
    ),
)
CLIENTS = {client.name: client for client in _ROWS}


RENAMED = {"windsurf": "devin"}
"""What clients were called before."""
