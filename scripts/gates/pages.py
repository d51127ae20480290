"""The gate on the web UI: which parts of its pages the web server of this release does not serve.

Pages and server come from releases of their own. The pages name the paths of the API that they
ask; each is asked of the server, which answers an unknown one with a page instead of JSON.
"""

import http.client
import json
import re
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from leanspec_launcher._tables import PLATFORMS, PROGRAMS
from leanspec_launcher.web.pages import RECORD
from leanspec_launcher.web.place import FOLDER
from scripts.collect.pages import PACKAGE, read_pages
from scripts.collect.reported import runs_here
from scripts.model.files import File, FileKind
from scripts.model.finding import Finding, compare, confirm, gap, problem
from scripts.model.gates import PAGES as GATE
from scripts.tools.processes import program_environment

from .binaries import unpack_binary
from .web_server import ask, web_server

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
        source = json.loads(archive.read(f"{PACKAGE}/{RECORD}"))["source"]
        paths = api_paths(_texts(archive))
    yield compare(
        GATE,
        "package",
        f"{planned.package} {planned.version} {planned.integrity}",
        f"{source['package']} {source['version']} {source['integrity']}",
        hint="`python3 -m scripts collect pages`, then `python3 -m scripts wheels`",
    )
    server = _server(files)
    if server is None:
        yield gap(GATE, "API", "not compared: this machine runs no server of this release")
        return
    missing, expected = _missing(server, paths), sorted(planned.missing_api)
    if missing == expected:
        text = f"{len(missing)} of {len(paths)} paths missing, as planned"
        yield confirm(GATE, "API", text)
    else:
        yield problem(
            GATE,
            "API paths that the server lacks",
            expected,
            missing,
            hint="state them as `missing-api` in pyproject.toml, if the web UI works without them",
        )


def _texts(archive: zipfile.ZipFile) -> Iterator[str]:
    for name in archive.namelist():
        if name.startswith(f"{PACKAGE}/{FOLDER}/") and name.endswith(".js"):
            yield archive.read(name).decode("utf-8", "replace")


def api_paths(texts: Iterator[str]) -> set[str]:
    """Return the paths of the API that the code of the pages names, with `x` for what is filled in."""
    templates = {path for text in texts for path in PATH.findall(text)}
    return {QUERY.sub("", NAME.sub("/x", template)) for template in templates}


def _server(files: list[File]) -> File | None:
    """Return the platform wheel with the web server that this machine runs."""
    for file in files:
        is_server = file.distribution == PROGRAMS["http"].distribution
        if is_server and file.platform and runs_here(PLATFORMS[file.platform]):
            return file
    return None


def _missing(wheel: File, paths: set[str]) -> list[str]:
    """Start the server of a wheel, and return the paths that it does not know."""
    with tempfile.TemporaryDirectory(prefix="leanspec-api-") as name:
        folder = Path(name)
        binary = unpack_binary(wheel, PROGRAMS["http"], folder)
        pages = folder / "pages"
        pages.mkdir()
        (pages / "index.html").write_text("<!doctype html>")
        options = ("--no-config", "--ui-dist", str(pages))
        env = program_environment(folder / "home")
        with web_server(binary, *options, folder=folder, env=env) as port:
            return [path for path in sorted(paths) if not _has(port, path)]


def _has(port: int, path: str) -> bool:
    """Tell whether the server has a path: it answers an unknown one with the pages' HTML."""
    status, content_type, _ = ask(port, path)
    return status != http.client.NOT_FOUND or "html" not in content_type
