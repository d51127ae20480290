"""Picture of a terminal, from what the program prints: `.venv/bin/python -m tests.support.terminal_picture`."""

from __future__ import annotations

import re
import tempfile
from html import escape
from pathlib import Path

from scripts.environment import ROOT
from scripts.tools.processes import own_program

from .surroundings import clean, run

PICTURE = ROOT / "docs/terminal.svg"
COMMANDS = ("init -y", "create my-first-spec", "board")
PROJECT = "~/project"
WIDTH, LINE, MARGIN = 560, 17, 16
BAR = 28
HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" role="img"
     font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="12.5">
  <title>{title}</title>
  <style>
    text {{ fill: #e6edf3; white-space: pre; }}
    .prompt, .dim {{ fill: #9198a1; }}
    .bold {{ font-weight: 700; }}
    .green {{ fill: #3fb950; }}
    .blue {{ fill: #79c0ff; }}
    .cyan {{ fill: #39c5cf; }}
  </style>
  <rect x="1" y="1" width="{frame}" height="{bottom}" rx="8" fill="#0d1117" stroke="#444c56"/>
  <circle cx="18" cy="16" r="5" fill="#ff5f57"/>
  <circle cx="36" cy="16" r="5" fill="#febc2e"/>
  <circle cx="54" cy="16" r="5" fill="#28c840"/>
"""
CLASSES = {"1": "bold", "2": "dim", "32": "green", "36": "cyan", "94": "blue"}
COLOUR = re.compile(r"\x1b\[([\d;]*)m")


def transcript(program: Path, folder: Path) -> list[str]:
    """Return the lines of a terminal in which the commands are typed in a new project."""
    project = folder / "project"
    project.mkdir()
    env = clean(folder / "home", CLICOLOR_FORCE="1")
    lines: list[str] = []
    for command in COMMANDS:
        output = run([program, *command.split()], env, cwd=project).stdout
        output = output.replace(str(project), PROJECT)
        lines += [f"$ lean-spec {command}", *output.strip("\n").splitlines(), ""]
    return lines[:-1]


def draw(lines: list[str]) -> str:
    """Return the lines as a window of a terminal, which can be read on light and dark pages."""
    height = BAR + LINE * len(lines) + MARGIN
    title = f"A terminal: {', '.join(f'lean-spec {command}' for command in COMMANDS)}"
    sizes = {"width": WIDTH, "frame": WIDTH - 2, "height": height, "bottom": height - 2}
    parts = [HEAD.format(title=title, **sizes)]
    for number, line in enumerate(lines, 1):
        if line:
            text = _draw_prompt(line) if line.startswith("$ ") else _draw_colours(line)
            parts.append(f'  <text x="{MARGIN}" y="{BAR + LINE * number}">{text}</text>\n')
    return "".join([*parts, "</svg>\n"])


def _draw_prompt(line: str) -> str:
    return f'<tspan class="prompt">$</tspan><tspan class="bold">{escape(line[1:])}</tspan>'


def _draw_colours(line: str) -> str:
    """Turn the colours of a terminal into those of the picture."""
    classes: list[str] = []
    spans = []
    for number, part in enumerate(COLOUR.split(line)):
        if number % 2:
            codes = part.split(";")
            classes = [] if codes == ["0"] else [CLASSES[code] for code in codes]
        elif part and classes:
            spans.append(f'<tspan class="{" ".join(classes)}">{escape(part)}</tspan>')
        else:
            spans.append(escape(part))
    return "".join(spans)


def main() -> None:
    """Draw the picture again."""
    with tempfile.TemporaryDirectory() as folder:
        lines = transcript(Path(own_program("leanspec")), Path(folder))
    PICTURE.write_text(draw(lines), "utf-8")


if __name__ == "__main__":
    main()
