"""Run paths of a program: the folders in which its loader looks for libraries before those of the system."""

import posixpath

from leanspec_build.formats.facts import Executable

TEMPORARY_FOLDERS = ("/tmp", "/var/tmp", "/private/tmp", "/private/var/tmp", "/dev/shm")  # noqa: S108 - to refuse them
# What a loader replaces with the folder of the program.
PROGRAM_FOLDERS = ("$ORIGIN", "${ORIGIN}", "@executable_path", "@loader_path")
# Stands for where an environment may be: its programs are in `bin`.
ENVIRONMENT = "/parent/environment"
# Temporary ones are refused.
USUAL_FOLDERS = (
    *("/lib", "/lib32", "/lib64", "/usr", "/System"),
    *(*TEMPORARY_FOLDERS, ENVIRONMENT),
)


def unsafe_folders(executable: Executable) -> list[str]:
    """Return the folders of a run path that others than the system's owner write to, for people."""
    return [
        f"`{folder}`"
        for folder in executable.run_path
        if folder and (_is_inside(folder, TEMPORARY_FOLDERS) or _is_relative(folder))
    ]


def run_path_remarks(executable: Executable) -> tuple[str, ...]:
    """Remark on folders of a run path outside of the system and the environment, and on an empty name.

    An empty one is the current folder. LLVM's own build leaves it behind, and `auditwheel` lets it pass.
    """
    folders = [
        f"`{folder}`" if folder else "the current folder"
        for folder in executable.run_path
        if not (folder and (_is_relative(folder) or _is_inside(folder, USUAL_FOLDERS)))
    ]
    if not folders:
        return ()
    names = ", ".join(folders)
    return (f"it looks for libraries in {names} first: link it without that run path",)


def _is_inside(folder: str, parents: tuple[str, ...]) -> bool:
    start, _, rest = folder.partition("/")
    if start in PROGRAM_FOLDERS:
        folder = f"{ENVIRONMENT}/bin/{rest}"
    path = "/" + posixpath.normpath(folder).lstrip("/")
    return any(path == parent or path.startswith(f"{parent}/") for parent in parents)


def _is_relative(folder: str) -> bool:
    """Tell whether a folder depends on where a program is started."""
    return not folder.startswith(("/", *PROGRAM_FOLDERS))
