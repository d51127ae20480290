"""The project's files as git has them, copied into a folder: those of the commit, or the tracked ones.

What git ignores, and what its index hides, is in neither. The commit is read object by object,
so that no attribute, filter, line ending, replacement or file of the working tree changes a byte.
"""

from __future__ import annotations

import io
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
    command = [_git(), "-C", str(root), "rev-parse", "--quiet", "--verify", "HEAD"]
    done = capture(command)
    # It says nothing if there is no commit yet, and why if it cannot read the repository.
    if done.stderr.strip():
        must_succeed(done, "`git rev-parse`")
    return done.returncode == 0


def write_commit(root: Path, target: Path) -> None:
    """Write the files of the last commit into a folder.

    Raises CommandError if one of them is neither a file nor a program.
    """
    listing = run_git(root, "ls-tree", "-r", "-z", "HEAD").split("\0")
    entries = [line.partition("\t") for line in listing if line]
    words = [facts.split() for facts, _, _ in entries]
    contents = _contents(root, [name for _, _, name in words])
    for (mode, *_), (_, _, path), data in zip(words, entries, contents, strict=True):
        _must_be_a_file(mode, path)
        _write(target / path, data, mode)


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
    listing = run_git(root, "ls-files", "--stage", "-z", "--", *paths).split("\0")
    for facts, _, path in (line.partition("\t") for line in listing if line):
        mode, source = facts.split()[0], top / path
        if source.is_symlink() or (source.exists() and source.resolve() != source):
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
    listing = run_git(root, "ls-files", "-v", "-z", "--", *paths).split("\0")
    return [line[2:] for line in listing if line[:1] == "S" or line[:1].islower()]


def untracked_files(root: Path, *paths: str, with_ignored: bool = True) -> list[str]:
    """Return the files that git does not track, and those that it ignores."""
    rules = [] if with_ignored else ["--exclude-standard"]
    listing = run_git(root, "ls-files", "--others", "-z", *rules, "--", *paths)
    return [path for path in listing.split("\0") if path]


def run_git(root: Path, *arguments: str) -> str:
    """Return what git prints. Raises CommandError if it fails, as it does outside a repository."""
    done = capture([_git(), "--no-replace-objects", "-C", str(root), *arguments])
    hint = "work in a clone of the repository"
    return must_succeed(done, f"`git {arguments[0]}`", hint).stdout


def _git() -> str:
    return find_program("git", "install git")


def _contents(root: Path, names: list[str]) -> Iterator[bytes]:
    """Yield the contents of objects, unchanged."""
    command = [_git(), "--no-replace-objects", "-C", str(root), "cat-file", "--batch"]
    text = "".join(f"{name}\n" for name in names).encode()
    done = subprocess.run(command, input=text, capture_output=True, check=False)
    stream = io.BytesIO(done.stdout)
    for name in names:
        size = stream.readline().split()[-1:]
        if not size or not size[0].isdigit():
            raise CommandError(
                f"git cannot read the object {name}", hint="`git fsck` says more"
            )
        yield stream.read(int(size[0]))
        stream.read(1)


def _must_be_a_file(mode: str, path: str) -> None:
    if mode in OTHERS:
        raise CommandError(
            f"`{path}` is {OTHERS[mode]} in git: a release is built from files alone",
            hint="commit the file itself",
        )


def _write(path: Path, data: bytes, mode: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(0o755 if mode == EXECUTABLE else 0o644)
