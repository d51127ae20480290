"""The parent that Windows needs, on a real Windows CPython under wine: through pip's and uv's own `.exe` launchers.

What wine cannot show: antivirus and policy refusals, windows that open, the closing of a console,
Windows on arm64.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.support.preconditions import missing, require

if sys.platform != "linux":
    missing("Linux", "wine runs on Linux")

from leanspec_launcher._tables import PLATFORMS
from scripts.collect.staging import staged
from scripts.environment import ROOT, Group
from scripts.locked import EXACTLY
from scripts.model.programs import load_programs
from scripts.model.versions import binary_version
from scripts.tools.processes import clean_environment, own_program
from scripts.wheels.build import build_wheels
from tests.support import wine
from tests.support.pages import put_pages
from tests.support.surroundings import once, run
from tests.support.tree_copy import copy_tree
from tests.support.versions import OURS
from tests.support.wine import Windows

pytestmark = [pytest.mark.slow, pytest.mark.system, pytest.mark.network]
LINKS = ("--no-index", "--find-links", "Z:\\dist", "--find-links", "Z:\\wheelhouse")
BY_PIP = "python\\Scripts\\leanspec-http.exe"
BY_UV = "a folder\\bin\\leanspec-http.exe"
# Started without the installers' launchers, which are parents of their own.
ALONE = (
    "python\\python.exe",
    "-c",
    "import sys; from leanspec_launcher import http; sys.exit(http())",
)
CODE = "import subprocess, sys; print(subprocess.run([sys.argv[1], 'exit', sys.argv[2]]).returncode)"
KILL = r"""
import os, subprocess, sys, time
told, *command = sys.argv[1:]
process = subprocess.Popen([*command, "wait", told])
until = time.monotonic() + 30
while not os.path.exists(told) and time.monotonic() < until:
    time.sleep(0.05)
time.sleep(0.5)
running = lambda: subprocess.run(["tasklist"], capture_output=True, text=True).stdout.count("leanspec-http.exe")
before = running()
process.kill()
process.wait()
time.sleep(1)
print(before, running())
"""

CLOSED = r"""
import subprocess, sys, time
PIPE = subprocess.PIPE
process = subprocess.Popen(sys.argv[1:], stdin=PIPE, stdout=PIPE, stderr=PIPE)
process.stdout.read()
output = process.poll()
try:
    process.stdin.write(bytes(1 << 20))
    process.stdin.flush()
except OSError:
    print("input refused")
process.stderr.read()
print("running" if output is None else "ended", "running" if process.poll() is None else "ended", process.wait())
"""
CLOSING = r"""
import ctypes, threading, time
from leanspec_launcher.windows import parent
process, thread = parent._create("Z:\\probe.exe", '"Z:\\probe.exe" exit 7')
threading.Timer(1.5, parent.KERNEL.ResumeThread, [thread]).start()
answer = parent._handler([process])
before = time.monotonic()
key = answer(0), time.monotonic() - before < 0.5
closing = answer(2), time.monotonic() - before > 1
print(key, closing)
"""
STAMPED = r"""
import os, pathlib, subprocess, sys, time
file, command = pathlib.Path(sys.argv[1]), sys.argv[2:]
stamps = pathlib.Path(os.environ["LOCALAPPDATA"], "lean-spec", "Cache", "verified")
time.sleep(4)
start = lambda: subprocess.run([*command, "exit", "7"], capture_output=True).returncode
known = lambda: len(list(stamps.iterdir())) if stamps.exists() else 0
print(start(), known(), start(), known())
before, data = file.stat(), file.read_bytes()
changed = bytearray(data)
changed[-1] ^= 1
file.write_bytes(changed)
os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
now = file.stat()
print(now.st_mtime_ns == before.st_mtime_ns, now.st_ctime_ns == before.st_ctime_ns, start())
file.write_bytes(data)
"""


@pytest.fixture(scope="session")
def windows(shared: Path, wheelhouse: Path, pythons: dict[str, Path]) -> Windows:
    """Return a Windows with a release in which our probe is the binary of every program, installed by pip and uv."""
    require("debootstrap", "unshare")
    if "3.12" not in pythons:
        missing("CPython 3.12", "its standard library is used")

    def make(tree: Path) -> None:
        wine.make(tree, pythons["3.12"].parent.parent / "lib/python3.12")
        with staged(tree / "binaries") as staging:
            for number, project in enumerate(load_programs()):
                file = tree / "tmp" / f"{project.program.command}.exe"
                file.write_bytes((tree / "probe.exe").read_bytes() + bytes(number))
                source = {"kind": "probe"}
                platform, version = PLATFORMS["windows-x64"], binary_version(OURS)
                staging.add(
                    project, platform, file, version=version, source=source, commit=None
                )
        put_pages(tree / "binaries", ROOT)
        build_wheels(tree / "binaries", tree / "dist", (), ())
        shutil.copytree(wheelhouse, tree / "wheelhouse")
        pip = max(path.name for path in wheelhouse.glob("pip-*.whl"))
        here = Windows(tree)
        here.run(
            "python\\python.exe",
            f"Z:\\wheelhouse\\{pip}\\pip",
            "install",
            *LINKS,
            "lean-spec[ui]",
        )
        uv = (
            "pip",
            "install",
            "--python",
            "Z:\\python\\python.exe",
            "--target",
            "Z:\\a folder",
            *LINKS,
        )
        here.run(
            "python\\uv.exe",
            *uv,
            "lean-spec[ui]",
            UV_NO_CONFIG="1",
            UV_OFFLINE="1",
            UV_PYTHON_DOWNLOADS="never",
        )

    return Windows(once(shared / "windows", make))


def started(windows: Windows, launcher: str, *arguments: str, data: bytes = b"") -> str:
    """Run an installed command with both its surroundings, and return what it printed."""
    return windows.run(
        launcher, *arguments, data=data, PYTHONPATH="Z:\\a folder"
    ).stdout.decode()


@pytest.mark.parametrize("launcher", [BY_PIP, BY_UV], ids=["pip", "uv"])
def test_windows_passes_arguments_and_handles_on(windows: Windows, launcher: str) -> None:
    given = ("a b", '"q"', "", "c\\", "d\\\\ e", "ü", "%PATH%", "&", "a\\\\b", '\\"')
    ours, direct = started(windows, launcher, *given), started(windows, "probe.exe", *given)
    # No console here: a hidden one is made, so that what the program starts opens no window.
    assert ours == direct.replace("console 0", "console 1")


@pytest.mark.parametrize("launcher", [BY_PIP, BY_UV], ids=["pip", "uv"])
@pytest.mark.parametrize(
    "code", [0, 1, 255, 259, 2**16, 2**31 - 1, 2**31, 0xC0000005, 2**32 - 1]
)
def test_windows_passes_every_exit_code_on(
    windows: Windows, launcher: str, code: int
) -> None:
    said = windows.run(
        "python\\python.exe",
        "-c",
        CODE,
        f"Z:\\{launcher}",
        str(code),
        PYTHONPATH="Z:\\a folder",
    ).stdout
    assert int(said) == code


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        (0xC0000135, "a DLL that it needs is not on this system"),
        (0xC000001D, "it uses instructions that this CPU does not have"),
    ],
)
def test_windows_explains_a_program_that_its_loader_ended(
    windows: Windows, code: int, problem: str
) -> None:
    launcher = f"Z:\\{BY_PIP}"
    done = windows.run("python\\python.exe", "-c", CODE, launcher, str(code))
    assert int(done.stdout) == code
    assert f"was ended by Windows ({code:#x}): {problem}" in done.stderr.decode()
    assert "hint: install the Microsoft Visual C++ Redistributable" in done.stderr.decode()


@pytest.mark.parametrize("launcher", [BY_PIP, BY_UV], ids=["pip", "uv"])
def test_windows_pipes_carry_bytes_both_ways(windows: Windows, launcher: str) -> None:
    data = bytes(range(256)) * 40_000
    assert windows.run(launcher, "cat", data=data, PYTHONPATH="Z:\\a folder").stdout == data


def test_the_program_ends_when_its_parent_is_killed(windows: Windows) -> None:
    command = ["Z:\\python\\python.exe", *ALONE[1:]]
    said = windows.run(
        "python\\python.exe", "-c", KILL, "Z:\\tmp\\told-kill", *command
    ).stdout
    assert said.split() == [b"1", b"0"]


@pytest.mark.parametrize(
    "launcher",
    [(BY_PIP,), (BY_UV,), ALONE, ("probe.exe",)],
    ids=["pip", "uv", "ours", "direct"],
)
def test_windows_leaves_ctrl_c_to_the_program(
    windows: Windows, launcher: tuple[str, ...]
) -> None:
    told = windows.tree / "tmp/told-key"
    command = (*launcher, "wait", "Z:\\tmp\\told-key")
    said = windows.on_a_console(told, *command, keys=b"\x03", PYTHONPATH="Z:\\a folder")
    assert said == "ready\nctrl 0\n"


def test_a_stream_that_the_program_closes_is_closed(windows: Windows) -> None:
    """The waiting parent keeps none of them open."""
    command = ["Z:\\python\\python.exe", *ALONE[1:], "close", "9000"]
    said = windows.run("python\\python.exe", "-c", CLOSED, *command).stdout.decode()
    assert said.split("\r\n")[:2] == ["input refused", "running running 5"]


def test_the_closing_of_the_console_waits_for_the_program(windows: Windows) -> None:
    """Simulated: wine closes none. A process ends when its handler has answered, and the job with it."""
    assert windows.run("python\\python.exe", "-c", CLOSING).stdout.split() == [
        b"(1,",
        b"True)",
        b"(1,",
        b"True)",
    ]


def test_windows_detects_a_change_that_keeps_size_and_time(windows: Windows) -> None:
    """What Python calls `st_ctime` there is the creation, which no change changes."""
    file = "Z:\\python\\Lib\\site-packages\\leanspec_http_bin\\bin\\leanspec-http.exe"
    command = ["Z:\\python\\python.exe", *ALONE[1:]]
    said = windows.run("python\\python.exe", "-c", STAMPED, file, *command).stdout.decode()
    first, second = said.strip().split("\r\n")
    code, stamps, again, same = map(int, first.split())
    assert (code, again, stamps) == (7, 7, same), "one stamp serves both starts"
    assert stamps > 0
    assert second.endswith(" 126")
    assert second.startswith("True ")


def test_a_client_starts_the_signed_python_and_not_the_installers_program(
    windows: Windows,
) -> None:
    said = windows.run(
        "python\\Scripts\\leanspec-launcher.exe",
        *("mcp-config", "claude", "--scope", "user"),
    ).stdout
    server = json.loads(said)["mcpServers"]["leanspec"]
    assert server["command"].lower().endswith("python.exe")
    assert server["args"] == ["-P", "-m", "leanspec_launcher", "mcp"]
    # From a folder that has a decoy: a client starts it anywhere.
    (windows.tree / "tmp/leanspec_launcher").mkdir(exist_ok=True)
    (windows.tree / "tmp/leanspec_launcher/__init__.py").write_text("print('decoy')")
    code = "import os, subprocess, sys; os.chdir('Z:/tmp'); sys.exit(subprocess.run(sys.argv[1:]).returncode)"
    program = [server["command"], *server["args"]]
    assert (
        b"decoy"
        not in windows.run("python\\python.exe", "-c", code, *program, "exit", "0").stdout
    )


@pytest.mark.parametrize(
    ("path", "code", "words"),
    [
        ("Z:\\tmp\\run.cmd", 126, "it is a batch file"),
        ("Z:\\tmp\\RUN.BAT. .", 126, "it is a batch file"),
        ("\\tmp\\x.exe", 126, "it is a relative path"),
        ("Z:\\tmp\\windows.c", 126, "is not a program for this Windows"),
        ("Z:\\nowhere.exe", 127, "there is no such file"),
        ("Z:\\tmp", 126, "it is a directory"),
        ("here.exe", 126, "it is a relative path"),
    ],
)
def test_windows_explains_a_program_that_cannot_start(
    windows: Windows, path: str, code: int, words: str
) -> None:
    done = windows.run(BY_PIP, "x", code=code, LEANSPEC_HTTP_BINARY=path)
    said = done.stderr.decode()
    assert words in said
    assert "hint: `unset LEANSPEC_HTTP_BINARY`" in said
    assert "Traceback" not in said


def test_windows_refuses_a_changed_program(windows: Windows) -> None:
    folder = windows.tree / "python/Lib/site-packages/leanspec_http_bin/bin"
    whole = (folder / "leanspec-http.exe").read_bytes()
    try:
        (folder / "leanspec-http.exe").write_bytes(whole + b"x")
        done = windows.run(BY_PIP, "exit", "7", code=126)
    finally:
        (folder / "leanspec-http.exe").write_bytes(whole)
    assert b"its SHA-256 is not the expected one" in done.stderr
    assert b"\\leanspec-launcher.exe repair http" in done.stderr


def test_doctor_knows_its_installation(windows: Windows) -> None:
    said = windows.run(
        "python\\Scripts\\leanspec-launcher.exe", "doctor", code=None
    ).stdout.decode()
    assert "(windows-x64)" in said
    assert "  + version " in said, "a pipe has a code page without the usual sign"
    assert said.count("its SHA-256 is the expected one") == 3
    done = windows.run("python\\Scripts\\leanspec-launcher.exe", "link", code=1)
    assert b"error: a command cannot be linked on Windows" in done.stderr


# What needs more than a Windows: git, cargo and npm in it, an entropy source that OpenSSL takes
# (wine's it does not), a Python that makes environments, and linters: `uv pip install --target` leaves
# out their commands.
NOT_UNDER_WINE = (
    "tests/unit/launcher/test_manifest.py",
    "tests/unit/scripts/test_attestations.py",
    "tests/unit/scripts/test_signing.py",
    "tests/unit/scripts/test_environment.py",
    "tests/unit/scripts/test_rehearsal.py",
    "tests/unit/scripts/test_pre_release.py",
    "tests/unit/scripts/gates",
    "tests/contract/test_workflows.py",
    "tests/contract/test_tables.py",
)
FETCH, INSTALLED = "launcher/test_fetch.py", "scripts/test_installation.py"
LEFT_OUT = [
    *(f"--ignore={path}" for path in NOT_UNDER_WINE),
    *(
        f"--deselect=tests/unit/{file}::{test}"
        for file, test in (
            (FETCH, "test_a_download_refuses_an_expired_certificate_and_another_host"),
            (FETCH, "test_a_redirect_never_leaves_https"),
            (INSTALLED, "test_a_release_is_installed_by_the_hashes_of_its_own_files"),
        )
    ),
]


@pytest.fixture(scope="session")
def suite(windows: Windows) -> Windows:
    """Return a Windows with this tree in `checkout` and, in `suite`, a Python with all it needs."""
    python = windows.tree / "suite"
    shutil.copytree(windows.tree / "python", python)
    shutil.rmtree(python / "Lib/site-packages")
    uv: list[str | Path] = [
        own_program("uv"),
        "pip",
        "install",
        "--python-platform",
        "windows",
    ]
    uv += ["--python-version", "3.12", "--target", python / "Lib/site-packages"]
    run([*uv, *EXACTLY, "--requirement", Group.DEV.lock], clean_environment())
    own = ("--no-deps", "--no-build-isolation", ROOT / "build_backend", ROOT)
    run([*uv, *own], clean_environment())
    copy_tree(windows.tree / "checkout")
    return windows


def pytest_there(suite: Windows, *arguments: str) -> str:
    """Run pytest in the checkout; return what it says at its end."""
    # hypothesis wants a path at its import, and this wine has none.
    program = "import os, sys; os.environ.setdefault('PATH', ''); import pytest;"
    program += "os.chdir('Z:/checkout'); sys.path[0] = os.getcwd();"
    program += "sys.exit(pytest.main(sys.argv[1:]))"
    options = ("-p", "no:cacheprovider", *arguments)
    done = suite.run(
        "suite\\python.exe", "-c", program, *options, seconds=900, PYTHONUTF8="1"
    )
    return done.stdout.decode()


def test_every_module_of_the_suite_is_collected(suite: Windows) -> None:
    said = pytest_there(suite, "--collect-only", "-qq", *LEFT_OUT, "tests")
    assert "tests/e2e/test_cargo.py: " in said
    assert "tests/unit/launcher/test_launch.py: " in said


def test_the_windows_half_of_the_suite_passes(suite: Windows) -> None:
    """Launcher, backend and commands; installers with small programs need a cargo in it."""
    folders = ("tests/unit", "tests/contract")
    said = pytest_there(suite, "-q", "-m", "not slow and not network", *LEFT_OUT, *folders)
    passed = re.search(r"(\d+) passed", said)
    assert passed, said[-3000:]
    assert int(passed[1]) > 500, said[-3000:]
