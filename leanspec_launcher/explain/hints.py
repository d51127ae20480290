"""Hints about a binary that does not start, by the kind of the reason."""

import os
import sys
from typing import Optional

from leanspec_launcher._pins import BINARIES, VERSION
from leanspec_launcher._search import LOCAL, SITE, STORE, VARIABLE, Place, Start
from leanspec_launcher._tables import (
    DIRECTORY_VARIABLE,
    TYPESCRIPT_OPTION,
    Program,
)
from leanspec_launcher.installers import reinstall
from leanspec_launcher.installers.table import COLLECT
from leanspec_launcher.installers.words import shown
from leanspec_launcher.verify.refusal import Kind, Refusal

from . import machine
from .verdicts import PlaceVerdict

OPENSSL = ("libssl.so.3", "libcrypto.so.3")
# `ID` in os-release(5) -> command that installs these libraries
OPENSSL_PACKAGES = {
    "debian": "apt install libssl3",
    "fedora": "dnf install openssl-libs",
    "suse": "zypper install libopenssl3",
}
# Hints that are the same for every place.
ANYWHERE = {
    Kind.NOEXEC: "install lean-spec on a file system that lets programs run, or remount that one with `exec`",
    Kind.RELATIVE: f"`unset {DIRECTORY_VARIABLE}`, or give it the absolute path of a folder",
    Kind.BUSY: "try again when the installer is done with it",
    Kind.TOO_LONG: "pass fewer or shorter arguments: most commands also read a file",
}


def hint_of(start: Start, verdict: "Optional[PlaceVerdict]") -> str:
    """Say what to type about the binary of a program, by the verdict on the place that decides."""
    if verdict is None:
        return _absence_hint(start) if start.platform else ways(start.program)
    if verdict.refusal is None:
        return ""
    return hint_for(start, verdict.place, verdict.refusal)


def hint_for(start: Start, place: Place, refusal: Refusal) -> str:
    """Say what to type about a file that is not run."""
    program = start.program
    if place.origin == VARIABLE and refusal.kind is not Kind.TOO_LONG:
        return f"`unset {program.variable}`, or give it the absolute path of an executable"
    if refusal.kind in ANYWHERE:
        return ANYWHERE[refusal.kind]
    if refusal.kind in (Kind.HIDDEN, Kind.UNREADABLE):
        is_hidden = refusal.kind is Kind.HIDDEN
        return open_hint(_closed_folder(place.path) if is_hidden else place.path)
    if refusal.kind is Kind.NO_RUN_BIT:
        command = shown([["chmod", "+x", place.path]])
        return f"let its owner run `{command}`, or reinstall: {reinstall.hint(program)}"
    if refusal.kind in (Kind.NO_LOADER, Kind.NO_LIBRARY, Kind.OLD_SYSTEM):
        return _for_the_system(program, refusal.reason)
    return _again(program, place.origin)


def _again(program: Program, origin: str) -> str:
    """Say how the right file gets to a place."""
    if origin == STORE:
        return f"leanspec-launcher fetch {program.name}"
    if origin != LOCAL:
        return reinstall.hint(program)
    if os.environ.get(DIRECTORY_VARIABLE):
        return f"`unset {DIRECTORY_VARIABLE}`, or collect the binary again"
    return COLLECT


def _absence_hint(start: Start) -> str:
    """Say what to type if no place has the binary."""
    program, platform = start.program, start.platform
    if os.path.isfile(SITE):
        command = f"pip install --target FOLDER lean-spec=={VERSION}"
        return f"install lean-spec into a folder instead: `{command}`"
    builds = machine.builds(program)
    if builds is None:
        return reinstall.hint(program)
    if platform is not None and machine.fits(builds.get(platform.key, [])):
        # The stub was taken by a pip that does not know the build's tag, or from a mirror that has
        # no such build.
        return f"{reinstall.pip_update()}{reinstall.hint(program)}; if that changes nothing, your index lacks the build"
    return ways(program)


def ways(program: Program) -> str:
    """Say what is left if no build of the release fits this machine."""
    if sys.maxsize < 2**32:
        return f"install {program.requirement} with a 64-bit Python"
    # A `.postN` has the programs of the release before it.
    version = f" {BINARIES}" if BINARIES else ""
    node = "use LeanSpec's npm package"
    if program.typescript:
        node = f"use `{program.command} {TYPESCRIPT_OPTION}`, which needs Node.js"
    return (
        f"use a newer system or another Python; or build LeanSpec{version} with `cargo build --release` and name the"
        f" result in `{program.variable}` (in a checkout: `collect cargo`); or {node}"
    )


def open_hint(path: str) -> str:
    """Say how the owner of a file or folder lets others read it."""
    return f"let its owner run `{shown([['chmod', 'a+rx', path]])}`"


def _closed_folder(path: str) -> str:
    """Return the first folder above a path that may not be entered; that of the path if all may."""
    folder = closed = os.path.dirname(path)
    while folder != os.path.dirname(folder):
        if os.path.isdir(folder) and not os.access(folder, os.X_OK):
            closed = folder
        folder = os.path.dirname(folder)
    return closed


def _for_the_system(program: Program, problem: str) -> str:
    """Say how a system gets the library or loader that it lacks."""
    release = machine.os_release()
    likes = f"{release.get('ID', '')} {release.get('ID_LIKE', '')}".split()
    if "nixos" in likes:
        return "let NixOS run programs of other systems: `programs.nix-ld.enable = true;` in configuration.nix"
    if any(library in problem for library in OPENSSL):
        for system in filter(OPENSSL_PACKAGES.get, likes):
            return f"`{OPENSSL_PACKAGES[system]}`"
        return "install OpenSSL 3 on this system"
    return ways(program)
