"""The files of MCP clients: our server is put in and taken out, and nothing else changes."""

from __future__ import annotations

import contextlib
import json
import re
import sys
import time
import tomllib
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from leanspec_launcher.manage.clients import json_text, toml_text, yaml_text
from leanspec_launcher.manage.clients.text import BrokenError

ENTRY = {"command": "/a b/leanspec-mcp", "args": ["é", '"'], "env": {"A": "1"}}
JSON_PATH, TOML_PATH, YAML_PATH = (
    ("mcpServers", "leanspec"),
    ("mcp_servers", "leanspec"),
    ("extensions", "leanspec"),
)
NAMES = st.text(max_size=8)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)
SERVERS = st.dictionaries(
    NAMES.filter(lambda name: name != "leanspec"), ANYTHING, max_size=3
)


def plain(text: str) -> Any:  # noqa: ANN401 - any JSON
    """Read JSON without its comments and its commas at the end: no string of these tests has one."""
    text = re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL)
    return json.loads(re.sub(r",(\s*[}\]])", r"\1", text.removeprefix("\ufeff")))


@given(
    others=st.dictionaries(NAMES, ANYTHING, max_size=3),
    servers=SERVERS,
    indent=st.sampled_from([None, 0, 1, 2, 4, "\t"]),
    newline=st.sampled_from(["\n", "\r\n"]),
    bom=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_any_json_keeps_what_it_says(
    others: dict[str, Any],
    servers: dict[str, Any],
    indent: int | str | None,
    newline: str,
    *,
    bom: bool,
) -> None:
    document = others | {"mcpServers": servers}
    text = json.dumps(document, indent=indent, ensure_ascii=False).replace("\n", newline)
    text = "\ufeff" * bom + text
    new = json_text.put(text, JSON_PATH, ENTRY)
    expected = others | {"mcpServers": servers | {"leanspec": ENTRY}}
    assert json.loads(new.removeprefix("\ufeff")) == expected
    assert json_text.put(new, JSON_PATH, ENTRY) == new
    assert json_text.read(new, JSON_PATH) == ENTRY
    gone = json_text.drop(new, JSON_PATH)
    assert json.loads(gone.removeprefix("\ufeff")) == document
    if servers:
        assert gone == text, "to the byte"


COMMENTED = """\
{
    // the one that I need
    "mcpServers": {
        "first": {"command": "x"}, // in one line
        /* and
           this */
        "last": {
            "command": "y" // yes
        }
        // nothing more
    },
    "theme": "dark",
}
"""


def test_comments_stay_where_they_are() -> None:
    new = json_text.put(COMMENTED, JSON_PATH, ENTRY)
    assert plain(new)["mcpServers"]["leanspec"] == ENTRY
    kept = new.splitlines()
    for line in COMMENTED.splitlines():
        assert line in kept or f"{line}," in kept
    assert json_text.drop(new, JSON_PATH) == COMMENTED


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", '{\n  "a": {\n    "b": {\n      "c": 1\n    }\n  }\n}\n'),
        ("{}", '{\n  "a": {\n    "b": {\n      "c": 1\n    }\n  }\n}'),
        ('{"x": 1}', '{"x": 1, "a": {"b": {"c": 1}}}'),
        ('{"a": {"b": {"c": 2}}}', '{"a": {"b": {"c": 1}}}'),
        ('{"a": {"b": {"d": 2}}}', '{"a": {"b": {"c": 1}}}'),
        ('{"a": {"b": null, "z": 2}}', '{"a": {"b": {\n  "c": 1\n}, "z": 2}}'),
        ("{ // none\n}", '{ // none\n  "a": {\n    "b": {\n      "c": 1\n    }\n  }\n}'),
    ],
)
def test_a_server_is_put_where_a_person_would_put_it(text: str, expected: str) -> None:
    assert json_text.put(text, ("a", "b"), {"c": 1}) == expected


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ('{"a": {"b": {"c": 1}}}', '{"a": {}}'),
        ('{"a": {"b": 1, "z": 2}}', '{"a": {"z": 2}}'),
        ('{"a": {"z": 2, "b": 1}}', '{"a": {"z": 2}}'),
        ('{"a": {\n"b": 1,\n// of z\n"z": 2\n}}', '{"a": {\n// of z\n"z": 2\n}}'),
        ('{"a": {\n"z": 2, // of z\n"b": 1\n}}', '{"a": {\n"z": 2 // of z\n}}'),
        ('{"a": {\n"z": 2,\n"b": 1,\n}}', '{"a": {\n"z": 2,\n}}'),
        ('{"a": {}}', '{"a": {}}'),
        ("{}", "{}"),
        ("", ""),
    ],
)
def test_what_is_left_without_the_server(text: str, left: str) -> None:
    assert json_text.drop(text, ("a", "b")) == left


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "line 1, column 2: no name in double quotes"),
        ('{\n"a" 1}', "line 2, column 5: no `:`"),
        ('{"a": 1 "b": 2}', "column 9: no `,` or `}`"),
        ('{"a": tru}', "column 7: no value"),
        ("{} {}", "column 4: more than one value"),
        ("{} /* ", "column 4: a comment without an end"),
        ("{'a': 1}", "column 2: no name in double quotes"),
        ("[" * 5000, "more than 100 levels"),
        ("[]", "its content is not an object"),
        ('{"mcpServers": []}', "`mcpServers` is not an object"),
        ('{"mcpServers": {}, "mcpServers": {}}', "`mcpServers` occurs 2 times"),
    ],
)
def test_what_is_no_json_is_not_changed(text: str, words: str) -> None:
    with pytest.raises(BrokenError, match=re.escape(words)):
        json_text.put(text, JSON_PATH, ENTRY)


TOML = """\
# mine
model = "o" # good
[mcp_servers.other]
command = "x"
args = [
  "[a]", # a list
]

# of the next one
[tui]
theme = "dark"
"""


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("text", ["", "# nothing\n", TOML, TOML.rstrip()])
def test_toml_keeps_what_it_says(text: str, newline: str) -> None:
    text = text.replace("\n", newline)
    new = toml_text.put(text, TOML_PATH, ENTRY)
    document = tomllib.loads(text)
    assert new.startswith(text)
    actual = tomllib.loads(new)["mcp_servers"]
    assert actual == document.get("mcp_servers", {}) | {"leanspec": ENTRY}
    assert toml_text.put(new, TOML_PATH, ENTRY) == new
    assert tomllib.loads(toml_text.drop(new, TOML_PATH)) == document
    assert toml_text.drop(new, TOML_PATH).rstrip() == text.rstrip()


def test_a_python_that_reads_no_toml_writes_a_new_file_and_changes_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 18))
    correct = {"mcp_servers": {"leanspec": ENTRY}}
    assert tomllib.loads(toml_text.put("", TOML_PATH, ENTRY)) == correct
    assert toml_text.read("\n", TOML_PATH) is None
    with pytest.raises(BrokenError, match="is older than"):
        toml_text.put("a = 1\n", TOML_PATH, ENTRY)


def test_an_empty_table_stays_if_it_has_a_line_of_its_own() -> None:
    text = "[mcp_servers] # all of them\n"
    new = toml_text.put(text, TOML_PATH, ENTRY)
    assert tomllib.loads(new) == {"mcp_servers": {"leanspec": ENTRY}}
    assert toml_text.drop(new, TOML_PATH) == text


OWN = """\
[ mcp_servers . "leanspec" ] # ours
startup_timeout_sec = 30
args = [
  "old",
]
command = "npx"
[mcp_servers.leanspec.env]
OLD = "1"

# of the next one
[tui]
theme = "dark"
"""


def test_only_the_lines_of_toml_that_differ_are_changed() -> None:
    entry = tomllib.loads(OWN)["mcp_servers"]["leanspec"] | {"command": "new", "args": []}
    new = toml_text.put(OWN, TOML_PATH, entry)
    assert new == OWN.replace('[\n  "old",\n]', "[]").replace('"npx"', '"new"')
    assert toml_text.drop(new, TOML_PATH) == '\n# of the next one\n[tui]\ntheme = "dark"\n'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a = ", "not valid TOML"),
        ("mcp_servers = 3", "`mcp_servers` is not a table"),
        (
            'mcp_servers = { leanspec = { command = "x" } }',
            "a form that cannot be changed safely",
        ),
        ('mcp_servers.leanspec.command = "x"', "a form that cannot be changed safely"),
        (
            f'x = """\n[mcp_servers.leanspec]\n"""\n{OWN}',
            "a form that cannot be changed safely",
        ),
    ],
)
def test_toml_of_another_form_is_not_changed(text: str, words: str) -> None:
    with pytest.raises(BrokenError, match=re.escape(words)):
        toml_text.put(text, TOML_PATH, {"command": "new", "args": []})


YAML = """\
GOOSE_MODE: auto
extensions:
  # the tools
  developer:
    enabled: true
    description: |
      leanspec:
      no

"""
GOOSE = {"cmd": "/a b/leanspec-mcp", "args": ["é", '"'], "envs": {"A": "1"}}


def test_an_entry_in_yaml_says_what_is_meant() -> None:
    text = yaml_text.written(YAML_PATH, GOOSE)
    assert yaml.safe_load(text) == {"extensions": {"leanspec": GOOSE}}


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize(
    "command",
    ["/a b/x", '"/a b/x"', "C:\\a\\x.exe", '"say \\"hi\\""', "'/a'", "&a /x", "a: b"],
)
@pytest.mark.parametrize("before", [YAML, "extensions:\n", "extensions:\n  a: {}\n"])
def test_yaml_is_read_as_a_parser_does_or_not_at_all(
    before: str, command: str, newline: str
) -> None:
    text = f"{before}  leanspec:\n    enabled: true\n    cmd: {command}\n# the rest\n"
    entry = yaml_text.read(text.replace("\n", newline), YAML_PATH)
    if entry is None:
        assert not command.startswith(("/", '"/', "C:")), "of these forms, it can be sure"
        return
    assert entry == {"command": yaml.safe_load(text)["extensions"]["leanspec"]["cmd"]}


@pytest.mark.parametrize(
    "text",
    [
        "",
        YAML,
        "extensions: {leanspec: {cmd: /x}}\n",
        "extensions:\n    leanspec:\n        cmd: /x\n",
        "extensions:\n  leanspec:\n    args: []\nother:\n    cmd: /x\n",
        "extensions:\n  leanspec:\n    args: []\n  other:\n    cmd: /x\n",
        "others:\n  leanspec:\n    cmd: /x\n",
        "extensions:\n  leanspec:\n    cmd: /x\n---\nextensions:\n  leanspec:\n    cmd: /y\n",
    ],
)
def test_yaml_of_another_form_is_not_read(text: str) -> None:
    assert yaml_text.read(text, YAML_PATH) is None


LONG_LIST = (
    "[mcp_servers.leanspec]\nargs = [\n" + '  "x", # ]\n' * 50_000 + ']\ncommand = "x"\n'
)
QUOTES = 'a = "' + '\\"' * 400_000 + '"\n'
MANY = {f"server{number}": {"command": "x"} for number in range(15_000)}


@pytest.mark.long
@pytest.mark.parametrize("text", [LONG_LIST, QUOTES, 'a = "x"\n' + QUOTES[:-2]])
def test_toml_of_half_a_megabyte_is_changed_or_refused_in_seconds(text: str) -> None:
    start = time.process_time()
    with contextlib.suppress(BrokenError):
        new = toml_text.put(text, TOML_PATH, {"command": "new", "args": []})
        assert tomllib.loads(new)["mcp_servers"]["leanspec"]["args"] == []
    assert time.process_time() - start < 10


@pytest.mark.parametrize(
    "text",
    [".".join("a" * 200_000) + " = 1", f"[{'.'.join('a' * 200_000)}]", "a." * 200_000],
)
def test_toml_with_a_key_of_many_parts_is_refused_at_once(text: str) -> None:
    start = time.process_time()
    with pytest.raises(BrokenError, match="more than 100 levels"):
        toml_text.put(text, TOML_PATH, ENTRY)
    assert time.process_time() - start < 5


def test_toml_with_many_dots_that_are_no_keys_is_read() -> None:
    text = f"a = [{'1.5, ' * 200}]\nb = '{'.' * 200}'\nc = '''\n{'.' * 200}'''\n# {'.' * 200}\n"
    assert toml_text.read(text, ("b",)) == "." * 200


@pytest.mark.long
def test_json_of_a_megabyte_is_changed_in_seconds() -> None:
    text = json.dumps({"mcpServers": MANY}, indent=1)
    start = time.process_time()
    new = json_text.put(text, JSON_PATH, ENTRY)
    assert json_text.put(new, JSON_PATH, {"command": "y"}) != new
    assert time.process_time() - start < 20
