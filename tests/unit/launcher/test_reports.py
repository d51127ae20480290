"""Reports of the management commands: one JSON object for programs, rows for people."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from leanspec_launcher._say import hanging
from leanspec_launcher.manage import doctor
from leanspec_launcher.manage.cli import root as launcher
from tests.support.site import HOST, Site, script
from tests.support.surroundings import run, run_in_a_terminal

pytestmark = pytest.mark.posix
# A real run of each command; those of the last two need an index.
RUNS = {
    "doctor": [],
    "fetch": ["--list"],
    "link": ["--dry-run"],
    "mcp-config": [],
    "repair": ["--dry-run"],
    "unlink": ["--dry-run"],
    "verify": ["leanspec"],
    "which": ["lean-spec"],
}
WITH_AN_INDEX = {"bundle": "test_bundle.py", "update": "test_update.py"}
# What a terminal of this width does not show whole is broken.
COLUMNS = 80


def installed(site: Site) -> Site:
    """Install the command line, with its record."""
    program = script('echo "leanspec 9.9.9"')
    site.install("cli", program)
    site.pin("mcp", program)
    folder = site.root / "lean_spec-9.9.9.dist-info"
    folder.mkdir()
    points = "[console_scripts]\nleanspec-launcher = leanspec_launcher.manage:main\n"
    for name, text in (
        ("METADATA", "Name: lean-spec\nVersion: 9.9.9\n"),
        ("RECORD", "bin/leanspec-launcher,,\n"),
        ("INSTALLER", "pip\n"),
        ("entry_points.txt", points),
    ):
        (folder / name).write_text(text)
    (site.root / "bin").mkdir()
    (site.root / "bin/leanspec-launcher").write_text("#!/bin/sh\n")
    return site


def commands() -> Iterator[tuple[str, click.Command]]:
    context = click.Context(launcher)
    for name in launcher.list_commands(context):
        command = launcher.get_command(context, name)
        assert command is not None
        yield name, command


def lists(command: click.Command) -> list[str]:
    """Return the lists that a command's `--json` promises."""
    (option,) = [each for each in command.params if "--json" in each.opts]
    assert isinstance(option, click.Option)
    return re.findall(r"`(\w+)`", option.help or "")


def test_json_is_one_object_with_the_documented_lists(site: Site) -> None:
    promised = {name: lists(command) for name, command in commands()}
    assert promised.keys() == RUNS.keys() | WITH_AN_INDEX.keys()
    assert all(promised.values())
    lines = [[name, *more, "--json"] for name, more in RUNS.items()]
    for line, result in zip(lines, installed(site).manage_each(*lines), strict=True):
        report = json.loads(result.stdout)
        assert isinstance(report, dict), line
        for name in promised[line[0]]:
            assert isinstance(report[name], list), line
    folder = Path(__file__).parents[2] / "e2e"
    for command, file in WITH_AN_INDEX.items():
        pattern = rf'"{command}",[^\n]*"--json"'
        assert re.search(pattern, (folder / file).read_text("utf-8")), command


def test_program_names_are_those_of_its_commands(site: Site) -> None:
    names = ("lean-spec", "leanspec", "leanspec-mcp", "leanspec-http", "leanspec-ui")
    lines = [["which", name, "--json"] for name in names]
    programs = [
        json.loads(result.stdout)["programs"][0]["program"]
        for result in installed(site).manage_each(*lines)
    ]
    assert programs == ["cli", "cli", "mcp", "http", "http"]
    (result,) = site.manage_each(["verify", "nonsense"])
    assert result.returncode == 2
    assert "invalid value for `PROGRAM`: `nonsense` is not one of `cli`, " in result.stderr


def test_which_and_verify_end_with_a_hint(site: Site) -> None:
    installed(site).wheel("cli", b"changed")
    for command in ("which", "verify"):
        result = site.manage(command, "cli", code=1)
        assert result.stderr.splitlines()[-1].startswith("hint: ")
        assert "leanspec-cli-bin==9.9.9" in result.stderr
    good = site.manage("verify", "mcp", code=1)
    assert "leanspec-mcp-bin==9.9.9" in good.stderr


def test_which_refuses_the_script_that_a_start_refuses(site: Site) -> None:
    script = installed(site).root / "bin/leanspec"
    script.write_text("#!/bin/sh\nimport sys\nfrom leanspec_launcher import cli\n")
    script.chmod(0o755)
    env = {"LEANSPEC_CLI_BINARY": str(script)}
    result = site.manage("which", "cli", code=1, env=env)
    assert f"✗ environment variable  `{script}`: it is this very command" in result.stdout
    script.write_text("#!/bin/sh\necho another\n")
    assert "✓ environment variable" in site.manage("which", "cli", code=0, env=env).stdout


def test_which_shows_the_store_alone_for_an_absent_binary(site: Site) -> None:
    output = installed(site).manage("which", "mcp", code=1).stdout
    store = Path(site.env["HOME"], ".local/share/lean-spec/binaries")
    assert f"  · download store        `{store}`: not there\n" in output
    assert not re.search(r"[0-9a-f]{64}", output)


def test_doctor_ends_with_its_problems(site: Site) -> None:
    report = json.loads(installed(site).manage("doctor", "--json").stdout)
    absent = {each["section"] for each in report["findings"] if each["status"] == "absent"}
    assert {"leanspec-http", "web UI", "MCP clients"} <= absent
    assert report["works"] is False
    output = site.manage("doctor", code=1).stdout
    assert output.endswith("\n1 problem: leanspec-mcp (binary)\n")
    assert re.search(r"^  - binary +not installed: ", output, re.MULTILINE)


def test_doctor_reports_pages_without_a_web_server(site: Site) -> None:
    folder = installed(site).root / "leanspec_ui-9.9.9.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Name: leanspec-ui\nVersion: 9.9.9\n")
    report, verify, repair = site.manage_each(
        ["doctor"], ["verify"], ["repair", "--dry-run"]
    )
    assert "  ✗ binary" in report.stdout.partition("leanspec-http")[2].splitlines()[1]
    assert "leanspec-http: it is not installed" in verify.stdout
    assert "leanspec-http-bin==9.9.9" in repair.stderr


def test_doctor_names_a_section_once_in_its_sum() -> None:
    findings = [
        doctor.error(name, "", section=section)
        for section, name in (("a", "x"), ("a", "x"), ("a", "y"), ("b", "x"))
    ]
    assert doctor.summary(findings) == "4 problems: a (x, y), b (x)"


def test_doctor_breaks_lines_on_a_terminal_at_spaces_alone(site: Site) -> None:
    installed(site)
    doctor = [sys.executable, "-c", site.call("main", ".manage"), "doctor"]
    env = {**site.env, "COLUMNS": str(COLUMNS), "NO_COLOR": "1", "TERM": "xterm"}
    whole = run([*doctor], env, code=1).stdout
    broken = run_in_a_terminal(doctor, env)
    long = [line for line in broken.splitlines() if len(line) > COLUMNS]
    assert any(len(line) > COLUMNS for line in whole.splitlines())
    whole_literal = re.compile(r" *(?:\S+|`[^`]*`[:,]?|hint: [^`]*)")
    assert all(whole_literal.fullmatch(line.rstrip()) for line in long), long
    assert HOST.key in broken


class Terminal(io.StringIO):
    """A terminal, whose width is in `COLUMNS`."""

    def isatty(self) -> bool:
        """Return True."""
        return True


LITERAL = "`a command with many words that is longer than that`"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (f"type {LITERAL}: it helps", ["type", f"  {LITERAL}:", "  it helps"]),
        (f"  {LITERAL} helps you", [f"  {LITERAL}", "    helps you"]),
        (f"hint: {LITERAL[1:-1]}", [f"hint: {LITERAL[1:-1]}"]),
        ("hint: do `this`, " + "x" * 40, ["hint: do `this`,", f"  {'x' * 40}"]),
        (
            "  sha256   0  of a file that is damaged",
            ["  sha256   0  of a file that is", "    damaged"],
        ),
    ],
)
def test_a_message_breaks_on_a_terminal_outside_of_literals(
    text: str, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert hanging(text, Terminal()) == lines
    assert hanging(text, io.StringIO()) == [text]


def test_a_start_that_fails_breaks_its_message_on_a_terminal(site: Site) -> None:
    installed(site).wheel("cli", b"changed")
    env = {**site.env, "COLUMNS": str(COLUMNS), "TERM": "xterm"}
    command = [sys.executable, "-c", site.call("cli")]
    whole = run(command, env, code=126).stderr
    output = run_in_a_terminal(command, env)
    assert output.split() == whole.split()
    lines = output.splitlines()
    long = [line for line in lines if len(line) > COLUMNS and not line.startswith("hint:")]
    assert all(len(line.strip().split("`")[0]) < COLUMNS for line in long)
    assert len(lines) > len(whole.splitlines())
