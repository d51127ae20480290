"""What the launcher says itself: answers in the place of a server, and messages, also if nobody can read them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys

import pytest

from tests.support.modules import write_module
from tests.support.preconditions import missing, require
from tests.support.site import HOST, Site, script
from tests.support.surroundings import run, run_in_a_terminal, shebang

if sys.platform == "win32":
    missing("POSIX", "the programs are scripts")

GOOD = script("echo started")
OLD = script(
    """read line || exit 3
case "$line" in
*'"initialize"'*) echo '{"jsonrpc":"2.0","id":1,"result":{"serverInfo":{"name":"x","version":"1.2.3"}}}' ;;
*) echo '{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"method not found"}}' ;;
esac"""
)
NEW = script(
    """read line || exit 3
case "$line" in
*'"server/discover"'*'io.modelcontextprotocol/protocolVersion'*)
    echo '{"jsonrpc":"2.0","id":1,"result":{"supportedVersions":["2026-07-28"],"_meta":{' \
        '"io.modelcontextprotocol/serverInfo":{"version":"2.0.0"}}}}' ;;
*) echo '{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"method not found"}}' ;;
esac"""
)
BARE = script('read line; echo \'{"id":1,"result":{"serverInfo":{"version":"2.1.0"}}}\'')


def started(
    site: Site, redirection: str, *arguments: str, program: str = "mcp", **env: str
) -> tuple[int, str]:
    """Start a command in a shell with a redirection; return the exit code and standard error."""
    shell = ["sh", "-c", f'"$@" {redirection}', "sh"]
    command = [*shell, sys.executable, "-S", "-c", site.call(program), *arguments]
    result = run(command, site.env | env, cwd=site.root, code=None, timeout=60)
    return result.returncode, result.stderr


@pytest.mark.parametrize(
    ("program", "version"), [(OLD, "1.2.3"), (NEW, "2.0.0"), (BARE, "2.1.0")]
)
def test_mcp_version_is_that_of_the_handshake(
    site: Site, program: bytes, version: str
) -> None:
    site.install("mcp", program)
    assert site.start("mcp", "--version").stdout == f"leanspec-mcp {version}\n"


def test_mcp_version_restores_a_lost_run_bit(site: Site) -> None:
    """And the server is not started instead, which would wait for its input forever."""
    site.install("mcp", OLD, mode=0o644)
    command = [sys.executable, "-S", "-c", site.call("mcp"), "--version"]
    result = subprocess.run(
        command,
        env=site.env,
        stdin=subprocess.PIPE,
        capture_output=True,
        check=True,
        timeout=30,
    )
    assert result.stdout == b"leanspec-mcp 1.2.3\n"


@pytest.mark.parametrize("argument", ["--help", "--version"])
@pytest.mark.parametrize(
    ("redirection", "words"),
    [(">&-", "it is closed"), (">/dev/full", "No space left on device")],
)
def test_mcp_version_to_a_full_output_is_an_error(
    site: Site, argument: str, redirection: str, words: str
) -> None:
    require("/dev/full")
    site.install("mcp", OLD)
    exit_code, errors = started(site, redirection, argument)
    assert errors.startswith(f"error: cannot write to standard output: {words}\nhint: ")
    assert (exit_code, errors.count("\n")) == (1, 2)


def test_mcp_version_to_a_closed_pipe_ends_by_sigpipe(site: Site) -> None:
    site.install("mcp", OLD)
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-S", "-c", site.call("mcp"), "--help"]
    result = subprocess.run(
        command, env=site.env, stdout=writing, stderr=subprocess.PIPE, check=False
    )
    os.close(writing)
    assert (result.returncode, result.stderr) == (-signal.SIGPIPE, b"")


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full"])
@pytest.mark.parametrize(
    ("program", "env", "code"),
    [
        ("cli", {}, 0),
        ("cli", {"LEANSPEC_DEBUG": "1"}, 0),
        ("cli", {"LEANSPEC_CLI_BINARY": "/nowhere"}, 127),
        ("cli", {"LEANSPEC_CLI_BINARY": "relative"}, 126),
        ("http", {}, 127),
    ],
)
def test_exit_code_is_the_same_with_closed_standard_error(
    site: Site, redirection: str, program: str, env: dict[str, str], code: int
) -> None:
    site.pin("cli", GOOD)
    site.pin("http", GOOD)
    site.wheel("cli", GOOD)
    assert started(site, redirection, program=program, **env)[0] == code


@pytest.mark.parametrize("path", ["/nowhere", "/etc/passwd"])
def test_an_explanation_to_a_broken_pipe_ends_with_its_exit_code(
    site: Site, path: str
) -> None:
    """What a failed start changed for the program does not kill the launcher."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-S", "-c", site.call("cli")]
    env = site.env | {"LEANSPEC_CLI_BINARY": path}
    result = subprocess.run(command, env=env, stderr=writing, check=False)
    os.close(writing)
    assert result.returncode == (127 if path == "/nowhere" else 126)


@pytest.mark.parametrize("redirection", ["", "2>&-", "2>/dev/full"])
def test_python_dash_m_with_an_unknown_program_is_a_usage_error(
    site: Site, redirection: str
) -> None:
    shell = ["sh", "-c", f'"$@" {redirection}', "sh"]
    command = [*shell, sys.executable, "-m", "leanspec_launcher", "foo"]
    run(command, site.env, cwd=site.root, code=2)


def test_python_dash_m_prints_its_help(site: Site) -> None:
    command = [sys.executable, "-m", "leanspec_launcher"]
    output = run([*command, "--help"], site.env, cwd=site.root).stdout
    assert output.startswith("Usage: python -m leanspec_launcher cli|mcp|http [ARGS]\n")
    errors = run(command, site.env, cwd=site.root, code=2).stderr
    words = "error: no program is given\nhint: python -m leanspec_launcher "
    assert errors.startswith(words)


def test_leanspec_launcher_without_a_command_is_a_usage_error(site: Site) -> None:
    result = site.manage(code=2)
    assert result.stdout == ""
    assert result.stderr.startswith("Usage: leanspec-launcher ")


@pytest.mark.parametrize(
    ("env", "has_colours"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
        ({"TERM": "xterm", "NO_COLOR": ""}, True),
    ],
)
@pytest.mark.parametrize("arguments", [["which"], ["no-such-command"]])
def test_colours_follow_the_terminal_and_no_color(
    site: Site, env: dict[str, str], arguments: list[str], *, has_colours: bool
) -> None:
    launcher = [sys.executable, "-c", site.call("main", ".manage"), *arguments]
    assert ("\x1b[" in run_in_a_terminal(launcher, site.env | env)) is has_colours


@pytest.mark.long
@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ({"_tables.py": b""}, "cannot import name"),
        ({"_pins.py": b""}, "cannot import name"),
        ({"_search.py": b""}, "cannot import name"),
        ({"_search.py": b"\0"}, "null bytes"),
        ({"_tables.py": None}, "No module named"),
        ({"verify/proof.py": b"x = ("}, "was never closed"),
        ({"explain/explain.py": None}, "No module named"),
    ],
)
def test_damaged_launcher_is_an_error_without_a_traceback(
    site: Site, damage: dict[str, bytes | None], words: str
) -> None:
    site.pin("cli", GOOD)
    site.wheel("cli", b"changed")
    for name, data in damage.items():
        file = site.root / "leanspec_launcher" / name
        if data is None:
            file.unlink()
        else:
            write_module(file, data)
    result = site.start("cli", code=126)
    assert (result.stdout, "Traceback" in result.stderr) == ("", False)
    assert words in result.stderr
    assert result.stderr.splitlines()[-1].startswith("hint: ")
    for command in ("doctor", "verify", "which"):
        site.manage(command)


def test_damaged_launcher_ends_with_126_with_closed_standard_error(site: Site) -> None:
    write_module(site.root / "leanspec_launcher/_tables.py", b"")
    for redirection in ("2>&-", "2>/dev/full"):
        assert started(site, redirection, program="cli")[0] == 126


def test_leanspec_launcher_without_click_is_an_error(site: Site) -> None:
    command = [sys.executable, "-S", "-c", site.call("main", ".manage"), "doctor"]
    assert run(command, site.env, code=1).stderr == (
        "error: cannot run `leanspec-launcher`: No module named 'click'\n"
        "hint: reinstall lean-spec with its dependencies\n"
    )


def record(site: Site, **files: bytes | None) -> None:
    """Write the record of an installation, as far as it is given."""
    folder = site.root / "lean_spec-9.9.9.dist-info"
    folder.mkdir(exist_ok=True)
    usual: dict[str, bytes | None] = {
        "METADATA": b"Metadata-Version: 2.1\nName: lean-spec\nVersion: 9.9.9\n",
        "RECORD": b"../bin/lean-spec,sha256=x,5\nbin/leanspec-mcp,,\nleanspec_launcher/__init__.py,,\n",
        "INSTALLER": b"pip\n",
        "entry_points.txt": (
            b"[console_scripts]\nlean-spec=leanspec_launcher:cli\nleanspec-mcp = leanspec_launcher:mcp\n"
        ),
    }
    for name, data in (usual | files).items():
        if data is not None:
            (folder / name).write_bytes(data)


DAMAGES: dict[str, dict[str, bytes | None]] = {
    "RECORD not UTF-8": {"RECORD": b"bin/\xff\xfe,,\n"},
    "RECORD with five columns": {"RECORD": b"bin/lean-spec,sha256=x,5,6,7\n"},
    "RECORD with a size that is no number": {"RECORD": b"bin/lean-spec,sha256=x,many\n"},
    "RECORD with one column": {"RECORD": b"bin/lean-spec\n"},
    "RECORD with a zero byte": {"RECORD": b"bin/lean\0spec,,\n"},
    "RECORD with an open quote": {"RECORD": b'"bin/lean-spec,,\n'},
    "RECORD missing": {"RECORD": None},
    "RECORD empty": {"RECORD": b""},
    "METADATA not UTF-8": {"METADATA": b"Name: lean-spec\nVersion: \xff\xfe\n"},
    "METADATA missing": {"METADATA": None},
    "METADATA without a version": {"METADATA": b"Name: lean-spec\n"},
    "entry points unknown": {
        "entry_points.txt": b"[console_scripts]\nlean-spec=leanspec_launcher:unknown\n"
    },
    "entry points twice": {
        "entry_points.txt": b"[console_scripts]\na=b:c\n[console_scripts]\na=b:c\nnonsense\n"
    },
    "entry points not UTF-8": {"entry_points.txt": b"[console_scripts]\n\xff=\xfe\n"},
    "entry points missing": {"entry_points.txt": None},
}


@pytest.mark.long
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_record_ends_no_command_in_a_traceback(site: Site, damage: str) -> None:
    site.install("cli", GOOD)
    site.install("mcp", OLD)
    record(site, **DAMAGES[damage])
    commands = ("which", "verify", "unlink", "mcp-config", "--version", "link")
    *_, link, doctor = site.manage_each(
        *([name] for name in commands), ["doctor", "--json"]
    )
    findings = json.loads(doctor.stdout)["findings"]
    actual = {finding["section"] for finding in findings}
    assert {"launcher", "system", "leanspec", "leanspec-mcp"} <= actual
    if "missing" in damage or "empty" in damage:
        wrong = [row["value"] for row in findings if row["status"] in ("error", "warning")]
        assert re.search("RECORD|METADATA|record", "\n".join(wrong))
        if "METADATA" not in damage:
            assert link.returncode == 1
            assert "does not list lean-spec's console scripts" in link.stderr


@pytest.mark.long
def test_doctor_reports_other_scripts_beside_an_unreadable_one(site: Site) -> None:
    site.install("cli", GOOD)
    record(site, RECORD=b"bin/lean-spec,,\nbin/leanspec-mcp,,\n")
    folder = site.root / "bin/lean-spec"
    folder.mkdir(parents=True)
    os.mkfifo(site.root / "bin/leanspec-mcp")
    findings = json.loads(site.manage("doctor", "--json").stdout)["findings"]
    names = [finding["name"] for finding in findings if finding["section"] == "commands"]
    assert names == ["lean-spec", "leanspec-mcp"]
    words = f"`{folder}` is not a file any more, although lean-spec installed one"
    assert words in site.manage("repair", code=1).stderr
    assert folder.is_dir()


def test_doctor_reports_two_versions_after_an_interrupted_upgrade(site: Site) -> None:
    site.pin("cli", GOOD)
    record(site)
    (site.root / "lean_spec-9.9.8.dist-info").mkdir()
    output = site.manage("doctor").stdout
    names = "lean_spec-9.9.8.dist-info, lean_spec-9.9.9.dist-info"
    assert f"several versions are recorded: {names}" in output
    assert HOST.key in output


def test_doctor_reports_scripts_that_import_re(site: Site) -> None:
    """As pip before 25.2 writes them."""
    site.install("cli", GOOD)
    record(site, RECORD=b"bin/lean-spec,,\nbin/leanspec-launcher,,\n")
    (site.root / "bin").mkdir()
    for name, module, function in (
        ("leanspec-launcher", "leanspec_launcher.manage", "main"),
        ("lean-spec", "leanspec_launcher", "cli"),
    ):
        start = f"from {module} import {function}\nsys.exit({function}())\n"
        text = f"{shebang()}\nimport re\nimport sys\n{start}"
        (site.root / "bin" / name).write_text(text)
    output = site.manage("doctor").stdout
    command = f"`{site.root}/bin/lean-spec`"
    delay = "takes some 7 ms longer than necessary: pip before"
    assert f"each start of {command} {delay}" in output
    assert "hint: `leanspec-launcher link` starts it without Python" in output
