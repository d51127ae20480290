"""An npm registry on loopback that answers as a test wants it to."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from scripts.tools.loopback import LoopbackServer, Silent, running


@dataclass
class Registry:
    """Packages (name -> version -> archive), and the faults that the registry has."""

    home: Path
    port: int = 0
    packages: dict[str, dict[str, bytes]] = field(default_factory=dict)
    integrity: str | None = None
    """What `npm view` is told instead of the truth; `npm pack` is told the truth."""
    no_integrity: bool = False
    other_bytes: bool = False
    status: int = 200
    staged: list[dict[str, str]] = field(default_factory=list)
    """What waits for an approval: `id`, `packageName` and `version` of each."""
    asked: list[str] = field(default_factory=list)
    """The paths of all requests, in order."""

    def publish(self, name: str, version: str, archive: bytes) -> None:
        self.packages.setdefault(name, {})[version] = archive

    def settings(self) -> dict[str, str]:
        """Return the environment in which npm uses this registry, with a cache of its own."""
        return {
            "npm_config_registry": f"http://127.0.0.1:{self.port}/",
            "npm_config_cache": str(self.home / "cache"),
            "npm_config_userconfig": str(self.home / "npmrc"),
            "npm_config_fetch_retries": "0",
            "npm_config_update_notifier": "false",
        }

    def document(self, name: str, *, full: bool) -> dict[str, object]:
        """Return what the registry says of a package; `full` is what `npm view` asks for."""
        versions = {}
        for version, archive in self.packages[name].items():
            truth = integrity(archive)
            dist = {"tarball": f"http://127.0.0.1:{self.port}/-/{name}/{version}.tgz"}
            dist["shasum"] = hashlib.sha1(archive, usedforsecurity=False).hexdigest()
            if not self.no_integrity:
                dist["integrity"] = self.integrity if full and self.integrity else truth
            versions[version] = {
                "name": name,
                "version": version,
                "dist": dist,
                "gitHead": "c0ffee",
                "bin": _manifest(archive).get("bin", {}),
            }
        return {"name": name, "dist-tags": {"latest": max(versions)}, "versions": versions}


@contextmanager
def serving(home: Path) -> Iterator[Registry]:
    """Serve a registry on a free port of the loopback interface."""
    registry = Registry(home)

    class Handler(Silent):
        def do_GET(self) -> None:
            body = self._body()
            self.send_response(registry.status if body is not None else 404)
            self.end_headers()
            self.wfile.write(body or b"{}")

        def _body(self) -> bytes | None:
            path = unquote(self.path).split("?")[0].strip("/")
            registry.asked.append(path)
            if path == "-/stage":
                page = {"items": registry.staged, "total": len(registry.staged)}
                return json.dumps(page).encode() if registry.staged else None
            if path.startswith("-/"):
                name, _, file = path.removeprefix("-/").rpartition("/")
                archive = registry.packages[name][file.removesuffix(".tgz")]
                return archive[:-1] + b"\1" if registry.other_bytes else archive
            if path not in registry.packages:
                return None
            full = "install-v1" not in self.headers.get("Accept", "")
            return json.dumps(registry.document(path, full=full)).encode()

    with running(LoopbackServer(("127.0.0.1", 0), Handler)) as server:
        registry.port = server.server_port
        yield registry


def _manifest(archive: bytes) -> dict[str, object]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        file = files.extractfile("package/package.json")
        assert file is not None
        manifest: dict[str, object] = json.load(file)
    return manifest


def integrity(archive: bytes) -> str:
    """Return what npm states of an archive."""
    digest = hashlib.sha512(archive).digest()
    return f"sha512-{base64.b64encode(digest).decode()}"


def package(name: str, version: str, files: dict[str, bytes]) -> bytes:
    """Return the archive of an npm package."""
    contents = {
        "package.json": json.dumps({"name": name, "version": version}).encode(),
        **files,
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, data in contents.items():
            info = tarfile.TarInfo(f"package/{path}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()
