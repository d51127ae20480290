"""Built files, served as a package index of their own on loopback."""

import contextlib
import functools
import http.server
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from scripts.model.files import File
from scripts.tools.loopback import Silent, serving


@contextlib.contextmanager
def index_of(files: list[File], folder: Path) -> Iterator[dict[str, str]]:
    """Serve built files as a simple index (PEP 503) on loopback; give the variables for an installer.

    It has no other file, and so nothing that our wheels require of others.
    """
    root = folder / "index"
    root.mkdir(parents=True)
    for file in files:
        project = root / file.distribution
        project.mkdir(exist_ok=True)
        shutil.copy(file.path, project)
    # What Python's server lists of a folder are links, and so a page of a simple index.
    handler = functools.partial(_Files, directory=str(root))
    with serving(handler) as url:
        yield installer_settings(url, folder)


def installer_settings(url: str, folder: Path) -> dict[str, str]:
    """Return the variables that make pip and uv use one index only, without a cache.

    Nothing from it is built: a source archive would run its own code.
    """
    return {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": url,
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_FIND_LINKS": "",
        "PIP_NO_INDEX": "",
        "PIP_ONLY_BINARY": ":all:",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "UV_NO_CONFIG": "1",
        "UV_DEFAULT_INDEX": url,
        "UV_INDEX": "",
        "UV_EXTRA_INDEX_URL": "",
        "UV_NO_BUILD": "1",
        "UV_FIND_LINKS": "",
        "UV_CACHE_DIR": str(folder / "uv-cache"),
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }


class _Files(Silent, http.server.SimpleHTTPRequestHandler):
    """Serves a folder."""
