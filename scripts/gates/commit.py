"""The gates on git: the release's tag, and a clean tree."""

import importlib.machinery
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from leanspec_launcher.commands import CommandError
from scripts.model.finding import Finding, compare, confirm, confirm_unless, gap, problem
from scripts.model.plan import Plan
from scripts.model.repository import SET_IT, read_repository
from scripts.tools.git_files import SHOW_AGAIN, hidden_files, run_git, untracked_files

REMOVE = "remove it: the commands would import it, and no release contains it"
LARGEST_TRACKED = 1 << 20
# What Python would run, of the folders that the commands are imported from.
CODE = (*importlib.machinery.all_suffixes(), ".so", ".pyd", ".pth")
IMPORTED = ("leanspec_launcher", "scripts", "build_backend")
MAGICS = (b"\x7fELF", b"MZ", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")


def tag(plan: Plan, root: Path) -> Iterator[Finding]:
    """Check that this commit has the release's tag. A dev version has none, and a draft not yet."""
    name = f"v{plan.version}"
    if plan.version.is_devrelease:
        yield confirm("tag", name, "a dev version has none")
        return
    tags = run_git(root, "tag", "--points-at", "HEAD").split()
    if name in tags:
        yield confirm("tag", "HEAD", name)
    elif plan.is_draft:
        yield gap("tag", f"the tag {name}", "not set yet: it is the last step before CI")
    else:
        hint = f"`git tag {name}`, on the commit of the release"
        yield problem("tag", "HEAD", name, " ".join(tags) or "no tag", hint=hint)


def publishing_repository(root: Path) -> Iterator[Finding]:
    """Check that the workflow runs in the repository of the plan; elsewhere, compare with `origin` as a remark."""
    slug = read_repository(root).slug
    running = os.environ.get("GITHUB_REPOSITORY")
    if running:
        yield compare("tree", "repository", running, slug, hint=SET_IT)
        return
    try:
        origin = run_git(root, "remote", "get-url", "origin").strip().removesuffix(".git")
    except CommandError:
        origin = "no remote"
    # `git@github.com:OWNER/NAME` is a clone by SSH.
    if origin.replace(":", "/").endswith(f"/{slug}"):
        yield confirm("tree", "repository", slug)
    else:
        text = f"{slug}; not compared with a workflow, and `origin` is {origin}"
        yield gap("tree", "repository", text)


def tree(plan: Plan, root: Path) -> Iterator[Finding]:
    """Check that the tree is clean and tracks no binary and no large file.

    In a draft, tracked files have changed.
    """
    yield _status(plan, root)
    hidden = (
        problem("tree", name, "a file whose changes git shows", "hidden", hint=SHOW_AGAIN)
        for name in hidden_files(root)
    )
    yield from confirm_unless("tree", "hidden changes", hidden, "none")
    foreign = (
        problem("tree", name, "no code that git does not track", "there", hint=REMOVE)
        for name in untracked_files(root, *IMPORTED)
        if name.endswith(CODE) and "__pycache__" not in name
    )
    yield from confirm_unless("tree", "code that git does not track", foreign, "none")
    tracked = _tracked_problems(root)
    yield from confirm_unless(
        "tree", "tracked files", tracked, "no program, none over 1 MiB"
    )


def _tracked_problems(root: Path) -> Iterator[Finding]:
    for name in run_git(root, "ls-files", "-z").split("\0"):
        path = root / name
        # The list ends with an empty name, and a tracked file may be deleted.
        if not name or not path.is_file():
            continue
        with path.open("rb") as file:
            if file.read(4).startswith(MAGICS):
                yield problem("tree", name, "no program in git", "a program")
        size = path.stat().st_size
        if size > LARGEST_TRACKED:
            yield problem("tree", name, f"at most {LARGEST_TRACKED} bytes", size)


def _status(plan: Plan, root: Path) -> Finding:
    options = ("--porcelain", "--untracked-files=normal")
    changed = run_git(root, "status", *options).splitlines()
    unknown = [line for line in changed if line.startswith("??")]
    if not changed:
        return confirm("tree", "git status", "clean")
    if plan.is_draft and not unknown:
        text = f"changed files: {len(changed)}, to be committed before the tag"
        return gap("tree", "git status", text)
    first = (unknown or changed)[0].strip()
    return problem(
        "tree",
        "git status",
        "clean",
        f"changed or unknown files: {len(changed)}, such as `{first}`",
        hint="commit or revert each file (`git status` lists them)",
    )


@dataclass(frozen=True)
class Commit:
    """A commit: its name, and when it was made, in seconds since 1970."""

    name: str
    time: int


def commit_of(root: Path) -> Commit:
    """Return the commit that a tree is at; raises CommandError outside git."""
    name, time = run_git(root, "show", "--no-patch", "--format=%H %ct", "HEAD").split()
    return Commit(name, int(time))
