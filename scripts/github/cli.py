"""The command line of GitHub releases. No logic."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from leanspec_launcher.commands import CommandError
from scripts.environment import ROOT
from scripts.options import EXISTING_FILE, checked_fingerprint, flag

if TYPE_CHECKING:
    from minisign import SecretKey

    from scripts.model.plan import Plan

    from .listing import Listing

PASSWORD_VARIABLE = "LEANSPEC_SIGNING_PASSWORD"  # noqa: S105 - its name
KEY_VARIABLE = "LEANSPEC_SIGNING_KEY"
# `SHA256SUMS.minisig` is the signature of the first list.
ADDITION = re.compile(r"(?!minisig$)[a-z0-9]+(-[a-z0-9]+)*")


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
    "--key",
    type=EXISTING_FILE,
    help=f"File of the secret key. Default: its text in {KEY_VARIABLE}.",
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


def _listing(name: str) -> Listing:
    """Return the list that `--add` names."""
    from .listing import Listing

    if name and not ADDITION.fullmatch(name):
        raise ValueError("lower-case letters, digits and hyphens, not `minisig`")
    return Listing(name)


@dataclass(frozen=True)
class AssetOptions:
    """The options of `assets`."""

    artifacts: Path | None
    out: Path | None
    listing: Listing
    key: Path | None
    assembled: str | None
    provenance: Path | None
    sign: bool
    upload: bool
    publish: bool
    dry_run: bool
    as_json: bool

    @property
    def folder(self) -> Path:
        """The folder of the assembled assets."""
        default = "added-artifacts" if self.listing.addition else "final-artifacts"
        return self.out or ROOT / default


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
    type=_listing,
    help="Add only desktop bundles to a release that is out; list them in SHA256SUMS.NAME.",
)
@KEY_OPTION
@click.option(
    "--assembled",
    metavar="FINGERPRINT",
    type=checked_fingerprint,
    help="Refuse other assets than those that `check` assembled.",
)
@flag("--sign", help="Sign the lists of the assembled assets.")
@flag("--upload", help="Upload the assembled assets to a draft on GitHub.")
@click.option(
    "--provenance",
    metavar="FILE",
    type=EXISTING_FILE,
    help="With --upload: also upload this attestation of the files, from `actions/attest`.",
)
@flag("--publish", help="Publish the draft, if it has exactly these assets.")
@flag("--dry-run", help="With --upload: show what would be uploaded.")
@flag("--json", "as_json", help="Print release.json, a JSON object, when it is assembled.")
def assets(**values: Any) -> None:  # noqa: ANN401 - what click gives by name
    """Assemble, sign and upload the GitHub release.

    With DIR, assembles its assets from a CI run's artifacts: binaries-PLATFORM/ as `collect artifacts`
    takes them, dist/ with the wheels, and desktop-PLATFORM/ with the bundles that the release plan
    expects. A bundle may be missing: the release notes say so. Writes one archive of the programs
    per platform, the wheels, the bundles, MCP bundles, bills of materials, release.json,
    SHA256SUMS, and the release notes. Without DIR, works with what is assembled; checksums and
    signatures are verified each time.

    With --sign, signs both lists with the key that the plan states; a plan with `signing = "none"`
    needs none. With --upload, uploads everything to a draft, which nobody sees; goes on from what
    the draft has, and replaces nothing. With --publish, publishes the draft. Both need GitHub's
    client, `gh`.

    With --add, all of these work only on the desktop bundles in DIR: they are added to a release
    that is out, with a signed list of their own. The first list stays as it is.

    \b
    Examples:
      python3 -m scripts assets artifacts
      python3 -m scripts assets --sign --key leanspec.key
      python3 -m scripts assets --upload --dry-run
      python3 -m scripts assets artifacts --add desktop
      python3 -m scripts assets --sign --upload --add desktop --key leanspec.key
    """
    options = AssetOptions(**values)
    _must_fit(options)
    from scripts.model.plan import read_plan

    plan = read_plan()
    if options.artifacts is not None:
        _assemble(options, options.artifacts, plan)
    if options.assembled:
        _compare(options, options.assembled, plan)
    if options.sign:
        _sign(options, plan)
    if options.upload:
        _upload(options, plan)
    if options.publish:
        _publish(options, plan)


def _must_fit(options: AssetOptions) -> None:
    """Raise UsageError for options that do not go together."""
    works = bool(options.assembled or options.sign or options.upload or options.publish)
    of_upload = options.dry_run or options.provenance
    of_draft = options.publish or options.assembled
    if works == (options.artifacts is not None):
        problem = (
            "name the artifacts to assemble, or one of `--sign`, `--upload` and `--publish`"
        )
    elif of_upload and not options.upload:
        problem = "`--dry-run` and `--provenance` need `--upload`"
    elif options.key and not options.sign:
        problem = "`--key` needs `--sign`"
    elif options.as_json and works:
        problem = "`--json` needs the artifacts"
    elif options.listing.addition and of_draft:
        problem = "`--add` is for a release that is out"
    else:
        return
    raise click.UsageError(problem)


def _assemble(options: AssetOptions, artifacts: Path, plan: Plan) -> None:
    from .assemble import assemble, assemble_addition

    listing, folder = options.listing, options.folder
    paths = (
        assemble_addition(artifacts, folder, plan, listing)
        if listing.addition
        else assemble(artifacts, folder, plan)
    )
    if options.as_json:
        click.echo((folder / listing.manifest).read_text("utf-8"), nl=False)
    else:
        for path in paths:
            click.echo(f"{path.stat().st_size:>10}  {path.name}")
        click.echo(f"assembled in `{folder}`", err=True)


def _compare(options: AssetOptions, assembled: str, plan: Plan) -> None:
    from .assembled import must_be_as_checked

    must_be_as_checked(options.folder, plan, assembled)
    click.echo(f"`{options.folder}` contains what was checked", err=True)


def _sign(options: AssetOptions, plan: Plan) -> None:
    from .assembled import intact, sign_assembled

    # Before anybody types a password.
    intact(options.folder, plan, options.listing)
    if plan.public_key or options.key:
        key = _secret_key(options.key)
        sign_assembled(options.folder, plan, key, options.listing)
    else:
        click.echo("the release plan says that nothing is signed", err=True)


def _publish(options: AssetOptions, plan: Plan) -> None:
    from .assembled import verified
    from .upload import find_client, publish_release

    files = verified(options.folder, plan, None, options.listing)
    click.echo(publish_release(find_client(), files, plan))


def _upload(options: AssetOptions, plan: Plan) -> None:
    from .assembled import verified
    from .listing import NOTES
    from .upload import find_client, upload_release

    files = verified(options.folder, plan, options.provenance, options.listing)
    notes = None if options.listing.addition else options.folder / NOTES
    url = upload_release(find_client(), files, plan, notes, dry_run=options.dry_run)
    click.echo(url)


COMMANDS = (assets,)
