"""The gate on what the registry of MCP servers is told: `server.json`, and the MCP bundles of a release.

The rules are those of the registry's newest schema, and those that it applies in addition
when a server is published. What is wrong here would be public before anybody sees it, and the
line that proves who owns the package cannot be changed in a published version.
"""

import datetime as dt
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from scripts.environment import ROOT
from scripts.model.files import File, FileKind
from scripts.model.finding import Finding, confirm, confirm_unless, gap, problem
from scripts.model.gates import MCP_REGISTRY as GATE
from scripts.model.metadata import read_metadata
from scripts.model.plan import Plan
from scripts.model.programs import HAS_MCP, MCP_COMMAND, MCP_COMMAND_PROJECT
from scripts.model.repository import HOST, Repository
from scripts.tools.reasons import reason

Package = dict[str, Any]

FILE = "server.json"
SCHEMA = "2025-12-11"
# The registry refuses schemas that are older than its newest one.
CONFIRMED = dt.date(2026, 11, 29)
"""The day on which this schema was still the newest one."""
LONGEST = dt.timedelta(days=150)
NAME = re.compile(r"[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+")
LONGEST_TEXTS = {"name": 200, "title": 100, "description": 100}
BUNDLE_SUFFIX = ".mcpb"
ASSET = re.compile(rf"(/[^/]+){{2}}/releases/download/v[^/]+/[^/]+{BUNDLE_SUFFIX}")
DIGEST = re.compile(r"[0-9a-f]{64}")
# Clients pass a base address on to the installer, which then finds nothing else there.
BASE_ADDRESS = "registryBaseUrl"


def mcp_registry(
    plan: Plan, root: Path, files: Sequence[File] = (), today: dt.date | None = None
) -> Iterator[Finding]:
    """Check `server.json`, and that the package names the server that it is of, in its tree and built.

    Warn if nobody has looked for a newer schema for a long time.
    """
    if not HAS_MCP:
        yield confirm(GATE, FILE, "not published: this release has no MCP server")
        return
    path = root / FILE
    readme = root / MCP_COMMAND_PROJECT.relative_to(ROOT) / "README.md"
    try:
        server = json.loads(path.read_text("utf-8"))
        problems = [*_problems(server, str(plan.version), readme.read_text("utf-8"))]
    except (OSError, ValueError) as error:
        problems = [problem(GATE, FILE, "a JSON file", reason(error))]
    else:
        problems += _pages(server, files)
    right = f"as the registry takes it, by its schema of {SCHEMA}, the newest one on {CONFIRMED}"
    yield from confirm_unless(GATE, FILE, iter(problems), right)
    age = (today or dt.datetime.now(dt.UTC).date()) - CONFIRMED
    if age > LONGEST:
        text = f"that of {SCHEMA}, looked at {age.days} days ago: the registry refuses it if there is a newer one"
        yield gap(GATE, "age of the schema", text)


def _pages(server: Any, files: Sequence[File]) -> Iterator[Finding]:  # noqa: ANN401 - JSON
    """Look for the server's name where the registry does: in the long description on the index."""
    name = str(server.get("name")) if isinstance(server, dict) else ""
    for file in files:
        if file.kind == FileKind.MCP_COMMAND:
            page = str(read_metadata(file).get_payload())
            if not re.search(rf"mcp-name: {re.escape(name)}(?![a-zA-Z0-9._/-])", page):
                expected = f"`mcp-name: {name}` in its long description"
                hint = "build it again: `python3 -m scripts wheels`"
                yield problem(GATE, file.path.name, expected, "not there", hint=hint)


def _problems(server: Any, version: str, readme: str) -> Iterator[Finding]:  # noqa: ANN401 - JSON
    if not isinstance(server, dict):
        yield problem(GATE, FILE, "an object", type(server).__name__)
        return
    yield from _texts(server)
    name = str(server.get("name", ""))
    yield from _owner(server, name)
    line = f"mcp-name: {name}"
    if f"<!-- {line} -->" not in readme.splitlines():
        yield problem(GATE, "README.md of leanspec-mcp", f"`{line}`", "no such line")
    if server.get("version") != version:
        yield problem(GATE, "version", version, server.get("version"))
    packages = server.get("packages")
    if isinstance(packages, list) and len(packages) == 1:
        yield from _package(packages[0], version)
    else:
        yield problem(GATE, "packages", "one package", packages)


def bundle_package(sha256: str, name: str, repository: Repository, version: str) -> Package:
    """Return what the registry is told of an MCP bundle: the file of the release, and its digest."""
    return {
        "registryType": "mcpb",
        "identifier": f"{repository.url}/releases/download/v{version}/{name}",
        "fileSha256": sha256,
        "transport": {"type": "stdio"},
    }


def bundle_problems(packages: Sequence[Package]) -> Iterator[Finding]:
    """Yield what the registry refuses in the packages that are MCP bundles.

    It asks for each file, so the release has to be public. A bundle's address is whole, without a
    base, and has `mcp` in it.
    """
    addresses = [str(package.get("identifier")) for package in packages]
    if len(set(addresses)) != len(addresses):
        yield problem(GATE, "bundles", "each bundle once", addresses)
    for package, address in zip(packages, addresses, strict=True):
        is_asset = ASSET.fullmatch(urlsplit(address).path)
        if not address.startswith(HOST) or not is_asset or "mcp" not in address.lower():
            expected = f"an `{BUNDLE_SUFFIX}` of a release"
            yield problem(GATE, "bundles: identifier", expected, address)
        sha256 = package.get("fileSha256")
        if not DIGEST.fullmatch(str(sha256)):
            yield problem(GATE, "bundles: fileSha256", "a SHA-256", sha256)


def _texts(server: dict[str, Any]) -> Iterator[Finding]:
    for key, longest in LONGEST_TEXTS.items():
        text = server.get(key)
        if not isinstance(text, str) or not 1 <= len(text) <= longest:
            yield problem(GATE, key, f"1 to {longest} characters", text)
    schema = str(server.get("$schema"))
    if not schema.endswith(f"/{SCHEMA}/server.schema.json"):
        yield problem(GATE, "$schema", f"that of {SCHEMA}", schema)


def _owner(server: dict[str, Any], name: str) -> Iterator[Finding]:
    """Check the name: `io.github.OWNER/...` is for whoever publishes from a repository of OWNER."""
    repository = server.get("repository")
    url = repository.get("url", "") if isinstance(repository, dict) else ""
    owner = urlsplit(str(url)).path.strip("/").partition("/")[0]
    if not NAME.fullmatch(name) or not name.startswith(f"io.github.{owner}/"):
        yield problem(GATE, "name", f"io.github.{owner}/NAME", name)


def _package(package: Any, version: str) -> Iterator[Finding]:  # noqa: ANN401 - JSON
    if not isinstance(package, dict):
        yield problem(GATE, "packages", "an object", package)
        return
    expected = {
        "registryType": "pypi",
        "identifier": MCP_COMMAND,
        "version": version,
        "transport": {"type": "stdio"},
    }
    for key, value in expected.items():
        if package.get(key) != value:
            yield problem(GATE, f"packages: {key}", value, package.get(key))
    if BASE_ADDRESS in package:
        address = package[BASE_ADDRESS]
        yield problem(GATE, f"packages: {BASE_ADDRESS}", "not stated", address)
