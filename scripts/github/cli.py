"""The command line of GitHub releases. No logic."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from leanspec_launcher.commands import CommandError
from scripts.environment import ROOT

if TYPE_CHECKING:
    from minisign import SecretKey

    from .listing import Listing

PASSWORD_VARIABLE = "LEANSPEC_SIGNING_PASSWORD"  # noqa: S105 - its name
KEY_VARIABLE = "LEANSPEC_SIGNING_KEY"
# `SHA256SUMS.minisig` is the signature of the first list.
ADDITION = re.compile(r"(?!minisig$)[a-z0-9]+(-[a-z0-9]+)*")
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def _password() -> str:
    """Return the secret key's password, from the environment or asked for. Never an argument."""
    password = os.environ.get(PASSWORD_VARIABLE)
    if password is not None:
        return password
    if not sys.stdin.isatty():
        raise CommandError(
            "no terminal to ask for the password", hint=f"set `{PASSWORD_VARIABLE}`"
        )
    return str(click.prompt("password of the secret key", hide_input=True, err=True))


KEY_OPTION = click.option(
    "--key", type=FILE, help=f"The secret key; else its text is in {KEY_VARIABLE}."
)


def _secret_key(file: Path | None) -> SecretKey:
    """Open the secret key, from a file or from the environment."""
    from .signing import read_secret

    text = file.read_text("utf-8", "replace") if file else os.environ.get(KEY_VARIABLE)
    if not text:
        raise CommandError(
            "no secret key was given",
            hint=f"name it with `--key FILE`, or set `{KEY_VARIABLE}`",
        )
    return read_secret(text, _password())


def _listing(_context: click.Context, _option: click.Parameter, name: str) -> Listing:
    """Return the list that `--add` names."""
    from .listing import Listing

    if name and not ADDITION.fullmatch(name):
        raise click.BadParameter("lower-case letters, digits and hyphens, not `minisig`")
    return Listing(name)


@click.command()
@click.argument(
    "artifacts", metavar="[DIR]", required=False, type=click.Path(path_type=Path)
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    show_default="final-artifacts, or added-artifacts with --add",
    help="Folder of the assembled assets.",
)
@click.option(
    "--add",
    "listing",
    metavar="NAME",
    default="",
    callback=_listing,
    help="Desktop bundles alone, for a release that is out, listed in SHA256SUMS.NAME.",
)
@KEY_OPTION
@click.option(
    "--unsigned", is_flag=True, help="Sign nothing; unsigned assets cannot be uploaded."
)
@click.option(
    "--upload", is_flag=True, help="Upload the assembled assets to the GitHub release."
)
@click.option(
    "--provenance",
    metavar="FILE",
    type=FILE,
    help="With --upload: bundle that `actions/attest` made of these files, one more asset.",
)
@click.option("--dry-run", is_flag=True, help="With --upload: show what would be uploaded.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print the manifest of what is assembled."
)
def assets(
    artifacts: Path | None,
    out: Path | None,
    listing: Listing,
    key: Path | None,
    provenance: Path | None,
    *,
    unsigned: bool,
    upload: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Assemble and upload the assets of the GitHub release.

    With DIR, assembles them from a CI run's artifacts: binaries-PLATFORM/ as `collect artifacts`
    takes them, dist/ with the wheels, and desktop-PLATFORM/ with the bundles that the release plan
    expects. A bundle may be missing: the release notes say so. Writes one archive of the programs
    per platform, the wheels, the bundles, MCP bundles, bills of materials, release.json,
    SHA256SUMS, the signatures of both, and the release notes.

    With --upload, uploads what is assembled: checksums and signatures are verified first. The
    release of this version is a draft until every file is there. An upload goes on from what the
    release has, and replaces nothing. Needs GitHub's client, `gh`.

    With --add, both are about the desktop bundles in DIR alone: they are added to a release that is
    out, with a signed list of their own. The first list stays as it is.

    \b
    Examples:
      python -m scripts assets artifacts --unsigned
      python -m scripts assets artifacts --key leanspec.key
      python -m scripts assets --upload --dry-run
      python -m scripts assets artifacts --add desktop --key leanspec.key
      python -m scripts assets --upload --add desktop
    """
    if artifacts is None and not upload:
        raise click.UsageError("name the artifacts to assemble, or `--upload`")
    if not upload and (dry_run or provenance):
        raise click.UsageError("`--dry-run` and `--provenance` need `--upload`")
    if artifacts is None and (key or unsigned or as_json):
        raise click.UsageError("`--key`, `--unsigned` and `--json` need the artifacts")
    folder = out or ROOT / ("added-artifacts" if listing.addition else "final-artifacts")
    if artifacts is not None:
        _assemble(artifacts, folder, listing, key, unsigned=unsigned, as_json=as_json)
    if upload:
        _upload(folder, listing, provenance, dry_run=dry_run)


def _assemble(
    artifacts: Path,
    out: Path,
    listing: Listing,
    key: Path | None,
    *,
    unsigned: bool,
    as_json: bool,
) -> None:
    from scripts.model.plan import read_plan

    from .addition import assemble_addition
    from .assemble import assemble, must_be_artifacts, must_have_wheels

    # Before anybody types a password.
    must_be_artifacts(artifacts)
    if not listing.addition:
        must_have_wheels(artifacts)
    secret = None if unsigned else _secret_key(key)
    if listing.addition:
        paths = assemble_addition(artifacts, out, read_plan(), secret, listing)
    else:
        paths = assemble(artifacts, out, read_plan(), secret)
    if as_json:
        click.echo((out / listing.manifest).read_text("utf-8"), nl=False)
    else:
        for path in paths:
            click.echo(f"{path.stat().st_size:>10}  {path.name}")


def _upload(
    folder: Path, listing: Listing, provenance: Path | None, *, dry_run: bool
) -> None:
    from scripts.model.plan import read_plan

    from .assembled import verified
    from .listing import NOTES
    from .upload import find_client, upload_release

    plan = read_plan()
    files = verified(folder, plan, provenance, listing)
    notes = None if listing.addition else folder / NOTES
    click.echo(upload_release(find_client(), files, plan, notes, dry_run=dry_run))


COMMANDS = (assets,)
