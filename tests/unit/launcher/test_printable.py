"""Text of strangers on the terminal: names of files and folders, versions, values of variables."""

from __future__ import annotations

import sys
import unicodedata
from pathlib import Path

import pytest

from leanspec_launcher._say import printable
from leanspec_launcher.commands import CommandError, echo, echo_text, report, styled
from leanspec_launcher.manage.rows import BAD, OTHER, print_row
from tests.support.site import Site, script

# Clears the line, forges another one, colours it, and turns it around.
HOSTILE = "a\x1b[2K\r\n✓ verified\x9b31m\u202eb"


def is_hostile(char: str) -> bool:
    """Tell whether a character is a control, or turns text around (UAX 9, Bidirectional Formatting)."""
    turns = unicodedata.bidirectional(char) in {
        *("LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"),
    }
    return turns or (unicodedata.category(char) == "Cc" and char not in "\n\t")


@pytest.mark.parametrize(
    "code", [*range(32), *range(127, 160), 0x200E, *range(0x202A, 0x202F)]
)
def test_printable_escapes_a_control_character(code: int) -> None:
    text = printable(f"a{chr(code)}b")
    assert text.isprintable() or chr(code) == "\t"
    assert (text == f"a{chr(code)}b") == (chr(code) == "\t")


@pytest.mark.parametrize("text", ["", "a b", "ü 漢字 عربي ✓", "/a/b'c\"d$(e)"])
def test_printable_leaves_text_alone(text: str) -> None:
    assert printable(text) == text


def test_printable_escapes_bytes_that_are_no_text() -> None:
    assert printable("a\udcffb") == "a\\udcffb"


def test_echo_prints_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    echo(HOSTILE, styled(HOSTILE, bold=True))
    echo_text("first\nsecond\x1b\n")
    report(CommandError(HOSTILE, hint=HOSTILE, details=[HOSTILE]))
    captured = capsys.readouterr()
    assert captured.out.count("\n") == 3
    assert captured.err.count("\n") == 3
    assert not any(map(is_hostile, captured.out + captured.err))


@pytest.mark.parametrize(
    ("encoding", "signs"), [("utf-8", "✗·"), ("cp1252", "x."), ("ascii", "x.")]
)
def test_a_report_has_signs_that_its_stream_can_write(
    capfdbinary: pytest.CaptureFixture[bytes],
    monkeypatch: pytest.MonkeyPatch,
    encoding: str,
    signs: str,
) -> None:
    # What Windows gives a pipe or a file, and a locale in ASCII.
    with open(1, "w", encoding=encoding, closefd=False) as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        for mark in (BAD, OTHER):
            print_row(mark, "text")
    bad, other = capfdbinary.readouterr().out.decode(encoding).splitlines()
    assert (bad, other) == (f"  {signs[0]} text", f"  {signs[1]} text")


COMMANDS = [
    ["which"],
    ["doctor"],
    ["verify"],
    ["repair", "--dry-run"],
    ["link", "--dry-run"],
    ["fetch", "--list"],
    ["mcp-config", "cursor"],
    ["mcp-config", "cursor", "--write", "--dry-run"],
    ["update", "--version", HOSTILE],
    ["repair", "--from", HOSTILE],
    [HOSTILE],
]


@pytest.mark.posix
def test_no_command_prints_a_control_character_of_a_stranger(
    tmp_path: Path, site: Site
) -> None:
    """The folder of the installation, the home, a variable and a client's file are hostile."""
    root = tmp_path / HOSTILE
    site.root.rename(root)
    hostile = Site(root, site.env | {"HOME": str(root / "home")})
    hostile.pin("cli", script("echo 9.9.9"))
    hostile.wheel("cli", script("other"))
    (root / ".mcp.json").write_text(
        '{"mcpServers": {"leanspec": {"command": "/x/leanspec\\u001b[2K\\r\\n✓ verified"}}}'
    )
    (root / "home/.cursor").mkdir(parents=True)
    (root / "home/.cursor/mcp.json").write_text('{"mcpServers": {"\\u001b[2K": {}}}\n')
    env = {"LEANSPEC_MCP_BINARY": str(root / "nothing")}
    completed = [*hostile.manage_each(*COMMANDS, env=env), hostile.start("cli", code=126)]
    completed.append(hostile.start("mcp", "--version", code=None, env=env))
    for result in completed:
        output = result.stdout + result.stderr
        assert not any(map(is_hostile, output)), (result.args, output)
        assert "\n✓ verified" not in output
