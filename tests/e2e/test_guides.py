"""The guides of docs/adding.md, each followed to its end in a copy of the project.

A test changes the files that its guide names and no others, in their order, and runs the guide's
commands.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from leanspec_launcher._tables import PROGRAMS, current
from scripts.environment import ROOT
from scripts.tools.processes import OWN_COMMAND, clean_environment
from tests.support.installers import install_with_pip
from tests.support.releases import copy_as_released
from tests.support.surroundings import run
from tests.support.tree_copy import git
from tests.support.versions import RELEASED

pytestmark = pytest.mark.slow

PYTHON = "python3 -m scripts "
TESTS = "test -- "
NAME = "sync"


class Guide:
    """A section of the page, and a copy of the project in which it is followed."""

    def __init__(self, title: str, tree: Path) -> None:
        self.tree = tree
        page = (ROOT / "docs/adding.md").read_text("utf-8")
        self.text = page.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
        self.commands = [
            line.removeprefix(PYTHON)
            for line in re.findall(rf"^{PYTHON}.+", self.text, re.MULTILINE)
        ]

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace a text that a file has once; the guide has to name the file."""
        path = self.tree / self.named(file)
        text = path.read_text("utf-8")
        assert text.count(old) == 1, (file, old)
        path.write_text(text.replace(old, new), "utf-8")

    def insert(self, file: str, place: str, text: str) -> None:
        """Insert a text before another one."""
        self.edit(file, place, text + place)

    def append(self, file: str, place: str, text: str) -> None:
        """Insert a text after another one."""
        self.edit(file, place, place + text)

    def named(self, file: str) -> str:
        """Return a file that the guide names, after what it named before."""
        assert f"`{file}`" in self.text, f"the guide does not name `{file}`"
        return file

    def run(self, *commands: str) -> str:
        """Run commands of the guide; return what they printed."""
        output = []
        env = clean_environment(CI="")
        for command in commands:
            assert command in self.commands
            start = [*OWN_COMMAND, *command.split()]
            if command.startswith(TESTS):
                # From this tree, and not from where this environment installs from.
                tests = command.removeprefix(TESTS).split()
                start = [sys.executable, "-m", "pytest", "-q", "-m", "not slow", *tests]
            output.append(run(start, env, cwd=self.tree, timeout=600).stdout)
        return "".join(output)


@pytest.fixture
def follow(tmp_path: Path) -> Callable[[str], Guide]:
    """Return how a guide is followed in a copy of the project."""

    def start(title: str) -> Guide:
        tree = tmp_path / "tree"
        tree.mkdir()
        copy_as_released(tree)
        return Guide(title, tree)

    return start


def test_adding_a_platform_passes_what_its_guide_says(
    follow: Callable[[str], Guide],
) -> None:
    guide = follow("A platform")
    new = 'Platform("linux-riscv64", "riscv64gc-unknown-linux-gnu", "Linux on RISC-V")'
    table, matrix = "leanspec_launcher/_tables.py", "scripts/publish/matrix.py"
    guide.insert(table, 'Platform("windows-x64",', f"{new},\n        ")
    runner = '"linux-x64": "ubuntu-24.04",\n'
    guide.append(matrix, runner, '    "linux-riscv64": "ubuntu-24.04",\n')
    guide.append(matrix, '"linux-arm64": "2.17"', ', "linux-riscv64": "2.31"')
    # It is cross-compiled on a runner that the tests run on already.
    guide.named(".github/workflows/ci.yml")
    reason = f'linux-arm64 = "npm has no binaries of {RELEASED} for it"\n'
    for place, text in (
        (
            "[tool.leanspec-collect.builders]\n",
            'riscv64gc-unknown-linux-gnu = "zigbuild"\n',
        ),
        ('"linux-x64", "linux-arm64", ', '"linux-riscv64", '),
        ('linux-x64 = "glibc 2.34"\n', 'linux-riscv64 = "glibc 2.34"\n'),
        (reason, reason.replace("arm64", "riscv64")),
    ):
        guide.append("pyproject.toml", place, text)
    targets = '"aarch64": "linux-aarch64"'
    guide.append("scripts/collect/openssl.py", targets, ', "riscv64gc": "linux64-riscv64"')
    build = '    "windows-x64": headers.pe(),\n'
    riscv = '    "linux-riscv64": headers.elf("riscv64", loader="/lib/ld-linux-riscv64-lp64d.so.1"),\n'
    guide.insert("tests/support/artifacts.py", build, riscv)
    output = guide.run(*guide.commands)
    assert '"target": "riscv64gc-unknown-linux-gnu.2.31"' in output
    assert '"platform": "linux-riscv64", "runner": "ubuntu-24.04"' in output
    readme = (guide.tree / "README.md").read_text("utf-8")
    assert "Linux on x86-64, arm64 and RISC-V (glibc 2.34 or newer)" in readme


def test_adding_a_program_ends_in_a_wheel_that_runs(
    follow: Callable[[str], Guide], binaries: Path, wheelhouse: Path, tmp_path: Path
) -> None:
    guide = follow("A program")
    row = 'Program("http", "leanspec-http", extra="ui"),\n'
    new = f'    Program("{NAME}", "leanspec-{NAME}", extra="{NAME}"),\n'
    guide.append("leanspec_launcher/_tables.py", row, new)
    code = f'def {NAME}() -> int:\n    """Start it."""\n    return run("{NAME}", sys.argv[1:])\n\n\n'
    guide.insert("leanspec_launcher/__init__.py", "def http() -> int:", code)
    script = 'leanspec-http = "leanspec_launcher:http"\n'
    extra = f'{NAME} = ["leanspec-{NAME}-bin=={RELEASED}"]\n'
    guide.append("pyproject.toml", "[project.optional-dependencies]\n", extra)
    guide.append("pyproject.toml", script, script.replace("http", NAME))
    write_project(guide)
    for file, words, others in (
        ("docs/environment.md", "`LEANSPEC_HTTP_BINARY` |", "`LEANSPEC_SYNC_BINARY`, "),
        ("docs/publishing.md", "`leanspec-mcp-bin` and ", "`leanspec-sync-bin`, "),
        ("docs/publishing.md", "`leanspec`, `leanspec-launcher` and", "`leanspec-sync`, "),
        ("docs/architecture.md", "`leanspec-http-bin` | one per", "`leanspec-sync-bin`, "),
    ):
        guide.insert(file, words, others)
    git(guide.tree, "add", "--all")
    guide.run("bump", "test -- tests/contract")
    # A workspace takes minutes to compile: the server's binary stands in for the new one.
    collected = guide.tree / "platform_wheels"
    for program in PROGRAMS:
        shutil.copytree(binaries / program / "binaries", collected / program / "binaries")
    platform = current()
    assert platform is not None
    place = collected / NAME / "binaries" / platform.key
    shutil.copytree(collected / "http/binaries" / platform.key, place)
    (place / "leanspec-http").rename(place / f"leanspec-{NAME}")
    record = place / "binary.json"
    text = record.read_text("utf-8")
    record.write_text(text.replace('"http"', f'"{NAME}"'), "utf-8")
    guide.run("wheels")
    dist = guide.tree / "dist"
    installed = install_with_pip(
        tmp_path / "home", dist, wheelhouse, requirement=f"lean-spec[{NAME}]"
    )
    assert RELEASED in installed.start(f"leanspec-{NAME}", "--version").stdout


def write_project(guide: Guide) -> None:
    """Copy a program's project, and change in it what the guide says."""
    old, new = (guide.tree / "platform_wheels" / name for name in ("cli", NAME))
    assert "copy `platform_wheels/cli`" in guide.text
    shutil.copytree(old, new, ignore=shutil.ignore_patterns("binaries", "__pycache__"))
    (new / "leanspec_cli_bin").rename(new / f"leanspec_{NAME}_bin")
    for path in (new / "pyproject.toml", new / "README.md"):
        text = path.read_text("utf-8")
        words = (
            "leanspec-{}-bin",
            "leanspec_{}_bin",
            'crate = "leanspec-{}',
            "@leanspec/{}-",
        )
        for word in words:
            text = text.replace(word.format("cli"), word.format(NAME))
        text = text.replace('executable = "leanspec"', f'executable = "leanspec-{NAME}"')
        path.write_text(text, "utf-8")


def test_adding_an_installer_passes_what_its_guide_says(
    follow: Callable[[str], Guide],
) -> None:
    guide = follow("An installer")
    table = "leanspec_launcher/installers/table.py"
    row = """RYE = Installer(
    "rye",
    ("by rye",),
    reinstall=("rye sync --force",),
    add=("rye add {requirement}",),
    release="",
    reason=PROJECT,
    instead=f"rye sync --update {MAIN}",
)
"""
    guide.insert(table, "PDM = Installer(\n", row)
    guide.append(table, "    PDM,\n", "    RYE,\n")
    pdm = '    "pdm": Environment("pdm"),\n'
    guide.append("tests/unit/launcher/test_hints.py", pdm, pdm.replace("pdm", "rye"))
    with pytest.raises(AssertionError) as caught:
        guide.run(*guide.commands)
    match = re.search(r"`(/\S+)` has the hints of the code", str(caught.value))
    assert match
    hints = guide.tree / guide.named("tests/unit/launcher/hints.json")
    shutil.copy(match[1], hints)
    guide.run(*guide.commands)
    assert "rye sync --force" in hints.read_text("utf-8")


def test_adding_a_client_passes_what_its_guide_says(follow: Callable[[str], Guide]) -> None:
    guide = follow("A client")
    row = """    "aaa": Client(
        "Aaa",
        "https://example.org/mcp",
        checked(11, 29),
        user=("~/.aaa/mcp.json",),
        project=(".aaa/mcp.json",),
    ),
"""
    guide.insert("leanspec_launcher/manage/clients/table.py", '    "amp": Client(\n', row)
    page = "docs/mcp-clients.md"
    cells = "[Aaa](https://example.org/mcp) | `aaa` | `~/.aaa/mcp.json` | `.aaa/mcp.json`"
    guide.insert(page, "| [Amp](", f"| {cells} |\n")
    text = (guide.tree / page).read_text("utf-8")
    starts = re.search(r"^\| Amp \| .*$", text, re.MULTILINE)
    assert starts
    cells = "Aaa | in a folder that is not documented |  | 2026-11-29"
    guide.insert(page, starts[0], f"| {cells} |\n")
    guide.run(*guide.commands)


def test_adding_a_gate_passes_what_its_guide_says(follow: Callable[[str], Guide]) -> None:
    guide = follow("A gate")
    gates = "scripts/model/gates.py"
    guide.append(gates, 'INDEX = "index"\n', 'LICENCE = "licence"\n')
    guide.append(gates, "GITHUB_RELEASE, ", "LICENCE, ")
    assert "`scripts/gates/`" in guide.text
    module = """
from scripts.environment import ROOT
from scripts.model.finding import compare
from scripts.model.gates import LICENCE as GATE


def licence():
    yield compare(GATE, "LICENSE", expected=True, actual=(ROOT / "LICENSE").is_file())
"""
    (guide.tree / "scripts/gates/licence.py").write_text(module)
    check = "scripts/gates/check.py"
    guide.insert(check, "        RUNS: lambda", "        LICENCE: licence,\n")
    guide.append(check, "    LAYOUT,\n", "    LICENCE,\n")
    guide.append(check, "from .layout import layout\n", "from .licence import licence\n")
    row = "| licence | Is there a licence? | none |\n"
    guide.insert("docs/publishing.md", "| index | What", row)
    guide.run("test -- tests/contract/test_docs.py")
    command = [*OWN_COMMAND, *guide.commands[-1].split()]
    env = clean_environment(CI="")
    (guide.tree / "dist").mkdir()
    assert "✓ licence " in run(command, env, cwd=guide.tree, code=1, timeout=600).stdout


def test_adding_a_message_needs_a_test_that_asserts_it(
    follow: Callable[[str], Guide],
) -> None:
    guide = follow("A message")
    # The copy has this file: the message must not stand here in one piece.
    message = "no-moonlight-falls-on-this-link".replace("-", " ")
    path = guide.tree / "leanspec_launcher/manage/link.py"
    with path.open("a", encoding="utf-8") as file:
        file.write(f'\n\ndef refuse() -> None:\n    raise CommandError("{message}")\n')
    with pytest.raises(AssertionError, match=f"no test asserts `{message}`"):
        guide.run(*guide.commands)
    words = f'"""A test."""\n\nWORDS = "{message}"\n'
    (guide.tree / "tests/unit/launcher/test_moonlight.py").write_text(words, "utf-8")
    guide.run(*guide.commands)
