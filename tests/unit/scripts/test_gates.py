"""Ways in which a release can be wrong: each is stopped by a gate, by name, before any upload.

Three gates: what the tree builds, what the index would say, what the index has. The numbers are
those of the rows that the project keeps of its broken releases.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from packaging.version import Version

from leanspec_launcher.commands import CommandError
from scripts.environment import ROOT, Group
from scripts.gates import binaries, check, commit, index_rules, same_bytes, tree
from scripts.gates.expected_set import expected_set
from scripts.index.client import Index, read_index
from scripts.model.files import File, read_files
from scripts.model.finding import Finding, confirm
from scripts.model.plan import Plan
from scripts.model.repository import MENTIONS, read_repository
from scripts.model.snapshot import fingerprint, snapshot
from scripts.publish import publish
from scripts.tools.processes import capture, own_program
from tests.support import headers
from tests.support.framing import framing_problems
from tests.support.preconditions import require
from tests.support.releases import plan_of_this_machine
from tests.support.rules import must_hold
from tests.support.versions import RELEASED
from tests.support.wheel_files import content, rewrite

STUB = f"leanspec_cli_bin-{RELEASED}-py3-none-any.whl"
CLI = f"leanspec_cli_bin-{RELEASED}-py3-none-manylinux_2_34_x86_64.whl"
MCP = f"leanspec_mcp_bin-{RELEASED}-py3-none-manylinux_2_34_x86_64.whl"
MAIN = f"lean_spec-{RELEASED}-py3-none-any.whl"
PINNED = b"Requires-Dist: leanspec-cli-bin==" + RELEASED.encode()
PROGRAM = "leanspec_cli_bin/bin/leanspec"
RECORD = "leanspec_cli_bin/bin/binary.json"


@pytest.fixture
def dist(stand_in: Path, tmp_path: Path) -> Path:
    """Return a copy of a release that passes, which a test may break."""
    shutil.copytree(stand_in / "dist", tmp_path / "dist")
    return tmp_path / "dist"


@pytest.fixture
def plan(released_tree: Path) -> Plan:
    return plan_of_this_machine(released_tree)


def files(dist: Path) -> list[File]:
    return read_files(dist)[0]


def wrong(findings: Iterator[Finding]) -> list[str]:
    return [
        f"{each.subject}: expected {each.expected}, found {each.found}"
        for each in findings
        if not each.passed
    ]


def of_set(plan: Plan, dist: Path) -> list[str]:
    return wrong(expected_set(plan, *read_files(dist)))


def with_program(wheel: Path, data: bytes) -> None:
    """Put another program into the CLI's wheel, with a record that is true of it: nobody ran it."""
    record = json.loads(content(wheel, RECORD))
    record.pop("reported", None)
    record |= {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    rewrite(wheel, {PROGRAM: data, RECORD: json.dumps(record, indent=2).encode()})


@pytest.fixture
def built(stand_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the tree build what it built before, without the ten seconds that this takes."""

    @contextlib.contextmanager
    def rebuilt(*_: object, **__: object) -> Iterator[Path]:
        yield stand_in / "dist"

    monkeypatch.setattr(same_bytes, "rebuilt", rebuilt)


@pytest.fixture
def unrendered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave twine's rendering out: a second for each of a hundred attacks."""
    monkeypatch.setattr(index_rules, "_rendered", lambda _: confirm("twine", "", ""))


def of_bytes(dist: Path) -> list[str]:
    return wrong(same_bytes.same_bytes(files(dist), Path("unused")))


def of_index(dist: Path) -> list[str]:
    return wrong(index_rules.index_rules(files(dist)))


@pytest.mark.usefixtures("built")
def test_a_good_release_passes_every_gate_on_its_files(dist: Path, plan: Plan) -> None:
    assert of_set(plan, dist) == []
    assert wrong(binaries.binaries(plan, files(dist))) == []
    assert of_index(dist) == []
    assert of_bytes(dist) == []


INFO = f"leanspec_cli_bin-{RELEASED}.dist-info"
ONE, OTHER = "c0ffee".ljust(40, "0"), "decaf".ljust(40, "0")
COMMAND = b"leanspec-mcp=leanspec_launcher:mcp\n"
MAIN_INFO = f"lean_spec-{RELEASED}.dist-info"
SDIST = f"lean_spec-{RELEASED}.tar.gz"


def raw(wheel: Path, change: Callable[[bytes], bytes]) -> None:
    wheel.write_bytes(change(wheel.read_bytes()))


def resaved(
    wheel: Path,
    change: Callable[[zipfile.ZipInfo], object],
    method: int = zipfile.ZIP_DEFLATED,
) -> None:
    """Write an archive again with its entries changed."""
    with zipfile.ZipFile(wheel) as archive:
        entries = [(entry, archive.read(entry)) for entry in archive.infolist()]
    with zipfile.ZipFile(wheel, "w") as archive:
        for entry, data in entries:
            new = zipfile.ZipInfo(entry.filename, entry.date_time)
            new.external_attr, new.compress_type = entry.external_attr, method
            change(new)
            archive.writestr(new, data)


def streamed(wheel: Path) -> None:
    """Write an archive to a pipe, which needs data descriptors."""
    with zipfile.ZipFile(wheel) as archive:
        entries = [(entry.filename, archive.read(entry)) for entry in archive.infolist()]
    with wheel.open("wb") as file, zipfile.ZipFile(Unseekable(file), "w") as archive:  # type: ignore[call-overload]
        for name, data in entries:
            archive.writestr(name, data)


class Unseekable:
    """A file that can only be written on and on."""

    def __init__(self, file: io.BufferedWriter) -> None:
        self.write, self.flush = file.write, file.flush


def with_comment(wheel: Path) -> None:
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.comment = b"hidden"


def with_prefix(wheel: Path) -> None:
    """Put something before an archive, which zip readers look past."""
    raw(wheel, lambda data: b"#!/bin/sh\n" + data)


def twice(wheel: Path) -> None:
    with (
        zipfile.ZipFile(wheel, "a") as archive,
        pytest.warns(UserWarning, match="Duplicate"),
    ):
        archive.writestr("leanspec_cli_bin/__init__.py", b"print('changed')\n")


def commented(entry: zipfile.ZipInfo) -> None:
    entry.comment = b"hidden"


def renamed(wheel: Path, old: str, new: str) -> None:
    wheel.rename(wheel.with_name(wheel.name.replace(old, new)))


def bytes_of(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    return file.read() if file else b""


def sdist_with(dist: Path, name: str, data: bytes = b"print()\n") -> None:
    """Add a file to the sdist."""
    path = dist / SDIST
    with tarfile.open(path) as archive:
        members = [(member, bytes_of(archive, member)) for member in archive.getmembers()]
    with tarfile.open(path, "w:gz") as archive:
        for member, old in members:
            archive.addfile(member, io.BytesIO(old))
        extra = tarfile.TarInfo(name)
        extra.size = len(data)
        archive.addfile(extra, io.BytesIO(data))


Attack = Callable[[Path], object]
# What a rebuild finds: files that this tree does not build. Each with a RECORD that is true of it,
# where it has one.
NOT_BUILT: dict[str, tuple[Attack, str]] = {
    "code in a platform wheel": (
        lambda dist: rewrite(dist / CLI, {"leanspec_cli_bin/__init__.py": b"import os\n"}),
        "`leanspec_cli_bin/__init__.py` differs",
    ),
    "a program beside the program": (
        lambda dist: rewrite(dist / CLI, {"leanspec_cli_bin/bin/other": b"\x7fELF"}),
        "`leanspec_cli_bin/bin/other` is not built",
    ),
    "another program": (
        lambda dist: rewrite(dist / CLI, {PROGRAM: b"\x7fELF"}),
        f"`{PROGRAM}` differs",
    ),
    "a program without its run bit": (
        lambda dist: rewrite(dist / CLI, {}, modes={PROGRAM: 0o100644}),
        f"`{PROGRAM}` differs",
    ),
    "a program for all to write": (
        lambda dist: rewrite(dist / CLI, {}, modes={PROGRAM: 0o100777}),
        f"`{PROGRAM}` differs",
    ),
    "a program that becomes root": (
        lambda dist: rewrite(dist / CLI, {}, modes={PROGRAM: 0o104755}),
        f"`{PROGRAM}` differs",
    ),
    "another record of the binary": (
        lambda dist: rewrite(dist / CLI, {RECORD: content(dist / CLI, RECORD) + b"\n"}),
        f"`{RECORD}` differs",
    ),
    "no bill of materials": (
        lambda dist: rewrite(dist / CLI, {f"{INFO}/sboms/leanspec-build.cdx.json": None}),
        "leanspec-build.cdx.json` is missing",
    ),
    "another bill of materials": (
        lambda dist: rewrite(dist / CLI, {f"{INFO}/sboms/leanspec-build.cdx.json": b"{}"}),
        "leanspec-build.cdx.json` differs",
    ),
    "another licence text": (
        lambda dist: rewrite(
            dist / CLI, {f"{INFO}/licenses/LICENSE": b"All rights reserved.\n"}
        ),
        "LICENSE` differs",
    ),
    "tags that promise more": (
        lambda dist: replaced(
            dist / CLI, f"{INFO}/WHEEL", b"manylinux_2_34", b"manylinux_2_17"
        ),
        "WHEEL` differs",
    ),
    "a wheel that is not pure": (
        lambda dist: replaced(
            dist / MAIN, f"{MAIN_INFO}/WHEEL", b"Purelib: true", b"Purelib: false"
        ),
        "WHEEL` differs",
    ),
    "a RECORD that lies": (
        lambda dist: resaved_record(
            dist / CLI, b"leanspec_cli_bin/__init__.py,sha256=", b"x,sha256="
        ),
        "RECORD` differs",
    ),
    "a requirement of a stranger": (
        lambda dist: replaced(
            dist / MAIN, f"{MAIN_INFO}/METADATA", PINNED, PINNED + b"\nRequires-Dist: evil"
        ),
        "METADATA` differs",
    ),
    "a marker": (
        lambda dist: replaced(
            dist / MAIN, f"{MAIN_INFO}/METADATA", PINNED, PINNED + b"; os_name == 'nt'"
        ),
        "METADATA` differs",
    ),
    "a looser pin": (
        lambda dist: replaced(
            dist / MAIN, f"{MAIN_INFO}/METADATA", PINNED, PINNED.replace(b"==", b">=")
        ),
        "METADATA` differs",
    ),
    "a Python that is too new": (
        lambda dist: replaced(
            dist / MAIN, f"{MAIN_INFO}/METADATA", b"Python: >=3.9", b"Python: >=3.99"
        ),
        "METADATA` differs",
    ),
    "a command less": (
        lambda dist: replaced(dist / MAIN, f"{MAIN_INFO}/entry_points.txt", COMMAND, b""),
        "entry_points.txt` differs",
    ),
    "a command more": (
        lambda dist: rewrite(
            dist / CLI, {f"{INFO}/entry_points.txt": b"[console_scripts]\npip=evil:main\n"}
        ),
        "entry_points.txt` is not built",
    ),
    "a launcher of before the last commit": (
        lambda dist: replaced(
            dist / MAIN, "leanspec_launcher/_search.py", b"lstat", b"stat"
        ),
        "`leanspec_launcher/_search.py` differs",
    ),
    "other checksums in the launcher": (
        lambda dist: replaced(
            dist / MAIN,
            "leanspec_launcher/_pins.py",
            b'"linux-x64": "',
            b'"linux-x64": "0',
        ),
        "`leanspec_launcher/_pins.py` differs",
    ),
    "a program in the launcher": (
        lambda dist: rewrite(dist / MAIN, {"leanspec_launcher/leanspec": b"\x7fELF"}),
        "`leanspec_launcher/leanspec` is not built",
    ),
    "a startup file": (
        lambda dist: rewrite(dist / MAIN, {"lean_spec.pth": b"import os\n"}),
        "`lean_spec.pth` is not built",
    ),
    "a stub that speaks of other builds": (
        lambda dist: replaced(
            dist / STUB, "leanspec_cli_bin/stub.json", b"linux-x64", b"darwin-x64"
        ),
        "stub.json` differs",
    ),
    "other times": (
        lambda dist: resaved(dist / CLI, lambda _: None),
        "an archive of other bytes",
    ),
    "one byte in a compressed entry": (
        lambda dist: raw(
            dist / CLI, lambda data: data[:200] + bytes([data[200] ^ 1]) + data[201:]
        ),
        "the same entries, in an archive of other bytes",
    ),
    "a file more in the sdist": (
        lambda dist: sdist_with(dist, f"lean_spec-{RELEASED}/setup.py"),
        "setup.py` is not built",
    ),
    "a file that nobody builds": (
        lambda dist: shutil.copy(dist / STUB, dist / STUB.replace("py3", "py2.py3")),
        "a file that this tree builds, found not built",
    ),
    "a file that is missing": (
        lambda dist: (dist / MCP).unlink(),
        "as this tree builds it, found missing",
    ),
    "a truncated wheel": (
        lambda dist: raw(dist / CLI, lambda data: data[:-100]),
        "not a whole archive",
    ),
    "an empty wheel": (lambda dist: raw(dist / CLI, lambda _: b""), "not a whole archive"),
    "a truncated sdist": (
        lambda dist: raw(dist / SDIST, lambda data: data[:-100]),
        "not a whole archive",
    ),
}


def replaced(wheel: Path, name: str, old: bytes, new: bytes) -> None:
    """Replace bytes in an entry, with a RECORD that is true of the outcome."""
    before = content(wheel, name)
    assert old in before
    rewrite(wheel, {name: before.replace(old, new)})


def resaved_record(wheel: Path, old: bytes, new: bytes) -> None:
    """Replace bytes in RECORD itself."""
    with zipfile.ZipFile(wheel) as archive:
        entries = [(entry, archive.read(entry)) for entry in archive.infolist()]
    with zipfile.ZipFile(wheel, "w") as archive:
        for entry, data in entries:
            is_record = entry.filename.endswith("/RECORD")
            assert not is_record or old in data
            archive.writestr(entry, data.replace(old, new) if is_record else data)


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("attack", NOT_BUILT)
def test_what_this_tree_does_not_build_is_not_published(attack: str, dist: Path) -> None:
    break_it, words = NOT_BUILT[attack]
    break_it(dist)
    said = of_bytes(dist)
    assert any(words in line for line in said), said


def test_without_the_binaries_nothing_can_be_compared(dist: Path, tmp_path: Path) -> None:
    """And the message names the folder that was asked for, not a copy of it."""
    (tmp_path / "nothing").mkdir()
    with pytest.raises(CommandError) as error:
        list(same_bytes.same_bytes(files(dist), tmp_path / "nothing"))
    assert (
        error.value.message
        == f"the build failed: no binary is collected in `{tmp_path / 'nothing'}`"
    )
    assert error.value.hint
    assert error.value.hint.startswith("collect it first")


META = f"{INFO}/METADATA"


def metadata(old: str, new: str) -> Attack:
    """Return an attack on the metadata of the CLI's wheel: as if the tree itself were wrong."""
    return lambda dist: replaced(dist / CLI, META, old.encode(), new.encode())


# What the index refuses though the tree builds it: a field in the metadata, then the archives.
REFUSED: dict[str, tuple[Attack, str]] = {
    "an unknown classifier": (
        metadata(
            "License-Expression: MIT",
            "Classifier: Environment :: Consoles\nLicense-Expression: MIT",
        ),
        "one of the index's classifiers, found Environment :: Consoles",
    ),
    "a deprecated classifier": (
        metadata(
            "License-Expression: MIT",
            "Classifier: Natural Language :: Ukranian\nLicense-Expression: MIT",
        ),
        "the one that replaces it: Natural Language :: Ukrainian",
    ),
    "a licence beside a licence expression": (
        metadata("License-Expression: MIT", "License: MIT\nLicense-Expression: MIT"),
        "none in addition to License-Expression",
    ),
    "a licence that is none": (
        metadata("License-Expression: MIT", "License-Expression: MTI"),
        "MTI",
    ),
    "a summary that is too long": (
        metadata("Summary: ", "Summary: " + "x" * 600),
        "at most 512 characters",
    ),
    "a summary of two lines": (
        metadata("Summary: ", "Summary: one\n        two "),
        "must be a single line",
    ),
    "an address that is none": (
        metadata(
            "License-Expression: MIT", "Author-email: someone\nLicense-Expression: MIT"
        ),
        "an address, found 'someone'",
    ),
    "a URL that is none": (
        metadata("Project-URL: Homepage, https://", "Project-URL: Homepage, "),
        "an http(s) URL",
    ),
    "a URL of another kind": (
        metadata("Homepage, https://", "Homepage, ftp://"),
        "an http(s) URL",
    ),
    "a label that is too long": (
        metadata("URL: Homepage,", f"URL: {'x' * 33},"),
        "at most 32 characters",
    ),
    "a licence file that is not there": (
        metadata("License-File: LICENSE", "License-File: LICENCE"),
        f"`{INFO}/licenses/LICENCE`, found missing",
    ),
    "a local version": (
        metadata(f"Version: {RELEASED}", f"Version: {RELEASED}+local"),
        "no local version",
    ),
    "another version than the file's": (
        metadata(f"Version: {RELEASED}", "Version: 9.9.9"),
        "as in the file name",
    ),
    "another name than the file's": (
        metadata("Name: leanspec-cli-bin", "Name: leanspec-mcp-bin"),
        "as in the file",
    ),
    "a name that is none": (
        metadata("Name: leanspec-cli-bin", "Name: -leanspec-"),
        "-leanspec-",
    ),
    "a version that is none": (
        metadata(f"Version: {RELEASED}", "Version: latest"),
        "latest",
    ),
    "a metadata version to come": (
        metadata("Metadata-Version: 2.", "Metadata-Version: 9."),
        "metadata",
    ),
    "a direct reference": (
        metadata(
            "License-Expression: MIT",
            "Requires-Dist: x @ https://example.org/x.whl\nLicense-Expression: MIT",
        ),
        "no direct reference",
    ),
    "a requirement that is none": (
        metadata("License-Expression: MIT", "Requires-Dist: x ==\nLicense-Expression: MIT"),
        "requires-dist",
    ),
    "a Python that is none": (
        metadata("Requires-Python: ", "Requires-Python: python"),
        "requires-python",
    ),
    "a field twice": (metadata("Summary: ", "Summary: a\nSummary: "), "summary"),
    "a field that nobody knows": (metadata("Summary: ", "Summry: a\nSummary: "), "summry"),
    "a description of an unknown kind": (
        metadata("text/markdown", "text/html"),
        "text/html",
    ),
    "no description": (
        lambda dist: rewrite(
            dist / CLI, {META: content(dist / CLI, META).split(b"\n\n", 1)[0] + b"\n\n"}
        ),
        "a long description, found none",
    ),
    "a link that leads nowhere": (
        lambda dist: rewrite(
            dist / CLI, {META: content(dist / CLI, META) + b"\n[docs](docs/x.md)\n"}
        ),
        "links that work on the index's page, found docs/x.md",
    ),
    "an image that leads nowhere": (
        lambda dist: rewrite(
            dist / CLI, {META: content(dist / CLI, META) + b'\n<img src="docs/x.svg">\n'}
        ),
        "found docs/x.svg",
    ),
    "metadata that is not UTF-8": (
        lambda dist: rewrite(
            dist / CLI,
            {META: content(dist / CLI, META).replace(b"Summary: ", b"Summary: \xff")},
        ),
        "metadata",
    ),
    "no metadata": (lambda dist: rewrite(dist / CLI, {META: None}), "METADATA"),
    "entry points that cannot be parsed": (
        lambda dist: rewrite(dist / CLI, {f"{INFO}/entry_points.txt": b"pip=evil:main\n"}),
        "a file that can be parsed",
    ),
    "an entry point that is none": (
        lambda dist: rewrite(
            dist / CLI, {f"{INFO}/entry_points.txt": b"[console_scripts]\npip=e v i l\n"}
        ),
        "module:attribute, found pip = e v i l",
    ),
    "a name that cannot be printed": (
        lambda dist: rewrite(dist / CLI, {"leanspec_cli_bin/a\x07b": b""}),
        "printable characters",
    ),
    "a file that unpacks to a thousand times its size": (
        lambda dist: rewrite(dist / CLI, {"leanspec_cli_bin/zeros": bytes(65 << 20)}),
        "a compression ratio of at most 50",
    ),
    "a build number": (
        lambda dist: renamed(dist / CLI, "-py3-", "-1-py3-"),
        "no build number",
    ),
    "a name that is not normalized": (
        lambda dist: renamed(dist / CLI, "leanspec_cli_bin", "LeanSpec_cli_bin"),
        "file name",
    ),
    "a platform of one machine": (
        lambda dist: renamed(dist / CLI, "manylinux_2_34_x86_64", "linux_x86_64"),
        "one that the index takes, found linux_x86_64",
    ),
    "a platform to come": (
        lambda dist: renamed(dist / CLI, "manylinux_2_34_x86_64", "macosx_99_0_arm64"),
        "one that the index takes, found macosx_99_0_arm64",
    ),
}


# How an archive is put together: the index refuses these, and a rebuild finds them before.
FRAMING: dict[str, Attack] = {
    "no WHEEL": lambda dist: rewrite(dist / CLI, {f"{INFO}/WHEEL": None}),
    "a comment": lambda dist: with_comment(dist / CLI),
    "a comment of an entry": lambda dist: resaved(dist / CLI, commented),
    "data before the archive": lambda dist: with_prefix(dist / CLI),
    "data after the archive": lambda dist: raw(dist / CLI, lambda data: data + b"hidden"),
    "two archives in one": lambda dist: raw(dist / CLI, lambda data: data + data),
    "an entry twice": lambda dist: twice(dist / CLI),
    "data descriptors": lambda dist: streamed(dist / CLI),
    "a compression that few know": lambda dist: resaved(
        dist / CLI, lambda _: None, zipfile.ZIP_LZMA
    ),
    "an entry of another name in its own header": lambda dist: raw(
        dist / CLI,
        lambda data: data.replace(b"cli_bin/__init__.py", b"cli_bin/__evil__.py", 1),
    ),
    "an entry that is damaged": lambda dist: raw(
        dist / CLI, lambda data: data[:4000] + bytes(8) + data[4008:]
    ),
    "a wheel that is no archive": lambda dist: raw(dist / CLI, lambda _: b"PK"),
    "an sdist that is no archive": lambda dist: raw(dist / SDIST, lambda _: b"\x1f\x8b"),
    "an sdist with a file outside": lambda dist: sdist_with(dist, "../evil.py"),
    "an sdist with a second folder": lambda dist: sdist_with(dist, "other/x.py"),
}
ATTACKS = FRAMING | {name: attack for name, (attack, _) in REFUSED.items()}


@pytest.fixture
def attacked(attack: str, dist: Path, stand_in: Path) -> Path:
    """Return the files that an attack changed; that the others are good is shown by other tests."""
    ATTACKS[attack](dist)
    for path in dist.iterdir():
        good = stand_in / "dist" / path.name
        if good.is_file() and good.read_bytes() == path.read_bytes():
            path.unlink()
    return dist


@pytest.mark.usefixtures("unrendered")
@pytest.mark.parametrize("attack", REFUSED)
def test_what_the_index_would_refuse_is_known_before(attack: str, attacked: Path) -> None:
    lines = of_index(attacked)
    assert any(REFUSED[attack][1] in line for line in lines), lines


# An independent reader, uv, refuses these too; the others are rules of the index alone.
REFUSED_BY_UV = (
    "a local version",
    "another version than the file's",
    "another name than the file's",
    "a name that is none",
    "a version that is none",
    "a requirement that is none",
    "a Python that is none",
    "no metadata",
    "no WHEEL",
    "entry points that cannot be parsed",
    "an entry point that is none",
    "data before the archive",
    "data after the archive",
    "two archives in one",
    "a compression that few know",
    "an entry of another name in its own header",
    "a name that cannot be printed",
    "an entry that is damaged",
    "a wheel that is no archive",
)


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("attack", FRAMING)
def test_an_archive_of_another_writer_is_not_published(attack: str, dist: Path) -> None:
    """The index would refuse it; the rebuild finds it first."""
    before = {path.name: path.read_bytes() for path in dist.iterdir()}
    FRAMING[attack](dist)
    (changed,) = [path for path in dist.iterdir() if path.read_bytes() != before[path.name]]
    assert framing_problems(changed)
    assert any(line.startswith(changed.name) for line in of_bytes(dist))


def test_our_writers_follow_the_rules_of_the_index_for_archives(dist: Path) -> None:
    must_hold(
        f"{path.name}: {problem}"
        for path in dist.iterdir()
        for problem in framing_problems(path)
    )


@pytest.mark.parametrize("attack", REFUSED_BY_UV)
def test_uv_refuses_what_the_gate_refuses(
    attack: str, attacked: Path, tmp_path: Path
) -> None:
    options = ("--no-deps", "--no-index", "--no-cache", "--no-config")
    place = ("--python", sys.executable, "--target", str(tmp_path / "target"))
    command = [own_program("uv"), "pip", "install", *options, *place]
    (wheel,) = attacked.iterdir()
    assert capture([*command, str(wheel)]).returncode != 0, attack


def test_a_description_that_cannot_be_rendered(dist: Path) -> None:
    text = (
        content(dist / CLI, META).replace(b"text/markdown", b"text/x-rst")
        + b"\n.. nonsense::\n"
    )
    rewrite(dist / CLI, {META: text})
    assert any(line.startswith("10 files: expected PASSED") for line in of_index(dist))


@pytest.mark.usefixtures("unrendered")
def test_a_file_that_is_too_large(dist: Path) -> None:
    with (dist / CLI).open("ab") as file:
        file.truncate((100 << 20) + 1)
    assert any("at most 104857600 bytes" in line for line in of_index(dist))


@pytest.mark.parametrize(
    "name", ["leanspec_cli_bin-{}-py3-none-manylinux_2_34_x86_64.whl", "notes.txt"]
)
def test_a_symbolic_link_is_not_published(name: str, dist: Path) -> None:
    path = dist / name.format(RELEASED)
    path.unlink(missing_ok=True)
    path.symlink_to(dist / MCP)
    with pytest.raises(CommandError, match="is a symbolic link"), snapshot(dist):
        pass


def test_what_is_checked_cannot_be_changed_before_it_is_uploaded(dist: Path) -> None:
    with snapshot(dist) as own:
        before = fingerprint(files(own))
        (dist / CLI).write_bytes(b"other")
        assert fingerprint(files(own)) == before
        assert fingerprint(files(dist)) != before


def test_a_gate_that_a_file_breaks_is_not_passed(
    dist: Path, monkeypatch: pytest.MonkeyPatch, plan: Plan
) -> None:
    monkeypatch.setattr(check, "read_plan", lambda *_: plan)
    monkeypatch.setattr(binaries, "binaries", lambda *_: iter([1 / 0]))
    for name in ("index_rules", "same_bytes", "expected_set", "_installs"):
        monkeypatch.setattr(check, name, lambda *_, **__: iter(()))
    said = wrong(iter(check.check(dist)))
    assert "gate: expected completed, found crashed: division by zero" in said


def test_set_is_that_of_the_source_that_the_wheels_state(
    dist: Path, monkeypatch: pytest.MonkeyPatch, plan: Plan
) -> None:
    """In `check`, and where the files that passed it are published."""
    reasons = plan.reasons | {"npm": {}}
    npm = replace(plan, reasons=reasons).built_from({"npm"})
    for name in ("index_rules", "same_bytes", "_installs", "pages_gate"):
        monkeypatch.setattr(check, name, lambda *_: iter(()))
    for module in (publish, check):
        monkeypatch.setattr(module, "read_plan", lambda *_: npm)
    findings = [*check.check(dist), *publish.has_passed("", dist)]
    sets = [finding for finding in findings if finding.gate == "set"]
    gaps = [finding.subject for finding in sets if finding.is_gap]
    assert gaps == 2 * list(plan.missing)
    assert wrong(iter(sets)) == []


def test_1_one_machines_binary_for_another_platform(dist: Path, plan: Plan) -> None:
    other = f"leanspec_cli_bin-{RELEASED}-py3-none-macosx_11_0_arm64.whl"
    shutil.copy(dist / CLI, dist / other)
    said = wrong(binaries.binaries(plan, files(dist)))
    assert any("bytes of its own, found the same as in" in line for line in said)


def test_3_a_missing_an_extra_and_a_second_version(dist: Path, plan: Plan) -> None:
    (dist / CLI).rename(dist / CLI.replace(RELEASED, "0.2.9"))
    (dist / MCP).unlink()
    (dist / "notes.txt").touch()
    said = of_set(plan, dist)
    assert f"{CLI.replace(RELEASED, '0.2.9')}: expected {RELEASED}, found 0.2.9" in said
    assert "leanspec-mcp-bin (linux-x64): expected in the release, found missing" in said
    assert "notes.txt: expected no such file in a release, found there" in said
    shutil.copy(dist / MAIN, dist / MAIN.replace("py3", "py2.py3"))
    assert any("found a second one next to" in line for line in of_set(plan, dist))


def committed(root: Path, *names: tuple[str, bytes]) -> Path:
    """Make a git repository of files."""
    root.mkdir()
    for name, data in names:
        (root / name).write_bytes(data)
    who = [
        "-c",
        "user.name=t",
        "-c",
        "user.email=t@localhost",
        "-c",
        "commit.gpgsign=false",
    ]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"]):
        subprocess.run(["git", "-C", root, *who, *command], check=True)
    return root


def test_4_a_binary_or_a_large_file_in_git(tmp_path: Path, plan: Plan) -> None:
    root = committed(
        tmp_path / "r",
        ("program", b"\x7fELF"),
        ("large", bytes((1 << 20) + 1)),
        ("fine", b"x"),
    )
    said = wrong(commit.tree(plan, root))
    assert said == [
        "large: expected at most 1048576 bytes, found 1048577",
        "program: expected no program in git, found a program",
    ]


def test_5_and_16_a_binary_that_says_another_version(
    dist: Path, plan: Plan, tmp_path: Path
) -> None:
    source = tmp_path / "old.c"
    source.write_text(
        '#include <stdio.h>\nint main(void) { puts("lean-spec 0.2.10"); return 0; }\n'
    )
    require("cc")
    subprocess.run(["cc", source, "-o", tmp_path / "old"], check=True)
    with_program(dist / CLI, (tmp_path / "old").read_bytes())
    said = wrong(binaries.binaries(plan, files(dist)))
    assert f"{CLI}: its own version: expected {RELEASED}, found 0.2.10" in said


def test_5_a_binary_that_nobody_ran(dist: Path, plan: Plan) -> None:
    """Of a platform that this machine does not run: only the record of where it was built can tell."""
    other = dist / f"leanspec_cli_bin-{RELEASED}-py3-none-macosx_11_0_arm64.whl"
    (dist / CLI).rename(other)
    with_program(other, headers.mach_o())
    said = wrong(binaries.binaries(plan, files(dist)))
    assert any(
        f"expected {RELEASED}, found not run where it was built" in line for line in said
    )
    record = json.loads(content(other, RECORD)) | {
        "reported": RELEASED,
        "platform": "darwin-arm64",
    }
    rewrite(other, {RECORD: json.dumps(record).encode()})
    assert not any(
        "its own version" in line for line in wrong(binaries.binaries(plan, files(dist)))
    )


def recorded(wheel: Path, **said: object) -> None:
    """Change what a platform wheel's record says of its binary."""
    name = next(
        each
        for each in zipfile.ZipFile(wheel).namelist()
        if each.endswith("bin/binary.json")
    )
    rewrite(wheel, {name: json.dumps(json.loads(content(wheel, name)) | said).encode()})


@pytest.mark.parametrize(
    ("cli", "mcp", "words"),
    [
        ({"commit": ONE}, {"commit": ONE}, ""),
        (
            {"commit": ONE},
            {"commit": OTHER},
            f"expected one for all binaries, found {ONE}, {OTHER}",
        ),
        ({"commit": f"{ONE}-dirty"}, {}, "expected a commit without uncommitted changes"),
        (
            {"source": None},
            {},
            "expected a source with its integrity or commit, found None",
        ),
        (
            {"source": {"kind": "cargo"}, "commit": None},
            {},
            "expected a source with its integrity or commit",
        ),
        ({"source": "npm"}, {}, "expected a source with its integrity or commit"),
    ],
)
def test_where_the_binaries_are_from(
    dist: Path, plan: Plan, cli: dict[str, object], mcp: dict[str, object], words: str
) -> None:
    recorded(dist / CLI, **cli)
    recorded(dist / MCP, **mcp)
    said = wrong(binaries.binaries(plan, files(dist)))
    assert any(words in line for line in said) if words else said == []
    if "one for all" in words:
        reasoned = replace(
            plan, exceptions=plan.exceptions | {"commits": "a fix for one of them"}
        )
        assert wrong(binaries.binaries(reasoned, files(dist))) == []


def platforms(dist: Path) -> None:
    (dist / CLI).rename(dist / CLI.replace("x86_64.whl", "x86_64.win_amd64.whl"))


def flags(offset: int, value: int) -> Callable[[Path], None]:
    """Set a byte of each entry in the central directory of the CLI's wheel."""

    def change(dist: Path) -> None:
        data = bytearray((dist / CLI).read_bytes())
        place = data.find(b"PK\x01\x02")
        while place != -1:
            data[place + offset] = value
            place = data.find(b"PK\x01\x02", place + 4)
        (dist / CLI).write_bytes(data)

    return change


@pytest.mark.parametrize(
    ("attack", "words"),
    [
        (platforms, "is for no platform of ours, or for several"),
        (flags(8, 1), "is encrypted"),
        (flags(10, 99), "That compression method is not supported"),
        (lambda dist: raw(dist / CLI, lambda data: data[:1000]), "not a zip file"),
    ],
)
def test_a_wheel_that_cannot_be_read(
    attack: Callable[[Path], None], words: str, dist: Path, plan: Plan
) -> None:
    """Here and on an index: what is fetched may be anything."""
    attack(dist)
    found = wrong(binaries.binaries(plan, files(dist)))
    assert len(found) == 1
    assert words in found[0]


def test_binaries_are_of_the_sources_that_were_looked_up(dist: Path, plan: Plan) -> None:
    """A tag may move while the jobs of a workflow run: they take the commit that the first one saw."""
    for wheel in (CLI, MCP, CLI.replace("cli", "http")):
        recorded(dist / wheel, commit=ONE)

    def of_sources(commit: str) -> list[str]:
        return wrong(binaries.binaries(plan, files(dist), commit))

    assert not [line for line in of_sources(ONE) if line.startswith("commits: ")]
    assert f"commits: expected {OTHER}, found {ONE}" in of_sources(OTHER)
    recorded(dist / MCP, commit=None)
    assert f"commits: expected {ONE}, found {ONE}, none stated" in of_sources(ONE)


@pytest.mark.parametrize("record", [b"[]", b"", b"{", b"\xff", b"null"])
def test_a_record_that_is_none(dist: Path, plan: Plan, record: bytes) -> None:
    rewrite(dist / CLI, {RECORD: record})
    said = wrong(binaries.binaries(plan, files(dist)))
    assert any(line.startswith(f"{CLI}: expected a binary and its record") for line in said)


def test_7_a_web_server_without_its_pages_says_so(dist: Path, plan: Plan) -> None:
    wheel = next(dist.glob("leanspec_http_bin-*linux*.whl"))
    name = f"leanspec_http_bin-{RELEASED}.dist-info/METADATA"
    rewrite(wheel, {name: content(wheel, name).replace(b"API only", b"whole")})
    assert any(
        "there is no index.html in it" in line
        for line in wrong(binaries.binaries(plan, files(dist)))
    )


def test_14_a_platform_that_only_another_source_lacks(dist: Path, plan: Plan) -> None:
    """The reasons of npm are none for what a workspace builds."""
    planned = replace(plan, reasons=plan.reasons | {"cargo": {}})
    note = "`missing.npm` does not apply to binaries from cargo"
    missing = (
        f"leanspec-cli-bin (darwin-x64): expected in the release, found missing; {note}"
    )
    assert missing in of_set(planned, dist)
    assert of_set(planned.built_from({"npm"}), dist) == []


NPM_SOURCE = {
    "kind": "npm",
    "package": "@leanspec/http-linux-x64",
    "version": RELEASED,
    "integrity": f"sha512-{'A' * 86}==",
}


def source_of(wheel: Path) -> dict[str, object]:
    source: dict[str, object] = json.loads(content(wheel, RECORD))["source"]
    return source


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"kind": "rumour"}, ""),
        ({"profile": "dev"}, ": profile"),
        ({"built": False}, ": built"),
        ({"built": "yes"}, ": built"),
        ({"crate": "leanspec-mcp"}, ": crate"),
        ({"version": "0.2.9"}, ": version"),
        ({"target": "aarch64-unknown-linux-gnu"}, ": target"),
        ({"integrity": "sha256-x"}, ": integrity"),
        ({"packages": ["serde"]}, ": packages"),
        ({"packages": [{"name": "serde", "version": "1", "checksum": "x"}]}, ": packages"),
        ({"openssl": {"name": "openssl", "version": "3.5.7"}}, ": openssl"),
        ({"reviewed-by": "everybody"}, ": reviewed-by"),
        ({"package": "@leanspec/cli-linux-x64"}, ": package"),
    ],
)
def test_invented_source_is_refused_by_name(
    dist: Path, plan: Plan, changes: dict[str, object], place: str
) -> None:
    recorded(dist / CLI, source=source_of(dist / CLI) | changes)
    errors = wrong(binaries.binaries(plan, files(dist)))
    assert any(line.startswith(f"{CLI}{place}: expected ") for line in errors), errors


@pytest.mark.parametrize("name", ["crate", "profile", "built", "target", "packages"])
def test_source_states_every_fact(dist: Path, plan: Plan, name: str) -> None:
    source = source_of(dist / CLI)
    del source[name]
    recorded(dist / CLI, source=source)
    (error,) = wrong(binaries.binaries(plan, files(dist)))
    assert error.startswith(f"{CLI}: {name}: expected ")
    assert error.endswith("found not stated")


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"commit": "main"}, "commit"),
        ({"size": "3 MB"}, "size"),
        ({"reported": "0.2.9"}, "reported"),
        ({"approved": True}, "approved"),
    ],
)
def test_invented_record_is_refused_by_name(
    dist: Path, plan: Plan, changes: dict[str, object], place: str
) -> None:
    recorded(dist / CLI, **changes)
    errors = wrong(binaries.binaries(plan, files(dist)))
    assert any(line.startswith(f"{CLI}: {place}: expected ") for line in errors), errors


def test_draft_may_have_binaries_that_were_built_before(dist: Path, plan: Plan) -> None:
    recorded(dist / CLI, source=source_of(dist / CLI) | {"built": False})
    draft = replace(plan, is_draft=True)
    findings = list(binaries.binaries(draft, files(dist)))
    assert wrong(iter(findings)) == []
    assert any("built before it was collected" in finding.found for finding in findings)


@pytest.mark.parametrize(
    ("kind", "exceptions", "words"),
    [
        ("cargo", {}, None),
        ("npm", {}, "sources: expected one for all binaries"),
        ("npm", {"sources": "npm has one of them"}, None),
        ("cargo", {"sources": "npm has one of them"}, "sources: expected several"),
    ],
)
def test_binaries_are_of_one_source_or_the_plan_says_why(
    dist: Path, plan: Plan, kind: str, exceptions: dict[str, str], words: str | None
) -> None:
    http = next(dist.glob("leanspec_http_bin-*linux*.whl"))
    if kind == "npm":
        recorded(http, source=NPM_SOURCE)
    planned = binaries.plan_of(replace(plan, exceptions=exceptions), files(dist))
    assert planned.sources == tuple(sorted({kind, "cargo"}, reverse=True))
    errors = wrong(binaries.binaries(planned, files(dist)))
    assert any(line.startswith(words) for line in errors) if words else errors == []


def test_21_tag_tree_and_heading(tmp_path: Path, plan: Plan) -> None:
    root = committed(tmp_path / "r", ("a", b"1"))
    assert wrong(commit.tag(plan, root)) == [f"HEAD: expected v{RELEASED}, found no tag"]
    subprocess.run(["git", "-C", root, "tag", "v0.2.9"], check=True)
    assert wrong(commit.tag(plan, root)) == [f"HEAD: expected v{RELEASED}, found v0.2.9"]
    subprocess.run(["git", "-C", root, "tag", f"v{RELEASED}"], check=True)
    assert wrong(commit.tag(plan, root)) == []
    assert wrong(commit.tag(replace(plan, version=Version("0.3.1.dev1")), root)) == []
    (root / "a").write_text("2")
    found = "changed or unknown files: 1, such as `M a`"
    assert wrong(commit.tree(plan, root)) == [f"git status: expected clean, found {found}"]
    draft = replace(plan, is_draft=True)
    assert next(commit.tree(draft, root)).is_gap, "it comes before the commit"
    assert not next(commit.tag(draft, root)).is_gap, "it is there already"
    later = replace(draft, version=Version("9.9"))
    assert next(commit.tag(later, root)).is_gap, "it comes after the commit"
    (root / "new").write_text("not in git")
    found = "changed or unknown files: 2, such as `?? new`"
    assert wrong(commit.tree(draft, root)) == [f"git status: expected clean, found {found}"]


def test_workflow_runs_in_the_repository_of_the_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    slug = read_repository().slug
    monkeypatch.setenv("GITHUB_REPOSITORY", slug)
    assert wrong(commit.publishing_repository(tmp_path)) == []
    monkeypatch.setenv("GITHUB_REPOSITORY", "example/fork")
    errors = wrong(tree.repository(Plan(Version(RELEASED), {}, {}), ROOT, None))
    assert f"repository: expected example/fork, found {slug}" in errors


@pytest.mark.parametrize(
    ("origin", "is_gap"),
    [
        ("https://github.com/{}.git", False),
        ("git@github.com:{}", False),
        ("https://example.org/other", True),
        ("", True),
    ],
)
def test_clone_of_another_repository_is_a_remark(
    origin: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_gap: bool
) -> None:
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    root = committed(
        tmp_path / "r", ("pyproject.toml", (ROOT / "pyproject.toml").read_bytes())
    )
    if origin:
        url = origin.format(read_repository().slug)
        subprocess.run(["git", "-C", root, "remote", "add", "origin", url], check=True)
    (finding,) = commit.publishing_repository(root)
    assert (finding.passed, finding.is_gap) == (True, is_gap)


def test_21_the_changelog_has_no_heading_yet(
    plan: Plan, released_tree: Path, tmp_path: Path
) -> None:
    ignored = shutil.ignore_patterns("binaries")
    wheels = "platform_wheels"
    shutil.copytree(released_tree / wheels, tmp_path / wheels, ignore=ignored)
    shutil.copytree(released_tree / "build_backend", tmp_path / "build_backend")
    names = ["pyproject.toml", "server.json", *(each.file for each in MENTIONS)]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(released_tree / name, tmp_path / name)
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## [Unreleased]\n")
    (said,) = wrong(tree.versions(plan, tmp_path, None))
    assert said == f"CHANGELOG.md: heading: expected [{RELEASED}], found none"


def test_23_a_lock_that_was_left_behind(tmp_path: Path) -> None:
    for path in (ROOT / "pyproject.toml", *(group.lock for group in Group)):
        shutil.copy(path, tmp_path)
    shutil.copytree(ROOT / "build_backend", tmp_path / "build_backend")
    assert wrong(tree.lock(tmp_path)) == []
    text = (tmp_path / "pyproject.toml").read_text()
    (tmp_path / "pyproject.toml").write_text(text.replace('"twine>=6.1"', '"twine>=999"'))
    assert any(
        line.startswith("twine: expected twine>=999, found ")
        for line in wrong(tree.lock(tmp_path))
    )


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "Environment :: Console",
            "Environment :: Consoles",
            "`project.classifiers[1]` must be trove-classifier",
        ),
        ('"click>=8.1"', "'click >='", "`project.dependencies[2]` must be pep508"),
        ("description =", "descripton =", "must not contain {'descripton'} properties"),
        ("[project]", "[project", "Expected ']'"),
    ],
)
def test_a_manifest_that_breaks_the_standard(
    old: str, new: str, words: str, released_tree: Path, tmp_path: Path
) -> None:
    shutil.copytree(released_tree / "platform_wheels", tmp_path / "platform_wheels")
    text = (released_tree / "pyproject.toml").read_text()
    (tmp_path / "pyproject.toml").write_text(text)
    assert wrong(tree.manifests(tmp_path)) == []
    (tmp_path / "pyproject.toml").write_text(text.replace(old, new, 1))
    (found,) = wrong(tree.manifests(tmp_path))
    assert found.startswith("pyproject.toml: expected a manifest by the standards")
    assert words in found


def test_names_are_not_to_be_confused() -> None:
    assert wrong(tree.names()) == []
    assert (
        tree.confusable("lean-spec")
        == tree.confusable("Lean.Spec")
        == tree.confusable("1ean_spec")
    )


@pytest.mark.parametrize("value", ["true", "True", "1"])
def test_publish_knows_ci(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", value)
    publish.must_be_ci()


@pytest.mark.parametrize("value", ["", "false", "0"])
def test_publish_refuses_to_run_outside_ci(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", value)
    with pytest.raises(CommandError, match="published by CI"):
        publish.must_be_ci()


def test_10_30_and_34_nothing_is_uploaded_unless_every_gate_passes(
    dist: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index would be reached last: here it may not be reached at all."""
    index = Index("http://127.0.0.1:9/simple/", "http://127.0.0.1:9/")

    def forbidden(*_: object) -> list[Finding]:
        raise AssertionError("the index was reached")

    for module in (publish, check):
        monkeypatch.setattr(module, "read_plan", lambda *_: plan)
    monkeypatch.setattr(publish, "upload_all", forbidden)
    monkeypatch.setattr(publish, "IndexClient", forbidden)
    monkeypatch.setattr(check, "_installs", lambda *_: iter(()))  # fails for seconds
    (dist / CLI).unlink()
    gates = partial(check.check, collected=dist.parent / "binaries")
    with pytest.raises(publish.GatesError) as error:
        publish.publish(
            dist,
            index,
            publish.ReleaseChecks(gates, forbidden),
            dry_run=False,
            resume=False,
            wait=1,
        )
    missing = "leanspec-cli-bin (linux-x64): expected in the release, found missing"
    assert missing in str(error.value)
    assert f"tag: HEAD: expected v{RELEASED}" in str(error.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nowhere", "no index called"),
        ("https://me:secret@example.org/", "given with a secret in it"),
        ("http://example.org/", "is not encrypted"),
    ],
)
def test_an_index_that_is_none(name: str, words: str) -> None:
    with pytest.raises(CommandError, match=words) as error:
        read_index(name)
    assert "secret@" not in str(error.value)
