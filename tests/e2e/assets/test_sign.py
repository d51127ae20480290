"""`assets --sign`, and what is verified of an assembled folder before it is signed or uploaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from minisign import KeyPair, SecretKey

from leanspec_launcher.commands import CommandError
from scripts.github import assembled
from scripts.github.assembled import must_be_as_checked, sign_assembled, verified
from scripts.github.listing import Listing
from scripts.model.plan import Plan
from scripts.tools.processes import OWN_COMMAND
from tests.support.assets import LISTS, PASSWORD, change_byte
from tests.support.keys import OF_ANOTHER_PASSWORD
from tests.support.surroundings import clean, run


def test_assets_sign_refuses_a_key_that_the_plan_does_not_state(
    few: Path, plan: Plan, tree: Path
) -> None:
    for name in LISTS:
        (few / f"{name}.minisig").unlink()
    stranger = KeyPair.generate().secret_key
    with pytest.raises(CommandError, match="the secret key is of"):
        sign_assembled(few, plan, stranger, Listing(), tree)
    with pytest.raises(CommandError, match="nobody could check a signature"):
        sign_assembled(few, replace(plan, public_key=""), stranger, Listing(), tree)
    assert not list(few.glob("*.minisig"))


def test_assets_refuses_what_check_did_not_assemble(few: Path, plan: Plan) -> None:
    checked = assembled.fingerprint(few)
    must_be_as_checked(few, plan, checked)
    with pytest.raises(CommandError, match="that of what was checked is 0000"):
        must_be_as_checked(few, plan, "0" * 64)
    (few / "RELEASE_NOTES.md").write_text("other notes\n")
    with pytest.raises(CommandError, match=f"that of what was checked is {checked}"):
        must_be_as_checked(few, plan, checked)


def test_assets_sign_refuses_a_folder_that_was_changed(
    few: Path, plan: Plan, key: SecretKey, tree: Path
) -> None:
    change_byte(few)
    with pytest.raises(CommandError, match=r"linux-x64\.tar\.gz` is "):
        sign_assembled(few, plan, key, Listing(), tree)


@pytest.mark.parametrize(
    ("text", "words", "hint"),
    [
        ("", "no secret key was given", "LEANSPEC_SIGNING_KEY"),
        (OF_ANOTHER_PASSWORD, "the password is wrong", "its backup"),
        (OF_ANOTHER_PASSWORD, "no terminal to ask", "LEANSPEC_SIGNING_PASSWORD"),
    ],
)
def test_assets_sign_needs_the_secret_key(
    few: Path, tree: Path, tmp_path: Path, text: str, words: str, hint: str
) -> None:
    signing = {"LEANSPEC_SIGNING_KEY": text}
    if words != "no terminal to ask":
        signing["LEANSPEC_SIGNING_PASSWORD"] = PASSWORD
    env = clean(tmp_path / "home", **signing, PYTHONPATH=str(tree))
    signature = (few / "SHA256SUMS.minisig").read_text()
    process = run([*OWN_COMMAND, "assets", "--sign", "--out", few], env, cwd=tree, code=1)
    assert f"error: {words}" in process.stderr
    assert hint in process.stderr
    assert (few / "SHA256SUMS.minisig").read_text() == signature


def with_file(name: str, data: bytes | None) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        if data is not None:
            (folder / name).write_bytes(data)

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (change_byte, "linux-x64.tar.gz` is "),
        (with_file("release.json", None), "release.json` is missing"),
        (with_file("release.json", b"{}"), "release.json` is "),
        (with_file("SHA256SUMS", None), "nothing is assembled in"),
        (with_file("SHA256SUMS", b"x"), "is damaged"),
        (with_file("SHA256SUMS", b""), "is not of this release"),
        (with_file("SHA256SUMS.minisig", b""), "not a valid minisign signature"),
        (with_file("SHA256SUMS.minisig", None), "SHA256SUMS.minisig` is missing"),
        (with_file("added.whl", b""), "added.whl` is not of this release"),
    ],
)
def test_changed_folder_is_refused(
    change: Callable[[Path], None], words: str, few: Path, plan: Plan
) -> None:
    assert verified(few, plan, None, Listing())
    change(few)
    with pytest.raises(CommandError, match=words) as error:
        verified(few, plan, None, Listing())
    assert error.value.hint
