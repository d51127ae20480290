"""The repository that releases are published from, that of LeanSpec's sources, and where both are named."""

import re
from dataclasses import dataclass
from pathlib import Path

from leanspec_launcher.commands import CommandError
from scripts.environment import ROOT

from .manifest import release_table

HOST = "https://github.com/"
ADDRESS = re.compile(rf"{re.escape(HOST)}([A-Za-z0-9-]+)/([A-Za-z0-9._-]+?)(?<!\.git)")
SET_IT = "set `repository` in [tool.leanspec-release] of `pyproject.toml`, then `python3 -m scripts bump`"


@dataclass(frozen=True)
class Repository:
    """A repository on GitHub."""

    owner: str
    name: str

    @property
    def slug(self) -> str:
        """Its name as GitHub's own tools take it."""
        return f"{self.owner}/{self.name}"

    @property
    def url(self) -> str:
        """Its address."""
        return f"{HOST}{self.slug}"

    @property
    def project_urls(self) -> dict[str, str]:
        """What `[project.urls]` states of it."""
        return {
            "Documentation": f"{self.url}/tree/main/docs",
            "Changelog": f"{self.url}/blob/main/CHANGELOG.md",
            "Issues": f"{self.url}/issues",
            "Repository": self.url,
        }

    @property
    def namespace(self) -> str:
        """The part of a server's name by which the registry of MCP servers knows the owner."""
        return f"io.github.{self.owner}"


@dataclass(frozen=True)
class Mention:
    """A line that names a repository."""

    file: str
    pattern: str
    """A regular expression; its one group is the name."""
    attribute: str = "url"
    """The form of the name: an attribute of `Repository`."""
    is_sources: bool = False


MENTIONS = (
    Mention("leanspec_launcher/commands.py", r'^ISSUES = "(.+)/issues"$'),
    Mention(".github/ISSUE_TEMPLATE/config.yml", r"url: (\S+)/issues$", is_sources=True),
    Mention(".github/ISSUE_TEMPLATE/config.yml", r"url: (\S+)/security/policy$"),
    Mention("docs/mcp-clients.md", r"\[release\]\((\S+)/releases\)"),
    Mention("docs/verifying.md", r"\[.+\]\((\S+)/releases\)"),
    Mention("docs/verifying.md", r"--repo (\S+)", "slug"),
    Mention(".pre-commit-hooks.yaml", r"`repo: (\S+)`"),
    Mention("platform_wheels/mcp-command/README.md", r"mcp-name: ([^/\s]+)/", "namespace"),
)


def read_repository(root: Path = ROOT, key: str = "repository") -> Repository:
    """Return the repository of releases, or of the `sources`; raises CommandError if it is not stated."""
    address = release_table(root).get(key)
    match = ADDRESS.fullmatch(str(address))
    if match is None:
        raise CommandError(
            f"`pyproject.toml`, [tool.leanspec-release]: `{key}` is `{address}`, not the address of a repository",
            hint=f'write it as in `{key} = "{HOST}OWNER/NAME"`',
        )
    return Repository(*match.groups())
