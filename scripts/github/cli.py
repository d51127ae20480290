"""The command lines for keys, signatures and GitHub releases. No logic."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from leanspec_launcher.commands import CommandError
from scripts.environment import ROOT

if TYPE_CHECKING:
    from minisign import SecretKey

PASSWORD_VARIABLE = "LEANSPEC_SIGNING_PASSWORD"  # noqa: S105 - its name
KEY_VARIABLE = "LEANSPEC_SIGNING_KEY"
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def _password(*, new: bool = False) -> str:
    """Return the secret key's password, from the environment or asked for. Never an argument."""
    given = os.environ.get(PASSWORD_VARIABLE)
    if given is not None:
        return given
    if not sys.stdin.isatty():
        raise CommandError(
            "no terminal to ask for the password", hint=f"set `{PASSWORD_VARIABLE}`"
        )
    asked: str = click.prompt(
        "password of the secret key", hide_input=True, confirmation_prompt=new, err=True
    )
    return asked


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


@click.command()
@click.argument("name", type=click.Path(path_type=Path), default="leanspec")
def keygen(name: Path) -> None:
    """Generate a minisign key pair.

    NAME.key is encrypted with a password; NAME.pub is the public key.

    The password is asked for, or read from LEANSPEC_SIGNING_PASSWORD. Existing files are never overwritten.

    \b
    Example:
      python -m scripts keygen leanspec
    """
    from minisign import KeyPair

    from .signing import write_public, write_secret

    secret, public = name.with_name(f"{name.name}.key"), name.with_name(f"{name.name}.pub")
    for path in (secret, public):
        if path.exists():
            raise CommandError(
                f"`{path}` exists already",
                hint="choose another name: a lost key cannot be made again",
            )
    key = KeyPair.generate()
    text = write_secret(key.secret_key, _password(new=True))
    descriptor = os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    public.write_text(write_public(key.public_key), "utf-8")
    click.echo(f"{secret}\n{public}")


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=FILE)
@KEY_OPTION
@click.option(
    "--version", "of", required=True, help="The version that the trusted comment states."
)
@click.option(
    "--platform",
    default="any",
    show_default=True,
    help="The platform that the trusted comment states.",
)
def sign(files: tuple[Path, ...], key: Path | None, of: str, platform: str) -> None:
    """Sign files with a minisign key.

    Writes FILE.minisig next to each file; `minisign -V` verifies it too.

    Its trusted comment states the file's name, the version and the platform.

    \b
    Example:
      python -m scripts sign SHA256SUMS release.json --key leanspec.key --version 0.3.1
    """
    from .signing import Claim
    from .signing import sign as write_signature

    secret = _secret_key(key)
    for file in files:
        click.echo(write_signature(file, secret, Claim(file.name, of, platform)))


@click.command(name="verify-signature")
@click.argument("file", type=FILE)
@click.option(
    "--public",
    required=True,
    metavar="FILE|KEY",
    help="The public key: a file, or its second line.",
)
@click.option("--signature", type=FILE, help="The signature file. Default: FILE.minisig.")
@click.option(
    "--version", "of", default="", help="The version that the trusted comment must state."
)
@click.option("--platform", default="", help="The platform that it must state.")
def verify_signature(
    file: Path, public: str, signature: Path | None, of: str, platform: str
) -> None:
    """Verify a minisign signature.

    Checks the file and its name and, with the options, its version and platform.

    \b
    Example:
      python -m scripts verify-signature SHA256SUMS --public leanspec.pub --version 0.3.1
    """
    from .signing import SUFFIX, Claim, read_public, verify

    place = signature or file.with_name(file.name + SUFFIX)
    if not place.exists():
        raise CommandError(
            f"the signature `{place}` is missing", hint="do not trust an unsigned file"
        )
    text = Path(public).read_text("utf-8") if Path(public).is_file() else public
    said = verify(
        file,
        place.read_text("utf-8", "replace"),
        read_public(text),
        Claim(file.name, of, platform),
    )
    click.echo(
        f"{file}: signed, {', '.join(f'{name} {value}' for name, value in said.items() if name != 'timestamp')}"
    )


@click.command()
@click.argument(
    "artifacts", metavar="[DIR]", required=False, type=click.Path(path_type=Path)
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=ROOT / "final-artifacts",
    show_default="final-artifacts",
    help="Folder of the assembled assets.",
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
def assets(  # noqa: PLR0913 - each is one option
    artifacts: Path | None,
    out: Path,
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
    expects. Writes one archive of the programs per platform, the wheels, the bundles, MCP bundles,
    bills of materials, release.json, SHA256SUMS, the signatures of both, and the release notes.

    With --upload, uploads what is assembled: checksums and signatures are verified first. The
    release of this version is a draft until every file is there. An upload goes on from what the
    release has, and replaces nothing. Needs GitHub's client, `gh`.

    \b
    Examples:
      python -m scripts assets artifacts --unsigned
      python -m scripts assets artifacts --key leanspec.key
      python -m scripts assets --upload --dry-run
    """
    if artifacts is None and not upload:
        raise click.UsageError("name the artifacts to assemble, or `--upload`")
    if not upload and (dry_run or provenance):
        raise click.UsageError("`--dry-run` and `--provenance` need `--upload`")
    if artifacts is None and (key or unsigned or as_json):
        raise click.UsageError("`--key`, `--unsigned` and `--json` need the artifacts")
    if artifacts is not None:
        _assemble(artifacts, out, None if unsigned else _secret_key(key), as_json=as_json)
    if upload:
        _upload(out, provenance, dry_run=dry_run)


def _assemble(
    artifacts: Path, out: Path, secret: SecretKey | None, *, as_json: bool
) -> None:
    from scripts.model.plan import read_plan

    from .assemble import MANIFEST, assemble

    paths = assemble(artifacts, out, read_plan(), secret)
    if as_json:
        click.echo((out / MANIFEST).read_text("utf-8"), nl=False)
    else:
        for path in paths:
            click.echo(f"{path.stat().st_size:>10}  {path.name}")


def _upload(folder: Path, provenance: Path | None, *, dry_run: bool) -> None:
    from scripts.model.plan import read_plan

    from .assembled import verified
    from .upload import find_client, upload_release

    plan = read_plan()
    gh = find_client()
    files = verified(folder, plan, provenance)
    click.echo(upload_release(gh, files, plan, folder, dry_run=dry_run))


COMMANDS = (keygen, sign, verify_signature, assets)
