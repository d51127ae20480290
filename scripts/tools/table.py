"""Rows of text in columns.

Not rich's tables: where there is no terminal they break lines at 80 columns, and a log with a
broken line cannot be searched.
"""

from collections.abc import Sequence
from itertools import zip_longest

from click import unstyle


def aligned(rows: Sequence[Sequence[str]], *, indent: str = "") -> list[str]:
    """Return a line per row, its cells as wide as their column; colours take no room."""
    columns = zip_longest(*rows, fillvalue="")
    widths = [max(len(unstyle(cell)) for cell in column) for column in columns]
    return [indent + _line(row, widths) for row in rows]


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = []
    for cell, width in zip(row, widths, strict=False):
        padding = " " * (width - len(unstyle(cell)))
        cells.append(cell + padding)
    return "  ".join(cells).rstrip()
