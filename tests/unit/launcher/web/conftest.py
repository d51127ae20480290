"""Installation with pages and a stand-in for the web server, and a project."""

from __future__ import annotations

from pathlib import Path

import pytest

from leanspec_launcher.web.pages import tree_digest
from tests.support.site import Site
from tests.support.web import Web
from tests.support.web_server import program

SPEC = "---\nstatus: planned\n---\n# First\n"


@pytest.fixture
def web(site: Site, tmp_path: Path) -> Web:
    web = Web(site, tmp_path / "a project's é")
    (web.project / "specs/001").mkdir(parents=True)
    (web.project / "specs/001/README.md").write_text(SPEC)
    (web.pages / "assets").mkdir(parents=True)
    (web.pages / "index.html").write_text("<!doctype html>")
    (web.pages / "assets/app.js").write_text("1")
    site.pages = tree_digest(str(web.pages))
    site.wheel("http", program())
    site.pin("http", program())
    return web
