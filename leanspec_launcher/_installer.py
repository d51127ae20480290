"""Which installer brought this `lean-spec`, and the commands with which it brings a binary back."""

import os
import sys
from dataclasses import dataclass

from ._families import Family
from ._locate import HOME
from ._pins import VERSION

MAIN = "lean-spec"
CHECKOUT, PIP, PIPX, UV_PIP, UV_TOOL, UVX, CONDA, SYSTEM = (
    "checkout",
    "pip",
    "pipx",
    "uv pip",
    "uv tool",
    "uvx",
    "conda",
    "system",
)


@dataclass(frozen=True)
class Distribution:
    """Hold what an installer recorded of one distribution (Recording installed projects)."""

    name: str
    version: str
    installer: str
    # path as recorded, relative to `folder` -> (sha256 in the record's own form, size), both empty where not recorded
    files: "dict[str, tuple[str, str]]"
    folder: str


def distribution(name: str, folder: str = HOME) -> "Distribution | None":
    """Read the record of an installed distribution; None where there is none."""
    import importlib.metadata

    for found in importlib.metadata.distributions(name=name, path=[folder]):
        files = {}
        for file in found.files or []:
            digest = file.hash.value if file.hash and file.hash.mode == "sha256" else ""
            files[str(file)] = (digest, str(file.size or ""))
        installer = (found.read_text("INSTALLER") or "").strip()
        return Distribution(name, found.version, installer, files, folder)
    return None


def recorded_digest(path: str) -> str:
    """Return the sha256 of a file as the records of installed files write it (urlsafe base64 without padding)."""
    import base64

    from ._verify import digest

    return base64.urlsafe_b64encode(bytes.fromhex(digest(path))).rstrip(b"=").decode()


def installer() -> str:
    """Name the installer in use."""
    if not VERSION:
        return CHECKOUT
    if os.path.exists(os.path.join(sys.prefix, "pipx_metadata.json")):
        return PIPX
    if os.path.exists(os.path.join(sys.prefix, "uv-receipt.toml")):
        return UV_TOOL
    own = distribution(MAIN)
    name = own.installer if own else PIP
    if name == "uv":
        # What uvx and `uv run --with` install into lies in uv's cache, whose folders have these names.
        return UVX if any(part.startswith(("archive-v", "environments-v")) for part in HOME.split(os.sep)) else UV_PIP
    if name == CONDA:
        return CONDA
    return PIP if name in ("", PIP) else SYSTEM


def remedy(family: Family) -> "list[list[str]]":
    """Return the commands that bring a family's binary (back); none where no command of ours could."""
    kind = installer()
    if kind not in (CHECKOUT, SYSTEM) and family.extra and distribution(family.distribution) is None:
        return _add(kind, f"{family.requirement}=={VERSION}")
    wanted = f"{family.distribution}=={VERSION}"
    # uv links files out of its cache: one that was changed in place is changed there too, and comes back from there.
    clean = ["uv", "cache", "clean", family.distribution]
    by_uv = [clean, [*_uv_pip(), "--reinstall", "--no-deps", wanted]]
    # Either pip or uv is behind pipx; both know these options.
    anew = ["install", "--force-reinstall", "--no-deps", "--no-cache-dir", wanted]
    known = {
        CHECKOUT: [],
        SYSTEM: [],
        CONDA: [["conda", "install", "--force-reinstall", MAIN, family.distribution]],
        PIPX: [["pipx", "runpip", os.path.basename(sys.prefix), *anew]],
        UVX: [["uv", "cache", "prune"], clean],
        UV_TOOL: by_uv,
        UV_PIP: by_uv,
        PIP: [[*_pip(), "--force-reinstall", "--no-deps", wanted]],
    }
    return known[kind]


def shown(commands: "list[list[str]]") -> str:
    """Write commands as one types them."""
    if sys.platform == "win32":
        from subprocess import list2cmdline

        return " && ".join(map(list2cmdline, commands))
    import shlex

    return " && ".join(map(shlex.join, commands))


def advice(family: Family) -> str:
    """Say what brings a family's binary (back)."""
    commands = remedy(family)
    if commands:
        return shown(commands)
    if installer() == SYSTEM:
        return f"reinstall {MAIN} and {family.distribution} with the system's package manager"
    return "collect the binaries of this checkout: python3 -m scripts collect --help"


def _add(kind: str, requirement: str) -> "list[list[str]]":
    """Return the command that installs an extra that was left out."""
    if kind == PIPX:
        return [["pipx", "install", "--force", requirement]]
    if kind == UV_TOOL:
        return [["uv", "tool", "install", "--reinstall", requirement]]
    if kind == UVX:
        return [["uvx", "--from", requirement, MAIN]]
    return [[*(_uv_pip() if kind == UV_PIP else _pip()), requirement]]


def _pip() -> "list[str]":
    return [sys.executable, "-m", "pip", "install", *_place()]


def _uv_pip() -> "list[str]":
    return ["uv", "pip", "install", "--python", sys.executable, *_place()]


def _place() -> "list[str]":
    """Return the options for an installation that is not in the interpreter's own place."""
    import site
    import sysconfig

    if os.path.realpath(HOME) in map(os.path.realpath, (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))):
        return []
    if site.getusersitepackages() == HOME:
        return ["--user"]
    return ["--target", HOME, "--upgrade"]
