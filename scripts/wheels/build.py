"""Building a platform wheel per collected binary, then `lean-spec` with their checksums."""

import json
import os
import re
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
from scripts.collect import pages
from scripts.collect.reported import reported_tools, runs_here
from scripts.collect.staging import read_collected
from scripts.environment import ROOT
from scripts.model.plan import Plan, read_plan, typescript_release
from scripts.model.programs import (
    DISTRIBUTIONS,
    HAS_MCP,
    MCP_COMMAND,
    MCP_COMMAND_PROJECT,
    PAGES,
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

from .pins import ReleasePins, render_pins, wheel_pins

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
# An image's exclamation mark, and where an inline link of Markdown leads.
LINK = re.compile(r"(!?\[(?:[^\[\]]|\[[^\]]*\])*\])\((?!https?://|mailto:|#)([^)\s]+)\)")
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
    requests = _choose(base, programs, platforms)
    plan = read_plan(kinds={request.source for request in requests})
    narrowed = bool(programs or platforms)
    with work_folder(out) as folder:
        _copy_sources(folder / SOURCES)
        files = _build_platform_wheels(requests, folder, repair)
        if narrowed:
            say(
                "lean-spec and the stubs are skipped: they describe all programs and platforms"
            )
        else:
            pins: ReleasePins = {}
            for request, wheel in zip(requests, files, strict=True):
                project, platform = request.project, request.platform
                program = pins.setdefault(project.name, {})
                program[platform.key] = wheel_pins(wheel, project, platform)
            record = pages.read_collected_pages(base)
            files += _build_stubs(requests, files, folder)
            files += _build_pages(base, folder) if record else []
            sha256 = str(record["sha256"]) if record else ""
            files += _build_main(folder, pins, sha256, _tools(requests))
            for line in _gaps(pins, plan):
                say(f"    {line}")
            if HAS_MCP:
                title = f"building `{MCP_COMMAND}`"
                command, _ = _call_backend(MCP_COMMAND_PROJECT, "wheel", folder, title)
                _say_files([command])
                files.append(command)
        return _publish(files, out, () if narrowed else DISTRIBUTIONS)


def _say_files(files: Iterable[Path]) -> None:
    for path in files:
        say(f"  {path.name}  {size(path.stat().st_size)}")


def _copy_sources(target: Path) -> None:
    """Copy what git tracks of the sources, and say what is left out; all of them outside a repository."""
    if not has_commit(ROOT):
        copy_folder(ROOT, target, *BUILT_FROM)
        return
    copy_tracked(ROOT, target, *BUILT_FROM)
    untracked = untracked_files(ROOT, *FOLDERS)
    others = [name for name in untracked if _is_left_out(name)]
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
    """Return the platform wheels to build.

    Raises CommandError if something asked for by name is not collected, nothing is, or a binary is
    of another version.
    """
    projects = {project.name: project for project in load_programs()}
    requests = []
    for binary in read_collected(base):
        project, platform = projects[binary.program], PLATFORMS[binary.platform]
        version = binary_version(project.version)
        if binary.version != version:
            raise CommandError(
                f"the collected `{binary.program}` for `{binary.platform}` is version `{binary.version}`,"
                f" this is `{version}`",
                hint=f"collect {version}: `python3 -m scripts collect --help`",
            )
        is_chosen = binary.program in (programs or projects)
        if is_chosen and binary.platform in (platforms or PLATFORMS):
            path = binary_path(base, project.program, platform)
            source = str(binary.source.get("kind"))
            requests.append(BuildRequest(project, platform, path, source))
    names = {request.project.name for request in requests}
    keys = {request.platform.key for request in requests}
    absent = [f" of `{name}`" for name in programs if name not in names]
    absent += [f" for `{key}`" for key in platforms if key not in keys]
    if absent or not requests:
        subject = absent[0] if absent else ""
        raise CommandError(
            f"no binary{subject} is collected in `{base}`",
            hint="collect it first: `python3 -m scripts collect --help`",
        )
    return requests


def _build_platform_wheels(
    requests: list[BuildRequest], out: Path, repair: str | None
) -> list[Path]:
    def build_wheel(request: BuildRequest) -> tuple[Path, str]:
        distribution = request.project.program.distribution
        title = f"building `{distribution}` for `{request.platform.key}`"
        settings = {"binary": str(request.binary.absolute())}
        settings |= {"repair": repair} if repair else {}
        return _call_backend(request.project.root, "wheel", out, title, settings)

    with step(f"building {len(requests)} platform wheels"):
        results = map_in_threads(build_wheel, requests, os.cpu_count())
    for wheel, remarks in results:
        _say_files([wheel])
        for line in remarks.splitlines():
            # The backend's hints are for its own users.
            if line.startswith("  ") and not line.startswith("  hint: "):
                say(f"    {line.strip()}")
        if any(tag.startswith("linux_") for tag in _platform_tags(wheel)):
            say(f"    hint: {GRAFT}")
    return [wheel for wheel, _ in results]


def _call_backend(
    source: Path,
    kind: Literal["wheel", "sdist"],
    out: Path,
    title: str,
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
        environment = clean_environment(**(extra_environ or {}))
        environment.setdefault("SOURCE_DATE_EPOCH", EPOCH)
        # Our own backend is that of the copied sources; others are installed in this environment.
        environment["PYTHONPATH"] = str(copy / "build_backend")
        runs.append(capture(list(cmd), cwd=Path(cwd or copy), env=environment))
        runs[-1].check_returncode()

    project = copy / source.relative_to(ROOT)
    try:
        builder = build.ProjectBuilder(
            project, python_executable=sys.executable, runner=runner
        )
        file = builder.build(kind, out, config_settings=settings)
    except build.BuildBackendException as error:
        output = runs[-1].stderr if runs else str(error)
        # The copy is gone when this is read.
        output = output.replace(str(copy), str(ROOT))
        # Our own backend ends with `error: ...` and perhaps `hint: ...`; what stands before is
        # progress.
        _, _, problem = f"\n{output}".rpartition("\nerror: ")
        message, _, hint = (problem or output).strip().partition("\nhint: ")
        raise CommandError(f"{title} failed: {message}", hint=hint or None) from None
    return Path(file), runs[-1].stderr


def _build_stubs(requests: list[BuildRequest], wheels: list[Path], out: Path) -> list[Path]:
    """Build a stub per program, which is installed if no platform wheel fits."""

    def build_stub(project: ProgramProject) -> Path:
        tags = {
            request.platform.key: _platform_tags(wheel)
            for request, wheel in zip(requests, wheels, strict=True)
            if request.project == project
        }
        path = out / f"{project.name}.json"
        release = {"version": project.version, "builds": tags}
        path.write_text(json.dumps(release, indent=2) + "\n", "utf-8")
        title = f"building the stub of `{project.program.distribution}`"
        settings = {"stub": str(path.absolute())}
        stub, _ = _call_backend(project.root, "wheel", out, title, settings)
        path.unlink()
        return stub

    with step("building the stubs, for machines that no platform wheel fits"):
        stubs = map_in_threads(build_stub, load_programs(), os.cpu_count())
    _say_files(stubs)
    return stubs


def _build_pages(base: Path, out: Path) -> list[Path]:
    """Build the wheel of the web UI, with the collected pages in it."""
    package = out / SOURCES / pages.PROJECT.relative_to(ROOT) / pages.PACKAGE
    shutil.copytree(pages.pages_folder(base), package / PAGES_FOLDER)
    shutil.copyfile(pages.pages_record(base), package / PAGES_RECORD)
    with step("building the pages of the web UI"):
        title = f"building `{PAGES}`"
        wheel, _ = _call_backend(pages.PROJECT, "wheel", out, title)
    _say_files([wheel])
    return [wheel]


def _platform_tags(wheel: Path) -> list[str]:
    return sorted({tag.platform for tag in parse_wheel_filename(wheel.name)[3]})


def _tools(requests: list[BuildRequest]) -> dict[str, dict[str, str]]:
    """Ask the MCP server for its tools; none if no binary of it runs on this machine."""
    for request in requests:
        is_server = request.project.program is PROGRAMS["mcp"]
        if not is_server or not runs_here(request.platform):
            continue
        # A collected file need not be executable: a copy is started.
        with tempfile.TemporaryDirectory(prefix="leanspec-server-") as folder:
            program = Path(folder, request.binary.name)
            shutil.copyfile(request.binary, program)
            program.chmod(0o700)
            try:
                return reported_tools(program)
            except OSError as error:
                say(f"the tools of `{program.name}` are not listed: {error}")
    return {}


def _build_main(
    out: Path, pins: ReleasePins, pages_sha256: str, tools: dict[str, dict[str, str]]
) -> list[Path]:
    """Build `lean-spec` with the checksums added to the copy of its sources."""
    project = main_project()
    version, repository = project["version"], project["urls"]["Repository"]
    with step(f"building lean-spec {version} with the checksums of these binaries"):
        source = out / SOURCES
        readme = source / "README.md"
        text = _for_the_index(readme.read_text("utf-8"), repository, f"v{version}")
        readme.write_text(text, "utf-8")
        text = render_pins(
            version,
            pins,
            pages=pages_sha256,
            files=f"{repository}/releases/download/v{{version}}/",
            keys=release_keys(),
            tools=tools,
            typescript=typescript_release(),
        )
        (source / MAIN_PACKAGE / "_pins.py").write_text(text, "utf-8")
        wheel, _ = _call_backend(ROOT, "wheel", out, "building `lean-spec`")
        sdist, _ = _call_backend(ROOT, "sdist", out, "building the sdist of `lean-spec`")
    _say_files([wheel, sdist])
    if not pages_sha256:
        say("    it has no pages of the web UI: `python3 -m scripts collect pages`")
    return [wheel, sdist]


def _for_the_index(text: str, repository: str, tag: str) -> str:
    """Return a README whose links into the repository are absolute, at the tag of a release."""

    def whole(link: re.Match[str]) -> str:
        label, target = link.groups()
        kind = "raw" if label.startswith("!") else "blob"
        return f"{label}({repository}/{kind}/{tag}/{target})"

    return LINK.sub(whole, text)


def _gaps(pins: ReleasePins, plan: Plan) -> Iterator[str]:
    """Say for which platforms and programs this `lean-spec` has no binary: no gap is silent."""
    present = {key for program in pins.values() for key in program}
    absent = [key for key in PLATFORMS if key not in present]
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


def _publish(files: list[Path], out: Path, others: Iterable[str]) -> list[Path]:
    """Move the files into place, and out of it what they replace: files of these distributions, or of `others`."""
    replaced = {*map(_distribution, files), *others}
    # Listed first: a file of the same name is replaced by its move, and must not be removed after it.
    old = {*out.glob("*.whl"), *out.glob("*.tar.gz")}
    moved = [path.replace(out / path.name) for path in files]
    for path in old.difference(moved):
        if _distribution(path) in replaced:
            path.unlink()
    return moved


def _distribution(path: Path) -> str:
    try:
        parse = parse_wheel_filename if path.suffix == ".whl" else parse_sdist_filename
        return str(parse(path.name)[0])
    except ValueError:  # both of packaging's errors for a foreign name are one
        return ""
