"""Small pages in the place of the web UI's, which ask for what the plan says is missing."""

from __future__ import annotations

import json
from pathlib import Path

from leanspec_launcher.web.pages import tree_digest
from scripts.collect.pages import Pages, pages_folder, pages_record, read_pages
from tests.support.registry import Registry, integrity, package

INDEX = '<!doctype html><title>LeanSpec</title><script src="/assets/app.js"></script>\n'


def _files(planned: Pages) -> dict[str, str]:
    paths = ["/api/projects", *planned.missing_api]
    code = "\n".join(f'fetch("{path}")' for path in paths)
    return {"index.html": INDEX, "assets/app.js": f"{code}\n"}


def publish_pages(registry: Registry, root: Path) -> str:
    """Publish small pages as the package that the plan of a tree names; return its integrity."""
    planned = read_pages(root)
    files = {f"dist/{name}": text.encode() for name, text in _files(planned).items()}
    archive = package(planned.package, planned.version, files)
    registry.publish(planned.package, planned.version, archive)
    return integrity(archive)


def put_pages(base: Path, root: Path) -> Path:
    """Put pages with their record into a binaries directory, as the plan of a tree states them."""
    planned = read_pages(root)
    folder = pages_folder(base)
    (folder / "assets").mkdir(parents=True)
    for name, text in _files(planned).items():
        (folder / name).write_text(text)
    source = {"package": planned.package, "version": planned.version}
    record = {
        "version": planned.version,
        "sha256": tree_digest(str(folder)),
        "files": 2,
        "source": {"kind": "npm", **source, "integrity": planned.integrity},
        "missing-api": list(planned.missing_api),
    }
    pages_record(base).write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    return folder
