"""The table of installers: one row per installer, with how it is recognised and its commands."""

from dataclasses import dataclass

from .detect import MAIN, traces

COLLECT = "collect the binaries of this checkout: python3 -m scripts collect --help"
ARCHIVE = "remove `{unpacked}`, which the archive unpacks again; if the archive itself is damaged, build it again"
IN_AN_ARCHIVE, BUILD = "it is inside an archive", "build the archive again"
PROJECT = "it belongs to a project, whose lock file decides"

REPORT = "--dry-run --quiet --ignore-installed --report -"
COMPILE = "uv pip compile - --format pylock.toml --quiet --python {python} --refresh"
BY_PIP = "{pip} --force-reinstall --no-deps {wheel}"
# Without the cache: uv links files out of it, so one that was changed in place is changed there
# too. Cleaning it would wait for every `uv run` and `uvx` that is running now. Copied: links into
# the cache that this command has for itself (UV_LINK_MODE=symlink) would end with it.
BY_UV_ALONE = "--no-cache --link-mode copy --reinstall --no-deps {wheel}"
BY_UV = (f"{{uv}} {BY_UV_ALONE}", BY_PIP)
# Fixes uv's cache as well. It works with an index alone: what uv has from a folder, or offline, it
# does not fetch again.
REFRESH_ALONE = (
    "--refresh-package {distribution} --reinstall-package {distribution} --no-deps {wheel}"
)
REFRESH = f"{{uv}} {REFRESH_ALONE}"
RUNPIP = "pipx runpip {global} {environment} install"
PIPX_INSTALL = "pipx install {global} {suffix} --force"


@dataclass(frozen=True)
class Installer:
    """An installer: how it is recognised, and its commands as templates.

    `{names}` in a template are words of this environment: see `words`. `exact` has `{version}` too,
    and `unpin` has `{extras}`; the sentences `hint` and `instead` have the names of
    `reinstall.filled`. Of several templates, the first one whose program is there is used, or else
    the last one. A command that a row leaves out is pip's, if it has a default here.
    """

    name: str
    # What it leaves: see `detect.traces`.
    traces: tuple[str, ...]

    # Reinstalls a program's wheel; none if no command of ours was seen to work. With `{wheel}` as
    # the last word by its hash too, so the installer must know pip's options `--require-hashes`,
    # `-r`, `--no-index` and `--find-links`.
    reinstall: tuple[str, ...] = ()
    # Whether that also brings the wheel of an extra that was left out.
    is_reinstall_enough: bool = False
    # Reinstalls a wheel, and repairs the installer's cache.
    refresh: str = ""
    # Follows the commands, for people.
    remark: str = ""
    # What to do without a command.
    hint: str = ""
    # Adds an extra that was left out.
    add: tuple[str, ...] = ("{pip} {pinned}",)
    # Puts a release in the place of what this installer built from sources; empty in a project.
    release: str = "{pip} --force-reinstall {requirement}"

    # Updates to the newest release; empty if `exact` does. What undoes an update is `exact`, too.
    update: str = ""
    # Installs one version. `uv tool` would record it as the one that is wanted for ever, so there
    # it is uv itself. pipx lists what it recorded, so there nothing may go behind its back.
    exact: tuple[str, ...] = ("{own_pip} {version}", "{uv} {version}", "{pip} {version}")
    # Why no command of ours updates, and what to type instead.
    reason: str = ""
    instead: str = ""
    # Asks for any version again, after one was asked for.
    unpin: str = ""
    # Prints what the installer would take from its index.
    resolve: tuple[str, ...] = (f"{{own_pip}} {REPORT}", COMPILE, f"{{pip}} {REPORT}")

    # Starts the MCP server of an environment that lies in a cache, which may be cleaned at any time.
    server: str = ""
    # The variable that tells an archive to start the server instead of its own command.
    entry: tuple[str, str] = ("", "")
    # Whether others use the same files.
    is_shared: bool = False
    # Whether it links the commands into a folder of the user's.
    makes_links: bool = False


CHECKOUT = Installer(
    "checkout",
    ("no pins", "checkout"),
    hint=COLLECT,
    reason="this is a source checkout",
    instead="git pull",
)
SOURCES = Installer(
    "from sources",
    ("no pins",),
    hint="{release}",
    reason="this was built from sources",
    instead="{release}",
)
PEX = Installer(
    "pex",
    ("pex",),
    hint=ARCHIVE,
    reason=IN_AN_ARCHIVE,
    instead=BUILD,
    entry=("PEX_SCRIPT", "leanspec-mcp"),
)
SHIV = Installer(
    "shiv",
    ("shiv",),
    hint=ARCHIVE,
    reason=IN_AN_ARCHIVE,
    instead=BUILD,
    entry=("SHIV_ENTRY_POINT", "leanspec_launcher:mcp"),
)
PIPX = Installer(
    "pipx",
    ("pipx record", "kept"),
    # Without a pip in the environment, uv is behind pipx.
    reinstall=(
        f"{RUNPIP} --force-reinstall --no-deps --no-cache-dir {{wheel}}",
        f"{RUNPIP} {BY_UV_ALONE}",
    ),
    refresh=f"{RUNPIP} {REFRESH_ALONE}",
    add=(f"{PIPX_INSTALL} {{pinned}}",),
    release=f"{PIPX_INSTALL} {{requirement}}",
    update="pipx upgrade {global} {environment}",
    exact=(f"{PIPX_INSTALL} {{version}}",),
    unpin="pipx install --force {extras}",
    resolve=(f"{RUNPIP} {REPORT}", COMPILE, f"{RUNPIP} {REPORT}"),
    makes_links=True,
)
PIPX_RUN = Installer(
    "pipx run",
    ("pipx record",),
    # `--no-cache` makes the environment of one requirement anew, and another may have been typed.
    reinstall=("rm -r {prefix}",),
    remark="  # `pipx run` makes it again",
    add=("pipx run --spec {pinned} {command}",),
    release="pipx run --spec {requirement} {command}",
    reason="`pipx run` keeps it in its cache",
    instead=f"pipx run --no-cache {MAIN}",
    server="{pipx} run {command}=={version}",
)
UV_TOOL = Installer(
    "uv tool",
    ("uv receipt",),
    reinstall=BY_UV,
    refresh=REFRESH,
    hint="make the tool `{environment}` of uv again, with {requirement}",
    add=("uv tool install --reinstall {tool}",),
    release="uv tool install --force --reinstall {requirement}",
    update="uv tool upgrade {environment}",
    unpin="uv tool install --force {extras}",
    resolve=(COMPILE, f"{{pip}} {REPORT}"),
    makes_links=True,
)
UVX = Installer(
    "uvx",
    ("by uv", "uv cache"),
    reinstall=("uv cache prune && uv cache clean {distribution}",),
    remark="  # waits for every running `uvx` and `uv run`, MCP servers too",
    add=("uvx --from {pinned} {command}",),
    release="uvx --from {requirement} {command}",
    reason="uvx keeps it in its cache",
    instead=f"uvx {MAIN}@latest",
    server="{uvx} {command}@{version}",
    is_shared=True,
)
UV_PROJECT = Installer(
    "uv, in a project",
    ("by uv", "uv lock"),
    reinstall=BY_UV,
    refresh=REFRESH,
    add=("uv add --project {project} {requirement}",),
    release="",
    reason=PROJECT,
    instead=f"uv sync --project {{project}} --upgrade-package {MAIN}",
)
UV_PIP = Installer(
    "uv pip",
    ("by uv",),
    reinstall=BY_UV,
    refresh=REFRESH,
    add=("{uv} {pinned}", "{pip} {pinned}"),
    release="{uv} --reinstall {requirement}",
    resolve=(COMPILE, f"{{pip}} {REPORT}"),
)
CONDA = Installer(
    "conda",
    ("by conda",),
    reinstall=(f"conda install --force-reinstall {MAIN} {{distribution}}",),
    is_reinstall_enough=True,
    reason="conda installed it",
    instead=f"conda update {MAIN}",
)
PDM = Installer(
    "pdm",
    ("by pdm",),
    reinstall=(BY_PIP.replace("pip", "own_pip"), "pdm sync --reinstall"),
    add=("pdm add {requirement}",),
    release="",
    reason=PROJECT,
    instead=f"pdm update {MAIN}",
)
POETRY = Installer(
    "poetry",
    ("by poetry",),
    reinstall=(BY_PIP,),
    add=("poetry add {requirement}",),
    release="",
    reason=PROJECT,
    instead=f"poetry update {MAIN}",
)
PIP = Installer("pip", ("for pip",), reinstall=(BY_PIP,))
SYSTEM = Installer(
    "system",
    (),
    hint=f"reinstall {MAIN} and {{distribution}} with the system's package manager,"
    " or `leanspec-launcher fetch {program}`",
    reason="the system's package manager installed it",
    instead=f"update {MAIN} with the system's package manager",
)
# In the order in which they are recognised. What pipx and uv leave next to an environment says more
# than the record, which is that of the pip or uv behind them.
FROM_INDEX = (
    PIPX,
    PIPX_RUN,
    UV_TOOL,
    UVX,
    UV_PROJECT,
    UV_PIP,
    CONDA,
    PDM,
    POETRY,
    PIP,
    SYSTEM,
)
INSTALLERS = (CHECKOUT, SOURCES, PEX, SHIV, *FROM_INDEX)


def in_use() -> Installer:
    """Return the installer of this `lean-spec`."""
    return _first_of(INSTALLERS)


def builder() -> Installer:
    """Return the installer that built this from sources."""
    return _first_of(FROM_INDEX)


def _first_of(installers: tuple[Installer, ...]) -> Installer:
    signs = traces()
    return next(row for row in installers if signs.issuperset(row.traces))
