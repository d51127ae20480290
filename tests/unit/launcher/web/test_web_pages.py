"""Options, projects, settings and pages of `leanspec-ui`, and its refusals."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest

from scripts.tools.loopback import free_port
from tests.support.modules import write_module
from tests.support.preconditions import missing, needs
from tests.support.site import settle, stamps
from tests.support.web import Web, stderr_of_a_start
from tests.support.web_server import SOURCE, program

if sys.platform == "win32":
    missing("POSIX", "signals, and programs that are scripts")


@pytest.mark.long
def test_a_start_names_the_parts_of_the_pages_that_have_no_api(web: Web) -> None:
    paths = ["/api/sessions", "/api/sessions/x/stop", "/api/chat"]
    record = web.pages.parent / "pages.json"
    record.write_text(json.dumps({"missing-api": paths}))
    answer = stderr_of_a_start(web)
    assert "no API yet for these parts of the pages: chat, sessions\n" in answer
    for text in ("[]", "{}", '{"missing-api": [1]}', '{"missing-api": ["x"]}', "{"):
        record.write_text(text)
        assert "no API" not in stderr_of_a_start(web)


@pytest.mark.long
@pytest.mark.parametrize(
    ("arguments", "env", "code", "words"),
    [
        (["--port", "0"], {}, 2, "`0` is not a number from 1 to 65535"),
        (["--port", "70000"], {}, 2, "`70000` is not a number from 1 to 65535"),
        (["--port", "web"], {}, 2, "`web` is not a number from 1 to 65535"),
        (["--colour"], {}, 2, "no such option"),
        ([], {"PORT": "0"}, 1, "`PORT` is `0`, not a port from 1 to 65535"),
        ([], {"PORT": "web"}, 1, "`PORT` is `web`, not a port"),
        (
            [],
            {"LEANSPEC_API_KEY": "k"},
            1,
            "`LEANSPEC_API_KEY` is set, and the pages send no key",
        ),
        ([], {"LEANSPEC_UI_DIST": "/nowhere"}, 1, "which has no `index.html`"),
        ([], {"LEANSPEC_UI_DIST": "here"}, 1, "a relative path"),
        (["--project", "/nowhere"], {}, 1, "`/nowhere` is not a folder"),
        (["--project", "/etc/passwd"], {}, 1, "`/etc/passwd` is not a folder"),
        (["--project", "/etc"], {}, 1, "there are no specs in `/etc`"),
        (["--specs-dir", "/etc"], {}, 1, "`/etc` is not called `specs`"),
        (["--host", "192.0.2.1"], {}, 1, "cannot listen on `192.0.2.1`: "),
    ],
)
def test_invalid_options_get_one_message(
    web: Web, arguments: list[str], env: dict[str, str], code: int, words: str
) -> None:
    message = web.run(*arguments, code=code, env=env).stderr
    assert words in message
    assert message.count("error: ") == message.count("hint: ") == 1


def test_missing_project_is_an_error_with_the_searched_folder(
    web: Web, tmp_path: Path
) -> None:
    message = web.run(cwd=tmp_path).stderr
    assert f"there are no specs in `{tmp_path}` or above it" in message


def test_a_home_folder_with_specs_is_a_project(web: Web) -> None:
    home = Path(web.site.env["HOME"])
    (home / ".lean-spec").mkdir()
    assert f"there are no specs in `{home}` or above it" in web.run(cwd=home).stderr
    (home / "specs/001").mkdir(parents=True)
    output = web.run("--dry-run", cwd=home / "specs", code=0).stdout
    assert f"--project {home}\n" in output


def test_damaged_settings_are_an_error_that_names_the_file(web: Web) -> None:
    path = Path(web.site.env["HOME"], ".lean-spec/config.json")
    path.parent.mkdir(parents=True)
    for text in ("{broken", "[]", "\xff"):
        path.write_text(text, "latin-1")
        assert f"cannot read the settings in `{path}`" in web.run().stderr
    path.unlink()
    os.mkfifo(path)
    assert f"in `{path}`: it is not a regular file" in web.run().stderr


@pytest.mark.long
def test_pages_of_another_release_are_refused(web: Web) -> None:
    code = web.pages / "assets/app.js"
    code.write_text("2")
    message = web.run().stderr
    assert "are not those of this release: sha256 `" in message
    assert "hint: " in message
    code.unlink()
    assert "are not those of this release" in web.run().stderr
    code.write_text("1")
    (web.pages / "more.js").write_text("")
    assert "are not those of this release" in web.run().stderr
    (web.pages / "more.js").unlink()
    web.run("--dry-run", code=0)
    (web.pages / "linked").symlink_to(web.project)
    assert "cannot verify the pages in" in web.run("--dry-run").stderr


def test_pages_without_a_checksum_are_refused(web: Web) -> None:
    pins = web.site.root / "leanspec_launcher/_pins.py"
    text = re.sub(r"(?m)^PAGES = .*", 'PAGES = ""', pins.read_text("utf-8"))
    write_module(pins, text)
    words = "this lean-spec has no checksum for the pages of the web UI"
    assert f"error: {words}\nhint: install a release" in web.run().stderr


def test_a_changed_server_is_refused(web: Web) -> None:
    server = web.site.root / "leanspec_http_bin/bin/leanspec-http"
    server.write_bytes(server.read_bytes() + b"\n")
    result = web.run()
    assert "error: refusing to run the web server: " in result.stderr
    assert "`leanspec-launcher which http` shows why, and what to type" in result.stderr


def test_missing_pages_and_a_missing_server_are_named(web: Web) -> None:
    (web.site.root / "leanspec_http_bin/bin/leanspec-http").unlink()
    assert "no `leanspec-http` is installed" in web.run().stderr
    web.pages.rename(web.pages.with_name("gone"))
    assert "the pages of the web UI are not installed" in web.run().stderr


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (
            "raise SystemExit('no room here')",
            "the server ended with exit code 1\n  no room here",
        ),
        (SOURCE.replace('"9.9.9"', '"9.9.8"'), "answers as version 9.9.8, expected 9.9.9"),
        (SOURCE.replace(", *shown]", "]"), "the server does not show `"),
    ],
)
def test_server_of_another_version_or_project_is_ended(
    web: Web, source: str, words: str
) -> None:
    web.site.wheel("http", program(source))
    web.site.pin("http", program(source))
    assert words in web.run().stderr


def test_pages_are_hashed_once_for_each_of_their_states(web: Web) -> None:
    settle(web.pages / "assets/app.js")
    web.run("--dry-run", code=0)
    assert any(name.endswith(web.site.pages) for name in stamps(web.site))
    # Nothing but a change of the files asks for another look.
    digest = web.site.root / "leanspec_launcher/web/pages.py"
    text = digest.read_text()
    raising = "def tree_digest(*_): raise OSError\ndef x("
    write_module(digest, text.replace("def tree_digest(", raising))
    web.run("--dry-run", code=0)
    os.utime(web.pages / "index.html")
    assert "cannot verify the pages" in web.run("--dry-run").stderr


def test_another_host_makes_the_pages_read_only(web: Web) -> None:
    result = web.run("--dry-run", "--host", "0.0.0.0", code=0)  # noqa: S104 - nothing is started
    assert "--readonly" in result.stdout
    assert "--readonly" not in web.run("--dry-run", code=0).stdout


@pytest.mark.long
@needs("root")
def test_other_users_of_the_machine_are_a_note(web: Web, tmp_path: Path) -> None:
    homes = tmp_path / "homes"
    home, other = homes / "home", homes / "other"
    home.mkdir(parents=True)
    other.mkdir()
    note = "note: every user of this machine can read your files through this server"
    alone = stderr_of_a_start(web, HOME=str(home))
    os.chown(other, 12345, 12345)
    assert note in stderr_of_a_start(web, HOME=str(home))
    assert note not in stderr_of_a_start(web, "--quiet", HOME=str(home))
    message = stderr_of_a_start(web, "--readonly", HOME=str(home))
    assert note in message
    assert "change your specs" not in message
    assert note not in alone or any(Path("/home").iterdir())


def test_ssh_session_gets_a_tunnel_command(web: Web) -> None:
    env = {"SSH_CONNECTION": "10.0.0.1 5555 10.0.0.2 22", "USER": "me", "CI": ""}
    # A note would come first if another test had the usual port.
    with web.start("--port", str(free_port()), env=env) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline().startswith("LeanSpec: http://127.0.0.1:")
        # A note on other users comes first if the machine has any.
        notes = (line for line in process.stderr if "every user" not in line)
        assert "this is an SSH session" in next(notes)
        assert "`ssh -L " in next(notes)
        process.terminate()
        assert process.wait(20) == 0
