"""Changes made on purpose, for tests to notice."""

from __future__ import annotations

import ast

from scripts.dev.mutants import mutants

TEXT = '''"""A module."""

import sys


def judge(number: int, *, strict: bool = True) -> bool:
    """Judge é."""
    if sys.platform == "win32":
        return number == 9
    if number < 1 and not strict:
        raise ValueError(f"{number + 7}")
    print("é", number == 2)
    return number in (3, 4) or strict
'''


def test_each_change_is_one_of_a_line_that_this_system_runs() -> None:
    found = [(each.line, each.before, each.after) for each in mutants(TEXT)]
    assert found == [
        (10, "number < 1 and not strict", "(number < 1 or not strict)"),
        (10, "number < 1", "(number <= 1)"),
        (10, "1", "2"),
        (10, "not strict", "(strict)"),
        (11, 'raise ValueError(f"{number + 7}")', "pass"),
        (12, 'print("é", number == 2)', "pass"),
        (12, "number == 2", "(number != 2)"),
        (12, "2", "3"),
        (13, "number in (3, 4) or strict", "(number in (3, 4) and strict)"),
        (13, "number in (3, 4)", "(number not in (3, 4))"),
        (13, "3", "4"),
        (13, "4", "5"),
    ]


def test_each_changed_module_is_whole_and_another() -> None:
    for each in mutants(TEXT):
        assert ast.dump(ast.parse(each.text)) != ast.dump(ast.parse(TEXT))
