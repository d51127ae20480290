"""One wheel per kind of machine, from what a build left, and a stub for all others if the project wants one."""

import argparse
import contextlib
import functools
import json
import os
import shlex
import shutil
import signal
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from leanspec_build.errors import (
    BuildError,
    UsageError,
    adding_reason,
    listed,
    note,
    one_line,
    printable,
)
from leanspec_build.project.index_rules import must_be_accepted
from leanspec_build.project.keys import KEYS, must_be_a_platform
from leanspec_build.project.manifest import Project, load_project
from leanspec_build.tags.model import (
    System,
    Tags,
    dotted,
    oldest_systems,
    remedies,
)
from leanspec_build.tags.platforms import MACHINE_ALIASES
from leanspec_build.wheel import (
    Content,
    file_entry,
    generated_entry,
    package_entries,
    wheel_entries,
    wheel_name,
    write_wheel,
)

from .program_set import ProgramSet
from .programs import content_of
from .selection import choose_platforms
from .sets import find_sets

# Several programs are compressed at the same time that have no more bytes together.
SMALL = 64 << 20
# How long a step may take until it is named.
SILENT_SECONDS = 2
# Where the programs are from, and the content of their wheel.
Wheels = list[tuple[str | None, Content]]


# What runs in the stub.
STUB_SOURCE = Path(__file__).with_name("no_program.py")
STUB_TAGS = Tags(
    ("any",), ("it says which machines the others are for, where none of them fits",)
)
SYSTEMS = {
    "manylinux": "Linux with glibc {} or newer",
    "musllinux": "Linux with musl {} or newer",
    "linux": "Linux, as that of the build",
    "macosx": "macOS {} or newer",
    "win": "Windows",
    "win32": "Windows",
}
# The CPUs of Windows and macOS, by the names that all systems share.
CPUS = {**MACHINE_ALIASES, "universal2": "x86_64 and aarch64", "": "i686"}


def make_all(options: argparse.Namespace) -> int:
    """Make the wheels and say what each is for; raises BuildError if one cannot be made."""
    _must_be_valid(options)
    project = load_project(options.project, options.version)
    if not project.programs:
        raise BuildError(
            f"`{options.project / 'pyproject.toml'}` does not say where programs are, under `[tool.leanspec-build]`",
            hint=f"for example `{KEYS['from'].example}`",
        )
    if not options.local:
        must_be_accepted(project)
    for line in project.left_out_notes():
        note(line)
    sets = _sets_of(project, options)
    chosen = choose_platforms(sets, project, options.platforms)
    wheels: Wheels = [
        (programs.place, content_of(project, programs)) for programs in chosen
    ]
    if project.has_stub:
        tags = [tag for programs in sets for tag in programs.tags.platforms]
        wheels.append((None, _stub_content(project, tags)))
    if not options.local and not options.dry_run:
        _must_be_publishable(chosen)
    for _, content in wheels:
        # Before the first wheel is written, each has to be valid.
        wheel_entries(project, content)
    new = [content.tags for _, content in wheels]
    of_release = {*new, *(programs.tags for programs in sets)}
    _must_replace_all(project, new, of_release, options.out)
    if not options.dry_run:
        _write_wheels(project, [content for _, content in wheels], options.out)
    _report(project, wheels, options)
    if not options.local:
        _must_be_publishable(chosen)
    _conclude(project, [content for _, content in wheels], options)
    return 0


def _sets_of(project: Project, options: argparse.Namespace) -> list[ProgramSet]:
    """Return the sets; beside a stub, which names all machines, no wrong program of another platform is passed by."""
    if not project.has_stub:
        return find_sets(project, options.places, options.out, options.platforms)
    try:
        return find_sets(project, options.places, options.out)
    except BuildError as error:
        requested = {*options.platforms}
        if error.platforms and requested and requested.isdisjoint(error.platforms):
            reason = "the stub names the machines of all programs, also of those that nobody asked for"
            error.hint = "; ".join(filter(None, [error.hint, reason]))
        raise


def _must_be_valid(options: argparse.Namespace) -> None:
    """Raise UsageError for an option that is wrong for every project."""
    try:
        for name in options.platforms:
            must_be_a_platform(name, "`--platform`")
    except BuildError as error:
        raise UsageError(error.message, hint=error.hint) from None
    if "" in options.places:
        raise UsageError("`--from` names no place", hint="for example `--from dist`")


def _write_wheels(project: Project, contents: list[Content], out: Path) -> None:
    """Write the wheels into their folder: all of them, or after an error or Ctrl-C none."""
    entries = (entry for content in contents for entry in content.entries)
    largest = max((entry.source.size for entry in entries), default=0)
    # Two large programs at a time are in memory, compressed, or as many small ones as take no more.
    most = max(2, SMALL // (largest + 1))
    with _folder_inside(out) as folder:
        make = functools.partial(write_wheel, folder, project)
        # Compressing lets other threads run.
        pool = ThreadPoolExecutor(min(most, os.cpu_count() or 1))
        try:
            futures = [pool.submit(make, content) for content in contents]
            for number, future in enumerate(futures):
                finished, _ = wait([future], SILENT_SECONDS)
                if not finished:
                    note(f"compressing wheel {number + 1} of {len(contents)}")
                # A Ctrl-C at the moment before a wait is noticed after it.
                while not future.done():
                    wait([future], SILENT_SECONDS)
                future.result()
        except BuildError:
            pool.shutdown(cancel_futures=True)
            raise
        finally:
            # A compression cannot be stopped: it is left to the end of the process.
            pool.shutdown(wait=False, cancel_futures=True)
        with _without_interrupts():
            _move_all(sorted(folder.iterdir()), out)


def _move_all(wheels: list[Path], out: Path) -> None:
    """Move files into a folder; raises BuildError if one cannot be, without those that were not there before."""
    new: list[Path] = []
    try:
        for wheel in wheels:
            place = out / wheel.name
            is_new = not place.exists()
            error = BuildError(
                f"cannot write `{place}`", hint="give another folder: `--out FOLDER`"
            )
            with adding_reason(error):
                wheel.replace(place)
            new += [place] * is_new
    except BuildError:
        for place in new:
            place.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Ignore Ctrl-C and SIGTERM for a moment: half of what follows would be a half release."""
    handlers = {
        number: signal.signal(number, signal.SIG_IGN)
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _folder_inside(out: Path) -> Iterator[Path]:
    """Make a hidden folder, from where a file can be moved to its place at once."""
    is_new = not out.exists()
    error = BuildError(
        f"cannot make the folder `{out}`", hint="give another one: `--out FOLDER`"
    )
    with adding_reason(error):
        out.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".leanspec-build-", dir=out))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        # A folder with wheels stays: only an empty one can be removed.
        with contextlib.suppress(OSError):
            if is_new:
                out.rmdir()


def _report(project: Project, wheels: Wheels, options: argparse.Namespace) -> None:
    """Say of each wheel what it is for."""
    facts = []
    for place, content in wheels:
        tags = content.tags
        path = str(options.out / wheel_name(project, tags))
        facts.append(
            {
                "wheel": path,
                "from": place,
                "platform_tags": tags.platforms,
                "publishable": tags.publishable,
                "reasons": tags.reasons,
                "remarks": tags.remarks,
            }
        )
        if not options.json:
            lines = [path, f"from {one_line(place)}"] if place else [path]
            text = "\n  ".join([*lines, *tags.explanation()])
            print(printable(text), flush=True)  # noqa: T201
    if options.json:
        print(json.dumps(facts, indent=2))  # noqa: T201


def _conclude(
    project: Project, contents: list[Content], options: argparse.Namespace
) -> None:
    """Say how many wheels there are, what else is in their folder, and what to do next."""
    out: Path = options.out
    names = {wheel_name(project, content.tags) for content in contents}
    files = {path.name for path in out.glob("[!.]*")}
    pattern = f"{project.stem}-*.whl" if files - names else "*"
    upload = f"`uv publish {shlex.quote(str(out))}/{pattern}`"
    others = sorted({path.name for path in out.glob(f"{project.stem}-*.whl")} - names)
    if others:
        wheels = _counted(len(others), "other wheel")
        note(
            f"note: `{out}` has {wheels} of {project.stem}, which {upload} uploads, too: {listed(others)}"
        )
    wheels = _counted(len(contents), "wheel")
    if options.dry_run:
        note(f"{wheels} would be made: nothing was written, because of `--dry-run`")
    elif all(content.tags.publishable for content in contents):
        note(f"made {wheels}; next: {upload}")
    else:
        note(f"made {wheels}, for machines of your own")


def _must_replace_all(
    project: Project, tags: list[Tags], of_release: set[Tags], out: Path
) -> None:
    """Raise BuildError for a wheel of an earlier build that installers may choose instead of a new one."""
    names = {wheel_name(project, tag_set) for tag_set in of_release}
    machines = _machines(tag for tag_set in tags for tag in tag_set.platforms)
    stale = []
    for path in sorted(out.glob("*.whl")):
        with contextlib.suppress(InvalidWheelFilename):
            name, version, _, wheel_tags = parse_wheel_filename(path.name)
            is_ours = (name, version) == (
                project.metadata.canonical_name,
                project.metadata.version,
            )
            others = _machines(tag.platform for tag in wheel_tags)
            if is_ours and path.name not in names and not machines.isdisjoint(others):
                stale.append(str(path))
    if stale:
        raise BuildError(
            f"{listed(stale, ' and ')} of an earlier build is for the same machines as a new wheel",
            hint=f"remove it: `rm {shlex.join(stale)}`, or give another folder: `--out FOLDER`",
        )


def _machines(tags: Iterable[str]) -> set[System]:
    """Return the machines of platform tags, of all versions: a tag may be for several."""
    several = {"linux": ("manylinux", "musllinux"), "universal2": ("x86_64", "arm64")}
    return {
        (family, cpu)
        for family_name, cpu_name in oldest_systems(tags)
        for family in several.get(family_name, (family_name,))
        for cpu in several.get(cpu_name, (cpu_name,))
    }


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


def _must_be_publishable(sets: list[ProgramSet]) -> None:
    """Raise BuildError for wheels that a public index would refuse, after it took others."""
    refused = [programs for programs in sets if not programs.tags.publishable]
    lines = [
        f"\n  {', '.join(programs.tags.platforms)} of `{programs.place}`, because {reason}"
        for programs in refused
        for reason in programs.tags.reasons
    ]
    if refused:
        choices = ["make the wheels for machines of your own: `--local`"]
        if len(refused) < len(sets):
            choices.insert(0, "leave their places out by `exclude`")
        raise BuildError(
            f"wheels with these tags are not for a public index:{''.join(lines)}",
            hint=", or ".join([*remedies(lines, is_on_path=True), *choices]),
        )


def _stub_content(project: Project, tags: Iterable[str]) -> Content:
    """Return a stub that has the commands of the programs; `tags` are those of the wheels that have them."""
    package = f"{project.name}_stub"
    # In words, the oldest system of each kind.
    machines = sorted(
        f"{SYSTEMS[family].format(dotted(number))} on {CPUS.get(cpu, cpu)}"
        for (family, cpu), number in oldest_systems(tags).items()
    )
    facts = {
        "name": project.metadata.name,
        "version": project.version,
        "machines": machines,
    }
    text = json.dumps(facts, indent=2) + "\n"
    entries = [
        *package_entries(project),
        file_entry(f"{package}/__init__.py", STUB_SOURCE),
        generated_entry(f"{package}/machines.json", text.encode),
    ]
    commands = dict.fromkeys(project.programs, f"{package}:main")
    return Content(entries, STUB_TAGS, commands=commands)
