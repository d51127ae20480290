"""`pyproject.toml` as a Project: all that a wheel is made from, except for its binaries."""

import dataclasses
import itertools
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pyproject_metadata

from leanspec_build.errors import BuildError, adding_reason, note
from leanspec_build.formats.executable import must_be_file

from .keys import TABLE, read_keys
from .metadata import read_metadata
from .names import (
    COMMAND_FOLDERS,
    STARTED,
    must_be_a_command,
    must_be_outside_python,
    same_name,
    without_exe,
)

WILDCARD = re.compile(r"[*?[]")


@dataclasses.dataclass(frozen=True)
class Project:
    """The content of `pyproject.toml`, and the files that it names."""

    root: Path
    metadata: pyproject_metadata.StandardMetadata
    package: str
    has_dynamic_version: bool = False
    """Whether the version is from elsewhere: `Cargo.toml`, a git tag or an option."""
    executable_name: str = ""
    """The file name of the executable; empty for a package that carries data alone."""
    data: tuple[str, ...] = ()
    """Globs of data files, relative to the package."""
    record: str = ""
    """The JSON file of the package that says where its data are from; empty for none."""
    floors: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Platform -> the oldest system that is promised, as `glibc 2.28` or `macos 11.0`."""
    repair: str | None = None
    """What may graft foreign libraries into the wheel: `auditwheel`, or None."""
    programs: tuple[str, ...] = ()
    """The programs that an installation puts on the path, without `.exe`."""
    places: tuple[str, ...] = ()
    """The folders and archives that have the programs, or globs of them, relative to the project."""
    exclude: tuple[str, ...] = ()
    """Globs of what of these is left out, relative to the project."""
    platforms: tuple[str, ...] = ()
    """The platforms that there are to be programs for, as `linux-x64`; empty for those that there are."""
    data_files: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    """Folder of an environment, as `share/man/man1` -> globs of the files for it, relative to the project."""
    has_stub: bool = False
    """Whether a wheel for all other machines says which ones the programs are for."""
    is_universal2: bool = False
    """Whether the programs for both CPUs of macOS are joined into one file each."""

    @property
    def path(self) -> Path:
        """The file itself."""
        return self.root / "pyproject.toml"

    @property
    def name(self) -> str:
        """The distribution's name as file names carry it (PEP 427)."""
        return self.metadata.canonical_name.replace("-", "_")

    @property
    def version(self) -> str:
        """The normalised version."""
        return str(self.metadata.version)

    @property
    def stem(self) -> str:
        """What names of wheels, and of the folders in them, begin with."""
        return f"{self.name}-{self.version}"

    @property
    def libraries_folder(self) -> str:
        """Where the wheel has the libraries that it brings along: auditwheel's own place."""
        return f"{self.name}.libs"

    @property
    def scripts(self) -> dict[str, str]:
        """The commands that an installer makes: name -> object reference."""
        return {**self.metadata.scripts, **self.metadata.gui_scripts}

    def sources(self) -> list[Path]:
        """Return the files of the import package, without the executable; none if there is no package."""
        if not self.package:
            return []
        folder = self.root / self.package
        modules = {
            path
            for path in folder.rglob("*")
            if path.suffix == ".py" or path.name == "py.typed"
        }
        data = {path for pattern in self.data for path in folder.glob(pattern)}
        return sorted(
            path for path in modules | data if not path.is_dir() or path.is_symlink()
        )

    def left_out_notes(self) -> list[str]:
        """Return a line for each file of the import package that no wheel gets, for whoever builds."""
        if not self.package:
            return []
        folder = self.root / self.package
        packed = {*self.sources(), *(folder / "bin").rglob("*")}
        return [
            f"note: `{path.relative_to(self.root)}` is not packed: name it under `data`"
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path not in packed and "__pycache__" not in path.parts
        ]

    def placed_files(self) -> list[tuple[str, Path]]:
        """Return each data file with the path that an environment has it at.

        Raises BuildError if a glob matches nothing, or what is no file, and for a link that leads up or out.
        """
        placed = set()
        for folder, patterns in self.data_files.items():
            for pattern in patterns:
                base, paths = _matches(self.root, pattern)
                if not paths:
                    raise BuildError(
                        f"no file matches `{pattern}`, which `data-files` names for `{folder}`",
                        hint="correct it: the pattern is relative to the project, as `man/*.1`",
                    )
                files = [path.relative_to(self.root) for path in paths]
                _must_stay_inside(self.root, files)
                self._must_replace_nothing(folder, paths)
                for path in paths:
                    place = f"{folder}/{path.relative_to(base).as_posix()}"
                    must_be_outside_python(place, path.relative_to(self.root))
                    placed.add((place, path))
        return sorted(placed)

    def _must_replace_nothing(self, folder: str, paths: list[Path]) -> None:
        """Raise BuildError for a data file that would be a command of the project, or of an environment."""
        if folder.casefold() not in COMMAND_FOLDERS:
            return
        commands = {same_name(name) for name in (*self.programs, *self.scripts)}
        for path in paths:
            must_be_a_command(path.name, self.path)
            name = same_name(path.name)
            plain = without_exe(name)
            # Two files in `bin` have one place in the wheel, which its writer refuses.
            is_same = plain in commands and folder != "bin"
            if is_same or STARTED.sub("", name) in commands - {plain}:
                raise BuildError(
                    f"the data file `{path.relative_to(self.root)}` would replace the command `{path.name}`",
                    hint=f"name another folder than `{folder}` for it under `data-files`",
                )

    def license_files(self) -> list[Path]:
        """Return the licence files, relative to the project."""
        return sorted(Path(path) for path in self.metadata.license_files or [])


def load_project(root: Path, version: str = "") -> Project:
    """Read `pyproject.toml` in `root`; `version` is the one of a project that calls it dynamic.

    Raises BuildError, in words that name the key, for anything that is missing, unknown or leaves
    the project.
    """
    path = root / "pyproject.toml"
    table = _read_table(path)
    metadata = read_metadata(table, path, version)
    tools = table.get("tool")
    table_of_tools = tools if isinstance(tools, dict) else {}
    if "leanspec_build" in table_of_tools:
        note(
            f"note: `{path}` has `[tool.leanspec_build]`, which nothing reads: write {TABLE}"
        )
    keys = read_keys(table_of_tools.get("leanspec-build"), path)
    data_files = keys.get("data-files", {})
    places = keys.get("from", ())
    # A program has the name of its project, where nothing else is said.
    programs = keys.get("programs") or [metadata.name][: "from" in keys]
    project = Project(
        root,
        metadata,
        package=keys.get("package", ""),
        has_dynamic_version="version" not in table["project"],
        executable_name=keys.get("executable", ""),
        data=tuple(keys.get("data", ())),
        record=keys.get("record", ""),
        floors=keys.get("floors", {}),
        repair=keys.get("repair"),
        programs=tuple(programs),
        places=(places,) if isinstance(places, str) else tuple(places),
        exclude=tuple(keys.get("exclude", ())),
        platforms=tuple(keys.get("platforms", ())),
        data_files={
            str(PurePosixPath(folder)): tuple(globs) for folder, globs in data_files.items()
        },
        has_stub=keys.get("stub", False),
        is_universal2=keys.get("universal2", False),
    )
    readme = table["project"].get("readme")
    if isinstance(readme, dict):
        readme = readme.get("file")
    _must_stay_inside(root, [*project.license_files(), Path(readme or "")])
    if project.package:
        _must_be_a_package(project)
    _must_be_commands(project)
    return project


def _read_table(path: Path) -> dict[str, Any]:
    hint = "run this in the folder of the project, or name that: `--project FOLDER`"
    # Opening a pipe waits for whoever writes to it.
    if path.exists() and not path.is_file():
        raise BuildError(f"`{path}` is not a regular file", hint=hint)
    try:
        with adding_reason(BuildError(f"cannot read `{path}`", hint=hint)):
            return tomllib.loads(path.read_text("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BuildError(
            f"cannot read `{path}`: {error}",
            hint='correct it: it is TOML in UTF-8, with texts in quotes, as `name = "example"`',
        ) from None


def _must_be_commands(project: Project) -> None:
    """Raise BuildError for a script that would take a program's place on the path, or that cannot start."""
    for name in (*project.programs, *project.scripts):
        must_be_a_command(name, project.path)
    programs = {same_name(name) for name in project.programs}
    for name, reference in project.scripts.items():
        if same_name(name) in programs:
            raise BuildError(
                f"`{project.path}` has `{name}` both as a program and as a script",
                hint=f"take `{name}` out of `[project.scripts]`: the program itself is the command",
            )
        module = reference.partition(":")[0].strip()
        top = module.partition(".")[0]
        place = project.root / module.replace(".", "/")
        is_there = place.with_suffix(".py").is_file() or (place / "__init__.py").is_file()
        if top != project.package:
            # It may be in what the project depends on.
            is_there = bool(project.metadata.dependencies)
        if not is_there:
            raise BuildError(
                f"`{project.path}` has the script `{name}`, and the wheel has no module `{module}` for it",
                hint="correct it, or name the folder that has it: `package` under `[tool.leanspec-build]`",
            )


def _must_be_a_package(project: Project) -> None:
    """Raise BuildError if there is no package, a pattern matches nothing, or the package contains a link."""
    folder = project.root / project.package
    if not (folder / "__init__.py").is_file():
        raise BuildError(
            f"`{project.path}` names the package `{project.package}`, but there is no such folder next to it",
            hint=f"it is a folder with an `__init__.py`: `{project.package}/__init__.py`",
        )
    for pattern in (*project.data, *filter(None, [project.record])):
        if not any(file.is_file() for file in folder.glob(pattern)):
            raise BuildError(
                f"`{project.path}` names the data `{pattern}`, but `{project.package}` has no such file",
                hint="correct it: the pattern is relative to the package, as `templates/**/*`",
            )
    for source in project.sources():
        if not source.is_symlink():
            must_be_file(source)
        # A link may lead to any file of the machine that builds.
        if not source.resolve().is_relative_to(folder.resolve()) or not source.is_file():
            raise BuildError(
                f"`{source}` is a link that leads out of the package, or nowhere",
                hint="copy the file into the package",
            )


def _matches(root: Path, pattern: str) -> tuple[Path, list[Path]]:
    """Return the files that a glob matches, also in folders, and where the tree begins that is kept."""
    if (root / pattern).is_dir():
        pattern = f"{pattern}/**"
    parts = PurePosixPath(pattern).parts
    # Before Python 3.13, two stars match folders alone.
    if parts[-1] == "**":
        parts = (*parts, "*")
    folders = list(root.glob("/".join(parts[:-1]))) if parts[:-1] else [root]
    matches = list(root.glob("/".join(parts)))
    # A glob leaves out a link that leads nowhere, if it names it.
    matches += [
        path for path in (folder / parts[-1] for folder in folders) if path.is_symlink()
    ]
    fixed = list(itertools.takewhile(lambda part: not WILDCARD.search(part), parts[:-1]))
    around = {folder for match in matches for folder in match.parents}
    for folder in sorted(around.difference(root.parents, [root])):
        _must_lead_down(root, folder)
    paths = {path for match in matches for path in _files(root, match)}
    return root.joinpath(*fixed), sorted(paths)


def _files(root: Path, path: Path) -> Iterator[Path]:
    """Yield a file, or those of a folder; raises BuildError for what is neither."""
    _must_lead_down(root, path)
    if not path.is_dir():
        must_be_file(path)
        yield path
        return
    with adding_reason(BuildError(f"cannot read `{path}`")):
        inner = sorted(path.iterdir())
    for child in inner:
        yield from _files(root, child)


def _must_lead_down(root: Path, link: Path) -> None:
    """Raise BuildError for a link to a folder around it, which would be packed without end, or out of the project."""
    if not link.is_symlink() or not link.is_dir():
        return
    target = link.resolve()
    is_inside = target.is_relative_to(root.resolve())
    if not is_inside or target in [parent.resolve() for parent in link.parents]:
        way = "up to a folder around it" if is_inside else "out of the project"
        raise BuildError(
            f"`{link.relative_to(root)}` is a link to `{link.readlink()}`, which leads {way}",
            hint="take it away, or name the files themselves under `data-files`",
        )


def _must_stay_inside(root: Path, files: list[Path]) -> None:
    for file in files:
        if not (root / file).resolve().is_relative_to(root.resolve()):
            raise BuildError(
                f"`{root / 'pyproject.toml'}` names `{file}`, which lies outside the project",
                hint="copy the file into the project",
            )
