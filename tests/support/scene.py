"""What a maintainer has who types the pages: two clones side by side, an index and a GitHub on loopback."""

from __future__ import annotations

import io
import os
import shutil
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from minisign import KeyPair

from scripts.tools.processes import clean_environment
from tests.support import openssl
from tests.support.devpi import USER, Devpi
from tests.support.github import GitHub
from tests.support.installers import tools
from tests.support.keys import without_password
from tests.support.releases import STAND_IN
from tests.support.surroundings import BASE_PYTHON, PATH, clean, run
from tests.support.tree_copy import copy_tree, git
from tests.support.versions import RELEASED
from tests.support.workspace import add_openssl, write_workspace

# The one test of the suite that a page names.
SCHEMA_TEST = "tests/unit/scripts/test_mcp_registry.py"
# A suite that takes seconds in the place of ours, with a test for each way of starting it.
SUITE = '''"""A suite that takes seconds."""

import pytest

SLOW, SURROUNDINGS = pytest.mark.slow, pytest.mark.surroundings


def test_of_a_plain_run() -> None:
    assert __name__


@SLOW
def test_of_a_slow_run() -> None:
    assert __name__


@SLOW
@SURROUNDINGS
def test_of_other_surroundings() -> None:
    assert __name__
'''


@dataclass
class Scene:
    """Two clones with their origins, and servers on loopback."""

    folder: Path
    server: Devpi
    github: GitHub
    url: str
    """The index that is called `pypi`."""
    key: KeyPair = field(default_factory=KeyPair.generate)

    @property
    def home(self) -> Path:
        """The home of the one who types."""
        return self.folder / "home"

    @property
    def tree(self) -> Path:
        """The clone of this project."""
        return self.folder / "lean-spec"

    @property
    def sources(self) -> Path:
        """The clone of LeanSpec."""
        return self.folder / "leanspec"

    def write(self, source: Path, *, rehearsal: bool) -> None:
        """Write everything, with `source` as the present state of the project.

        Of the suite, the tests of a `rehearsal` alone are kept.
        """
        self._write_project(source, rehearsal=rehearsal)
        self._write_sources()
        account = (
            f"repository = {self.url}\nusername = {USER}\npassword = {self.server.token}\n"
        )
        self.home.mkdir()
        openssl.keep_libraries(self.home)
        (self.home / ".pypirc").write_text(
            f"[distutils]\nindex-servers =\n  pypi\n[pypi]\n{account}"
        )
        (self.home / ".gitconfig").write_text(
            "[user]\nname = Maintainer\nemail = maintainer@example.org\n"
        )
        (self.folder / "project").mkdir()
        programs = self.folder / "bin"
        programs.mkdir()
        (programs / "python3").symlink_to(BASE_PYTHON)

    def _write_project(self, source: Path, *, rehearsal: bool) -> None:
        seed = self.folder / "seed"
        copy_tree(seed, source)
        kept = {"support", "release"} if rehearsal else {"support"}
        for folder in (seed / "tests").iterdir():
            if folder.is_dir() and folder.name not in kept:
                shutil.rmtree(folder)
        (seed / "tests/unit/scripts").mkdir(parents=True)
        shutil.copy(source / SCHEMA_TEST, seed / SCHEMA_TEST)
        (seed / "tests/unit/test_small.py").write_text(SUITE)
        manifest = seed / "pyproject.toml"
        text = manifest.read_text("utf-8")
        public = self.key.public_key.to_base64().decode()
        for old, new in (
            ('\nsigning = "none"', f'\npublic-key = "{public}"'),
            # A small suite reaches little.
            ("\nfail_under = ", "\nfail_under = 1 #"),
        ):
            assert old in text
            text = text.replace(old, new)
        manifest.write_text(text, "utf-8")
        self._publish_clone(seed, self.tree)

    def _write_sources(self) -> None:
        seed = self.folder / "seed-leanspec"
        workspace = write_workspace(seed / "rust", RELEASED)
        for crate in workspace.glob("leanspec-*"):
            shutil.copy(STAND_IN, crate / "src/main.rs")
        for name in ("leanspec-cli", "leanspec-mcp"):
            add_openssl(workspace, name, openssl.crates())
        (seed / ".gitignore").write_text("target/\n")
        git(seed, "init", "--quiet", "--initial-branch=main")
        self._publish_clone(seed, self.sources)

    def _publish_clone(self, seed: Path, clone: Path) -> None:
        """Commit, and give a clone with an origin that takes what is pushed."""
        git(seed, "add", "--all")
        git(seed, "commit", "--quiet", "--message", "As it is")
        origin = clone.with_suffix(".git")
        git(seed, "clone", "--quiet", "--bare", str(seed), str(origin))
        git(seed, "clone", "--quiet", str(origin), str(clone))
        shutil.rmtree(seed)

    def maintainer(self) -> dict[str, str]:
        """Return the environment of a maintainer, whose installers use the machine's registries."""
        own = {
            "HOME": str(self.home),
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "LEANSPEC_SIGNING_KEY": without_password(self.key.secret_key),
            "LEANSPEC_SIGNING_PASSWORD": "a password of a test",
            "LEANSPEC_OPENSSL_SOURCE": str(openssl.source()),
            "CI": "",
        }
        for tool in ("cargo", "rustup"):
            variable = f"{tool.upper()}_HOME"
            own[variable] = os.environ.get(variable, str(Path.home() / f".{tool}"))
        # What `gh` asks goes through a proxy, and nothing else does.
        direct = {"no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"}
        return clean_environment(**own | self.github.environment() | direct)

    def user(self) -> dict[str, str]:
        """Return the environment of a user, whose installers use the index of this scene."""
        folders = (self.home / "pipx-bin", self.folder / "bin", tools(self.home), PATH)
        simple = f"{self.url}+simple/"
        env = clean(self.home, PATH=os.pathsep.join(map(str, folders)))
        for name in ("PIP_NO_INDEX", "UV_NO_INDEX", "UV_OFFLINE"):
            del env[name]
        return env | {
            "PIP_INDEX_URL": simple,
            "UV_DEFAULT_INDEX": simple,
            "PIPX_DEFAULT_PYTHON": str(BASE_PYTHON),
            "NO_PROXY": "127.0.0.1",
        }

    def type(self, line: str, *, code: int = 0) -> str:
        """Type a line in the clone, and yes to a question; return what it printed."""
        is_ours = line.startswith(("python3 ", "git ", "gh "))
        env = self.maintainer() if is_ours else self.user()
        command = ["bash", "-euo", "pipefail", "-c", line]
        if not is_ours:
            # A user has a terminal, and is asked.
            command = ["script", "--quiet", "--return", "--command", line, "/dev/null"]
        folder = self.tree if is_ours else self.folder / "project"
        done = run(command, env, cwd=folder, text="y\n", code=code, timeout=1200)
        return done.stdout + done.stderr

    def hand_over(self, name: str, folder: Path) -> None:
        """Make a folder the artifact of the workflow's run."""
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    file.write(path, path.relative_to(folder))
        self.github.artifacts[name] = archive.getvalue()
