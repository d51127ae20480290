"""The project's files as git has them, copied into a folder: those of the commit, or the tracked ones.

What git ignores, and what its index hides, is in neither. The commit is read object by object,
so that no attribute, filter, line ending, replacement or file of the working tree changes a byte.
"""

import io
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from leanspec_launcher.commands import CommandError

from .processes import capture, find_program, must_succeed

EXECUTABLE, REGULAR = "100755", "100644"
OTHERS = {"120000": "a symbolic link", "160000": "another repository"}
UNCOPIED = shutil.ignore_patterns("__pycache__", "binaries")
SHOW_AGAIN = "`git update-index --no-skip-worktree --no-assume-unchanged FILE`"


def has_commit(root: Path) -> bool:
    """Tell whether a folder is the top of a repository that has a commit."""
    if not (root / ".git").exists():
        return False
    run = capture([*_git(root), "rev-parse", "--quiet", "--verify", "HEAD"])
    # It says nothing if there is no commit yet, and why if it cannot read the repository.
    if run.stderr.strip():
        must_succeed(run, "`git rev-parse`")
    return run.returncode == 0


def write_commit(root: Path, target: Path) -> None:
    """Write the files of the last commit into a folder.

    Raises CommandError if one of them is neither a file nor a program.
    """
    entries = _entries(root, "ls-tree", "-r", "-z", "HEAD")
    contents = _contents(root, [words[2] for words, _ in entries])
    for (words, path), data in zip(entries, contents, strict=True):
        _must_be_a_file(words[0], path)
        _write(target / path, data, words[0])


def copy_tracked(root: Path, target: Path, *paths: str) -> None:
    """Copy tracked files of a working tree, as they are there; of some paths, if they are named.

    Raises CommandError if git is told not to look at one, or if one is a link.
    """
    hidden = hidden_files(root, *paths)
    if hidden:
        raise CommandError(
            f"git is told not to look for changes in `{hidden[0]}`", hint=SHOW_AGAIN
        )
    top = root.resolve()
    for words, path in _entries(root, "ls-files", "--stage", "-z", "--", *paths):
        mode, source = words[0], top / path
        is_reached_by_link = source.exists() and source.resolve() != source
        if source.is_symlink() or is_reached_by_link:
            raise CommandError(
                f"`{path}` is a symbolic link, or reached by one",
                hint=f"`git checkout -- {path}`",
            )
        _must_be_a_file(mode, path)
        if source.exists():
            _write(target / path, source.read_bytes(), mode)


def copy_folder(root: Path, target: Path, *paths: str) -> None:
    """Copy files and folders of a tree that git knows nothing of, without what is built there."""
    for path in paths:
        source, copy = root / path, target / path
        if source.is_dir():
            shutil.copytree(source, copy, ignore=UNCOPIED)
        else:
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)


def hidden_files(root: Path, *paths: str) -> list[str]:
    """Return the tracked files whose changes git does not show: `skip-worktree`, `assume-unchanged`."""
    lines = _lines(root, "ls-files", "-v", "-z", "--", *paths)
    # `S` is for `skip-worktree`, and a small letter for `assume-unchanged`.
    return [line[2:] for line in lines if re.match("[Sa-z]", line)]


def untracked_files(root: Path, *paths: str, with_ignored: bool = True) -> list[str]:
    """Return the files that git does not track, and those that it ignores."""
    rules = [] if with_ignored else ["--exclude-standard"]
    return _lines(root, "ls-files", "--others", "-z", *rules, "--", *paths)


def run_git(root: Path, *arguments: str) -> str:
    """Return what git prints. Raises CommandError if it fails, as it does outside a repository."""
    hint = "work in a clone of the repository"
    run = capture([*_git(root), *arguments])
    return must_succeed(run, f"`git {arguments[0]}`", hint).stdout


def _git(root: Path) -> list[str]:
    return [find_program("git"), "--no-replace-objects", "-C", str(root)]


def _lines(root: Path, *arguments: str) -> list[str]:
    """Return a listing of git, with `-z`: no name is quoted in it."""
    return [line for line in run_git(root, *arguments).split("\0") if line]


def _entries(root: Path, *arguments: str) -> list[tuple[list[str], str]]:
    """Return the entries of a listing: what git says of each file, the mode first, and its path."""
    parts = [line.partition("\t") for line in _lines(root, *arguments)]
    return [(words.split(), path) for words, _, path in parts]


def _contents(root: Path, names: list[str]) -> Iterator[bytes]:
    """Yield the contents of objects, unchanged."""
    command = [*_git(root), "cat-file", "--batch"]
    text = "".join(f"{name}\n" for name in names).encode()
    run = subprocess.run(command, input=text, capture_output=True, check=False)
    stream = io.BytesIO(run.stdout)
    for name in names:
        # Each object follows a line with its size; of one that is gone, the line says `missing`.
        _, _, size = stream.readline().decode().rpartition(" ")
        if not size.strip().isdigit():
            raise CommandError(
                f"git cannot read the object {name}", hint="`git fsck` says more"
            )
        yield stream.read(int(size))
        stream.read(1)  # the line's end after it


def _must_be_a_file(mode: str, path: str) -> None:
    if mode in OTHERS:
        raise CommandError(
            f"`{path}` is {OTHERS[mode]} in git: a release is built only from regular files",
            hint="commit the file itself",
        )


def _write(path: Path, data: bytes, mode: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(0o755 if mode == EXECUTABLE else 0o644)
