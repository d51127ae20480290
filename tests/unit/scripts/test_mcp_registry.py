"""`server.json`, as the registry of MCP servers takes it, and everything that it refuses."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from leanspec_launcher.commands import CommandError
from leanspec_launcher.verify.proof import digest
from scripts.environment import ROOT
from scripts.gates.mcp_registry import (
    CONFIRMED,
    FILE,
    SCHEMA,
    bundle_package,
    bundle_problems,
    mcp_registry,
)
from scripts.model.files import read_files
from scripts.model.plan import Plan, read_plan
from scripts.model.repository import read_repository
from scripts.publish import registry
from scripts.publish.registry import build_publisher, entry, publish_server, shown_entry
from tests.support.preconditions import missing
from tests.support.wheel_files import content, rewrite

README = "platform_wheels/mcp-command/README.md"
Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / README).parent.mkdir(parents=True)
    shutil.copy(ROOT / FILE, tmp_path / FILE)
    shutil.copy(ROOT / README, tmp_path / README)
    return tmp_path


@pytest.fixture
def plan() -> Plan:
    return read_plan()


def wrong(tree: Path, plan: Plan) -> list[str]:
    return [finding.subject for finding in mcp_registry(plan, tree) if not finding.passed]


def package(key: str, value: object) -> Change:
    return lambda server: server["packages"][0].update({key: value})


def test_server_json_of_this_tree_is_accepted(tree: Path, plan: Plan) -> None:
    assert wrong(tree, plan) == []


CHANGES: list[tuple[Change, str]] = [
    (lambda server: server.update(description="x" * 101), "description"),
    (lambda server: server.update(description=""), "description"),
    (lambda server: server.update(title="x" * 101), "title"),
    (lambda server: server.update(name="io.github.someone/leanspec"), "name"),
    (lambda server: server.update(name="io.github.codervisor/lean spec"), "name"),
    (lambda server: server.update(version="0.0.1"), "version"),
    (lambda server: server.update(packages=[]), "packages"),
    (lambda server: server.update(packages=["leanspec-mcp"]), "packages"),
    (lambda server: server.pop("repository"), "name"),
    (lambda server: server.update({"$schema": "x"}), "$schema"),
    (package("registryType", "pip"), "packages: registryType"),
    (package("identifier", "lean-spec"), "packages: identifier"),
    (package("version", "^0.3.0"), "packages: version"),
    (package("version", "latest"), "packages: version"),
    (package("registryBaseUrl", "https://example.org"), "packages: registryBaseUrl"),
    (package("transport", {"type": "sse", "url": "x"}), "packages: transport"),
]


@pytest.mark.parametrize(("change", "subject"), CHANGES)
def test_server_json_with_a_wrong_field_is_refused(
    tree: Path, plan: Plan, change: Change, subject: str
) -> None:
    server = json.loads((tree / FILE).read_text())
    change(server)
    (tree / FILE).write_text(json.dumps(server))
    assert subject in wrong(tree, plan)


@pytest.mark.parametrize("text", ["", "[]", "{", "null"])
def test_server_json_that_is_not_an_object_is_refused(
    tree: Path, plan: Plan, text: str
) -> None:
    (tree / FILE).write_text(text)
    assert wrong(tree, plan) == [FILE]


def test_readme_of_the_package_must_name_the_server(tree: Path, plan: Plan) -> None:
    path = tree / README
    path.write_text(path.read_text().replace("mcp-name: ", "mcp-name: x"))
    assert wrong(tree, plan) == ["README.md of leanspec-mcp"]


def test_mcp_registry_looks_for_the_servers_name_in_the_built_wheel(
    tree: Path, plan: Plan, stand_in: Path, tmp_path: Path
) -> None:
    """The registry reads it from the index, after the upload."""
    (wheel,) = (stand_in / "dist").glob("leanspec_mcp-*.whl")
    path = Path(shutil.copy(wheel, tmp_path))
    file = next(file for file in read_files(wheel.parent)[0] if file.path == wheel)
    name = f"{wheel.name.removesuffix('-py3-none-any.whl')}.dist-info/METADATA"
    files = [replace(file, path=path)]
    actual = [finding for finding in mcp_registry(plan, tree, files) if not finding.passed]
    assert actual == []
    metadata = content(path, name)
    for other in (b"", b"mcp-name: io.github.codervisor/leanspec-other"):
        rewrite(path, {name: re.sub(rb"mcp-name: [^ ]+", other, metadata)})
        (wrong,) = [
            finding for finding in mcp_registry(plan, tree, files) if not finding.passed
        ]
        assert wrong.subject == wheel.name
        expected = "`mcp-name: io.github.codervisor/leanspec` in its long description"
        assert wrong.expected == expected


def test_mcp_registry_warns_if_its_schema_is_old(tree: Path, plan: Plan) -> None:
    """The registry refuses an outdated one; the day is given, as a test must not age."""

    def warnings(days: int) -> list[str]:
        today = CONFIRMED + dt.timedelta(days=days)
        findings = [*mcp_registry(plan, tree, today=today)]
        assert all(finding.passed for finding in findings)
        return [finding.actual for finding in findings if finding.is_gap]

    assert warnings(150) == []
    (warning,) = warnings(151)
    assert warning.startswith(f"that of {SCHEMA}, looked at 151 days ago")


def test_the_registrys_own_schema_agrees(
    pytestconfig: pytest.Config, assembled: Path
) -> None:
    """Where it is given: it names hosts of registries, so it is not in this repository."""
    path = pytestconfig.getoption("--mcp-schema")
    if not path:
        missing("the MCP registry's schema", "see `--mcp-schema` in tests/conftest.py")
    # Its import compiles grammars for three seconds, which no other test shall wait for.
    from jsonschema import Draft7Validator  # noqa: PLC0415

    validator = Draft7Validator(json.loads(Path(path).read_text("utf-8")))
    assert list(validator.iter_errors(entry(ROOT, assembled))) == []


# A Go that builds a publisher which notes what it is asked.
GO = """#!/bin/sh
mkdir -p "$GOBIN"
echo "$*" > "$GOBIN/go.log"
printf '#!/bin/sh\\necho "$* in $PWD" >> "$0.log"\\n' > "$GOBIN/publisher"
"""


@pytest.fixture
def go(
    tree: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Return a stand-in for Go, the first on the search path."""
    shutil.copy(ROOT / "pyproject.toml", tree)
    path = tmp_path_factory.mktemp("bin") / "go"
    path.write_text(GO)
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}:{os.environ['PATH']}")
    return path


@pytest.mark.posix
def test_publish_server_starts_the_publisher_that_was_built(tree: Path, go: Path) -> None:
    with pytest.raises(CommandError, match="publisher` does not exist") as error:
        publish_server(tree)
    assert "publish-server --build" in str(error.value.hint)
    publisher = build_publisher(tree)
    (version,) = re.findall(rf"{registry.MODULE} (v.*)", registry.GO_MOD.read_text())
    log = publisher.with_name("go.log").read_text()
    assert log == f"install {registry.MODULE}/cmd/publisher@{version}\n"
    go.unlink()
    publisher.chmod(0o644)
    publish_server(tree)
    log = publisher.with_name("publisher.log").read_text()
    assert re.findall(r"(.*) in ", log) == ["login github-oidc", "publish"]
    publisher.write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(CommandError, match="the registry's publisher"):
        publish_server(tree)


@pytest.fixture
def assembled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a release with two MCP bundles, and a file that is none."""
    folder = tmp_path_factory.mktemp("final-artifacts")
    version = read_plan().version
    names = [f"leanspec-mcp-{version}-{key}.mcpb" for key in ("darwin", "linux-x64")]
    for name in (*names, "release.json"):
        (folder / name).write_text(name)
    write_sums(folder)
    return folder


def write_sums(folder: Path) -> None:
    lines = [f"{digest(str(path))}  {path.name}\n" for path in folder.glob("[!S]*")]
    (folder / "SHA256SUMS").write_text("".join(lines))


def test_the_entry_lists_the_package_and_each_bundle_with_its_digest(
    tree: Path, assembled: Path
) -> None:
    shutil.copy(ROOT / "pyproject.toml", tree)
    server = json.loads((tree / FILE).read_text())
    version, url = server["version"], server["repository"]["url"]
    package, *bundles = entry(tree, assembled)["packages"]
    assert package == server["packages"][0]
    assert bundles == [
        {
            "registryType": "mcpb",
            "identifier": f"{url}/releases/download/v{version}/{path.name}",
            "fileSha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "transport": {"type": "stdio"},
        }
        for path in sorted(assembled.glob("*.mcpb"))
    ]
    assert len(bundles) == 2
    assert entry(tree, None) == server, "without a release, what the tree has"


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: next(folder.glob("*.mcpb")).write_text("changed"),
        lambda folder: next(folder.glob("*.mcpb")).unlink(),
        lambda folder: (folder / "leanspec-mcp-1-other.mcpb").write_text("x"),
    ],
)
def test_publish_server_refuses_a_bundle_of_another_release(
    tree: Path, assembled: Path, change: Callable[[Path], object]
) -> None:
    shutil.copy(ROOT / "pyproject.toml", tree)
    change(assembled)
    with pytest.raises(CommandError, match="are not those of its `SHA256SUMS`"):
        entry(tree, assembled)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("identifier", "https://example.org/o/r/releases/download/v1/leanspec-mcp-1.mcpb"),
        ("identifier", "http://github.com/o/r/releases/download/v1/leanspec-mcp-1.mcpb"),
        ("identifier", "https://github.com/o/r/releases/tag/v1/leanspec-mcp-1.mcpb"),
        ("identifier", "https://github.com/o/r/releases/download/v1/leanspec-mcp-1.zip"),
        ("fileSha256", ""),
        ("fileSha256", "A" * 64),
    ],
)
def test_a_bundle_that_the_registry_refuses_is_named(key: str, value: str) -> None:
    name, sha256 = "leanspec-mcp-1-darwin.mcpb", "a" * 64
    bundle = bundle_package(sha256, name, read_repository(), "1")
    assert [*bundle_problems([bundle])] == []
    (wrong,) = bundle_problems([bundle | {key: value}])
    assert wrong.subject == f"bundles: {key}"
    (wrong,) = bundle_problems([bundle, bundle])
    assert wrong.subject == "bundles"


@pytest.mark.posix
def test_the_publisher_reads_the_entry_with_the_bundles(
    tree: Path, go: Path, assembled: Path
) -> None:
    assert go.is_file()
    publisher = build_publisher(tree, assembled)
    before = (tree / FILE).read_bytes()
    publish_server(tree)
    assert json.loads((publisher.parent / FILE).read_text()) == entry(tree, assembled)
    assert (tree / FILE).read_bytes() == before
    assert publisher.with_name("publisher.log").read_text().splitlines() == [
        f"login github-oidc in {publisher.parent}",
        f"publish in {publisher.parent}",
    ]


@pytest.mark.posix
def test_publish_server_build_needs_go_and_a_correct_server_json(
    tree: Path, go: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go.unlink()
    monkeypatch.setenv("PATH", str(go.parent))
    with pytest.raises(CommandError, match="`go` is not installed"):
        build_publisher(tree)
    shown_entry(tree, None)
    server = json.loads((tree / FILE).read_text())
    (tree / FILE).write_text(json.dumps(server | {"version": "0.0.1"}))
    for command in (build_publisher, shown_entry):
        with pytest.raises(CommandError, match=r"version: expected .*, found 0\.0\.1"):
            command(tree, None)
