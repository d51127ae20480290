"""The picture of the workflow, from its own jobs: `.venv/bin/python -m tests.support.workflow_picture` writes it."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from html import escape
from typing import Any

import yaml

from scripts.environment import ROOT

WORKFLOW = ROOT / ".github/workflows/publish.yml"
PICTURE = ROOT / "docs/publishing.svg"
LEFT_OUT = "required"
"""The job that needs all others."""
WIDTH, HEIGHT = 128, 92
COLUMN, ROW = 158, 116
MARGIN = 16
CHARACTERS = 17
HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"
     aria-labelledby="title" font-family="system-ui, sans-serif" font-size="12">
  <title id="title">Jobs of publish.yml: an arrow leads to the job that waits</title>
  <defs>
    <marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">
      <path d="M0 0 8 4 0 8z" fill="#555"/>
    </marker>
    <style>
      .box {{ fill: #f4f6f8; stroke: #8a97a5; rx: 6; }}
      .token {{ fill: #fdf3dc; stroke: #b8934a; }}
      .optional {{ stroke-dasharray: 5 4; }}
      .line {{ stroke: #555; stroke-width: 1.5; fill: none; marker-end: url(#arrow); }}
      .job {{ font-size: 14px; font-weight: 600; fill: #222; }}
      .small {{ fill: #444; }}
    </style>
  </defs>
  <rect width="{width}" height="{height}" fill="#fff"/>
"""
LEGEND = "Dashed: may fail, and the release goes on. Yellow: holds a token, in an environment of its own."


@dataclass(frozen=True)
class Box:
    """A job and its place in the picture."""

    name: str
    job: dict[str, Any]
    needs: list[str]
    column: int
    row: int

    @property
    def x(self) -> int:
        return MARGIN + self.column * COLUMN

    @property
    def y(self) -> int:
        return MARGIN + self.row * ROW


def draw() -> str:
    """Return the picture of the workflow."""
    boxes = _boxes(yaml.safe_load(WORKFLOW.read_text("utf-8"))["jobs"])
    width = max(box.x for box in boxes.values()) + WIDTH + MARGIN
    height = max(box.y for box in boxes.values()) + HEIGHT + MARGIN + 22
    parts = [HEAD.format(width=width, height=height)]
    parts += [_draw_box(box) for box in boxes.values()]
    parts += [_draw_line(boxes[need], box) for box in boxes.values() for need in box.needs]
    parts.append(f'  <text class="small" x="{MARGIN}" y="{height - 14}">{LEGEND}</text>\n')
    return "".join([*parts, "</svg>\n"])


def _boxes(jobs: dict[str, Any]) -> dict[str, Box]:
    """Place each job as late as what waits for it allows, the longest chain in the middle."""
    names = [name for name in jobs if name != LEFT_OUT]
    needs = {name: _direct_needs(name, jobs) for name in names}
    waiting = {name: [other for other in names if name in needs[other]] for name in names}
    chains = {name: _longest_chain(name, waiting) for name in names}
    middle = max(chains.values(), key=len)
    rows = dict.fromkeys(middle, 1)
    beside = [name for name in names if name not in rows]
    rows |= {name: 2 * (number % 2) for number, name in enumerate(beside)}
    boxes = {
        name: Box(
            name, jobs[name], needs[name], len(middle) - len(chains[name]), rows[name]
        )
        for name in names
    }
    places = {(box.column, box.row) for box in boxes.values()}
    assert len(places) == len(boxes), "two jobs have the same place"
    return boxes


def _direct_needs(name: str, jobs: dict[str, Any]) -> list[str]:
    """Return what a job needs and none of its other needs waits for."""
    needs = list(jobs[name].get("needs", ()))
    indirect = {other for need in needs for other in _all_needs(need, jobs)}
    return [need for need in needs if need not in indirect]


def _all_needs(name: str, jobs: dict[str, Any]) -> set[str]:
    needs = set(jobs[name].get("needs", ()))
    return needs.union(*(_all_needs(need, jobs) for need in needs))


def _longest_chain(name: str, waiting: dict[str, list[str]]) -> list[str]:
    chains = [_longest_chain(other, waiting) for other in waiting[name]]
    return [name, *max(chains, key=len, default=[])]


def _draw_box(box: Box) -> str:
    kinds = ["box"]
    kinds += ["token"] if "environment" in box.job else []
    kinds += ["optional"] if box.job.get("continue-on-error") else []
    size = f'width="{WIDTH}" height="{HEIGHT}"'
    lines = [f'  <rect class="{" ".join(kinds)}" x="{box.x}" y="{box.y}" {size}/>']
    lines.append(f'  <text class="job" x="{box.x + 10}" y="{box.y + 24}">{box.name}</text>')
    title = re.sub(r"\$\{\{.*?\}\}", "each platform", box.job["name"])
    for number, line in enumerate(textwrap.wrap(title, CHARACTERS)):
        y = box.y + 44 + 17 * number
        lines.append(
            f'  <text class="small" x="{box.x + 10}" y="{y}">{escape(line)}</text>'
        )
    return "\n".join([*lines, ""])


def _draw_line(start: Box, end: Box) -> str:
    right, middle = start.x + WIDTH, start.y + HEIGHT // 2
    # Lines from another row arrive beside the middle: none looks like the continuation of another.
    arrival = end.y + HEIGHT // 2 + 20 * (start.row - end.row)
    turn = f"H{right + 10}V{arrival}" if start.row != end.row else ""
    return f'  <path class="line" d="M{right} {middle}{turn}H{end.x - 1}"/>\n'


if __name__ == "__main__":
    PICTURE.write_text(draw(), "utf-8")
