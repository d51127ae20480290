"""Built files, served as a package index of their own on loopback."""

from __future__ import annotations

import contextlib
import functools
import http.server
import os
import re
import shutil
import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path

from packaging.utils import canonicalize_name

from scripts.model.files import File
from scripts.model.metadata import read_metadata
from scripts.tools.loopback import Silent, serving
from scripts.tools.processes import capture, clean_environment, must_succeed

# A requirement that is not one of our own distributions.
FOREIGN = re.compile(r"^(?!leanspec-|lean-spec)")


@contextlib.contextmanager
def index_of(files: list[File], folder: Path) -> Iterator[dict[str, str]]:
    """Serve built files as a simple index (PEP 503) on loopback; give the variables for an installer.

    Our wheels' dependencies are fetched once, from the index that pip is configured with. No other
    file under our names can get in.
    """
    root = folder / "index"
    foreign = folder / "foreign"
    needed = {name for file in files for name in foreign_requirements(file)}
    if needed:
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--dest",
            str(foreign),
            *sorted(needed),
        ]
        must_succeed(
            capture(command, env=clean_environment()),
            "`pip download` of what lean-spec needs",
        )
    for path in [
        *(file.path for file in files),
        *(foreign.glob("*.whl") if needed else []),
    ]:
        project = root / canonicalize_name(path.name.removesuffix(".tar.gz").split("-")[0])
        project.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, project)
    for project in root.iterdir():
        links = "".join(
            f'<a href="{escape(each.name)}">{escape(each.name)}</a>\n'
            for each in sorted(project.iterdir())
        )
        (project / "index.html").write_text(
            f"<!DOCTYPE html><html><body>\n{links}</body></html>\n", "utf-8"
        )
    handler = functools.partial(_Files, directory=str(root))
    with serving(handler) as url:
        yield installer_settings(url, folder)


def installer_settings(url: str, folder: Path) -> dict[str, str]:
    """Return the variables that make pip and uv use one index only, without a cache."""
    return {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": url,
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_FIND_LINKS": "",
        "PIP_NO_INDEX": "",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "UV_NO_CONFIG": "1",
        "UV_DEFAULT_INDEX": url,
        "UV_INDEX": "",
        "UV_FIND_LINKS": "",
        "UV_CACHE_DIR": str(folder / "uv-cache"),
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }


def foreign_requirements(file: File) -> Iterator[str]:
    """Yield a built file's requirements that are not our own distributions."""
    for text in read_metadata(file).get_all("Requires-Dist") or []:
        if FOREIGN.match(text):
            yield text


class _Files(Silent, http.server.SimpleHTTPRequestHandler):
    """Serves a folder."""
