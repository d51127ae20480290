"""A small package index in memory, which shows, hides, refuses, cuts and lies as a test wants it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from packaging.utils import canonicalize_name
from requests_toolbelt.multipart.decoder import MultipartDecoder

from scripts.index.client import Index
from scripts.tools.loopback import Silent, serving

UPLOADED = "2026-11-20T10:00:00Z"
CUT, SILENT = 0, -1
"""In the place of a status: the connection ends without an answer, or no answer comes at all."""


@dataclass
class SmallIndex:
    """What the index has, what it shows, and what happened."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    hidden_looks: int = 0
    """How often a new file is not listed yet."""
    looks: dict[str, int] = field(default_factory=dict)
    lies: dict[str, str] = field(default_factory=dict)
    """File -> the sha256 that is stated of it."""
    forged: set[str] = field(default_factory=set)
    """Files that are served with other bytes than their page states."""
    down_after: int | None = None
    """The number of uploads after which no request is answered, `down_requests` times."""
    down_requests: int = 0
    delay: float = 0
    """Seconds before each answer."""
    cut: str = ""
    """The file whose download ends in the middle, `cuts` times."""
    cuts: int = 10**6
    events: list[str] = field(default_factory=list)
    answers: list[tuple[int, str]] = field(default_factory=list)
    """What the next uploads are answered with, as status and text; 200 after these."""
    takes_what_it_refuses: bool = False
    """Whether it keeps a file that it answers with an error."""
    busy: list[int] = field(default_factory=list)
    """The statuses of the answers to the next requests for a page."""
    page: tuple[str, bytes] | None = None
    """The content type and body of every page, instead of its own."""
    headers: dict[str, str] = field(default_factory=dict)
    """Additional headers of an answer to an upload, or of a busy index."""
    provenance: dict[str, bytes] = field(default_factory=dict)
    """File -> its provenance object (PEP 740), of the attestations that came with it."""
    yanked: set[str] = field(default_factory=set)
    """The files that are not meant for use any more (PEP 592)."""

    @property
    def place(self) -> Index:
        """Where it is read, and where it takes uploads."""
        return Index(f"{self.url}simple/", f"{self.url}upload/")

    def is_down(self) -> bool:
        """Tell whether this request goes unanswered, or is late."""
        if self.delay:
            time.sleep(self.delay)
        if self.down_after is None or len(self.uploaded) < self.down_after:
            return False
        self.down_requests -= 1
        return self.down_requests >= 0

    @property
    def uploaded(self) -> list[str]:
        """The names of the files that it took, in order."""
        uploads = [event for event in self.events if event.startswith("uploaded ")]
        return [event.removeprefix("uploaded ") for event in uploads]

    def take(self, kind: str, body: bytes) -> None:
        """Keep the file of an upload's form."""
        name, attestations = "", b""
        for part in MultipartDecoder(body, kind).parts:
            disposition = part.headers[b"Content-Disposition"]
            found = re.search(rb'filename="([^"]+)"', disposition)
            if b'name="attestations"' in disposition:
                attestations = part.content
            if found and b'name="content"' in disposition:
                name = found[1].decode()
                self.files[name] = part.content
                self.events.append(f"uploaded {name}")
        if attestations:
            bundle = b'{"attestations": %s}' % attestations
            self.provenance[name] = b'{"attestation_bundles": [%s]}' % bundle

    def listed(self, project: str) -> list[dict[str, object]]:
        """Return what a project's page lists."""
        found: list[dict[str, object]] = []
        for name, data in self.files.items():
            if canonicalize_name(name.split("-")[0]) != project:
                continue
            self.looks[name] = self.looks.get(name, 0) + 1
            if self.looks[name] <= self.hidden_looks:
                continue
            if f"shown {name}" not in self.events:
                self.events.append(f"shown {name}")
            sha256 = self.lies.get(name) or hashlib.sha256(data).hexdigest()
            found.append(
                {
                    "filename": name,
                    "url": f"{self.url}files/{name}",
                    "hashes": {"sha256": sha256},
                    "yanked": name in self.yanked,
                    "size": len(data),
                    "upload-time": UPLOADED,
                }
            )
            if name in self.provenance:
                found[-1]["provenance"] = f"{self.url}provenance/{name}"
        return found


@contextlib.contextmanager
def running() -> Iterator[SmallIndex]:
    """Serve an empty index on loopback."""
    index = SmallIndex()

    class Bound(_Handler):
        small = index

    with serving(Bound) as index.url:
        yield index


class _Handler(Silent):
    """One request to the index."""

    small: SmallIndex

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        small = self.small
        if small.is_down():
            self.close_connection = True
            return
        status, text = small.answers.pop(0) if small.answers else (200, "")
        if status == 200 or small.takes_what_it_refuses:
            small.take(self.headers["Content-Type"], body)
        if status == SILENT:
            time.sleep(30)
        if status in (CUT, SILENT):
            self.close_connection = True
            return
        self._answer(status, text.encode(), small.headers)

    def do_HEAD(self) -> None:
        """Say how long a file is, as uv asks before it reads a wheel's metadata from its end."""
        data = self.small.files[self.path.rpartition("/")[2]]
        self._answer(200, b"", {"Content-Length": str(len(data))})

    def do_GET(self) -> None:
        if self.small.is_down():
            self.close_connection = True
            return
        kind, _, name = self.path.strip("/").partition("/")
        if kind == "files":
            self._answer_with_file(name)
            return
        if kind == "provenance":
            self._answer(200, self.small.provenance[name], {})
            return
        if self.small.busy:
            self._answer(self.small.busy.pop(0), b"", self.small.headers)
            return
        if self.small.page:
            content_type, body = self.small.page
            self._answer(200, body, {"Content-Type": content_type})
            return
        files = self.small.listed(name)
        page = {"meta": {"api-version": "1.3"}, "name": name, "files": files}
        headers = {"Content-Type": "application/vnd.pypi.simple.v1+json"}
        self._answer(200, json.dumps(page).encode(), headers)

    def _answer_with_file(self, name: str) -> None:
        small = self.small
        if name not in small.files:
            self._answer(404, b"not here", {})
            return
        data = small.files[name]
        sent = data[:-1] + b"x" if name in small.forged else data
        if name == small.cut and small.cuts:
            small.cuts -= 1
            sent = data[: len(data) // 2]
        self._answer(200, sent, {"Content-Length": str(len(data))})

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
