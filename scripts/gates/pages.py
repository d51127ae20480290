"""The gate on the web UI: which parts of its pages the web server of this release does not serve.

Pages and server come from releases of their own. The pages name the paths of the API that they
ask; each is asked of the server, which answers an unknown one with a page instead of JSON.
"""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from leanspec_launcher._tables import PLATFORMS, PROGRAMS
from leanspec_launcher.commands import CommandError
from leanspec_launcher.web.pages import RECORD
from leanspec_launcher.web.place import FOLDER
from scripts.collect.reported import runs_here
from scripts.model.files import File, FileKind
from scripts.model.finding import Finding, compare, confirm, problem
from scripts.model.gates import PAGES as GATE
from scripts.model.pages import PACKAGE, Pages, read_pages
from scripts.tools.loopback import free_port
from scripts.tools.processes import program_environment

SECONDS = 10
# A path of the API in the bundle's code; `${...}` stands for a part that the pages fill in.
PATH = re.compile(r"/api/[\w\-/]*(?:\$\{[^}]*\}[\w\-/]*)*")
# Such a part is a name after a slash, else a query.
NAME, QUERY = re.compile(r"/\$\{[^}]*\}"), re.compile(r"\$\{.*")


def pages_gate(files: list[File]) -> Iterator[Finding]:
    """Check the pages of a release against its plan, and against its web server."""
    wheel = next((file for file in files if file.kind == FileKind.PAGES), None)
    if wheel is None:
        return  # the set of files says that it is missing
    planned = read_pages()
    with zipfile.ZipFile(wheel.path) as archive:
        record = json.loads(archive.read(f"{PACKAGE}/{RECORD}"))
        asked = asked_paths(_texts(archive))
    yield compare(
        GATE,
        "package",
        _named(planned),
        _stated(record),
        hint="`python3 -m scripts collect pages`, then `python3 -m scripts wheels`",
    )
    server = _server(files)
    if server is None:
        text = "not compared: this machine runs no server of this release"
        yield replace(confirm(GATE, "API", text), is_gap=True)
        return
    missing = sorted(_missing(server, asked))
    wanted = sorted(planned.missing_api)
    if missing == wanted:
        yield confirm(
            GATE, "API", f"{len(missing)} of {len(asked)} paths missing, as planned"
        )
    else:
        yield problem(
            GATE,
            "API paths that the server lacks",
            wanted,
            missing,
            hint="state them as `missing-api` in pyproject.toml, if the web UI works without them",
        )


def _named(pages: Pages) -> str:
    return f"{pages.package} {pages.version} {pages.integrity}"


def _stated(record: dict[str, dict[str, str]]) -> str:
    source = record["source"]
    return f"{source['package']} {source['version']} {source['integrity']}"


def _texts(archive: zipfile.ZipFile) -> Iterator[str]:
    for name in archive.namelist():
        if name.startswith(f"{PACKAGE}/{FOLDER}/") and name.endswith(".js"):
            yield archive.read(name).decode("utf-8", "replace")


def asked_paths(texts: Iterator[str]) -> set[str]:
    """Return the paths of the API that the code of the pages names, with `x` for what is filled in."""
    found = {path for text in texts for path in PATH.findall(text)}
    return {QUERY.sub("", NAME.sub("/x", path)) for path in found}


def _server(files: list[File]) -> File | None:
    """Return the platform wheel with the web server that this machine runs."""
    for file in files:
        is_server = file.distribution == PROGRAMS["http"].distribution
        if is_server and file.platform and runs_here(PLATFORMS[file.platform]):
            return file
    return None


def _missing(wheel: File, paths: set[str]) -> Iterator[str]:
    """Start the server of a wheel, and yield the paths that it does not know."""
    program, platform = PROGRAMS["http"], PLATFORMS[str(wheel.platform)]
    with tempfile.TemporaryDirectory(prefix="leanspec-api-") as name:
        folder = Path(name)
        with zipfile.ZipFile(wheel.path) as archive:
            archive.extractall(folder)
        (folder / "pages").mkdir()
        (folder / "pages/index.html").write_text("<!doctype html>")
        binary = folder / program.package / "bin" / (program.command + platform.suffix)
        binary.chmod(0o755)
        port = free_port()
        options = [
            "--no-config",
            "--no-open",
            "-p",
            str(port),
            "--ui-dist",
            str(folder / "pages"),
        ]
        env = program_environment(folder / "home")
        with subprocess.Popen(
            [str(binary), *options],
            cwd=folder,
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                _wait(port)
                yield from (path for path in sorted(paths) if not _is_known(port, path))
            finally:
                process.kill()


def _wait(port: int) -> None:
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        try:
            _ask(port, "/health")
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise CommandError(
        f"the web server did not answer within {SECONDS} s",
        hint="see what it says: run `leanspec-http --no-open` from the wheel",
    )


def _is_known(port: int, path: str) -> bool:
    """Tell whether the server has a path: it answers an unknown one with the pages' HTML."""
    status, kind = _ask(port, path)
    return not (status == http.client.NOT_FOUND and "html" in kind)


def _ask(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type") or ""
    finally:
        connection.close()
