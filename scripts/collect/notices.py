"""The licences of the packages that the pages of the web UI contain.

The pages are one bundle, which carries no licence of what is in it. npm installs the production
dependencies of its package, and their licence files are gathered, each text once.
"""

import json
import tempfile
from pathlib import Path

from leanspec_launcher.commands import CommandError
from scripts.tools.console import step
from scripts.tools.processes import capture, find_program, must_succeed
from scripts.tools.work_folder import replacing

from .pages import PROJECT, Pages

NAME = "THIRD_PARTY_NOTICES.txt"
PREFIXES = ("licence", "license", "copying", "notice")
RULE = "-" * 72
HEAD = """\
The pages of LeanSpec's web UI contain code of the packages below, each under its own licence. The
versions are those that npm installed when this file was made; the pages may contain earlier ones.
"""


def write_notices(pages: Pages) -> Path:
    """Write the notices of the pages, to be committed; return where.

    Raises CommandError if npm cannot install their dependencies.
    """
    npm = find_program("npm")
    spec = f"{pages.package}@{pages.version}"
    with tempfile.TemporaryDirectory(prefix="leanspec-notices-") as name:
        with step(f"installing {spec} and its dependencies"):
            options = ["--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"]
            run = capture([npm, "install", "--prefix", name, *options, spec])
            must_succeed(run, f"`npm install {spec}`")
        text = notices(Path(name, "node_modules"), pages.package)
    target = PROJECT / NAME
    with replacing(target) as new:
        new.write_text(text, "utf-8")
    return target


def notices(modules: Path, spared: str) -> str:
    """Return every licence text below a folder of packages once, with the packages it is of.

    LeanSpec's own packages, and the one that is `spared`, are not among them.
    """
    users: dict[str, set[str]] = {}
    for path in sorted(modules.rglob("package.json")):
        # A package may have manifests of its own parts: only those of packages count.
        folder = path.parent.parent.name
        if folder != "node_modules" and not folder.startswith("@"):
            continue
        try:
            manifest = json.loads(path.read_text("utf-8"))
            name = f"{manifest['name']} {manifest['version']}"
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if not name.startswith((spared, "@leanspec/")):
            text = _licence_text(path.parent, manifest)
            users.setdefault(text, set()).add(name)
    if not users:
        raise CommandError(
            f"npm installed no package in `{modules}`",
            hint="check where and what npm installs: `npm config list`",
        )
    parts = [HEAD]
    pairs = [(sorted(names), text) for text, names in users.items()]
    for names, text in sorted(pairs):
        parts += [RULE, *names, "", text, ""]
    return "\n".join(parts)


def _licence_text(folder: Path, manifest: dict[str, object]) -> str:
    """Return the licence files of a package; what its manifest states, if it has none."""
    lines = []
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.name.lower().startswith(PREFIXES):
            text = path.read_text("utf-8", "replace").strip()
            lines += [line.rstrip() for line in text.split("\n")]
    licence = manifest.get("license", "not stated")
    return "\n".join(lines) or f"Licence: {licence} (no text in the package)"
