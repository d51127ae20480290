"""A GitHub on loopback, as far as `gh` asks one about releases and runs: REST, and two GraphQL questions."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from minisign import SecretKey

from scripts.github.signing import Claim, sign
from scripts.tools.loopback import LoopbackServer, Silent, running

REPOSITORY = "example/leanspec"
API = f"/repos/{REPOSITORY}/releases"
ACTIONS = f"/repos/{REPOSITORY}/actions"
CHANGED = ("draft", "body", "prerelease", "make_latest")
RUN, WORKFLOW = 7, {"id": 1, "name": "Publish", "path": ".github/workflows/publish.yml"}


@dataclass
class GitHub:
    """What the server has, and how it fails."""

    tags: set[str] = field(default_factory=set)
    releases: list[dict[str, Any]] = field(default_factory=list)
    contents: dict[int, bytes] = field(default_factory=dict)
    states_digests: bool = True
    token: str = "token-of-a-test"  # noqa: S105 - it opens nothing
    cut_after: int | None = None
    """How many uploads are taken; those after them are cut in the middle and leave an asset without content."""
    asked: list[str] = field(default_factory=list)
    dispatched: list[dict[str, Any]] = field(default_factory=list)
    """What workflows were started with."""
    artifacts: dict[str, bytes] = field(default_factory=dict)
    """The archives of the only run."""
    port: int = 0

    def environment(self) -> dict[str, str]:
        """Return what makes `gh` ask this server: its own name for a GitHub on this machine, through a proxy."""
        return {
            "GH_HOST": "github.localhost",
            "GH_REPO": f"github.localhost/{REPOSITORY}",
            "GH_TOKEN": self.token,
            "http_proxy": f"http://127.0.0.1:{self.port}",
            "no_proxy": "",
            "GH_NO_UPDATE_NOTIFIER": "1",
        }

    def assets(self, tag: str) -> dict[str, bytes]:
        """Return the content of each asset of a release."""
        (release,) = [entry for entry in self.releases if entry["tag_name"] == tag]
        return {asset["name"]: self.contents[asset["id"]] for asset in release["assets"]}

    def add(
        self, release: dict[str, Any], name: str, content: bytes, state: str = "uploaded"
    ) -> dict[str, Any]:
        """Add an asset to a release."""
        number = len(self.contents) + 1
        self.contents[number] = content
        asset = {
            "id": number,
            "name": name,
            "size": len(content),
            "state": state,
            "content_type": "x",
            "label": "",
            "url": f"http://api.github.localhost{API}/assets/{number}",
        }
        if self.states_digests:
            asset["digest"] = f"sha256:{hashlib.sha256(content).hexdigest()}"
        release["assets"].append(asset)
        return asset

    def create(self, tag: str, *, draft: bool, notes: str = "") -> dict[str, Any]:
        """Add a release."""
        number = len(self.releases) + 1
        uploads = f"http://uploads.github.localhost{API}/{number}/assets"
        release: dict[str, Any] = {
            "id": number,
            "tag_name": tag,
            "draft": draft,
            "prerelease": False,
            "immutable": False,
            "html_url": f"http://github.localhost/{REPOSITORY}/releases/tag/{tag}",
            "assets": [],
            "body": notes,
            "url": f"http://api.github.localhost{API}/{number}",
            "upload_url": f"{uploads}{{?name,label}}",
        }
        self.releases.append(release)
        return release


@contextlib.contextmanager
def serving(github: GitHub) -> Iterator[GitHub]:
    """Serve it on loopback."""

    class Bound(_Handler):
        state = github

    with running(LoopbackServer(("127.0.0.1", 0), Bound)) as server:
        github.port = server.server_port
        yield github


class _Handler(Silent):
    state: GitHub

    def _answer(self, code: int, content: object, kind: str = "application/json") -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _of(self, key: str, value: object) -> dict[str, Any] | None:
        releases = self.state.releases
        return next((release for release in releases if release[key] == value), None)

    def _known(self) -> bool:
        self.state.asked.append(f"{self.command} {urlsplit(self.path).path}")
        if self.headers["Authorization"] == f"token {self.state.token}":
            return True
        self._body()
        self._answer(401, {"message": "Bad credentials"})
        return False

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if not self._known():
            return
        if path.startswith(ACTIONS):
            self._answer_actions(path.removeprefix(ACTIONS))
        elif path == API:
            self._answer(200, self.state.releases)
        elif match := re.fullmatch(rf"{API}/assets/(\d+)", path):
            content = self.state.contents[int(match[1])]
            self._answer(200, content, "application/octet-stream")
        else:
            name = path.removeprefix(f"{API}/")
            release = self._of("tag_name", name.removeprefix("tags/"))
            if name.isdigit():
                release = self._of("id", int(name))
            elif release and release["draft"]:
                release = None
            self._answer(*((200, release) if release else (404, {"message": "Not Found"})))

    def _answer_actions(self, path: str) -> None:
        if path == "/workflows/publish.yml":
            self._answer(200, WORKFLOW | {"state": "active"})
        elif path == "/workflows":
            self._answer(200, {"total_count": 1, "workflows": [WORKFLOW]})
        elif path.endswith("/runs"):
            run = {"id": RUN, "workflow_id": WORKFLOW["id"], "status": "completed"}
            self._answer(200, {"total_count": 1, "workflow_runs": [run]})
        elif path == f"/runs/{RUN}/artifacts":
            base = f"http://api.github.localhost{ACTIONS}/archives"
            artifacts = [
                {"name": name, "archive_download_url": f"{base}/{name}", "expired": False}
                for name in self.state.artifacts
            ]
            self._answer(200, {"total_count": len(artifacts), "artifacts": artifacts})
        else:
            archive = self.state.artifacts[path.rpartition("/")[2]]
            self._answer(200, archive, "application/zip")

    def do_POST(self) -> None:
        parts = urlsplit(self.path)
        if not self._known():
            return
        if parts.path.endswith("/dispatches"):
            self.state.dispatched.append(json.loads(self._body()))
            self._answer(204, b"")
        elif parts.path == "/graphql":
            repository = self._repository(json.loads(self._body()))
            self._answer(200, {"data": {"repository": repository}})
        elif parts.path == API:
            request = json.loads(self._body())
            tag, notes = request["tag_name"], request.get("body", "")
            release = self.state.create(tag, draft=request["draft"], notes=notes)
            self._answer(201, release)
        else:
            self._upload(int(parts.path.split("/")[-2]), parse_qs(parts.query)["name"][0])

    def _repository(self, question: dict[str, Any]) -> dict[str, Any]:
        name = str(question["variables"]["tagName"]).removeprefix("refs/tags/")
        if "FindRef" in question["query"]:
            return {"ref": {"id": "1"} if name in self.state.tags else {"id": ""}}
        release = self._of("tag_name", name)
        facts = release and {"databaseId": release["id"], "isDraft": release["draft"]}
        return {"release": facts}

    def _upload(self, number: int, name: str) -> None:
        release = self._of("id", number)
        assert release is not None
        content = self._body()
        if release["immutable"]:
            message = "Cannot upload assets to an immutable release."
            self._answer(422, {"message": message})
            return
        if any(asset["name"] == name for asset in release["assets"]):
            self._answer(422, {"message": "already_exists"})
            return
        left = self.state.cut_after
        if left is not None and len(self.state.contents) >= left:
            self.state.add(release, name, b"", "starter")
            self._answer(502, {"message": "Bad Gateway"})
            return
        self._answer(201, self.state.add(release, name, content))

    def do_PATCH(self) -> None:
        if not self._known():
            return
        request = json.loads(self._body())
        release = self._of("id", int(urlsplit(self.path).path.rpartition("/")[2]))
        assert release is not None
        release |= {key: request[key] for key in CHANGED if key in request}
        self._answer(200, release)

    def do_DELETE(self) -> None:
        if not self._known():
            return
        number = int(urlsplit(self.path).path.rpartition("/")[2])
        for release in self.state.releases:
            assets = release["assets"]
            release["assets"] = [asset for asset in assets if asset["id"] != number]
        self._answer(204, b"")


def write_assets(folder: Path, version: str, key: SecretKey) -> Path:
    """Write what `assets` makes of a single archive."""
    folder.mkdir()
    archive = f"leanspec-{version}-linux-x64.tar.gz"
    manifest = {"version": version, "assets": [{"name": archive}]}
    texts = {archive: "archive", "release.json": json.dumps(manifest)}
    sums = ""
    for name, text in texts.items():
        sums += f"{hashlib.sha256(text.encode()).hexdigest()}  {name}\n"
    texts |= {"SHA256SUMS": sums, "RELEASE_NOTES.md": "notes\n"}
    for name, text in texts.items():
        (folder / name).write_text(text)
    for name in ("SHA256SUMS", "release.json"):
        sign(folder / name, key, Claim(name, version, "any"), 0)
    return folder


def names(folder: Path) -> set[str]:
    """Return what a release is made of, in a folder that `assets` made."""
    return {path.name for path in folder.iterdir() if path.name != "RELEASE_NOTES.md"}
