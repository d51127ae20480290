"""The words of messages that no other test asserts: tests/contract/test_docs.py holds that there is one for each."""

from __future__ import annotations

import struct
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import leanspec_build
import pytest
from leanspec_build.errors import BuildError
from leanspec_build.formats.executable import parse_executable
from leanspec_build.inspection import judge
from leanspec_build.tags.derive import platform_tags
from leanspec_build.tags.model import oldest_systems

from tests.support import headers
from tests.support.inside import call
from tests.support.preconditions import require
from tests.support.sample import Sample
from tests.support.tool import Tool

FOREIGN = headers.elf(needed=("libother.so.1", "libc.so.6"))
INTEL_MAC = headers.mach_o("x86_64", signed=False)
MAC_VERSION = struct.pack("<III", 0x32, 24, 1)
OTHER_LOADER = (
    "it asks for the loader `/lib/ld64.so.1`, which other systems do not have"
    " (`/lib64/ld-linux-x86-64.so.2` is the usual one)"
)
FIRST_COMMAND_SIZE, COMMANDS_SIZE = 36, 20


def patched(data: bytes, place: int, layout: str, value: int) -> bytes:
    """Return a file with another number at a place."""
    changed = bytearray(data)
    struct.pack_into(layout, changed, place, value)
    return bytes(changed)


def dynamic_entry(field: int, value: int) -> bytes:
    """Return an ELF program whose first dynamic entry, or one behind it, has another value."""
    data = headers.elf()
    place = data.index(struct.pack("<QQ", headers.DT_NEEDED, 1))
    return patched(data, place + 8 * field, "<Q", value)


# As `cc -c` leaves it: without program headers.
OBJECT = patched(headers.elf(kind=1), 56, "<H", 0)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (
            patched(headers.elf(), 4, "B", 9),
            "is damaged: an ELF file of class 9 and byte order 1",
        ),
        (
            patched(headers.elf(), 56, "<H", 200),
            "it has 200 program headers, more than the 128 read",
        ),
        (patched(headers.elf(), 54, "<H", 1), "is damaged: program headers of 1 bytes"),
        (
            patched(headers.elf(), 32, "<Q", 1 << 20),
            "is truncated: the program header table ends at byte",
        ),
        (
            patched(headers.elf(), 40, "<Q", 1 << 20),
            "is truncated: the section header table ends at byte",
        ),
        (dynamic_entry(1, 1 << 20), "is damaged: a name is outside of its string table"),
        (dynamic_entry(4, 21), "is damaged: it has names, and no string table"),
        (OBJECT, "is an object file, not a program"),
        (
            headers.elf(kind=4),
            "is an ELF file of the type `ET_CORE`, not of the wanted one",
        ),
        (headers.mach_o(kind=10), "is a Mach-O file of the type `dSYM`, not a program"),
        (
            patched(INTEL_MAC, COMMANDS_SIZE, "<I", 1 << 17),
            "its load commands do not fit a header",
        ),
        (
            patched(INTEL_MAC, FIRST_COMMAND_SIZE, "<I", 4),
            "a load command ends outside of the header",
        ),
        (
            INTEL_MAC.replace(MAC_VERSION, struct.pack("<III", 0x32, 24, 2)),
            "another system of Apple's than macOS (platform 2)",
        ),
        (
            INTEL_MAC.replace(MAC_VERSION, struct.pack("<III", 0x25, 24, 0)),
            "another system of Apple's than macOS (iOS)",
        ),
        (
            patched(
                headers.mach_o(), -len(headers.code_signature(b"")) + 16, ">I", 1 << 20
            ),
            "is truncated: the directory of the code's hashes ends at byte",
        ),
        (
            headers.universal(b"-" + INTEL_MAC[1:]),
            "is damaged: a slice is not a Mach-O file",
        ),
        (
            headers.universal(INTEL_MAC, INTEL_MAC),
            "has several slices for one CPU (x86_64, x86_64)",
        ),
        (
            b"\0\0\x8a\x97",
            "is neither ELF, Mach-O nor PE (it starts with the bytes `00 00 8a 97`), not an executable",
        ),
    ],
)
def test_a_file_that_is_no_program_says_why(data: bytes, words: str) -> None:
    with pytest.raises(BuildError) as error:
        parse_executable(data, "it")
    assert words in error.value.message


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (
            headers.elf(loader=None, needed=()),
            "it is statically linked and needs no libc of the system's",
        ),
        (
            headers.elf(
                loader="/lib/ld-musl-x86_64.so.1", needed=("libc.musl-x86_64.so.1",)
            ),
            "it is linked to musl, whose version the bytes do not say",
        ),
        (
            headers.elf(loader="/lib/ld64.so.1"),
            OTHER_LOADER,
        ),
        (headers.pe(), "it is a PE file for x86_64"),
    ],
)
def test_a_tag_has_its_reason(data: bytes, reason: str) -> None:
    assert platform_tags(parse_executable(data, "it")).reasons == (reason,)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (
            INTEL_MAC.replace(MAC_VERSION, struct.pack("<III", 0x99, 24, 0)),
            "does not say which macOS its x86_64 code needs at least",
        ),
        (
            headers.mach_o()[:-1] + b"-",
            "it was changed after it was signed, so the system stops it",
        ),
    ],
)
def test_a_program_without_a_tag_says_why(data: bytes, words: str) -> None:
    with pytest.raises(BuildError, match=words):
        platform_tags(parse_executable(data, "it"))


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("win_amd64", "win_arm64", "it promises win amd64, its content does not run there"),
        (
            "manylinux_2_34_x86_64",
            "manylinux_2_17_x86_64",
            "its content runs on manylinux 2.17 x86_64, it promises manylinux 2.34 x86_64 only",
        ),
        (
            "win_amd64",
            "win_amd64.win_arm64",
            "its content runs on win arm64, which it does not promise",
        ),
    ],
)
def test_a_wheel_that_promises_another_machine_is_told_why(
    name: str, content: str, reason: str
) -> None:
    promises = (oldest_systems(tags.split(".")) for tags in (name, content))
    assert judge(*promises)[1] == [reason]


def refusal(hook: Callable[..., object], root: Path, **settings: str) -> str:
    """Return the message with which a hook ends in a project."""
    result = call(lambda: hook(str(root), settings), root)
    assert result.returncode == 1, result.stdout
    return result.stderr


@pytest.mark.parametrize(
    ("setting", "hint"),
    [
        ("repair", "name the place that has them: `-C from=PLACE`"),
        ("stub", "write `stub = true` under `[tool.leanspec-build]`"),
    ],
)
def test_programs_refuse_settings_of_the_other_mode(
    tool: Tool, setting: str, hint: str
) -> None:
    tool.put("x", tool=headers.elf())
    value = {"repair": "auditwheel", "stub": "stub.json"}[setting]
    message = refusal(leanspec_build.build_wheel, tool.root, **{setting: value})
    words = f"the config setting `{setting}` is not for a project with `programs`"
    assert f"error: {words}\nhint: {hint}" in message


def test_an_executable_refuses_settings_of_the_other_mode(sample: Sample) -> None:
    message = refusal(leanspec_build.build_wheel, sample.root, **{"from": "dist"})
    assert (
        "the config setting `from` is about `programs`, and this project has none"
        in message
    )
    (sample.root / "stub.json").write_text("{}")
    message = refusal(leanspec_build.build_editable, sample.root, stub="stub.json")
    assert "error: a stub carries nothing to edit\nhint: " in message


def test_a_binary_without_a_description_is_refused(sample: Sample) -> None:
    binary = sample.collect(headers.elf())
    record = binary.with_name("binary.json")
    record.unlink()
    message = refusal(leanspec_build.build_wheel, sample.root, platform="linux-x64")
    words = "binary.json` is missing, so nothing says which bytes `leanspec` should have"
    assert words in message


def test_only_what_auditwheel_knows_is_grafted(sample: Sample) -> None:
    """No index takes macOS 27 yet, so such a wheel is to be repaired."""
    settings = {"repair": "auditwheel"}
    path = sample.root / "program"
    path.write_bytes(headers.mach_o("x86_64", minimum=(27, 0)))
    text = sample.manifest.read_text("utf-8").partition("[tool.leanspec-build.floors]")[0]
    sample.manifest.write_text(text, "utf-8")
    build = leanspec_build.build_wheel
    message = refusal(build, sample.root, binary=str(path), **settings)
    assert "auditwheel grafts libraries into ELF files only, and `" in message
    path.write_bytes(FOREIGN)
    message = refusal(build, sample.root, binary=str(path), **settings)
    assert "error: auditwheel could not repair the wheel: " in message


# In place of auditwheel: writes the wheel with another program.
REPLACING = """
import sys, zipfile
from pathlib import Path
out, wheel = Path(sys.argv[sys.argv.index("--wheel-dir") + 1]), Path(sys.argv[-1])
out.mkdir()
with zipfile.ZipFile(wheel) as raw, zipfile.ZipFile(out / wheel.name, "w") as repaired:
    for name in raw.namelist():
        data = b"no program" if "/bin/" in name else raw.read(name)
        repaired.writestr(name, data)
"""


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("raise SystemExit(1)", "auditwheel could not repair the wheel: it gave no reason"),
        (REPLACING, "program`, as auditwheel changed it, is neither ELF, Mach-O nor PE"),
    ],
)
def test_an_auditwheel_that_goes_wrong_is_one_message(
    sample: Sample, code: str, words: str
) -> None:
    package = sample.root / "fake/auditwheel"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(code, "utf-8")
    path = sample.root / "program"
    path.write_bytes(FOREIGN)
    settings = {"repair": "auditwheel", "binary": str(path)}
    result = call(
        lambda: leanspec_build.build_wheel(str(sample.root), settings),
        sample.root,
        PYTHONPATH=str(package.parent),
    )
    assert result.returncode == 1
    assert words in result.stderr


def test_a_local_wheel_says_how_it_could_be_published(sample: Sample) -> None:
    path = sample.root / "program"
    path.write_bytes(FOREIGN)
    settings = {"binary": str(path)}
    result = call(
        lambda: leanspec_build.build_wheel(str(sample.root), settings), sample.root
    )
    words = "link the library in (vendored OpenSSL, rustls, static musl), or graft it with"
    assert f"hint: {words} `-C repair=auditwheel`" in result.stderr


def test_a_local_program_on_the_path_may_have_the_library_beside_it(tool: Tool) -> None:
    tool.put("x", tool=FOREIGN)
    settings = {"platform": "linux-x64"}
    result = call(lambda: leanspec_build.build_wheel(str(tool.root), settings), tool.root)
    beside = "put it next to the program (`data-files.bin`, with the run path `$ORIGIN`)"
    link = "link the library in (vendored OpenSSL, rustls, static musl)"
    assert result.stderr.endswith(f"hint: {beside}, or {link}\n")


WRONG_PROJECTS: dict[str, tuple[str, str, str]] = {
    "a script": (
        "[tool.lean",
        '[project.scripts]\nmore = "none:main"\n\n[tool.lean',
        "has the script `more`, and the wheel has no module `none` for it",
    ),
    "a floor": (
        'from = "dist"',
        'from = "dist"\nfloors.linux-x64 = "2.28"',
        "is wrong in `floors.linux-x64`: the floor `2.28`",
    ),
    "a floor of macOS": (
        'from = "dist"',
        'from = "dist"\nfloors.darwin-arm64 = "macos 12"',
        'hint: for example `floors.darwin-arm64 = "macos 11.0"`',
    ),
    "a dynamic name": (
        'version = "1.2.3"',
        'version = "1.2.3"\ndynamic = ["readme"]',
        "calls `readme` dynamic, but nothing here computes it",
    ),
    "no programs": (
        'programs = ["tool"]\nfrom = "dist"',
        'package = "a"\ndata = ["*.txt"]',
        "does not say where programs are, under `[tool.leanspec-build]`",
    ),
    "no repository": (
        'version = "1.2.3"',
        'dynamic = ["version"]',
        "calls the version dynamic, and there is no `Cargo.toml`, nor a tag",
    ),
}


@pytest.mark.parametrize("wrong", WRONG_PROJECTS)
def test_a_wrong_project_is_one_message(tool: Tool, wrong: str) -> None:
    old, new, words = WRONG_PROJECTS[wrong]
    if wrong == "no repository":
        require("git")
    (tool.root / "a").mkdir()
    for name in ("__init__.py", "notes.txt"):
        (tool.root / "a" / name).touch()
    tool.put("x", tool=headers.elf())
    tool.edit(old, new)
    assert words in tool.build("all", code=1).stderr


def test_a_version_that_is_nowhere_says_where_to_state_it(tool: Tool) -> None:
    tool.edit('version = "1.2.3"', 'dynamic = ["version"]')
    hint = 'write `version = "..."` under `[project]`, and take it out of `dynamic`'
    assert f"hint: {hint}" in tool.build("all", code=1).stderr


def test_a_hint_names_the_option_of_who_asks(tool: Tool) -> None:
    tool.put("x", other=b"")
    message = tool.build("all", "--from", "nowhere", code=1).stderr
    assert "hint: name what the build left: `--from PLACE`, or" in message
    message = refusal(leanspec_build.build_wheel, tool.root, **{"from": "nowhere"})
    assert "hint: name what the build left: `-C from=PLACE`, or" in message
    tool.edit('version = "1.2.3"', 'dynamic = ["version"]')
    assert "give it once: `--version 1.2.3`" in tool.build("all", code=1).stderr
    message = refusal(leanspec_build.build_wheel, tool.root)
    assert "give it once: `-C version=1.2.3`" in message


def test_all_platforms_that_the_project_does_not_state_are_named(tool: Tool) -> None:
    tool.put("linux", tool=headers.elf())
    tool.put("windows", tool_exe=headers.pe())
    tool.put("mac", tool=headers.mach_o())
    tool.edit('from = "dist"', 'from = "dist"\nplatforms = ["linux-x64"]')
    message = tool.build("all", code=1).stderr
    every = '["linux-x64", "darwin-arm64", "windows-x64"]'
    assert f"hint: write `platforms = {every}`, or leave the place out" in message
    tool.edit('platforms = ["linux-x64"]', "platforms = []")
    message = tool.build("all", code=1).stderr
    assert "wants a list of names as `platforms` under" in message


def test_a_place_without_programs_is_named(tool: Tool) -> None:
    tool.put("x", other=b"")
    assert "no folder or archive in `dist` has `tool`" in tool.build("all", code=1).stderr


def test_a_folder_that_cannot_be_made_is_one_message(tool: Tool) -> None:
    tool.put("x", tool=headers.elf())
    message = tool.build("all", "--out", "pyproject.toml", code=1).stderr
    assert message.startswith("error: cannot make the folder `pyproject.toml`: ")
    message = tool.build("all", "--out", Path("pyproject.toml", "out"), code=1).stderr
    assert "hint: give another one: `--out FOLDER`" in message


def test_a_hook_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(
        AttributeError, match="module 'leanspec_build' has no attribute 'no_hook'"
    ):
        leanspec_build.__getattr__("no_hook")


def test_a_project_that_cannot_be_read_has_a_hint(tool: Tool) -> None:
    message = tool.build("all", "--project", "nowhere", code=1).stderr
    hint = "hint: run this in the folder of the project, or name that: `--project FOLDER`"
    assert message.endswith(f"{hint}\n")
    tool.edit('name = "a-tool"', "name = a-tool")
    message = tool.build("all", code=1).stderr
    assert "hint: correct it: it is TOML in UTF-8, with texts in quotes" in message


def test_a_file_that_is_not_there_has_a_hint(tool: Tool) -> None:
    message = tool.build("inspect", "nowhere", ".", code=1).stderr
    hint = "correct the path, or build the file first; name the files in it: `FOLDER/*`"
    assert message.endswith(f"hint: {hint}\n")


@pytest.mark.posix
def test_a_link_to_nothing_has_a_hint(tool: Tool) -> None:
    (tool.root / "link").symlink_to("nowhere")
    message = tool.build("inspect", "link", code=1).stderr
    words = "error: `link` is a link to `nowhere`, which does not exist\nhint: build or copy what"
    assert message.startswith(words)


def test_options_that_no_project_could_make_valid_are_usage_errors(tool: Tool) -> None:
    message = tool.build("all", "--platform", "nosuch", code=2).stderr
    assert "`--platform` names the platform `nosuch`, which is not a known one" in message
    message = tool.build("all", "--from", "", code=2).stderr
    assert message == "error: `--from` names no place\nhint: for example `--from dist`\n"


def test_a_version_that_is_given_is_blamed_on_its_option(tool: Tool) -> None:
    tool.edit('version = "1.2.3"', 'dynamic = ["version"]')
    message = tool.build("all", "--version", "abc", code=1).stderr
    hint = "hint: give one like this: `--version 1.2.3`"
    assert message == f"error: invalid version: `abc`\n{hint}\n"


def test_the_command_prints_its_own_version(tool: Tool) -> None:
    assert tool.build("--version").stdout == f"{version('leanspec-build')}\n"


def test_all_faults_of_the_metadata_are_named_at_once(tool: Tool) -> None:
    tool.put("x", tool=headers.elf())
    text = 'version = "1.2.3"\ndescription = "a\\nb"\nclassifiers = ["None"]'
    tool.edit('version = "1.2.3"', text)
    message = tool.build("all", code=1).stderr
    words = "\n  `description` has 2 lines; the index takes one\n  metadata: Classifier: expected"
    assert words in message
    result = call(
        lambda: leanspec_build.build_wheel(str(tool.root), {"platform": "linux-x64"}),
        tool.root,
    )
    assert "description` has 2 lines" in result.stderr
    assert "Warning" not in message + result.stderr
    tool.edit('"a\\nb"', "1")
    tool.edit('["None"]', "1")
    message = tool.build("all", code=1).stderr
    assert "is not valid: Field " in message
    assert "description" in message
    assert "; Field " in message
    assert message.endswith("hint: correct it under `[project]`\n")


def test_a_table_of_nearly_the_right_name_is_noted(tool: Tool) -> None:
    tool.put("x", tool=headers.elf())
    tool.edit("[tool.lean", "[tool.leanspec_build]\nstub = true\n\n[tool.lean")
    words = "has `[tool.leanspec_build]`, which nothing reads: write [tool.leanspec-build]"
    assert words in tool.build("all", "--dry-run").stderr
