"""A release under every fault of an index, and killed at every step: complete in the end, or not begun."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from leanspec_launcher.commands import CommandError
from scripts.model.files import FileKind, read_files
from scripts.tools.loopback import free_port

from . import faults
from .devpi import upload_foreign
from .faults import Fault, Proxy, proxy
from .stage import OLD, Stage, build, must_be_complete
from .strict import strict

if sys.platform == "win32":
    raise CommandError(
        "killing a publish is rehearsed with POSIX signals: on Linux and macOS"
    )

SECONDS = 600
SHORT_WAIT = "8"


@dataclass(frozen=True)
class Scenario:
    """One fault: what the index does, and how publishing ends under it."""

    what: str
    fault: Callable[[], Fault]
    succeeds: bool
    words: str = ""
    """What the user reads where it does not succeed."""
    after_old: bool = False
    """Whether an older version is there already."""


SCENARIOS = (
    Scenario(
        "403 to every upload",
        lambda: faults.refusing(403),
        succeeds=False,
        words="rejected `leanspec",
    ),
    Scenario(
        "401 from the fifth upload on",
        lambda: faults.refusing(401, first=4),
        succeeds=False,
        words="rejected `",
    ),
    Scenario(
        "400 to every upload",
        lambda: faults.refusing(400),
        succeeds=False,
        words="rejected `leanspec",
    ),
    Scenario(
        "500 to two uploads", lambda: faults.refusing(500, first=1, times=2), succeeds=True
    ),
    Scenario(
        "429 with `Retry-After: 2`",
        lambda: faults.refusing(429, {"Retry-After": "2"}, times=1),
        succeeds=True,
    ),
    Scenario("an index with the rules of the real one", strict, succeeds=True),
    Scenario(
        "cut before the file arrived",
        lambda: faults.cutting(1, 1, after_arrival=False),
        succeeds=True,
    ),
    Scenario(
        "cut after the file arrived",
        lambda: faults.cutting(1, 1, after_arrival=True),
        succeeds=True,
    ),
    Scenario(
        "platform wheels are shown 6 s late",
        lambda: faults.hiding("leanspec-cli-bin", 6),
        succeeds=True,
    ),
    Scenario(
        "a platform wheel is not shown at all",
        lambda: faults.hiding("leanspec-mcp-bin", 10**6),
        succeeds=False,
        words="still does not serve `leanspec_mcp_bin",
    ),
    Scenario(
        "shows the old version only, for 6 s",
        lambda: faults.stale(6),
        succeeds=True,
        after_old=True,
    ),
    Scenario(
        "answers everything half a second late", lambda: faults.slow(0.5), succeeds=True
    ),
    Scenario(
        "down for 5 s after the third upload", lambda: faults.down(3, 5), succeeds=True
    ),
    Scenario(
        "down for good after the second upload",
        lambda: faults.down(2, 10**6),
        succeeds=False,
        words="did not take",
    ),
    Scenario(
        "serves other bytes for a wheel",
        lambda: faults.falsifying(r"leanspec_cli_bin.*linux.*\.whl$"),
        succeeds=False,
        words="bytes on the index",
    ),
)
# When a publish is killed: after so many uploads came to the index, by this signal.
KILLS = (
    (0, signal.SIGKILL),
    (1, signal.SIGKILL),
    (3, signal.SIGINT),
    (4, signal.SIGKILL),
    (7, signal.SIGKILL),
    (8, signal.SIGKILL),
)


Scene = Callable[[Stage, list[str]], None]


def scenes(only: str) -> dict[str, Scene]:
    """Return every fault, and every way in which a publish is killed, whose title contains some words.

    Raises CommandError if there is none.
    """
    every: dict[str, Scene] = {
        each.what: functools.partial(_play, each) for each in SCENARIOS
    }
    for uploads, number in KILLS:
        every[f"{number.name} after {uploads} uploads, then again"] = functools.partial(
            _kill, uploads, number
        )
    every["one letter too many in a classifier"] = _refused_by_the_rules
    every["two publishes at once"] = _twice
    every["other bytes are there under one of the names"] = _burnt
    chosen = {title: scene for title, scene in every.items() if only in title}
    if not chosen:
        titles = "\n  ".join(every)
        raise CommandError(
            f"no scene contains `{only}`; there are\n  {titles}",
            hint="leave `--only` out for all of them",
        )
    return chosen


def play_with_faults(stage: Stage, chosen: dict[str, Scene]) -> None:
    """Play scenes, one after the other."""
    for title, scene in chosen.items():
        with stage.scene(title) as notes:
            scene(stage, notes)


@contextlib.contextmanager
def _behind(stage: Stage, url: str, fault: Fault) -> Iterator[tuple[str, Proxy]]:
    """Give an index's URL behind a proxy with a fault."""
    with proxy(free_port(), stage.server.port, fault) as front:
        yield url.replace(stage.server.url, front.url), front


def _play(scenario: Scenario, stage: Stage, notes: list[str]) -> None:
    """Publish under a fault, then without it; the release must end complete, and in order."""
    url = stage.new_index()
    if scenario.after_old:
        upload_foreign(stage.server, url, _old_version(stage))
    with _behind(stage, url, scenario.fault()) as (address, front):
        done = stage.run(*stage.publish_checked(address, "--wait", SHORT_WAIT))
        said = done.stdout + done.stderr
        _must_be_in_order(stage, front.uploaded())
    if "Traceback" in said:
        raise CommandError(f"a traceback reached the user: {said[-300:]}")
    if stage.server.token in said:
        raise CommandError("the token was printed")
    if (done.returncode == 0) != scenario.succeeds:
        raise CommandError(f"exit code {done.returncode}: {said[-400:]}")
    if scenario.words not in said:
        raise CommandError(f"expected `{scenario.words}`, the user saw: {said[-400:]}")
    error = next(
        (line for line in said.splitlines() if line.startswith(("error: ", "✗ "))), ""
    )
    if scenario.succeeds:
        notes.append("published in spite of it")
    else:
        notes.append(re.sub(r"http://[\w.:/+]+", "INDEX", error)[:110])
    if not scenario.succeeds:
        visible = [name for name in stage.served(url) if name.startswith("lean_spec-")]
        if visible and scenario.words != "bytes on the index":
            raise CommandError(f"`{visible[0]}` is public, and the release is not complete")
        stage.must(*stage.publish_checked(url))
    must_be_complete(stage, url, notes)


def _old_version(stage: Stage) -> list[Path]:
    """Make files of an older version of the stubs."""
    folder = stage.folder / "old"
    folder.mkdir()
    made = []
    for stub in stage.dist.glob("leanspec_*-any.whl"):
        name, version = stub.name.split("-")[:2]
        made.append(folder / f"{name}-{OLD}-py3-none-any.whl")
        with zipfile.ZipFile(stub) as source, zipfile.ZipFile(made[-1], "w") as target:
            for entry in source.namelist():
                text = source.read(entry).replace(
                    f"Version: {version}\n".encode(), f"Version: {OLD}\n".encode()
                )
                target.writestr(entry.replace(f"{name}-{version}", f"{name}-{OLD}"), text)
    return made


def _must_be_in_order(stage: Stage, uploaded: list[str]) -> None:
    """Raise CommandError if a file came before one that it needs."""
    kinds = {file.path.name: file.kind for file in read_files(stage.dist)[0]}
    order = {
        FileKind.PLATFORM: 0,
        FileKind.STUB: 1,
        FileKind.PAGES: 2,
        FileKind.MAIN: 3,
        FileKind.SDIST: 3,
        FileKind.MCP_COMMAND: 4,
    }
    waves = [order[kinds[name]] for name in uploaded if name in kinds]
    if waves != sorted(waves):
        raise CommandError(f"uploaded in the order {uploaded}")


def _kill(uploads: int, number: signal.Signals, stage: Stage, notes: list[str]) -> None:
    url = stage.new_index()
    # Before the first upload: somewhere in its gates.
    how = stage.publish_checked if uploads else stage.publish
    with _behind(stage, url, faults.none) as (address, front):
        process = subprocess.Popen(
            stage.command(*how(address)),
            cwd=stage.tree,
            env=stage.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
        )
        until = time.monotonic() + SECONDS
        while (
            len(front.uploaded()) < uploads
            and process.poll() is None
            and time.monotonic() < until
        ):
            time.sleep(0.005)
        if uploads == 0:
            time.sleep(2)
        # To the whole group, as a terminal and a dying machine do.
        os.killpg(process.pid, number)
        said, _ = process.communicate(timeout=SECONDS)
    if number == signal.SIGINT and (process.returncode != 130 or "Traceback" in said):  # noqa: PLR2004 - interrupted
        raise CommandError(f"exit code {process.returncode}: {said[-300:]}")
    before = stage.served(url)
    if (
        any(name.startswith("lean_spec-") for name in before)
        and len(before) < len(read_files(stage.dist)[0]) - 1
    ):
        raise CommandError("`lean-spec` is public before the rest")
    notes.append(f"ended with {len(before)} files there; the rerun went on")
    stage.must(*stage.publish_checked(url))
    must_be_complete(stage, url, notes)


def _twice(stage: Stage, notes: list[str]) -> None:
    url = stage.new_index()
    command = stage.command(*stage.publish_checked(url))
    both = [
        subprocess.Popen(
            command,
            cwd=stage.tree,
            env=stage.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(2)
    ]
    ends = [
        (process.communicate(timeout=SECONDS)[0], process.returncode) for process in both
    ]
    stopped = [said for said, code in ends if code != 0]
    if len(stopped) != 1 or "another process is publishing to" not in stopped[0]:
        raise CommandError(f"exit codes {[code for _, code in ends]}: {ends[0][0][-300:]}")
    notes.append("one published; the other: another process is publishing")
    must_be_complete(stage, url, notes)


def _refused_by_the_rules(stage: Stage, notes: list[str]) -> None:
    """Break a rule of the index in the tree. The gate stops it; without the gate, the index would.

    That would be too late: files are public by then.
    """
    url, manifest = stage.new_index(), stage.tree / "pyproject.toml"
    text, whole = manifest.read_text("utf-8"), stage.dist
    manifest.write_text(
        text.replace("Environment :: Console", "Environment :: Consoles"), "utf-8"
    )
    stage.dist = stage.folder / "misspelt"
    try:
        build(stage)
        stopped = stage.run(*stage.publish(url))
        if (
            stopped.returncode == 0
            or "found Environment :: Consoles" not in stopped.stderr
            or stage.served(url)
        ):
            raise CommandError(f"exit code {stopped.returncode}: {stopped.stderr[-300:]}")
        notes.append(
            "the gate: one of the index's classifiers, found Environment :: Consoles"
        )
        with _behind(stage, url, strict()) as (address, _):
            late = stage.run(*stage.publish_checked(address))
        if late.returncode == 0 or "is not a valid classifier" not in late.stderr:
            raise CommandError(f"exit code {late.returncode}: {late.stderr[-300:]}")
        notes.append(
            f"nothing uploaded; with the gate passed over: {len(stage.served(url))} files, then 400"
        )
    finally:
        manifest.write_text(text, "utf-8")
        stage.dist = whole


def _burnt(stage: Stage, notes: list[str]) -> None:
    """Put a file of another content onto the index first: nothing of the release may follow it."""
    url = stage.new_index()
    other = stage.folder / "other"
    other.mkdir()
    (wheel,) = stage.dist.glob("leanspec_cli_bin-*linux*.whl")
    # The same wheel with another byte after its end: a zip archive all the same.
    (other / wheel.name).write_bytes(wheel.read_bytes())
    with (other / wheel.name).open("r+b") as file:
        file.seek(-2, os.SEEK_END)
        file.write(b"\x01\x00x")  # the length of the archive's comment, and the comment
    subprocess.run(
        [sys.executable, "-m", "zipfile", "-l", other / wheel.name],
        capture_output=True,
        check=True,
    )
    upload_foreign(stage.server, url, [other / wheel.name])
    done = stage.run(*stage.publish_checked(url))
    if done.returncode == 0 or "with other bytes: sha256" not in done.stderr:
        raise CommandError(f"exit code {done.returncode}: {done.stderr[-300:]}")
    notes.append("error: it is on INDEX with other bytes ... hint: that version is burnt")
    if len(stage.served(url)) != 1:
        raise CommandError(f"{len(stage.served(url)) - 1} other files were uploaded")
    notes.append("nothing was added")
