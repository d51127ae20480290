"""The locked development environment: `.venv` in the checkout, made once and reused.

A command gets what it needs: a small environment suffices to build wheels and to publish them, and
is extended when a command first needs the rest. A command that may refuse before that does so in the
small one. Runs on the bare Python of a fresh machine: the standard library only.
"""

import contextlib
import enum
import hashlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from .locked import USAGE, Environment, fail, say

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".venv"
FINISHED = "finished"
MARKER = FOLDER / "leanspec-development.txt"
# What is installed from the tree: a change of their manifests asks for a new installation.
LOCAL_PROJECTS = (ROOT / "build_backend", ROOT)


class Group(enum.Enum):
    """A dependency group of `pyproject.toml`, with its lock file. `dev` contains the others."""

    SIGN = "sign"
    RELEASE = "release"
    DEV = "dev"

    @property
    def lock(self) -> Path:
        """The lock file."""
        return ROOT / f"{self.value}.lock"

    @property
    def builds(self) -> bool:
        """Whether our own projects are installed with it, built from the tree."""
        return self is not Group.SIGN


# What each command needs, alone or with one of its words.
COMMANDS = {
    Group.SIGN: (
        *("assets --assembled", "assets --sign"),
        *("assets --upload", "assets --publish"),
    ),
    Group.RELEASE: (
        *("demo", "collect", "wheels", "inspect", "bump", "matrix", "attest"),
        *("publish-server", "publish --checked", "check --bytes", "verify-release"),
    ),
    Group.DEV: (
        *("test", "lock", "pre-release", "check", "publish", "assets", "bench", "rehearse"),
        # Cargo may need a compiler for other systems, which is 90 MB; auditwheel grafts again.
        *("collect cargo", "verify-release --rebuild"),
    ),
}
GROUPS = {name: group for group, names in COMMANDS.items() for name in names}
# These call `extend` when their usage is right and nothing speaks against them.
CHECK_FIRST = (
    *("check", "publish", "verify-release", "pre-release"),
    *("bench", "rehearse", "lock"),
)
# Set for a process that extends the environment.
EXTENDING = "LEANSPEC_EXTENDING"
HELP_OPTIONS = ("-h", "--help")


def needed_group(arguments: list[str]) -> Group:
    """Return the group that a command line needs."""
    line = arguments[: arguments.index("--")] if "--" in arguments else arguments
    if not line or any(option in line for option in HELP_OPTIONS):
        return Group.RELEASE
    command, *words = [word.partition("=")[0] for word in line]
    names = [*(f"{command} {word}" for word in words), command]
    return next((GROUPS[name] for name in names if name in GROUPS), Group.DEV)


def first_group(arguments: list[str]) -> Group:
    """Return the group that a command line is started with."""
    checks_first = arguments[:1] and arguments[0] in CHECK_FIRST
    if checks_first and EXTENDING not in os.environ:
        return Group.RELEASE
    return needed_group(arguments)


def is_active(arguments: list[str]) -> bool:
    """Tell whether this process runs in a finished environment that a command line is started in."""
    return _runs_inside() and _serves(first_group(arguments))


def extend() -> None:
    """Go on in an environment with all that this process's command line needs.

    Called when nothing that is cheap to find out speaks against the command. Starts it again if the
    environment has to be extended.
    """
    arguments = sys.argv[1:]
    if _runs_inside() and not _serves(needed_group(arguments)):
        os.environ[EXTENDING] = "1"
        enter(arguments)


def enter(arguments: list[str]) -> NoReturn:
    """Run `python3 -m scripts` in the environment, made first if it is missing or out of date."""
    if _runs_inside():
        # The environment has to change while this process runs in it: hand over to the Python
        # that it was made with.
        _become([sys._base_executable, "-m", "scripts", *arguments])  # type: ignore[attr-defined] # noqa: SLF001
    group = first_group(arguments)
    os.environ.pop(EXTENDING, None)
    with _lock():
        if not _serves(group):
            _must_name_a_command(arguments)
            _make(group)
    # A stranger's modules and options have no place in a locked environment. (And without byte code
    # every start compiles what it imports: 0.3 s a command, 5 s a test run.)
    for name in set(os.environ) - {"PYTHONUTF8", "PYTHONIOENCODING"}:
        if name.startswith("PYTHON"):
            del os.environ[name]
    _become([str(Environment(FOLDER).python), "-m", "scripts", *arguments])


def _must_name_a_command(arguments: list[str]) -> None:
    """End this process if it is mistyped: no environment is made for a usage error."""
    for word in arguments[:1]:
        if word not in (*GROUPS, *HELP_OPTIONS):
            kind = "option" if word.startswith("-") else "command"
            names = ", ".join(name for name in GROUPS if " " not in name)
            fail(f"no such {kind} `{word}`", f"the commands are {names}", USAGE)


def _runs_inside() -> bool:
    return Path(sys.prefix).resolve() == FOLDER.resolve()


def _become(command: list[str]) -> NoReturn:
    if os.name == "nt":
        import subprocess  # noqa: PLC0415 - needed there only

        sys.exit(subprocess.run(command, check=False).returncode)
    os.execv(command[0], command)  # noqa: S606 - no shell is wanted


def _serves(group: Group) -> bool:
    """Tell whether the environment is finished, up to date, and contains a group."""
    facts = _facts()
    is_built = facts.get("projects") == _digest_of_projects()
    return is_built and _contains(facts, group)


def _contains(facts: dict[str, str], group: Group) -> bool:
    """Tell whether the environment is finished and contains a group, as it is locked now."""
    # `dev` contains every other group.
    names = (group.value, Group.DEV.value)
    if facts.get("state") != FINISHED or facts["group"] not in names:
        return False
    return facts["locks"] == _digest_of_locks(facts["python"], Group(facts["group"]))


def _facts() -> dict[str, str]:
    """Return what the environment's marker states; nothing if there is no environment."""
    if not MARKER.is_file() or not Environment(FOLDER).python.exists():
        return {}
    lines = MARKER.read_text("utf-8").splitlines()
    return dict(line.split(" ", 1) for line in lines)


def _write_facts(**facts: str) -> None:
    lines = [f"{name} {value}\n" for name, value in facts.items()]
    MARKER.write_text("".join(lines), "utf-8")


def _digest_of_locks(python: str, group: Group) -> str:
    """Identify what a group is installed from: the Python, the place, the lock files."""
    digest = hashlib.sha256(f"{python} {ROOT}".encode())
    for base in dict.fromkeys((Group.RELEASE, group)):
        digest.update(base.lock.read_bytes())
    return digest.hexdigest()


def _digest_of_projects() -> str:
    """Identify the manifests of our own projects: parsing them would slow down every command."""
    manifests = [(project / "pyproject.toml").read_bytes() for project in LOCAL_PROJECTS]
    return hashlib.sha256(b"\0".join(manifests)).hexdigest()


def _make(group: Group) -> None:
    """Make the environment for a group, or bring the one that is there up to date."""
    if FOLDER.exists() and not MARKER.is_file():
        fail(
            f"`{FOLDER}` exists but was not made by this command",
            "remove it or move it away, then try again",
        )
    started = time.monotonic()
    environment = Environment(FOLDER)
    facts = _facts()
    keeps = _contains(facts, Group.RELEASE) or _contains(facts, group)
    # Any Python may start a command later: the environment keeps the one that made it.
    python = facts["python"] if keeps else "{}.{}".format(*sys.version_info[:2])
    verb = "updating" if keeps else "making"
    say(f"{verb} the development environment in {FOLDER.name}; the next run reuses it")
    if not keeps:
        import shutil  # noqa: PLC0415 - 5 ms, which a command in a ready environment saves

        shutil.rmtree(FOLDER, ignore_errors=True)
        FOLDER.mkdir()
    _write_facts(state="unfinished")
    if not keeps:
        environment.create()
    if _contains(facts, group):
        group = Group(facts["group"])
    else:
        environment.install(group.lock)
    if group.builds:
        environment.install_from_tree(*LOCAL_PROJECTS)
    _write_facts(
        state=FINISHED,
        python=python,
        group=group.value,
        locks=_digest_of_locks(python, group),
        projects=_digest_of_projects(),
    )
    say(f"the development environment is ready ({time.monotonic() - started:.0f} s)")


@contextlib.contextmanager
def _lock() -> Iterator[None]:
    """Let one process make the environment; others wait and reuse it."""
    with (ROOT / ".venv.lock").open("w") as file:
        if sys.platform == "win32":
            import msvcrt  # noqa: PLC0415 - exists there only

            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
        else:
            import fcntl  # noqa: PLC0415 - exists elsewhere only

            fcntl.flock(file, fcntl.LOCK_EX)
        yield
