"""Building a platform wheel per collected binary, then `lean-spec` with their checksums."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import build
from packaging.utils import parse_sdist_filename, parse_wheel_filename

from leanspec_launcher._tables import PLATFORMS, PROGRAMS, Platform
from leanspec_launcher.commands import CommandError
from leanspec_launcher.web.pages import RECORD as PAGES_RECORD
from leanspec_launcher.web.place import FOLDER as PAGES_FOLDER
from scripts.collect.pages import read_collected_pages
from scripts.collect.reported import reported_tools, runs_here
from scripts.collect.staging import read_collected
from scripts.environment import ROOT
from scripts.model.distributions import (
    DISTRIBUTIONS,
    HAS_MCP,
    MCP_COMMAND,
    MCP_COMMAND_PROJECT,
)
from scripts.model.distributions import PAGES as PAGES_DISTRIBUTION
from scripts.model.pages import PACKAGE as PAGES_PACKAGE
from scripts.model.pages import PROJECT as PAGES_PROJECT
from scripts.model.pages import pages_folder, pages_record
from scripts.model.plan import Plan, read_plan, typescript_release
from scripts.model.programs import (
    ProgramProject,
    binary_path,
    load_programs,
    main_project,
    release_keys,
)
from scripts.model.versions import binary_version
from scripts.tools.console import say, size, step
from scripts.tools.git_files import (
    copy_folder,
    copy_tracked,
    has_commit,
    untracked_files,
)
from scripts.tools.processes import capture, clean_environment
from scripts.tools.threads import map_in_threads
from scripts.tools.work_folder import work_folder

from .pins import WheelPins, render_pins, wheel_pins
from .readme import for_the_index

MAIN_PACKAGE = "leanspec_launcher"
# The folders and files that a release is built from, and by.
FOLDERS = (MAIN_PACKAGE, "platform_wheels", "build_backend")
BUILT_FROM = (*FOLDERS, "pyproject.toml", "README.md", "LICENSE")
# The copy of them, next to what is built.
SOURCES = "sources"
# What helps with a program for Linux that needs libraries which no policy allows.
GRAFT = "graft them into the wheel: `python3 -m scripts wheels --repair auditwheel`"
# What is meant to be untracked there.
CACHE = "__pycache__"
COLLECTED = {"binaries", "bin", PAGES_FOLDER, PAGES_RECORD}
MOST_NAMED = 3
EPOCH = "315532800"  # 1980-01-01, the oldest time that a zip archive can state


@dataclass(frozen=True)
class BuildRequest:
    """One platform wheel to be built."""

    project: ProgramProject
    platform: Platform
    binary: Path
    source: str
    """The kind of the binary's source."""


def build_wheels(
    base: Path,
    out: Path,
    programs: tuple[str, ...],
    platforms: tuple[str, ...],
    repair: str | None = None,
) -> list[Path]:
    """Build what `base` holds into `out`: platform wheels; stubs and `lean-spec` too unless the choice was narrowed.

    What `out` held of the same distributions is replaced when all went well. Returns the files
    built. Raises CommandError if nothing of the choice is collected or a build fails.
    """
    wanted = _choose(base, programs, platforms)
    plan = read_plan(kinds={each.source for each in wanted})
    narrowed = bool(programs or platforms)
    with work_folder(out) as folder:
        _copy_sources(folder / SOURCES)
        built = _build_platform_wheels(wanted, folder, repair)
        if narrowed:
            say(
                "lean-spec and the stubs are left out: they speak of all programs and platforms"
            )
        else:
            pins = _pins(wanted, built)
            pages = read_collected_pages(base)
            built += _build_stubs(wanted, built, folder)
            built += _build_pages(base, folder) if pages else []
            digest = str(pages["sha256"]) if pages else ""
            built += _build_main(folder, pins, digest, _tools(wanted))
            for line in _gaps(pins, plan):
                say(f"    {line}")
            built += _build_mcp_command(folder) if HAS_MCP else []
        return _publish(built, out, () if narrowed else DISTRIBUTIONS)


def _copy_sources(target: Path) -> None:
    """Copy what git tracks of the sources, and say what is left out; all of them outside a repository."""
    if not has_commit(ROOT):
        copy_folder(ROOT, target, *BUILT_FROM)
        return
    copy_tracked(ROOT, target, *BUILT_FROM)
    others = [name for name in untracked_files(ROOT, *FOLDERS) if _is_left_out(name)]
    for name in others[:MOST_NAMED]:
        say(f"left out, because git does not track it: `{name}`")
    if len(others) > MOST_NAMED:
        say(f"left out: {len(others) - MOST_NAMED} more that git does not track")


def _is_left_out(name: str) -> bool:
    """Tell whether somebody could expect an untracked file in a wheel."""
    folder, *parts = Path(name).parts
    is_collected = folder == "platform_wheels" and bool(COLLECTED.intersection(parts))
    return CACHE not in parts and not is_collected


def _choose(
    base: Path, programs: tuple[str, ...], platforms: tuple[str, ...]
) -> list[BuildRequest]:
    projects = {project.name: project for project in load_programs()}
    wanted = []
    for each in read_collected(base):
        project, platform = projects[each.program], PLATFORMS[each.platform]
        wanted_version = binary_version(project.version)
        if each.version != wanted_version:
            raise CommandError(
                f"the collected `{each.program}` for `{each.platform}` is version `{each.version}`,"
                f" this is `{wanted_version}`",
                hint=f"collect {wanted_version}: `python3 -m scripts collect --help`",
            )
        if each.program in (programs or projects) and each.platform in (
            platforms or PLATFORMS
        ):
            path = binary_path(base, project, platform)
            source = str(each.source.get("kind"))
            wanted.append(BuildRequest(project, platform, path, source))
    _must_be_complete(wanted, programs, platforms, base)
    return wanted


def _must_be_complete(
    wanted: list[BuildRequest],
    programs: tuple[str, ...],
    platforms: tuple[str, ...],
    base: Path,
) -> None:
    """Raise CommandError if something asked for by name is not collected, or nothing is."""
    hint = "collect it first: `python3 -m scripts collect --help`"
    for program in programs:
        if not any(each.project.name == program for each in wanted):
            raise CommandError(
                f"no binary of `{program}` is collected in `{base}`", hint=hint
            )
    for platform in platforms:
        if not any(each.platform.key == platform for each in wanted):
            raise CommandError(
                f"no binary for `{platform}` is collected in `{base}`", hint=hint
            )
    if not wanted:
        raise CommandError(f"no binary is collected in `{base}`", hint=hint)


def _build_platform_wheels(
    wanted: list[BuildRequest], out: Path, repair: str | None
) -> list[Path]:
    with step(f"building {len(wanted)} platform wheels"):
        results = map_in_threads(
            lambda each: _build_one(each, out, repair), wanted, os.cpu_count()
        )
    for wheel, words in results:
        say(f"  {wheel.name}  {size(wheel.stat().st_size)}")
        for line in words.splitlines():
            # The backend's hints are for its own users.
            if line.startswith("  ") and not line.startswith("  hint: "):
                say(f"    {line.strip()}")
        if any(tag.startswith("linux_") for tag in _platform_tags(wheel)):
            say(f"    hint: {GRAFT}")
    return [wheel for wheel, _ in results]


def _build_one(wanted: BuildRequest, out: Path, repair: str | None) -> tuple[Path, str]:
    """Return the wheel and the backend's remarks."""
    what = f"building `{wanted.project.program.distribution}` for `{wanted.platform.key}`"
    settings = {"binary": str(wanted.binary.absolute())} | (
        {"repair": repair} if repair else {}
    )
    return _call_backend(wanted.project.root, "wheel", out, what, settings)


def _call_backend(
    source: Path,
    kind: Literal["wheel", "sdist"],
    out: Path,
    what: str,
    settings: Mapping[str, str] | None = None,
) -> tuple[Path, str]:
    """Build with the backend that a project names, in this environment; return the file, and what was said.

    The project is that of the copied sources, and our own backend theirs, too.
    """
    copy = out / SOURCES
    runs: list[subprocess.CompletedProcess[str]] = []

    def runner(
        cmd: Sequence[str],
        cwd: str | None = None,
        extra_environ: Mapping[str, str] | None = None,
    ) -> None:
        environment = {"SOURCE_DATE_EPOCH": EPOCH} | clean_environment(
            **(extra_environ or {})
        )
        environment["PYTHONPATH"] = str(copy / "build_backend")
        runs.append(capture(list(cmd), cwd=Path(cwd or copy), env=environment))
        runs[-1].check_returncode()

    try:
        built = build.ProjectBuilder(
            copy / source.relative_to(ROOT),
            python_executable=sys.executable,
            runner=runner,
        ).build(kind, out, config_settings=settings)
    except build.BuildBackendException as error:
        said = runs[-1].stderr if runs else str(error)
        # The copy is gone when this is read.
        said = said.replace(str(copy), str(ROOT))
        # Our own backend ends with `error: ...` and perhaps `hint: ...`; what stands before is
        # progress.
        _, _, problem = f"\n{said}".rpartition("\nerror: ")
        message, _, hint = (problem or said).strip().partition("\nhint: ")
        raise CommandError(f"{what} failed: {message}", hint=hint or None) from None
    return Path(built), runs[-1].stderr


def _build_stubs(wanted: list[BuildRequest], wheels: list[Path], out: Path) -> list[Path]:
    """Build a stub per program, which is installed if no platform wheel fits."""

    def build_stub(project: ProgramProject) -> Path:
        tags = {
            each.platform.key: _platform_tags(wheel)
            for each, wheel in zip(wanted, wheels, strict=True)
            if each.project == project
        }
        path = out / f"{project.name}.json"
        release = {"version": project.version, "builds": tags}
        path.write_text(json.dumps(release, indent=2) + "\n", "utf-8")
        what = f"building the stub of `{project.program.distribution}`"
        stub, _ = _call_backend(
            project.root, "wheel", out, what, {"stub": str(path.absolute())}
        )
        path.unlink()
        return stub

    title = "building the stubs, for machines that no platform wheel fits"
    with step(title):
        built = map_in_threads(build_stub, load_programs(), os.cpu_count())
    for stub in built:
        say(f"  {stub.name}  {size(stub.stat().st_size)}")
    return built


def _build_pages(base: Path, out: Path) -> list[Path]:
    """Build the wheel of the web UI, with the collected pages in it."""
    package = out / SOURCES / PAGES_PROJECT.relative_to(ROOT) / PAGES_PACKAGE
    shutil.copytree(pages_folder(base), package / PAGES_FOLDER)
    shutil.copyfile(pages_record(base), package / PAGES_RECORD)
    with step("building the pages of the web UI"):
        what = f"building `{PAGES_DISTRIBUTION}`"
        wheel, _ = _call_backend(PAGES_PROJECT, "wheel", out, what)
    say(f"  {wheel.name}  {size(wheel.stat().st_size)}")
    return [wheel]


def _build_mcp_command(out: Path) -> list[Path]:
    """Build the distribution that is called like the command of the MCP server."""
    what = f"building `{MCP_COMMAND}`"
    wheel, _ = _call_backend(MCP_COMMAND_PROJECT, "wheel", out, what)
    say(f"  {wheel.name}  {size(wheel.stat().st_size)}")
    return [wheel]


def _platform_tags(wheel: Path) -> list[str]:
    return sorted({tag.platform for tag in parse_wheel_filename(wheel.name)[3]})


def _pins(
    wanted: list[BuildRequest], wheels: list[Path]
) -> dict[str, dict[str, WheelPins]]:
    pins: dict[str, dict[str, WheelPins]] = {}
    for each, wheel in zip(wanted, wheels, strict=True):
        program = pins.setdefault(each.project.name, {})
        program[each.platform.key] = wheel_pins(wheel, each.project, each.platform)
    return pins


def _tools(wanted: list[BuildRequest]) -> dict[str, dict[str, str]]:
    """Ask the MCP server for its tools; none if no binary of it runs on this machine."""
    for each in wanted:
        if each.project.program is not PROGRAMS["mcp"] or not runs_here(each.platform):
            continue
        # A collected file need not be executable: a copy is started.
        with tempfile.TemporaryDirectory(prefix="leanspec-server-") as folder:
            program = Path(folder, each.binary.name)
            shutil.copyfile(each.binary, program)
            program.chmod(0o700)
            try:
                return reported_tools(program)
            except OSError as error:
                say(f"the tools of `{program.name}` are not listed: {error}")
    return {}


def _build_main(
    out: Path,
    pins: dict[str, dict[str, WheelPins]],
    pages: str,
    tools: dict[str, dict[str, str]],
) -> list[Path]:
    """Build `lean-spec` with the checksums added to the copy of its sources."""
    project = main_project()
    version, repository = project["version"], project["urls"]["Repository"]
    with step(f"building lean-spec {version} with the checksums of these binaries"):
        source = out / SOURCES
        readme = source / "README.md"
        readme.write_text(
            for_the_index(readme.read_text("utf-8"), repository, f"v{version}"), "utf-8"
        )
        files = f"{repository}/releases/download/v{{version}}/"
        typescript = typescript_release()
        text = render_pins(
            version, pins, pages, files, release_keys(), tools, typescript=typescript
        )
        (source / MAIN_PACKAGE / "_pins.py").write_text(text, "utf-8")
        built = [
            _call_backend(ROOT, "wheel", out, "building `lean-spec`")[0],
            _call_backend(ROOT, "sdist", out, "building the sdist of `lean-spec`")[0],
        ]
    for path in built:
        say(f"  {path.name}  {size(path.stat().st_size)}")
    if not pages:
        say("    it has no pages of the web UI: `python3 -m scripts collect pages`")
    return built


def _gaps(pins: dict[str, dict[str, WheelPins]], plan: Plan) -> Iterator[str]:
    """Say for which platforms and programs this `lean-spec` has no binary: no gap is silent."""
    absent = [
        key for key in PLATFORMS if not any(key in program for program in pins.values())
    ]
    for key in absent:
        if key in plan.missing:
            yield f"lean-spec has no binary for {key}: {plan.missing[key]}"
    unplanned = [key for key in absent if key not in plan.missing]
    if unplanned:
        yield f"lean-spec has no binary for {', '.join(unplanned)}, which the plan expects"
    for key in PLATFORMS:
        programs = [name for name in PROGRAMS if key not in pins.get(name, {})]
        if programs and key not in absent:
            yield f"lean-spec has no binary for {key} of {', '.join(programs)}"


def _publish(built: list[Path], out: Path, others: Iterable[str]) -> list[Path]:
    """Move the files into place, and out of it what they replace: files of these distributions, or of `others`."""
    replaced = {*(_distribution(path) for path in built), *others}
    names = {path.name for path in built}
    old = [
        path
        for path in (*out.glob("*.whl"), *out.glob("*.tar.gz"))
        if path.name not in names
    ]
    moved = [path.replace(out / path.name) for path in built]
    for path in old:
        if _distribution(path) in replaced:
            path.unlink()
    return moved


def _distribution(path: Path) -> str:
    try:
        parse = parse_wheel_filename if path.suffix == ".whl" else parse_sdist_filename
        return str(parse(path.name)[0])
    except ValueError:  # both of packaging's errors for a foreign name are one
        return ""
