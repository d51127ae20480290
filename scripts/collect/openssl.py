"""The OpenSSL that programs for Linux are linked with: its pin, and static libraries by the zig that links them."""

import datetime as dt
import hashlib
import importlib.metadata
import json
import os
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from leanspec_build.archives import Bounds

from leanspec_launcher.commands import CommandError
from leanspec_launcher.verify.proof import digest
from scripts.environment import ROOT
from scripts.model.manifest import release_table
from scripts.tools.console import say, step
from scripts.tools.processes import (
    capture,
    find_program,
    must_succeed,
    program_environment,
)
from scripts.tools.work_folder import work_folder

from .archive import extract_files

TABLE = "[tool.leanspec-release.openssl]"
# The crate that every other one reaches OpenSSL through.
CRATE = "openssl-sys"
# It contains OpenSSL's own source, and states its version.
VENDORED_CRATE = "openssl-src"
# The name by which OpenSSL 3 calls the algorithms that it contains: a program into which it is
# linked has it, and one that uses the system's OpenSSL has not.
MARKER = b"OpenSSL Default Provider"
# The source has 6,000 files of 145 MB together; of these, 90 MB are its tests.
BOUNDS = Bounds(20_000, 256 * 1024 * 1024, 512 * 1024 * 1024)
LARGEST_ARCHIVE = 128 * 1024 * 1024
UNUSED = "test"
SECONDS_FOR_AN_ANSWER = 60
SYSTEMS = {"x86_64": "linux-x86_64", "aarch64": "linux-aarch64"}
# As the crate `openssl-src` configures it, and nothing that loads a file of the machine: modules,
# engines, and a configuration that was written for the system's own OpenSSL. Authorities are
# looked for in /etc/ssl, unless the program names another place.
OPTIONS = (
    *("no-shared", "no-module", "no-dso", "no-engine", "no-autoload-config"),
    *("no-tests", "no-apps", "no-docs", "no-async", "no-comp", "no-legacy"),
    *("no-camellia", "no-idea", "no-seed", "no-weak-ssl-ciphers"),
    "--openssldir=/etc/ssl",
    # Debug information would name folders of this machine.
    *("CC=cc", "AR=ar", "RANLIB=ranlib", "-g0"),
)
# OpenSSL writes the time of its build into itself.
EPOCH = "315532800"
PROGRAMS = (
    "OpenSSL is built with both: `apt-get install perl make`, or `dnf install perl make`"
)
SOURCE = "name the right file with `--openssl FILE` or `LEANSPEC_OPENSSL_SOURCE`"


@dataclass(frozen=True)
class OpenSSL:
    """A version of OpenSSL, by its source archive."""

    version: str
    sha256: str
    url: str
    pinned: dt.date
    """The day on which the version was chosen."""
    advisory: str = ""
    """What is known to be wrong with it."""

    @property
    def record(self) -> dict[str, str]:
        """What `binary.json` states of it."""
        return {"name": "openssl", "version": self.version, "sha256": self.sha256}


def read_openssl(root: Path = ROOT) -> OpenSSL:
    """Return the pinned OpenSSL; raises CommandError if the pin is not complete."""
    try:
        pin = OpenSSL(**release_table(root).get("openssl", {}))
    except TypeError as error:
        raise CommandError(
            f"`pyproject.toml`, {TABLE}: {str(error).partition(' ')[2]}",
            hint="state `version`, `sha256`, `url`, `pinned` and perhaps `advisory`",
        ) from None
    if not isinstance(pin.pinned, dt.date):
        raise CommandError(
            f"`pyproject.toml`, {TABLE}: `pinned` is not a date",
            hint="write it without quotation marks, as in `pinned = 2026-11-29`",
        )
    return pin


def has_crate(packages: list[dict[str, str | None]], name: str = CRATE) -> bool:
    """Tell whether a crate is one of the packages that a program is built from."""
    return any(package["name"] == name for package in packages)


def static_openssl(pin: OpenSSL, target: str, source: Path | None = None) -> Path:
    """Return the folder of `include/` and `lib/` for a target, built unless it is in the cache.

    `source` is the archive of the pinned version, which is downloaded otherwise. Raises
    CommandError if it has another SHA-256, or cannot be built here.
    """
    base = Path.home() / ".cache/leanspec-release/openssl"
    folder = base / _name(pin, target)
    with work_folder(base) as work:
        if folder.is_dir():
            say(f"using OpenSSL {pin.version} from {folder}")
            return folder
        make = find_program("make", PROGRAMS)
        perl = find_program("perl", PROGRAMS)
        archive = _archive(pin, source, work)
        with step(f"unpacking OpenSSL {pin.version}"):
            extract_files(archive, lambda name: _place(name, work / "source"), BOUNDS)
        (tree,) = (work / "source").iterdir()
        environment = _environment(work, target)
        system = SYSTEMS[target.partition("-")[0]]
        configure = [perl, "Configure", system, *OPTIONS]
        build = [make, f"-j{os.cpu_count() or 1}", "build_libs"]
        with step(f"building OpenSSL {pin.version} for {target}, which takes minutes"):
            run = capture(configure, cwd=tree, env=environment)
            must_succeed(run, "`perl Configure` of OpenSSL", PROGRAMS)
            run = capture(build, cwd=tree, env=environment)
            must_succeed(run, "`make` of OpenSSL")
        _take(tree, work / "new")
        (work / "new").rename(folder)
    return folder


def cargo_environment(
    inherited: Mapping[str, str], triple: str, folder: Path
) -> dict[str, str]:
    """Return the environment in which `openssl-sys` links these libraries into a target, and no others."""
    others = [name for name in inherited if "OPENSSL_" not in name.upper()]
    prefix = triple.upper().replace("-", "_") + "_OPENSSL"
    settings = {
        f"{prefix}_DIR": str(folder),
        f"{prefix}_STATIC": "1",
        f"{prefix}_NO_VENDOR": "1",
    }
    return {name: inherited[name] for name in others} | settings


def _name(pin: OpenSSL, target: str) -> str:
    """Name what is built by everything that it depends on."""
    inputs = [pin.sha256, importlib.metadata.version("ziglang"), OPTIONS, EPOCH]
    text = json.dumps(inputs)
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    return f"{pin.version}-{target}-{sha256[:16]}"


def _archive(pin: OpenSSL, source: Path | None, work: Path) -> Path:
    """Return a copy of the archive that has the pinned SHA-256."""
    archive = work / f"openssl-{pin.version}.tar.gz"
    try:
        if source is None:
            with step(f"downloading {pin.url}"):
                _download(pin.url, archive)
        else:
            shutil.copyfile(source, archive)
    except OSError as error:  # those of requests included
        raise CommandError(
            f"cannot read the source of OpenSSL {pin.version}: {error}", hint=SOURCE
        ) from None
    sha256 = digest(str(archive))
    if sha256 != pin.sha256:
        raise CommandError(
            f"`{source or pin.url}` has the sha256 `{sha256}`, expected `{pin.sha256}`"
            f" of OpenSSL {pin.version}",
            hint=SOURCE,
        )
    return archive


def _download(url: str, path: Path) -> None:
    import requests  # noqa: PLC0415 - 0.1 s, which a build with what is here does not need

    with (
        requests.get(url, stream=True, timeout=SECONDS_FOR_AN_ANSWER) as answer,
        path.open("wb") as file,
    ):
        answer.raise_for_status()
        for part in answer.iter_content(1 << 20):
            file.write(part)
            if file.tell() > LARGEST_ARCHIVE:
                raise OSError(f"`{url}` is larger than {LARGEST_ARCHIVE} bytes")


def _place(name: str, folder: Path) -> Path | None:
    """Return where a file of the archive goes; None if no library is made of it."""
    _, _, inside = name.partition("/")
    return None if inside.startswith(f"{UNUSED}/") else folder / name


def _environment(work: Path, target: str) -> dict[str, str]:
    """Return the environment of the build: `cc`, `ar` and `ranlib` are zig's, for the target.

    Their plain names are what OpenSSL writes into itself, wherever zig is.
    """
    folder = work / "bin"
    folder.mkdir()
    zig = importlib.metadata.distribution("ziglang").locate_file("ziglang/zig")
    zigs = {"cc": f"cc -target {target}", "ar": "ar", "ranlib": "ranlib"}
    for name, arguments in zigs.items():
        script = folder / name
        script.write_text(f'#!/bin/sh\nexec {shlex.quote(str(zig))} {arguments} "$@"\n')
        script.chmod(0o755)
    inherited = os.environ.get("PATH", "").split(os.pathsep)
    entries = [entry for entry in inherited if Path(entry).is_absolute()]
    path = os.pathsep.join([str(folder), *entries])
    environment = program_environment(work / "home")
    return environment | {"PATH": path, "SOURCE_DATE_EPOCH": EPOCH}


def _take(tree: Path, folder: Path) -> None:
    """Copy what a program is linked with."""
    shutil.copytree(
        tree / "include/openssl",
        folder / "include/openssl",
        ignore=shutil.ignore_patterns("*.in"),
    )
    (folder / "lib").mkdir()
    for name in ("libcrypto.a", "libssl.a"):
        shutil.copy(tree / name, folder / "lib")
