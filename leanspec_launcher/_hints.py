"""What to type about a binary that does not start. Imported only then."""

import os
import sys

from . import _installer, _machine, _program
from ._families import Family
from ._launch import TYPESCRIPT_OPTION
from ._locate import DIRECTORY_VARIABLE, HOME, LOCAL, STORE, VARIABLE
from ._pins import VERSION
from ._places import is_noexec

# What the package of a library is called, by the `ID`s of os-release(5).
PACKAGES = {
    "libssl.so.3": {
        "debian": "apt install libssl3",
        "fedora": "dnf install openssl-libs",
        "suse": "zypper install libopenssl3",
    }
}
PACKAGES["libcrypto.so.3"] = PACKAGES["libssl.so.3"]


def ways(family: Family) -> str:
    """Say what is left where no build of the release fits this machine."""
    if sys.maxsize < 2**32:
        return f"install {family.requirement} with a 64-bit Python"
    version = f" {VERSION}" if VERSION else ""
    node = (
        f"use `{family.program} {TYPESCRIPT_OPTION}`, which needs Node.js"
        if family.typescript
        else "use LeanSpec's npm package"
    )
    return (
        f"use a newer system or another Python; or build LeanSpec{version} with `cargo build --release` and name the"
        f" result in `{family.variable}` (in a checkout: `collect cargo`); or {node}"
    )


def hint_for(family: Family, origin: str, path: str, *, changed: bool = False) -> str:
    """Say what to type about a file that is not run, whatever the reason; of a changed file nothing else counts."""
    if origin == VARIABLE:
        return f"`unset {family.variable}`, or give it the absolute path of an executable"
    if os.path.isfile(path) and not changed:
        problem = _program.objection(path)
        mending = _for_the_system(family, problem) if problem else _permission(family, path)
        if mending:
            return mending
    if os.path.isfile(HOME):
        return f"install lean-spec into a folder instead: `pip install --target FOLDER lean-spec=={VERSION}`"
    if origin == LOCAL:
        collect = "collect the binaries of this checkout: python3 -m scripts collect --help"
        chosen = os.environ.get(DIRECTORY_VARIABLE)
        return f"`unset {DIRECTORY_VARIABLE}`, or collect the binary anew" if chosen else collect
    return f"remove `{path}`, and fetch it again" if origin == STORE else _installer.advice(family)


def _permission(family: Family, path: str) -> str:
    if is_noexec(path):
        return "install lean-spec on a file system that lets programs run, or remount that one with `exec`"
    if not os.access(path, os.R_OK):
        return f"let its owner run `chmod a+rx '{path}'`"
    if not os.access(path, os.X_OK):
        return f"let its owner run `chmod +x '{path}'`, or reinstall: {_installer.advice(family)}"
    return ""


def _for_the_system(family: Family, problem: str) -> str:
    """Say how a system gets the library or loader that it lacks."""
    release = _machine.os_release()
    likes = f"{release.get('ID', '')} {release.get('ID_LIKE', '')}".split()
    if "nixos" in likes:
        return "let NixOS run programs of other systems: `programs.nix-ld.enable = true;` in configuration.nix"
    for library, packages in PACKAGES.items():
        if library in problem:
            return next(
                (f"`{packages[like]}`" for like in likes if like in packages), "install OpenSSL 3 on this system"
            )
    return ways(family)
