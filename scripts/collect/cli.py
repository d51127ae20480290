"""The command line of `collect`. No logic."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from leanspec_launcher._tables import PLATFORMS, PROGRAMS
from leanspec_launcher.command_line import CommandGroup
from scripts.model.programs import load_programs
from scripts.options import (
    BUILDERS,
    INTO_OPTION,
    OPENSSL_OPTION,
    PLATFORM_OPTION,
    PROGRAM_OPTION,
    flag,
    folder_option,
    release_version,
)
from scripts.tools.console import aligned, say, size

if TYPE_CHECKING:
    from packaging.version import Version

KEEP_OPTION = flag("--keep", help="Keep the binaries of other programs and platforms.")


@click.group(cls=CommandGroup)
def collect() -> None:
    """Collect the binaries that wheels are built from.

    They go to platform_wheels/<program>/binaries/<platform>/, each with a binary.json that states
    its SHA-256, size, version and origin. Format, CPU and completeness are checked first. The
    target directory is replaced as a whole; on failure it is left unchanged.
    """


@collect.command()
@click.argument("version", type=release_version)
@PROGRAM_OPTION
@PLATFORM_OPTION
@INTO_OPTION
@KEEP_OPTION
@flag(
    "--all", "asks_for_all", help="Also ask for the platforms that the plan calls missing."
)
def npm(
    version: Version,
    programs: tuple[str, ...],
    platforms: tuple[str, ...],
    into: Path,
    *,
    keep: bool,
    asks_for_all: bool,
) -> None:
    """Collect the binaries of VERSION from npm.

    A fix of the packaging, 0.3.0.post1, has the binaries of 0.3.0.

    Uses your npm client, with its registry, proxy and login. Each archive must have the SHA-512
    integrity that the registry states. Platforms that the release plan calls missing are not asked
    for, unless you name them or add --all. Missing packages are listed; a package that you ask for
    with --platform must exist.

    \b
    Examples:
      python3 -m scripts collect npm 0.3.0
      python3 -m scripts collect npm 0.3.0 --program cli --platform linux-x64
    """
    from scripts.model.plan import read_plan
    from scripts.model.versions import binary_version

    from .npm import collect_npm
    from .staging import staged

    plan = read_plan()
    number = binary_version(version)
    is_planned = number == binary_version(plan.version) and not asks_for_all
    reasons = plan.built_from(("npm",)).missing if is_planned else {}
    with staged(into, keep=keep) as staging:
        collect_npm(
            number,
            load_programs(programs),
            [PLATFORMS[key] for key in dict.fromkeys(platforms) or PLATFORMS],
            staging,
            all_required=bool(platforms),
            reasons=reasons,
        )
    _tell_collected(into)


@collect.command()
@click.argument("workspace", type=click.Path(path_type=Path))
@click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="TRIPLE",
    help="Rust target (repeatable). Default: this machine.",
)
@click.option("--profile", default="release", show_default=True, help="The cargo profile.")
@flag("--build", help="Run `cargo build --locked` first.")
@click.option(
    "--builder", type=BUILDERS, help="Override the builder set in pyproject.toml."
)
@OPENSSL_OPTION
@PROGRAM_OPTION
@INTO_OPTION
@KEEP_OPTION
def cargo(
    workspace: Path,
    targets: tuple[str, ...],
    profile: str,
    programs: tuple[str, ...],
    into: Path,
    *,
    build: bool,
    builder: str | None,
    openssl: Path | None,
    keep: bool,
) -> None:
    """Collect the binaries of a Cargo WORKSPACE.

    Without --target, for this machine. A program whose crate is not in the workspace is skipped; a
    program that you ask for with --program must exist. Targets that pin a glibc, or are configured
    in pyproject.toml, are built with `cargo zigbuild`. If a program for Linux needs OpenSSL, the
    version pinned in pyproject.toml is built first and linked statically; that takes perl and make.

    \b
    Examples:
      python3 -m scripts collect cargo ../leanspec/rust --target x86_64-unknown-linux-gnu.2.17 --build
      python3 -m scripts collect cargo ../leanspec/rust --build
      python3 -m scripts collect cargo ../leanspec/rust --target aarch64-unknown-linux-gnu --build --keep
    """
    from .cargo import collect_cargo
    from .staging import staged

    with staged(into, keep=keep) as staging:
        collect_cargo(
            workspace,
            load_programs(programs),
            targets,
            profile,
            staging,
            all_required=bool(programs),
            build=build,
            builder=builder,
            openssl=openssl,
        )
    _tell_collected(into)


@collect.command()
@INTO_OPTION
@flag("--notices", help="Write the licences of the packages in the pages, to be committed.")
def pages(into: Path, *, notices: bool) -> None:
    """Collect the pages of the web UI from npm.

    The release plan names the package, its version and its SHA-512 integrity. Only what the
    application loads is kept. `wheels` builds leanspec-ui from the pages.

    \b
    Example:
      python3 -m scripts collect pages
    """
    from .notices import write_notices
    from .pages import collect_pages, read_pages

    planned = read_pages()
    if notices:
        say(str(write_notices(planned)))
    else:
        collect_pages(planned, into)


@collect.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--allow-missing",
    multiple=True,
    type=click.Choice(list(PLATFORMS)),
    help="Platform that may be missing (repeatable).",
)
@flag("--planned", help="Allow the platforms that the release plan marks as missing.")
@PROGRAM_OPTION
@INTO_OPTION
@KEEP_OPTION
def artifacts(
    folder: Path,
    allow_missing: tuple[str, ...],
    programs: tuple[str, ...],
    into: Path,
    *,
    planned: bool,
    keep: bool,
) -> None:
    """Collect the binaries that a CI run left in DIR.

    DIR contains one folder binaries-<platform>/ per platform, each with the layout of
    platform_wheels/, including binary.json.

    \b
    Example:
      python3 -m scripts collect artifacts artifacts/ --allow-missing windows-arm64
    """
    from scripts.model.plan import read_plan

    from .artifacts import artifact_kinds, collect_artifacts
    from .staging import staged

    if planned:
        allow_missing += tuple(read_plan(kinds=artifact_kinds(folder)).missing)
    with staged(into, keep=keep) as staging:
        collect_artifacts(folder, load_programs(programs), allow_missing, staging)
    _tell_collected(into)


@collect.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@flag("--prepare", help="Only install the packages and targets that Tauri needs.")
@flag("--build", help="Build it first, with the version of pnpm that it pins.")
@folder_option("--into", "artifacts/desktop", "The folder to put it in.")
def desktop(folder: Path, into: Path, *, prepare: bool, build: bool) -> None:
    """Collect the desktop bundle of a Tauri application in DIR.

    DIR is the application, or a checkout that contains it. The bundle is a Debian package, an NSIS
    installer, or a disk image for both CPUs of macOS; next to it is a file of its SHA-256, which
    `assets` compares.

    --prepare installs Debian packages with apt-get on Linux, and Rust targets on macOS.

    \b
    Examples:
      python3 -m scripts collect desktop ../leanspec --prepare
      python3 -m scripts collect desktop ../leanspec --build
    """
    from .desktop import collect_desktop, prepare_machine

    if prepare and build:
        raise click.UsageError("`--prepare` and `--build` are two steps")
    if prepare:
        prepare_machine()
        return
    bundle = collect_desktop(folder, into, build=build)
    say(f"  {bundle.format.title} {bundle.path.name} in {into}")


def _tell_collected(into: Path) -> None:
    from .staging import read_collected

    rows = []
    for binary in read_collected(into):
        command, length = PROGRAMS[binary.program].command, f"{size(binary.size):>8}"
        sha256 = f"sha256 {binary.sha256[:16]}…"
        rows.append([binary.platform, command, binary.version, length, sha256])
    for line in aligned(rows, indent="  "):
        say(line)


COMMANDS = (collect,)
