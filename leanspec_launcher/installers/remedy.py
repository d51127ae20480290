"""What one types so that the installer in use brings a binary (back)."""

import importlib.util
import json
import os
import sys
import sysconfig

from leanspec_launcher._pins import VERSION
from leanspec_launcher._release import release_wheels
from leanspec_launcher._search import SITE
from leanspec_launcher._tables import PLATFORMS, Family

from . import uv_tool
from .detect import MAIN, OF_UV, Installer, installer, of_sources, program, unpacked
from .records import distribution

EXTERNALLY_MANAGED = "EXTERNALLY-MANAGED"
COLLECT = "collect the binaries of this checkout: python3 -m scripts collect --help"
WAITS = "  (waits for every running `uvx` and `uv run`, MCP servers too)"
ARCHIVE = "remove `{}`, which the archive unpacks again; if the archive itself is damaged, build it again"
# Those behind which pip or uv can be told the hash of a file.
OF_HASHES = (Installer.PIP, Installer.PIPX, *OF_UV, Installer.PDM, Installer.POETRY)
# Where `pipx --global` keeps its environments.
PIPX_GLOBAL = "/opt/pipx"


def commands(family: Family) -> "list[list[str]]":
    """Return the commands that bring a family's binary (back); none if no command of ours could."""
    found = _commands(family)
    return [] if any(map(_lacks_hashes, found)) else found


def _commands(family: Family) -> "list[list[str]]":
    kind = installer()
    if kind in (
        Installer.CHECKOUT,
        Installer.SOURCES,
        Installer.SYSTEM,
        Installer.PEX,
        Installer.SHIV,
    ):
        return []
    if (
        kind is not Installer.CONDA
        and family.extra
        and distribution(family.distribution) is None
    ):
        command = _add(kind, family.extra, family.program)
        return [command] if command else []
    if kind is Installer.PIPX_RUN:
        return [["pipx", "run", "--no-cache", "--spec", _exactly(MAIN), family.program]]
    if kind is Installer.UVX:
        return [["uv", "cache", "prune"], ["uv", "cache", "clean", family.distribution]]
    return [_anew(kind, family, _exactly(family.distribution))]


def _exactly(name: str, extra: str = "") -> str:
    """Return the requirement of a distribution of this release, from where it was installed."""
    wanted = f"{name}[{extra}]" if extra else name
    found = distribution(name)
    if found and found.url:
        return f"{wanted} @ {found.url}"
    return f"{wanted}=={VERSION}" if VERSION else wanted


def _lacks_hashes(command: "list[str]") -> bool:
    """Tell whether an installer would refuse a command: it demands hashes, and ours names none."""
    if command[:2] == ["uv", "pip"]:
        variable = "UV_REQUIRE_HASHES"
    elif command[0] in ("pip", "pipx") or command[1:3] == ["-m", "pip"]:
        variable = "PIP_REQUIRE_HASHES"
    else:
        return False
    return os.environ.get(variable, "").lower() not in ("", "0", "false", "no", "off")


def _anew(kind: Installer, family: Family, wanted: str) -> "list[str]":
    """Return the command that installs a family's wheel again."""
    if kind is Installer.CONDA:
        return ["conda", "install", "--force-reinstall", MAIN, family.distribution]
    if kind is Installer.PIPX:
        # Either pip or uv is behind pipx; both know these options.
        options = ["install", "--force-reinstall", "--no-deps", "--no-cache-dir"]
        return [
            "pipx",
            "runpip",
            *pipx_options(),
            os.path.basename(sys.prefix),
            *options,
            wanted,
        ]
    if kind in OF_UV and has_uv():
        # Without the cache: uv links files out of it, so one that was changed in place is changed
        # there too. Cleaning it would wait for every `uv run` and `uvx` that is running now.
        return [*uv_pip_install(), "--no-cache", "--reinstall", "--no-deps", wanted]
    if kind is Installer.PDM and not has_pip():
        return ["pdm", "sync", "--reinstall"]
    return [*pip_install(), "--force-reinstall", "--no-deps", wanted]


def by_hash(family: Family, place: str) -> "list[list[str]]":
    """Return the commands that bring back the very wheel of this release; none if no installer takes a hash.

    They end where the name of a file of requirements follows: see `requirement`. `place` is a folder
    or URL to take the wheel from, empty for the installer's own index.
    """
    kind, present = installer(), distribution(family.distribution)
    if kind not in OF_HASHES or not requirement(family):
        return []
    if (family.extra and present is None) or (present and present.url and not place):
        return []  # it has to be asked for with its extra, or is from a file that is named
    from_place = ["--no-index", "--find-links", place] if place else []
    found = [] if place else [healing(family)]
    found.append(_anew(kind, family, _exactly(family.distribution)))
    return [
        [*command[:-1], *from_place, *_without_cache(command), "--require-hashes", "-r"]
        for command in found
        if command and command[0] != Installer.PDM.value
    ]


def _without_cache(command: "list[str]") -> "list[str]":
    """Return what keeps pip from a file that was damaged in its cache, and is refused for its hash."""
    is_pip = command[0] == "pip" or command[1:3] == ["-m", "pip"]
    return ["--no-cache-dir"] if is_pip else []


def requirement(family: Family) -> str:
    """Return a family's wheels of this release in a line of a requirements file; empty if none is known.

    For each CPU of this system: the installer chooses among them, and cannot take a stub.
    """
    hashes = [
        f"--hash=sha256:{wheel.sha256}"
        for key, wheel in release_wheels(family).items()
        if PLATFORMS[key].system == sys.platform and wheel.sha256
    ]
    if not hashes:
        return ""
    return " ".join([f"{family.distribution}=={VERSION}", *hashes])


def newer_pip() -> str:
    """Return what updates this environment's own pip, to be typed before something else; nothing if pip is not used."""
    if installer() is not Installer.PIP or not has_pip():
        return ""
    return f"{shown([[sys.executable, '-m', 'pip', 'install', '--upgrade', 'pip']])} && "


def healing(family: Family) -> "list[str]":
    """Return the command that brings a binary back and fixes uv's cache as well; nothing for other installers.

    It works with an index alone: what uv has from a folder, or offline, it does not fetch again.
    """
    if installer() not in OF_UV or not has_uv():
        return []
    name = family.distribution
    options = ["--refresh-package", name, "--reinstall-package", name, "--no-deps"]
    command = [*uv_pip_install(), *options, _exactly(name)]
    return [] if _lacks_hashes(command) else command


def shown(commands: "list[list[str]]") -> str:
    """Write commands as one types them."""
    if sys.platform == "win32":
        from subprocess import list2cmdline

        return " && ".join(map(list2cmdline, commands))
    import shlex

    return " && ".join(map(shlex.join, commands))


def advice(family: Family) -> str:
    """Say what brings a family's binary (back)."""
    found = commands(family)
    if not found:
        return _without_commands(installer(), family)
    waits = WAITS if found[0][:2] == ["uv", "cache"] else ""
    return f"{shown(found)}{waits}"


def _without_commands(kind: Installer, family: Family) -> str:
    """Say what is known where no command of ours was seen to work."""
    ways = {
        Installer.CHECKOUT: COLLECT,
        Installer.PEX: ARCHIVE.format(unpacked()),
        Installer.SHIV: ARCHIVE.format(unpacked()),
        Installer.SOURCES: _release(family),
        Installer.SYSTEM: f"reinstall {MAIN} and {family.distribution} with the system's package manager,"
        f" or `leanspec-launcher fetch {family.name}`",
    }
    if kind in ways:
        return ways[kind]
    if kind is Installer.UV_TOOL and not _commands(family):
        tool = os.path.basename(sys.prefix)
        return f"make the tool `{tool}` of uv again, with {family.requirement}"
    wanted = _exactly(family.distribution)
    return f"install {wanted} again from your file of hashes: your installer demands them"


def _release(family: Family) -> str:
    """Say how a release, which pins its binaries, takes the place of what is from sources."""
    kind = of_sources()
    wanted = family.requirement
    if kind in (Installer.UV_PROJECT, Installer.PDM, Installer.POETRY):
        # What these bring is written in the project, and the next `sync` would undo a command.
        return f"let your project depend on a release of {wanted}, which pins its binaries"
    ways = {
        Installer.PIPX: [
            "pipx",
            "install",
            *pipx_options(),
            *pipx_suffix(),
            "--force",
            wanted,
        ],
        Installer.PIPX_RUN: ["pipx", "run", "--spec", wanted, family.program],
        Installer.UV_TOOL: ["uv", "tool", "install", "--force", "--reinstall", wanted],
        Installer.UVX: ["uvx", "--from", wanted, family.program],
        Installer.UV_PIP: [*uv_pip_install(), "--reinstall", wanted],
    }
    command = ways.get(kind) or [*pip_install(), "--force-reinstall", wanted]
    return f"install a release, which pins its binaries: {shown([command])}"


def with_extra(extra: str) -> str:
    """Say what brings an extra of `lean-spec` that was left out."""
    command = _add(installer(), extra, MAIN)
    return shown([command]) if command else f"install `{MAIN}[{extra}]`"


def _add(kind: Installer, extra: str, program: str) -> "list[str]":
    """Return the command that installs an extra that was left out."""
    wanted, pinned = f"{MAIN}[{extra}]", _exactly(MAIN, extra)
    ways = {
        Installer.PIPX: [
            "pipx",
            "install",
            *pipx_options(),
            *pipx_suffix(),
            "--force",
            pinned,
        ],
        Installer.PIPX_RUN: ["pipx", "run", "--spec", pinned, program],
        Installer.UV_TOOL: uv_tool.with_extra(MAIN, extra),
        Installer.UVX: ["uvx", "--from", pinned, program],
        Installer.UV_PROJECT: [
            "uv",
            "add",
            "--project",
            os.path.dirname(sys.prefix),
            wanted,
        ],
        Installer.PDM: ["pdm", "add", wanted],
        Installer.POETRY: ["poetry", "add", wanted],
    }
    if kind in ways:
        return ways[kind]
    if kind is Installer.UV_PIP and has_uv():
        return [*uv_pip_install(), pinned]
    return [*pip_install(), pinned]


def pipx_options() -> "list[str]":
    """Return what tells pipx that this environment is one for every user."""
    home = os.environ.get("PIPX_GLOBAL_HOME") or PIPX_GLOBAL
    is_global = os.path.dirname(os.path.dirname(sys.prefix)) == os.path.realpath(home)
    return ["--global"] if is_global else []


def pipx_suffix() -> "list[str]":
    """Return the option `--suffix` that `pipx install` was given, as pipx recorded it."""
    try:
        with open(os.path.join(sys.prefix, "pipx_metadata.json"), encoding="utf-8") as file:
            suffix = str(json.load(file)["main_package"]["suffix"])
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return ["--suffix", suffix] if suffix else []


def pip_install() -> "list[str]":
    """Return how pip installs into this environment."""
    options = ["install", *_place()]
    if not has_pip():
        # Any other pip can install into this environment.
        return ["pip", "--python", sys.executable, *options]
    return [sys.executable, "-m", "pip", *options]


def uv_pip_install() -> "list[str]":
    """Return how uv installs into this environment."""
    return ["uv", "pip", "install", "--python", sys.executable, *_place()]


def has_pip() -> bool:
    """Tell whether pip is in this environment, which it is not if uv made it."""
    return importlib.util.find_spec("pip") is not None


def has_uv() -> bool:
    """Tell whether a shell finds uv. What brought one of its own along (hatch) may have left none on the path."""
    return program("uv") is not None


def _place() -> "list[str]":
    """Return the options for an installation that is not in the interpreter's own place."""
    import site

    own = (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))
    if os.path.realpath(SITE) in map(os.path.realpath, own):
        options = []
    elif site.getusersitepackages() == SITE:
        options = ["--user"]
    else:
        return ["--target", SITE, "--upgrade"]
    marker = os.path.join(sysconfig.get_path("stdlib"), EXTERNALLY_MANAGED)
    if sys.prefix == sys.base_prefix and os.path.exists(marker):
        # As it was installed: with this option, or it could not be here (PEP 668).
        options.append("--break-system-packages")
    return options
