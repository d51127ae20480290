"""What `pyproject.toml` and the config settings may say, and what is refused."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from leanspec_build.binaries import choose_binary
from leanspec_build.errors import BuildError
from leanspec_build.project.keys import KEYS, read_settings
from leanspec_build.project.manifest import load_project
from leanspec_build.project.records import (
    RELEASE_EXAMPLE,
    read_binary_record,
    read_release,
)

from scripts.environment import ROOT
from tests.support import headers
from tests.support.sample import STATED, VERSION, Sample
from tests.support.tool import Tool

CRATE = {"name": "a", "version": "1.0.0"}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (STATED, "", "has no `version`"),
        (STATED, f'{STATED}\nmaintainer = "me"', "is not valid"),
        ('name = "leanspec-cli-bin"', "", "has no `name`"),
        ('name = "leanspec-cli-bin"', 'dynamic = ["name"]', "calls `name` dynamic"),
        (STATED, f'{STATED}\ndynamic = ["readme"]', "calls `readme` dynamic"),
        (STATED, 'version = "zero"', "is not valid"),
        (
            'executable = "leanspec"',
            'executable = "leanspec"\nextra = 1',
            "the unknown key `extra`",
        ),
        ('executable = "leanspec"', "", "has `package` without `executable`"),
        ('executable = "leanspec"', 'executable = "../leanspec"', "a file name is wanted"),
        ('executable = "leanspec"', 'executable = ".."', "a file name is wanted"),
        (
            'executable = "leanspec"',
            'executable = "lean\\u0000spec"',
            "`lean\\x00spec`: a file name",
        ),
        (
            'executable = "leanspec"',
            'executable = "lean\\nspec"',
            "`lean\\nspec`: a file name",
        ),
        (STATED, f'{STATED}\nlicence = "MIT"', "the unknown key `licence`"),
        ('executable = "leanspec"', "data = 3", "wants a list of texts as `data`"),
        (
            'executable = "leanspec"',
            'data = ["/etc/*"]',
            "`/etc/*` under `data`, which leads out",
        ),
        (
            'executable = "leanspec"',
            'data = ["../*"]',
            "`../*` under `data`, which leads out",
        ),
        ('executable = "leanspec"', 'data = ["none/*"]', "has no such file"),
        ('executable = "leanspec"', 'data = []\nrecord = "no.json"', "has no such file"),
        (
            'license = "MIT AND Apache-2.0"',
            'license = { file = "LICENSE" }',
            "as a table, which is out of date",
        ),
        (
            'license = "MIT AND Apache-2.0"',
            'license = { text = "MIT" }',
            "as a table, which is out of date",
        ),
        ('license = "MIT AND Apache-2.0"', 'license = "Free"', "is not an SPDX expression"),
        ('executable = "leanspec"', 'executable = "lean\\\\spec"', "a file name is wanted"),
        (
            'executable = "leanspec"',
            'executable = "leanspec"\nrepair = "by hand"',
            "asks for the repair `by hand`",
        ),
        (
            'linux-x64 = "glibc 2.34"',
            "linux-x64 = 2.34",
            "wants a table of texts as `floors`",
        ),
        (
            "[tool.leanspec-build.floors]",
            "[[tool.leanspec-build.floors]]",
            "wants a table of texts as `floors`",
        ),
        (
            'linux-x64 = "glibc 2.34"',
            'linux-x46 = "glibc 2.34"',
            "to `linux-x46`, which is not a known platform",
        ),
        (
            'darwin-x64 = "macos 11.0"',
            'darwin-x64 = "glibc 2.34"',
            "which is not a known platform",
        ),
        (
            'package = "leanspec_cli_bin"',
            'package = "nothing_here"',
            "there is no such folder",
        ),
        ('package = "leanspec_cli_bin"', 'package = "no-name"', "cannot be imported"),
        (
            'license-files = ["LICENSE", "OpenSSL-LICENSE.txt"]',
            'license-files = ["../LICENSE"]',
            "is not valid",
        ),
        ('readme = "README.md"', 'readme = "../README.md"', "lies outside the project"),
        ("[project", "[projekt", "has no `[project]` table"),
        ("[project]", "[project", "cannot read"),
    ],
)
def test_a_wrong_manifest_is_refused_by_name(
    sample: Sample, old: str, new: str, words: str
) -> None:
    (sample.root.parent / "README.md").write_text("outside")
    sample.edit(old, new)
    with pytest.raises(BuildError) as error:
        load_project(sample.root)
    assert words in error.value.message
    assert "pyproject.toml" in error.value.message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("project = 3", "has no `[project]` table"),
        ("project = []", "has no `[project]` table"),
        (
            "[project]\nname = 'x'\nversion = '1'\n[tool]\nleanspec-build = 3",
            "not as a table",
        ),
    ],
)
def test_a_table_that_is_a_value_is_refused(sample: Sample, text: str, words: str) -> None:
    sample.manifest.write_text(text)
    with pytest.raises(BuildError, match=re.escape(words)):
        load_project(sample.root)


VALUES = (
    *("3", "true", '""', '"a"', "[]", "[3]", '[""]', '["a"]'),
    *("{}", "{a = 3}", '{a = ""}', '{a = "b"}', "{a = [3]}", '{a = ["b"]}'),
)


@pytest.mark.parametrize("key", KEYS)
def test_a_value_of_another_kind_is_refused_with_a_line_that_mends_it(
    sample: Sample, key: str
) -> None:
    text = sample.manifest.read_text("utf-8").partition("[tool.leanspec-build]")[0]
    refused = 0
    for value in VALUES:
        sample.manifest.write_text(f"{text}[tool.leanspec-build]\n{key} = {value}\n")
        try:
            load_project(sample.root)
        except BuildError as error:
            line = re.fullmatch(r"for example `(.*)`", error.hint or "")
            if f"wants {KEYS[key].kind} as `{key}`" in error.message and line:
                assert list(tomllib.loads(line[1])) == [key]
                refused += 1
    # What is left of the values is of the right kind, and wrong or incomplete in another way.
    assert refused >= 10


@pytest.mark.parametrize(
    ("table", "words", "mends"),
    [
        (None, "has no table `[tool.leanspec-build]`", 'from = "dist"'),
        ("", "neither says where programs are nor names a `package`", 'from = "dist"'),
        ('programs = ["a.exe"]', "names the program `a.exe`", "`a`"),
        ('programs = ["a", "a"]', "names the program `a` twice", "take one of them out"),
        ('programs = ["../a"]', "a file name is wanted", 'programs = ["example"]'),
        ("programs = []", "a list of names as `programs`", 'programs = ["example"]'),
        (
            'programs = ["a"]\nexecutable = "b"',
            "both `programs` and `executable`",
            "leave one",
        ),
        ('from = "d"\nrepair = "auditwheel"', "both `from` and `repair`", "leave one"),
        ("stub = true", "has `stub` without `from`", 'from = "dist"'),
        ("universal2 = true", "has `universal2` without `from`", 'from = "dist"'),
        ('package = "a"\nrecord = "x"', "has `record` without `data`", "data = "),
        ('package = "a"', "has `package` without `executable`", "executable = "),
        (
            'from = "d"\nfloors.linux-x64 = "old"',
            "wrong in `floors.linux-x64`",
            "glibc 2.28",
        ),
        ('from = "d"\ndata-files."/etc" = ["a"]', "`/etc` under `data-files`", "share/man"),
        (
            'from = "d"\ndata-files.bin = ["a"]\ndata-files."./bin/" = ["b"]',
            "names one folder twice under `data-files`: `bin` and `./bin/`",
            "write the files of both into one list",
        ),
        ('from = "d"\ndata-files.share = ["/a"]', "`/a` under `data-files`", "share/man"),
        ('from = "d"\ndata-files.share = ["a/../b"]', "`a/../b` under", "share/man"),
    ],
)
def test_a_missing_key_has_a_line_to_write(
    tool: Tool, table: str | None, words: str, mends: str
) -> None:
    path = tool.root / "pyproject.toml"
    head = path.read_text("utf-8").partition("[tool.leanspec-build]")[0]
    if table is not None:
        head += f"[tool.leanspec-build]\n{table}\n"
    path.write_text(head, "utf-8")
    with pytest.raises(BuildError) as error:
        load_project(tool.root)
    assert words in error.value.message
    assert mends in (error.value.hint or "")


def test_a_key_that_is_nearly_right_is_named(sample: Sample) -> None:
    sample.edit('executable = "leanspec"', 'executabel = "leanspec"')
    with pytest.raises(BuildError) as error:
        load_project(sample.root)
    assert (error.value.hint or "").startswith("write `executable`; the keys are ")


@pytest.mark.posix
@pytest.mark.parametrize("target", ["/etc/passwd", "/nowhere"])
def test_a_link_out_of_the_package_is_refused(sample: Sample, target: str) -> None:
    (sample.root / "leanspec_cli_bin/more.py").symlink_to(target)
    with pytest.raises(
        BuildError, match="a link that leads out of the package, or nowhere"
    ):
        load_project(sample.root)


def test_a_folder_that_is_called_like_a_module_is_no_file(sample: Sample) -> None:
    (sample.root / "leanspec_cli_bin/more.py").mkdir()
    names = {path.name for path in load_project(sample.root).sources()}
    assert names == {"__init__.py"}


def test_what_is_left_out_is_known(sample: Sample) -> None:
    package = sample.root / "leanspec_cli_bin"
    (package / "bin").mkdir(exist_ok=True)
    (package / "bin/leanspec").write_text("the link of an editable installation")
    (package / "notes.txt").write_text("1")
    (note,) = load_project(sample.root).left_out_notes()
    assert f"`{Path('leanspec_cli_bin/notes.txt')}` is not packed" in note


@pytest.mark.posix
def test_a_licence_link_that_leaves_the_project_is_refused(sample: Sample) -> None:
    outside = sample.root.parent / "secret"
    outside.write_text("outside")
    (sample.root / "LICENSE").unlink()
    (sample.root / "LICENSE").symlink_to(outside)
    with pytest.raises(BuildError, match="lies outside the project"):
        load_project(sample.root)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"plattform": "linux-x64"}, "`plattform` is unknown"),
        ({"platform": ["linux-x64", "linux-arm64"]}, "wants one text"),
        ({"platform": "linux-x64", "binary": "/bin/true"}, "exclude each other"),
        ({"stub": "/nowhere", "platform": "linux-x64"}, "`stub` stands alone"),
        (
            {"repair": "by hand"},
            "the config setting `repair` asks for the repair `by hand`",
        ),
        ({"platform": ""}, "wants one text"),
        ({"platform": "linux-riscv64"}, "there is no binary for `linux-riscv64`"),
        ({"platform": "../linux-x64"}, "not the name of a platform"),
        ({"binary": "/nowhere/leanspec"}, "does not exist"),
    ],
)
def test_wrong_settings_are_refused(
    sample: Sample, settings: dict[str, object], words: str
) -> None:
    with pytest.raises(BuildError) as error:
        choose_binary(load_project(sample.root), read_settings(settings))
    assert words in error.value.message


@pytest.mark.parametrize(
    ("data", "platforms"),
    [
        (headers.elf("aarch64", loader="/lib/ld-linux-aarch64.so.1"), "linux-arm64"),
        (headers.mach_o("x86_64"), "darwin-x64"),
        (headers.pe("x86_64"), "windows-x64"),
        (
            headers.universal(headers.mach_o("x86_64"), headers.mach_o("aarch64")),
            "several CPUs (x86_64, aarch64)",
        ),
    ],
)
def test_a_binary_for_another_platform_is_refused(
    sample: Sample, data: bytes, platforms: str
) -> None:
    sample.collect(data)
    with pytest.raises(BuildError) as error:
        choose_binary(load_project(sample.root), {"platform": "linux-x64"})
    assert f"is an executable for {platforms}, not for `linux-x64`" in error.value.message


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"sha256": "0" * 64}, "`sha256` is"),
        ({"size": 1}, "`size` is"),
        ({"platform": "linux-arm64"}, "`platform` is `linux-x64`, expected `linux-arm64`"),
        (
            {"version": "0.2.9"},
            f"describes version `0.2.9`, but `leanspec-cli-bin` is `{VERSION}`",
        ),
        ({"version": None}, "is not a description of a binary: `version` is not a version"),
        (
            {"size": "1", "source": "x"},
            "`size` is not a whole number; `source` is not an object",
        ),
        ({"source": {"kind": "npm"}}, "`source.package` is missing; `source.version`"),
        (
            {"source": {"package": "a/b/c", "packages": 1}},
            "`source.package` is not the name of a package; `source.packages` is not a list of objects",
        ),
        (
            {"source": {"packages": [{"name": "a/b", "checksum": "1"}]}},
            "`source.packages.name` is not the name of a crate; `source.packages.version` is missing",
        ),
        (
            {"source": {"packages": [CRATE | {"checksum": "1"}]}},
            "`source.packages.checksum` is not 64 hexadecimal digits or `null`",
        ),
    ],
)
def test_a_binary_that_its_record_does_not_describe_is_refused(
    sample: Sample, said: dict[str, object], words: str
) -> None:
    sample.collect(headers.elf(), said=said)
    with pytest.raises(BuildError) as error:
        choose_binary(load_project(sample.root), {"platform": "linux-x64"})
    assert words in error.value.message


def test_a_binary_above_its_promised_floor_is_refused(sample: Sample) -> None:
    sample.collect(headers.elf(versions={"libc.so.6": ["GLIBC_2.39"]}))
    with pytest.raises(BuildError) as error:
        choose_binary(load_project(sample.root), {"platform": "linux-x64"})
    assert (
        "above the promised floor `glibc 2.34` of `linux-x64`: `GLIBC_2.39` of `libc.so.6` is newer"
        in error.value.message
    )
    sample.edit("glibc 2.34", "glibc 2.39")
    assert choose_binary(load_project(sample.root), {"platform": "linux-x64"}).source.size


def test_a_collected_binary_without_its_record_is_refused(sample: Sample) -> None:
    (sample.root / "binaries/linux-x64/binary.json").unlink()
    with pytest.raises(BuildError, match=r"binary\.json` is missing"):
        choose_binary(load_project(sample.root), {"platform": "linux-x64"})


def test_a_packaging_release_carries_the_binaries_of_its_version(sample: Sample) -> None:
    sample.edit(STATED, f'version = "{VERSION}.post1"')
    assert (
        choose_binary(load_project(sample.root), {"platform": "linux-x64"}).record
        is not None
    )


def test_a_record_needs_the_checksum_alone(sample: Sample) -> None:
    path = sample.root / "binaries/linux-x64/binary.json"
    sha256 = json.loads(path.read_text("utf-8"))["sha256"]
    path.write_text(json.dumps({"sha256": sha256}), "utf-8")
    project = load_project(sample.root)
    assert choose_binary(project, {"platform": "linux-x64"}).source.sha256 == sha256
    path.write_text("{}", "utf-8")
    with pytest.raises(BuildError) as error:
        choose_binary(project, {"platform": "linux-x64"})
    assert "is not a description of a binary: `sha256` is missing" in error.value.message
    example = '{"sha256": "<the 64 digits that sha256sum prints>"}'
    assert error.value.hint == f"for example `{example}`"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "is not the description of a release: it is not a JSON object"),
        ("{", "is not the description of a release: "),
        ("[" * 100_000, "is not the description of a release: "),
        (None, "cannot read the description of a release in"),
        ("{}", "`builds` is missing"),
        ('{"version": 1}', "`version` is not a text; `builds` is missing"),
        ('{"builds": {"linux-x64": []}}', "`builds` is not an object of lists"),
        ('{"builds": {"linux-x64": "any"}}', "`builds` is not an object of lists"),
    ],
)
def test_a_stub_without_the_description_of_a_release_is_refused(
    tmp_path: Path, text: str | None, words: str
) -> None:
    path = tmp_path / "release.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(BuildError) as error:
        read_release(path)
    assert words in error.value.message
    assert str(error.value.hint).endswith(f"for example `{RELEASE_EXAMPLE}`")
    path.write_text(RELEASE_EXAMPLE)
    assert read_release(path) == RELEASE_EXAMPLE.encode()


def test_settings_that_go_together_are_read(sample: Sample) -> None:
    together = {"platform": "linux-x64", "repair": "auditwheel"}
    assert read_settings(together) == together
    assert read_settings({"stub": "release.json"}) == {"stub": "release.json"}
    assert read_settings(None) == {}
    assert load_project(sample.root).repair is None
    sample.edit('executable = "leanspec"', 'executable = "leanspec"\nrepair = "auditwheel"')
    assert load_project(sample.root).repair == "auditwheel"


def test_windows_alone_has_an_ending(sample: Sample) -> None:
    assert choose_binary(load_project(sample.root), {"platform": "linux-x64"}).suffix == ""
    sample.collect(headers.pe("x86_64"), "windows-x64", "leanspec.exe")
    assert (
        choose_binary(load_project(sample.root), {"platform": "windows-x64"}).suffix
        == ".exe"
    )


def test_the_readme_shows_valid_descriptions(tmp_path: Path) -> None:
    text = (ROOT / "build_backend/README.md").read_text("utf-8")
    record, release = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    assert read_binary_record(record.encode(), tmp_path)["version"] == "1.0.0"
    path = tmp_path / "release.json"
    path.write_bytes(release.encode())
    assert read_release(path) == release.encode()
