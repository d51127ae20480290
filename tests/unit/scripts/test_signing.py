"""Signatures that minisign makes and checks, and everything that is wrong with others."""

from __future__ import annotations

import base64
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from minisign import KeyPair

from leanspec_launcher.commands import CommandError
from scripts.github.signing import Claim, read_public, read_secret, sign, verify
from tests.support.keys import MEMORY, OPERATIONS, without_password
from tests.support.preconditions import missing, require

PASSWORD = "correct horse"  # noqa: S105 - of keys that live in this test
CLAIM = Claim("release.json", "1.2.3", "any")
INVALID = "not a valid minisign signature"


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


Signed = tuple[Path, str, str]


@pytest.fixture
def signed(tmp_path: Path) -> Signed:
    """Return a signed file, the text of its signature, and the text of the public key."""
    path = tmp_path / "release.json"
    path.write_bytes(b"{}")
    key = KeyPair.generate()
    signature = sign(path, key.secret_key, CLAIM, 0).read_text()
    return path, signature, bytes(key.public_key).decode()


def test_a_signature_is_accepted_and_states_its_claim(signed: Signed) -> None:
    path, signature, public = signed
    claims = verify(path, signature, read_public(public), CLAIM)
    expected = ("release.json", "1.2.3", "any")
    assert (claims["file"], claims["version"], claims["platform"]) == expected
    assert verify(path, signature, read_public(public.splitlines()[1]), CLAIM)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda _: "", INVALID),
        (of_another_algorithm, f"{INVALID}: unsupported signature algorithm"),
        (with_a_space, INVALID),
        (lambda text: text[: len(text) // 2], INVALID),
        (lambda text: "\n".join(text.splitlines()[:2]), INVALID),
        (lambda text: text.replace("1.2.3", "1.2.4"), "is not what this key signed"),
        (lambda text: text.replace("trusted comment: t", "comment: t", 1), INVALID),
        (lambda text: re.sub(r"\n.*\n", "\n????\n", text, count=1), INVALID),
    ],
)
def test_a_spoiled_signature_is_refused(
    signed: Signed, spoil: Callable[[str], str], words: str
) -> None:
    path, signature, public = signed
    with pytest.raises(CommandError, match=words):
        verify(path, spoil(signature), read_public(public), CLAIM)


def test_a_changed_file_another_key_and_other_claims_are_refused(
    signed: Signed,
) -> None:
    path, signature, public = signed
    with pytest.raises(CommandError, match="incompatible key identifiers"):
        verify(path, signature, KeyPair.generate().public_key, CLAIM)
    for name, other in (("file", "SHA256SUMS"), ("version", "1.2.4"), ("platform", "x")):
        claim = replace(CLAIM, **{name: other})
        words = f"for {name} `{getattr(CLAIM, name)}`, expected `{other}`"
        with pytest.raises(CommandError, match=words):
            verify(path, signature, read_public(public), claim)
    path.write_bytes(b"{ }")
    with pytest.raises(CommandError, match="is not what this key signed"):
        verify(path, signature, read_public(public), CLAIM)


@pytest.mark.parametrize(
    "text", ["", "x", "untrusted comment: x\nRWQ=\n", "untrusted comment: x\n????\n"]
)
def test_text_that_is_not_a_key_is_refused(text: str) -> None:
    with pytest.raises(CommandError, match="minisign public key"):
        read_public(text)
    with pytest.raises(CommandError, match="minisign secret key"):
        read_secret(text, PASSWORD)


def run_minisign(*arguments: str | Path, text: str = "") -> CompletedProcess[str]:
    command = ["minisign", *map(str, arguments)]
    return subprocess.run(
        command, input=text, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.system
def test_minisign_makes_a_key_and_checks_what_we_sign_with_it(tmp_path: Path) -> None:
    """A key pair is minisign's, made as `docs/publishing.md` says; the release is signed with it."""
    require("minisign program")
    key, public = tmp_path / "leanspec.key", tmp_path / "leanspec.pub"
    passwords = f"{PASSWORD}\n{PASSWORD}\n"
    process = run_minisign("-G", "-p", public, "-s", key, text=passwords)
    assert process.returncode == 0, process.stderr
    assert key.stat().st_mode & 0o777 == 0o600
    opened = read_secret(key.read_text(), PASSWORD)
    assert opened.get_public_key() == read_public(public.read_text())
    file = tmp_path / "release.json"
    file.write_bytes(b"{}")
    sign(file, opened, CLAIM, 0)
    process = run_minisign("-V", "-p", public, "-m", file)
    assert process.returncode == 0, process.stderr
    assert "version:1.2.3" in process.stdout
    file.write_bytes(b"changed")
    assert run_minisign("-V", "-p", public, "-m", file).returncode != 0


def test_a_wrong_password_opens_no_key() -> None:
    key = KeyPair.generate()
    key.secret_key.encrypt(PASSWORD, opslimit=OPERATIONS, memlimit=MEMORY)
    text = bytes(key.secret_key).decode()
    assert read_secret(text, PASSWORD).get_public_key() == key.public_key
    with pytest.raises(CommandError, match="the password is wrong"):
        read_secret(text, "wrong")


def test_a_key_without_a_password_is_minisigns(tmp_path: Path) -> None:
    """What `minisign -W` makes is opened here, and what the tests write so is opened by minisign."""
    require("minisign program")
    process = run_minisign(
        "-G", "-W", "-p", tmp_path / "their.pub", "-s", tmp_path / "their.key"
    )
    if process.returncode != 0:
        missing("minisign -W", process.stderr)
    their = read_secret((tmp_path / "their.key").read_text(), "any")
    assert their.get_public_key() == read_public((tmp_path / "their.pub").read_text())
    (tmp_path / "ours.key").write_text(without_password(their))
    data = bytearray(base64.b64decode((tmp_path / "their.key").read_text().splitlines()[1]))
    data[70] ^= 1
    with pytest.raises(CommandError, match="damaged"):
        read_secret(f"untrusted comment: x\n{base64.b64encode(data).decode()}\n", "any")
    file = tmp_path / "release.json"
    file.write_text("{}")
    comment = ("-t", CLAIM.text(1))
    process = run_minisign("-S", "-W", "-s", tmp_path / "ours.key", *comment, "-m", file)
    assert process.returncode == 0, process.stderr
    signature = (tmp_path / "release.json.minisig").read_text()
    claims = verify(file, signature, their.get_public_key(), CLAIM)
    assert claims["platform"] == "any"


def test_a_name_with_colons_is_claimed_whole(tmp_path: Path) -> None:
    path = tmp_path / "a:b:c.json"
    path.write_bytes(b"{}")
    key = KeyPair.generate()
    claim = Claim(path.name, "1.2.3", "any")
    claims = verify(
        path, sign(path, key.secret_key, claim, 0).read_text(), key.public_key, claim
    )
    assert claims["file"] == "a:b:c.json"


def test_a_key_with_foreign_characters_is_damaged() -> None:
    """A decoder that skips them would read another key than the one that is shown."""
    comment, data = bytes(KeyPair.generate().public_key).decode().splitlines()
    words = "this is not a minisign public key: invalid base64"
    with pytest.raises(CommandError, match=words):
        read_public(f"{comment}\n{data[:10]} {data[10:]}")
