"""Installer commands that reinstall a binary, or add an extra."""

import os
import sys

from leanspec_launcher._pins import VERSION
from leanspec_launcher._release import release_wheels
from leanspec_launcher._search import SITE
from leanspec_launcher._tables import DIRECTORY_VARIABLE, PLATFORMS, PROGRAMS, Program
from leanspec_launcher.processes import interpreter

from .detect import MAIN, has_pip, has_uv, program_on_path, unpacked
from .records import distribution, is_left_out
from .table import PIP, PIPX, builder, in_use
from .words import exactly, needs_ensurepip, shown, usable, words

LAUNCHER = "leanspec-launcher"
# Values of pip's and uv's variables that turn an option off.
OFF = ("", "0", "false", "no", "off")
# pip has had `--python` since 22.3.
OLD_PIP = "  # with a pip before 22.3, first: pip install --upgrade pip"


def commands(program: Program) -> list[list[str]]:
    """Return the commands that bring a program's binary (back); none if no command of ours could."""
    steps = _commands(program)
    return [] if any(map(_lacks_hashes, steps)) else steps


def _commands(program: Program) -> list[list[str]]:
    installer = in_use()
    templates = installer.reinstall
    if templates and is_left_out(program) and not installer.is_reinstall_enough:
        templates = installer.add
    return _steps(templates, program)


def _steps(
    templates: tuple[str, ...], program: Program, **more: list[str]
) -> list[list[str]]:
    """Return the commands of the usable template, and before them the one that brings the pip that they start."""
    texts = usable(templates).split(" && ")
    commands = (words(text, program, **more) for text in texts)
    steps = list(filter(None, commands))
    if needs_ensurepip() and any(map(_is_pip_of_ours, steps)):
        steps.insert(0, [*interpreter(), "-m", "ensurepip"])
    return steps


def _is_pip_of_ours(command: list[str]) -> bool:
    return command[0] == sys.executable and "pip" in command[:4]


def _typed(steps: list[list[str]]) -> str:
    """Write commands as one types them, with a remark for an old pip."""
    is_by_other_pip = any(step[0] == "pip" for step in steps)
    return shown(steps) + (OLD_PIP if is_by_other_pip else "")


def _lacks_hashes(command: list[str]) -> bool:
    """Tell whether an installer would refuse a command: it demands hashes, and ours names none."""
    name = command[0]
    variable = "PIP_REQUIRE_HASHES"
    if command[:2] == ["uv", "pip"] or (name == "pipx" and not has_pip()):
        variable = "UV_REQUIRE_HASHES"
    elif name not in ("pip", "pipx") and not _is_pip_of_ours(command):
        return False
    return os.environ.get(variable, "").lower() not in OFF


def by_hash(program: Program, place: str, file: str) -> list[list[str]]:
    """Return the commands that bring back the very wheel of this release; none if no installer takes a hash.

    `file` is a file of requirements with the hash: see `requirement`. `place` is a folder or URL to
    take the wheel from, empty for the installer's own index.
    """
    installer, record = in_use(), distribution(program.distribution)
    template = usable(installer.reinstall)
    if not template.endswith("{wheel}") or not requirement(program):
        return []
    if is_left_out(program) or (record and record.url and not place):
        return []  # it has to be asked for with its extra, or is from a file that is named
    wheel = ["--require-hashes", "-r", file]
    if template.startswith(("{pip}", "{own_pip}")):
        # A file that was damaged in pip's cache would be refused for its hash.
        wheel.insert(0, "--no-cache-dir")
    if place:
        wheel = ["--no-index", "--find-links", place, *wheel]
    steps = _steps((template,), program, wheel=wheel)
    if not place and refresh(program):
        steps.insert(0, words(installer.refresh, program, wheel=wheel))
    return steps


def requirement(program: Program) -> str:
    """Return a program's wheels of this release in a line of a requirements file; empty if none is known.

    For each CPU of this system: the installer chooses among them, and cannot take a stub.
    """
    hashes = [
        f"--hash=sha256:{wheel.sha256}"
        for key, wheel in release_wheels(program).items()
        if PLATFORMS[key].system == sys.platform and wheel.sha256
    ]
    return " ".join([f"{program.distribution}=={VERSION}", *hashes]) if hashes else ""


def refresh(program: Program) -> list[str]:
    """Return the command that reinstalls a binary and repairs the installer's cache; empty for none."""
    template = in_use().refresh
    # Behind pipx, it is uv's cache if there is no pip in the environment.
    is_by_uv = not has_pip() if in_use() is PIPX else has_uv()
    if not template or not is_by_uv:
        return []
    command = words(template, program)
    return [] if _lacks_hashes(command) else command


def hint(program: Program) -> str:
    """Say what brings a program's binary (back): `repair`, where it can, which names a hash."""
    launcher = _launcher()
    if launcher and _is_repairable(program):
        return shown([[launcher, "repair", program.name]])
    installer, steps = in_use(), commands(program)
    if steps:
        return _typed(steps) + ("" if is_left_out(program) else installer.remark)
    if not _commands(program):
        return filled(installer.hint, program)
    wheel = exactly(program.distribution)
    return f"install {wheel} again from your file of hashes: your installer demands them"


def _is_repairable(program: Program) -> bool:
    """Tell whether `repair` reinstalls the very wheel of this release, by a hash."""
    steps = by_hash(program, "", "requirements.txt")
    # A pip that is elsewhere may be too old for this environment. Our command in a folder of
    # `--target` starts only where `PYTHONPATH` leads there.
    is_limited = any(step[0] == "pip" or "--target" in step for step in steps)
    chosen = os.environ.get(DIRECTORY_VARIABLE) or os.environ.get(program.variable)
    return bool(steps) and not is_limited and not chosen


def _launcher() -> str:
    """Return how this installation's `leanspec-launcher` is typed: its path, if a shell finds another or none.

    Empty if it is not there.
    """
    record = distribution(MAIN)
    name = f"{LAUNCHER}.exe" if sys.platform == "win32" else LAUNCHER
    for file in record.files if record else ():
        path = os.path.normpath(os.path.join(SITE, file))
        if os.path.basename(path) == name and os.path.isfile(path):
            in_shell = program_on_path(LAUNCHER) or ""
            is_same = os.path.realpath(in_shell) == os.path.realpath(path)
            return LAUNCHER if is_same else path
    return ""


def main_hint() -> str:
    """Say what installs `lean-spec` itself again, which writes its commands."""
    if not VERSION:
        return "install these sources again, as you did before"
    program, installer = PROGRAMS["cli"], in_use()
    steps = _steps(installer.reinstall, program, wheel=[exactly(MAIN)])
    return _typed(steps) if steps else filled(installer.hint, program)


def filled(text: str, program: Program) -> str:
    """Return a sentence of the table, with its `{names}` filled in."""
    return text.format(
        program=program.name,
        distribution=program.distribution,
        requirement="".join(words("{requirement}", program)),
        environment=os.path.basename(sys.prefix),
        project=shown([[os.path.dirname(sys.prefix)]]),
        unpacked=shown([[unpacked()]]),
        release=_release(program),
    )


def _release(program: Program) -> str:
    """Say how a release, which pins its binaries, takes the place of what is from sources."""
    template, requirement = builder().release, program.requirement
    if not template:
        # What these bring is written in the project, and the next `sync` would undo a command.
        return f"let your project depend on a release of {requirement}, which pins its binaries"
    command = _typed(_steps((template,), program))
    return f"install a release, which pins its binaries: {command}"


def extra_hint(extra: str) -> str:
    """Say what brings an extra of `lean-spec` that was left out."""
    steps = _steps(in_use().add, Program(MAIN, MAIN, extra=extra))
    return _typed(steps) if steps else f"install `{MAIN}[{extra}]`"


def pip_update() -> str:
    """Return what updates this environment's own pip, to be typed before something else; empty if pip is not used."""
    if in_use() is not PIP or not has_pip():
        return ""
    command = [*interpreter(), "-m", "pip", "install", "--upgrade", "pip"]
    return f"{shown([command])} && "
