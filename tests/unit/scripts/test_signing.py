"""Signatures that minisign makes and checks, and everything that is wrong with others."""

from __future__ import annotations

import base64
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from click.testing import CliRunner
from minisign import KeyPair

from leanspec_launcher.commands import CommandError
from scripts.github import signing
from scripts.github.cli import keygen
from scripts.github.signing import (
    Claim,
    read_public,
    read_secret,
    sign,
    verify,
    write_public,
    write_secret,
)
from scripts.tools.processes import clean_environment
from tests.support.keys import MEMORY, OPERATIONS, without_password
from tests.support.preconditions import missing, require

PASSWORD = "correct horse"  # noqa: S105 - of keys that live in this test
CLAIM = Claim("release.json", "1.2.3", "any")


def with_a_space(text: str) -> str:
    lines = text.splitlines()
    lines[1] = f"{lines[1][:10]} {lines[1][10:]}"
    return "\n".join(lines)


def of_another_algorithm(text: str) -> str:
    """Name an algorithm that nobody knows: what it signs is then nobody's to say."""
    lines = text.splitlines()
    data = base64.b64decode(lines[1])
    lines[1] = base64.b64encode(b"XX" + data[2:]).decode()
    return "\n".join(lines)


@pytest.fixture
def signed(tmp_path: Path) -> Callable[..., tuple[Path, str, str]]:
    """Return a way to make a signed file: (path, text of its signature, text of the public key)."""

    def make(claim: Claim = CLAIM, data: bytes = b"{}") -> tuple[Path, str, str]:
        path = tmp_path / "release.json"
        path.write_bytes(data)
        key = KeyPair.generate()
        signature = sign(path, key.secret_key, claim).read_text()
        return path, signature, write_public(key.public_key)

    return make


def test_a_signature_is_accepted_and_says_what_it_claims(
    signed: Callable[..., tuple[Path, str, str]],
) -> None:
    path, signature, public = signed()
    said = verify(path, signature, read_public(public), CLAIM)
    assert (said["file"], said["version"], said["platform"]) == (
        "release.json",
        "1.2.3",
        "any",
    )
    assert verify(path, signature, read_public(public.splitlines()[1]))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda _: "", "not a valid minisign signature"),
        (
            of_another_algorithm,
            "not a valid minisign signature: unsupported signature algorithm",
        ),
        (with_a_space, "not a valid minisign signature"),
        (lambda text: text[: len(text) // 2], "not a valid minisign signature"),
        (lambda text: "\n".join(text.splitlines()[:2]), "not a valid minisign signature"),
        (
            lambda text: text.replace("1.2.3", "1.2.4"),
            "is not what this key signed",
        ),
        (
            lambda text: text.replace("trusted comment: t", "comment: t", 1),
            "not a valid minisign signature",
        ),
        (
            lambda text: (
                text.splitlines()[0] + "\n????\n" + "\n".join(text.splitlines()[2:])
            ),
            "not a valid minisign signature",
        ),
    ],
)
def test_a_spoiled_signature_is_refused(
    signed: Callable[..., tuple[Path, str, str]], spoil: Callable[[str], str], words: str
) -> None:
    path, signature, public = signed()
    with pytest.raises(CommandError, match=words):
        verify(path, spoil(signature), read_public(public), CLAIM)


def test_a_changed_file_another_key_and_other_claims_are_refused(
    signed: Callable[..., tuple[Path, str, str]],
) -> None:
    path, signature, public = signed()
    with pytest.raises(CommandError, match="incompatible key identifiers"):
        verify(path, signature, KeyPair.generate().public_key, CLAIM)
    for claim, words in (
        (
            Claim("SHA256SUMS", "1.2.3", "any"),
            "for file `release.json`, expected `SHA256SUMS`",
        ),
        (Claim("release.json", "1.2.4", "any"), "for version `1.2.3`, expected `1.2.4`"),
        (
            Claim("release.json", "1.2.3", "linux-x64"),
            "for platform `any`, expected `linux-x64`",
        ),
    ):
        with pytest.raises(CommandError, match=words):
            verify(path, signature, read_public(public), claim)
    path.write_bytes(b"{ }")
    with pytest.raises(CommandError, match="is not what this key signed"):
        verify(path, signature, read_public(public), CLAIM)


@pytest.mark.parametrize(
    "text", ["", "x", "untrusted comment: x\nRWQ=\n", "untrusted comment: x\n????\n"]
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(CommandError, match="minisign public key"):
        read_public(text)
    with pytest.raises(CommandError, match="minisign secret key"):
        read_secret(text, PASSWORD)


def run_minisign(*arguments: str | Path, text: str = "") -> CompletedProcess[str]:
    command = ["minisign", *map(str, arguments)]
    return subprocess.run(
        command, input=text, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a password cost little: what minisign takes needs three seconds to encrypt and to open."""
    monkeypatch.setattr(signing, "OPERATIONS", OPERATIONS)
    monkeypatch.setattr(signing, "MEMORY", MEMORY)


@pytest.mark.system
@pytest.mark.usefixtures("quick")
def test_minisign_opens_our_key_and_checks_our_signature_and_we_its(tmp_path: Path) -> None:
    require("minisign program")
    ours = KeyPair.generate()
    (tmp_path / "ours.pub").write_text(write_public(ours.public_key))
    file = tmp_path / "release.json"
    file.write_bytes(b"{}")
    sign(file, ours.secret_key, CLAIM)
    (tmp_path / "ours.key").write_text(write_secret(ours.secret_key, PASSWORD))
    process = run_minisign("-V", "-p", tmp_path / "ours.pub", "-m", file)
    assert process.returncode == 0, process.stderr
    assert "version:1.2.3" in process.stdout
    # minisign signs with our key, and we check that.
    command = ("-S", "-s", tmp_path / "ours.key", "-t", CLAIM.text(1), "-m", file)
    process = run_minisign(*command, text=f"{PASSWORD}\n")
    assert process.returncode == 0, process.stderr
    signature = (tmp_path / "release.json.minisig").read_text()
    assert verify(file, signature, ours.public_key, CLAIM)["platform"] == "any"
    file.write_bytes(b"changed")
    assert run_minisign("-V", "-p", tmp_path / "ours.pub", "-m", file).returncode != 0


@pytest.mark.system
def test_we_open_minisigns_key_and_make_a_password_cost_as_much(tmp_path: Path) -> None:
    require("minisign program")
    key, public = tmp_path / "its.key", tmp_path / "its.pub"
    passwords = f"{PASSWORD}\n{PASSWORD}\n"
    process = run_minisign("-G", "-s", key, "-p", public, text=passwords)
    assert process.returncode == 0, process.stderr
    opened = read_secret(key.read_text(), PASSWORD)
    assert opened.get_public_key() == read_public(public.read_text())
    # Two bytes each for three algorithms and 32 of salt; then the limits (minisign's manual).
    limits = base64.b64decode(key.read_text().splitlines()[1])[38:54]
    assert struct.unpack("<QQ", limits) == (signing.OPERATIONS, signing.MEMORY)


@pytest.mark.usefixtures("quick")
def test_a_wrong_password_opens_no_key() -> None:
    key = KeyPair.generate()
    text = write_secret(key.secret_key, PASSWORD)
    assert read_secret(text, PASSWORD).get_public_key() == key.public_key
    with pytest.raises(CommandError, match="the password is wrong"):
        read_secret(text, "wrong")


@pytest.mark.usefixtures("quick")
def test_the_commands(
    scripts: Callable[..., CompletedProcess[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    env = clean_environment(LEANSPEC_SIGNING_PASSWORD=PASSWORD)
    # In this process: a program would take the usual cost.
    monkeypatch.setenv("LEANSPEC_SIGNING_PASSWORD", PASSWORD)
    process = CliRunner().invoke(keygen, [str(tmp_path / "k")])
    secret, public = tmp_path / "k.key", tmp_path / "k.pub"
    assert process.output.split() == [str(secret), str(public)]
    assert secret.stat().st_mode & 0o777 == 0o600
    assert "exists already" in scripts("keygen", tmp_path / "k", env=env, code=1).stderr
    file = tmp_path / "SHA256SUMS"
    file.write_text("x")
    verification = ("verify-signature", file, "--public", public)
    unsigned = scripts(*verification, code=1).stderr
    assert "SHA256SUMS.minisig` is missing" in unsigned
    scripts("sign", file, "--key", secret, "--version", "1.2.3", env=env)
    assert "version 1.2.3" in scripts(*verification, "--version", "1.2.3").stdout
    assert scripts(*verification, "--version", "9", code=1).stdout == ""
    without = clean_environment()
    command = ("sign", file, "--key", secret, "--version", "1")
    refused = scripts(*command, env=without, code=1).stderr
    assert "no terminal to ask for the password" in refused


def test_a_key_without_a_password_is_minisigns(tmp_path: Path) -> None:
    """What `minisign -W` makes is opened here, and what the tests write so is opened by minisign."""
    require("minisign program")
    done = run_minisign(
        "-G", "-W", "-p", tmp_path / "their.pub", "-s", tmp_path / "their.key"
    )
    if done.returncode != 0:
        missing("minisign -W", done.stderr)
    their = read_secret((tmp_path / "their.key").read_text(), "any")
    assert their.get_public_key() == read_public((tmp_path / "their.pub").read_text())
    (tmp_path / "ours.key").write_text(without_password(their))
    data = bytearray(base64.b64decode((tmp_path / "their.key").read_text().splitlines()[1]))
    data[70] ^= 1
    with pytest.raises(CommandError, match="damaged"):
        read_secret(f"untrusted comment: x\n{base64.b64encode(data).decode()}\n", "any")
    (tmp_path / "file").write_text("x")
    done = run_minisign("-S", "-W", "-s", tmp_path / "ours.key", "-m", tmp_path / "file")
    assert done.returncode == 0, done.stderr
    assert (
        run_minisign("-V", "-p", tmp_path / "their.pub", "-m", tmp_path / "file").returncode
        == 0
    )


def test_a_name_with_colons_is_claimed_whole(tmp_path: Path) -> None:
    path = tmp_path / "a:b:c.json"
    path.write_bytes(b"{}")
    key = KeyPair.generate()
    claim = Claim(path.name, "1.2.3", "any")
    said = verify(
        path, sign(path, key.secret_key, claim).read_text(), key.public_key, claim
    )
    assert said["file"] == "a:b:c.json"


def test_a_key_with_foreign_characters_is_damaged() -> None:
    """A decoder that skips them would read another key than the one that is shown."""
    comment, data = write_public(KeyPair.generate().public_key).splitlines()
    with pytest.raises(
        CommandError, match="this is not a minisign public key: invalid base64"
    ):
        read_public(f"{comment}\n{data[:10]} {data[10:]}")
