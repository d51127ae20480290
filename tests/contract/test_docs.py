"""What the docs say of the code is what the code says."""

from __future__ import annotations

import ast
import re
import shlex
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click

from leanspec_launcher._say import CANNOT_RUN, NOT_FOUND, USAGE
from leanspec_launcher._tables import PROGRAMS
from leanspec_launcher.commands import FAILURE, INTERRUPTED
from leanspec_launcher.manage.cli import root as launcher
from leanspec_launcher.manage.clients.table import CLIENTS
from leanspec_launcher.web.port import FIRST_PORT
from scripts.cli import SECTIONS
from scripts.cli import root as scripts
from scripts.environment import ROOT
from scripts.model import gates
from scripts.model.gates import GATES, INDEX
from scripts.model.programs import DISTRIBUTIONS, MCP_COMMAND, main_project
from tests.support.command_lines import code_lines, unknown_words
from tests.support.messages import (
    GAP,
    Message,
    explained,
    raised,
    sentences,
    word_groups,
    words,
)
from tests.support.rules import must_hold, numbered, place

PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/decisions/*.md")]
)
TROUBLES = ROOT / "docs/troubleshooting.md"
# A defect that cannot be met: the call ends the process.
UNREACHABLE = {"ExitProcess returned"}
# Set for others, or by the system; nobody is to set them for us.
NOT_OURS = {
    "PROCESSOR_ARCHITECTURE",
    "PROCESSOR_ARCHITEW6432",
    "LD_TRACE_LOADED_OBJECTS",
    "PYTHONPATH",
    "PYTHONWARNINGS",
    "NO_PROXY",
    "no_proxy",
    "HTTP_PROXY",
}


def squeezed(text: str) -> str:
    return " ".join(text.replace("`", "").split())


def launcher_messages() -> list[Message]:
    folder = ROOT / "leanspec_launcher"
    messages = [*raised(folder), *explained(folder)]
    return [message for message in messages if message.text not in UNREACHABLE]


def words_in_tests() -> set[tuple[str, ...]]:
    """Return the words of all strings of tests, but for docstrings, by one, two and three."""
    groups: set[tuple[str, ...]] = set()
    hints = (ROOT / "tests/unit/launcher/hints.json").read_text("utf-8")
    for text in [*strings_in_tests(), hints]:
        in_order = words(text.replace("`", ""))
        for size in (1, 2, 3):
            starts = range(len(in_order) - size + 1)
            groups |= {tuple(in_order[start : start + size]) for start in starts}
    return groups


def strings_in_tests() -> Iterator[str]:
    """Yield the strings of tests, as they read: without escapes of patterns."""
    for path in (ROOT / "tests").rglob("*.py"):
        if path == Path(__file__):
            continue
        tree = ast.parse(path.read_text("utf-8"))
        lines = (node for node in ast.walk(tree) if isinstance(node, ast.Expr))
        docstrings = {line.value for line in lines}
        for node in ast.walk(tree):
            if node in docstrings or not isinstance(node, ast.Constant):
                continue
            if isinstance(node.value, str):
                yield re.sub(r"\\(.)", r"\1", node.value)


def unasserted(messages: list[Message], groups: set[tuple[str, ...]]) -> set[str]:
    """Return the messages of which no test names three words in a row that no other message has."""
    by_text = {message.text: word_groups(message.text) for message in messages}
    counts = Counter(group for own in by_text.values() for group in own)
    texts = set()
    for text, own in by_text.items():
        distinctive = {group for group in own if counts[group] == 1} or own
        # Of some, all words are the system's.
        if distinctive and not distinctive & groups:
            texts.add(text)
    return texts


def must_be_asserted(messages: list[Message]) -> None:
    """Fail for each message that no test asserts."""
    groups = words_in_tests()
    unknown = Message("no test names this one", "")
    assert unasserted([unknown], groups) == {unknown.text}
    texts = unasserted(messages, groups)
    must_hold(
        f"{message.place}: no test asserts `{message.text}`"
        for message in messages
        if message.text in texts
    )


def test_every_message_of_the_launcher_is_produced_by_a_test() -> None:
    messages = launcher_messages()
    texts = {message.text for message in messages}
    assert len(texts) > 50
    assert {
        "its SHA-256 is not the expected one",
        "no `…` binary for … (`…`) was found",
        "antivirus software took it for a virus",
        "its file system is mounted `noexec`",
        "there is no such file",
    } <= texts
    must_be_asserted(messages)


def test_every_message_of_the_backend_is_produced_by_a_test() -> None:
    """Errors, reasons, notes and remarks."""
    folder = ROOT / "build_backend/leanspec_build"
    messages = [*raised(folder), *sentences(folder)]
    assert {
        "there are no programs for this machine, only for …",
        "it leaves … to the programs of `…`",
        "`…` of `…` is newer than `…`",
        "note: `exclude` names `…`, which does not exist",
    } <= {message.text for message in messages}
    must_be_asserted(messages)


def test_the_page_on_problems_quotes_messages_of_the_launcher() -> None:
    """Each error that it quotes in bold."""
    folder = ROOT / "leanspec_launcher"
    source = squeezed("".join(path.read_text("utf-8") for path in folder.rglob("*.py")))
    page = TROUBLES.read_text("utf-8")
    quotes = [
        squeezed(quote)
        for quote in re.findall(r"^\*\*`+ ?(.+?) ?`+\*\*", page, re.MULTILINE)
    ]
    assert len(quotes) > 10
    for quote in quotes:
        parts = [part.strip(" :") for part in quote.split(GAP)]
        longest = max(parts, key=len)
        assert longest in source, quote


def test_the_page_on_the_web_ui_names_the_first_port() -> None:
    page = (ROOT / "docs/web-ui.md").read_text("utf-8")
    assert f"or {FIRST_PORT}, or the next free one" in page


def variables() -> Iterator[tuple[str, str]]:
    """Yield each environment variable that the code reads, by a literal or by a constant."""
    stages = [
        f"scripts/{stage}"
        for stage in ("collect", "wheels", "index", "gates", "publish", "github")
    ]
    patterns = (
        r"(?:environ(?:\.get\(|\[|\.pop\()|_under\()\"(\w+)\"",
        r"^\w*VARIABLE = \"(\w+)\"",
        r"^\w+, \w+ = \"([A-Z_]{4,})\"",
    )
    for folder in ("leanspec_launcher", "build_backend/leanspec_build", *stages):
        for path in (ROOT / folder).rglob("*.py"):
            text = path.read_text("utf-8")
            for pattern in patterns:
                for line, name in numbered(pattern, text):
                    yield name, place(path, line)


def test_every_environment_variable_is_explained() -> None:
    page = (ROOT / "docs/environment.md").read_text("utf-8")
    places = dict(variables())
    assert {
        "LEANSPEC_VERIFY",
        "LEANSPEC_SIGNING_KEY",
        "SOURCE_DATE_EPOCH",
        "TWINE_PASSWORD",
    } <= set(places)
    places |= {program.variable: "_tables.py" for program in PROGRAMS.values()}
    must_hold(
        f"{source}: `{name}`"
        for name, source in places.items()
        if name not in NOT_OURS and f"`{name}`" not in page
    )


def test_every_exit_code_is_explained() -> None:
    page = (ROOT / "docs/environment.md").read_text("utf-8")
    for code in (CANNOT_RUN, NOT_FOUND, 0, FAILURE, USAGE, INTERRUPTED):
        assert f"\n| {code} | " in page


def test_every_link_leads_somewhere() -> None:
    assert len(PAGES) > 40
    must_hold(
        f"{place(page, line)}: `{target}`"
        for page in PAGES
        for line, target in numbered(r"\]\(([^)#]+)\)", page.read_text("utf-8"))
        if "://" not in target and not (page.parent / target).exists()
    )


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


def test_every_link_to_a_heading_leads_to_one() -> None:
    links = [
        (place(page, line), page.parent / path if path else page, anchor)
        for page in PAGES
        for line, target in numbered(r"\]\(([^)]*#[^)]+)\)", page.read_text("utf-8"))
        for path, _, anchor in [target.partition("#")]
        if "://" not in target
    ]
    assert len(links) > 10
    must_hold(
        f"{source}: `#{anchor}`"
        for source, page, anchor in links
        if anchor not in anchors(page)
    )


def documented_commands() -> Iterator[tuple[str, str]]:
    """Yield the place of each command line of ours, and the line."""
    for page in PAGES:
        if "decisions" not in page.parts:
            for line, text in code_lines(page):
                command = re.search(
                    r"(?:python3? -m scripts|\bleanspec-launcher) [a-z].*", text
                )
                if command:
                    yield place(page, line), command[0]


def unknown_in(line: str) -> list[str]:
    """Return what a command line of ours names that does not exist."""
    words = shlex.split(line, comments=True)
    if words[0] == "leanspec-launcher":
        return unknown_words(launcher, words[1:])
    return unknown_words(scripts, words[3:])


def test_every_command_of_the_docs_exists() -> None:
    commands = list(documented_commands())
    assert len({text for _, text in commands}) > 40
    must_hold(
        f"{source}: `{text}`: {problem}"
        for source, text in commands
        for problem in unknown_in(text)
    )


def test_every_command_is_in_the_docs() -> None:
    text = "".join(page.read_text("utf-8") for page in PAGES if page.name != "CHANGELOG.md")
    for name in scripts.commands:
        assert re.search(rf"`{name}|-m scripts {name}|`{name}`", text), name
    for name in launcher.list_commands(click.Context(launcher)):
        assert f"leanspec-launcher {name}" in text, name


def test_help_lists_every_command_but_those_that_only_the_workflow_calls() -> None:
    hidden = {name for name, command in scripts.commands.items() if command.hidden}
    listed = {name for names in SECTIONS.values() for name in names}
    assert listed == set(scripts.commands) - hidden
    assert hidden == {"attest", "matrix", "publish-server"}
    workflow = (ROOT / ".github/workflows/publish.yml").read_text("utf-8")
    assert all(f"-m scripts {name}" in workflow for name in hidden)


def test_no_page_names_a_literal_that_is_gone() -> None:
    """Modules and files in backticks are there."""
    folders = (
        "leanspec_launcher/",
        "build_backend/",
        "scripts/",
        "platform_wheels/",
        "docs/",
        "tests/",
    )
    must_hold(
        f"{place(page, line)}: `{name}`"
        for page in PAGES
        if page.name != "CHANGELOG.md"
        for line, name in numbered(r"`([\w./*-]+)`", page.read_text("utf-8"))
        if name.startswith(folders)
        and "NAME" not in name
        and "binaries" not in name
        and not any(ROOT.glob(name.rstrip("/")))
    )


# What the page says of Linux, by the names that the table uses.
LINUX = {"{settings}": "~/.config", "{xdg}": "~/.config", "{config}": "~/.config"}
LINUX |= {"{zed}": "~/.config/zed", "{goose}": "~/.config/goose", "{flatpak}": "~/.var/app"}


def on_linux(templates: tuple[str, ...]) -> str:
    """Return the files of a row of the table as the page has them."""
    names = []
    for template in templates:
        folder, brace, rest = template.partition("}")
        if not brace or folder + brace in LINUX:
            names.append(f"`{LINUX.get(folder + brace, folder)}{rest}`")
    return " or ".join(names)


def test_the_page_lists_every_client_as_the_table_has_it() -> None:
    page = (ROOT / "docs/mcp-clients.md").read_text("utf-8").splitlines()
    files, starts = [], []
    for name, client in CLIENTS.items():
        link = f"[{client.title}]({client.source})"
        project = on_linux(client.project)
        files.append(f"| {link} | `{name}` | {on_linux(client.user)} | {project} |")
        asks = client.approval or client.ended
        day = f"{client.checked:%Y-%m-%d}"
        starts.append(f"| {client.title} | {client.start.value} | {asks} | {day} |")
    assert [line for line in page if line.startswith("| [")] == files
    first = page.index("| client | starts a server of your own file | asks | checked |")
    assert page[first + 2 : first + 2 + len(starts)] == starts


def test_the_page_explains_the_gates_by_the_names_that_check_prints() -> None:
    page = (ROOT / "docs/publishing.md").read_text("utf-8")
    table = page.partition("| gate | question |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| (.+?) \|", table, re.MULTILINE)
    assert rows == list(GATES)
    source = (ROOT / "scripts/gates/check.py").read_text("utf-8")
    keys = re.findall(r"\bgates\.([A-Z_]+)", source)
    assert {getattr(gates, key) for key in keys} == {*GATES} - {INDEX}


def test_names_to_reserve_are_the_commands_without_a_package() -> None:
    page = (ROOT / "docs/publishing.md").read_text("utf-8")
    (listed,) = re.findall(r"Reserve (.*?) in the same way", page)
    commands = {*main_project()["scripts"]}
    assert {*re.findall(r"`(.*?)`", listed)} == commands - {*DISTRIBUTIONS, MCP_COMMAND}
