"""A release's wheels on a server of loopback, which cuts, stalls, lies and redirects as a test wants."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import hashlib
import io
import ipaddress
import ssl
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from leanspec_launcher._release import Wheel
from leanspec_launcher._tables import PROGRAMS
from scripts.tools.loopback import LoopbackServer, Silent, running
from scripts.wheels.pins import WheelPins
from tests.support.site import HOST, Site

VERSION = "9.9.9"


class Request(Silent):
    """One request for a file."""

    def reply(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)


# What a server does with a request for a file of these bytes.
Answer = Callable[[Request, bytes], None]


def good(request: Request, body: bytes) -> None:
    request.reply(200, body)


@dataclass
class Files:
    """What a server has, what it does with the next requests, and what it was asked."""

    content: dict[str, bytes] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    """One per request; a good answer after these."""
    always: Answer = good
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    url: str = ""


@contextlib.contextmanager
def serving(certificate: Path | None = None) -> Iterator[Files]:
    """Serve files on loopback, with TLS if a certificate and key are given in one file."""
    files = Files()

    class Handler(Request):
        def do_GET(self) -> None:
            name = self.path.rpartition("/")[2]
            files.asked.append(self.path)
            files.headers.append(dict(self.headers))
            answer = files.answers.pop(0) if files.answers else files.always
            if name not in files.content:
                self.reply(404, b"")
                return
            with contextlib.suppress(OSError):  # the client may have gone
                answer(self, files.content[name])

        def do_CONNECT(self) -> None:
            files.headers.append(dict(self.headers))
            self.reply(407, b"", Proxy_Authenticate="Basic")

    server = LoopbackServer(("127.0.0.1", 0), Handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    with running(server):
        scheme = "https" if certificate else "http"
        files.url = f"{scheme}://127.0.0.1:{server.server_port}/"
        yield files


def write_certificate(path: Path, *, days: float = 1, host: str = "127.0.0.1") -> Path:
    """Write a certificate of loopback's address, signed by itself, and its key; expired if `days` < 0."""
    key = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    now = dt.datetime.now(dt.UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))])
    constraints = x509.BasicConstraints(ca=True, path_length=None)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=10))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(names, critical=False)
        .add_extension(constraints, critical=True)
        .sign(key, SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(certificate.public_bytes(Encoding.PEM) + secret)
    return path


def platform_wheel(
    program: str, binary: bytes, libraries: dict[str, bytes] | None = None
) -> bytes:
    """Return a small platform wheel of a program, with a record of its files."""
    own = PROGRAMS[program]
    files = {f"{own.package}/bin/{own.command}{HOST.suffix}": binary}
    files |= {f"{own.package}/__init__.py": b""}
    files |= {
        f"{own.package}.libs/{name}": each for name, each in (libraries or {}).items()
    }
    info = f"{own.package}-{VERSION}.dist-info"
    rows = [f"{name},sha256={_digest(data)},{len(data)}\n" for name, data in files.items()]
    files[f"{info}/RECORD"] = "".join([*rows, f"{info}/RECORD,,\n"]).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (0o755 if "/bin/" in name else 0o644) << 16
            archive.writestr(entry, data)
    return buffer.getvalue()


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def wheel_name(program: str, version: str = VERSION) -> str:
    return f"{PROGRAMS[program].package}-{version}-py3-none-any.whl"


def pin_wheel(
    site: Site, program: str, binary: bytes, libraries: dict[str, bytes] | None = None
) -> bytes:
    """Let a site expect a wheel of a program; return the wheel."""
    data = platform_wheel(program, binary, libraries)
    site.pin(program, binary, libraries)
    wheel = Wheel(wheel_name(program), hashlib.sha256(data).hexdigest(), len(data))
    before = site.pins[program][HOST.key]
    site.pins[program][HOST.key] = WheelPins(before.executable, before.libraries, wheel)
    site.write_pins()
    return data


def stalled(request: Request, body: bytes) -> None:
    """Send half, and nothing more for a while."""
    request.send_response(200)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body[: len(body) // 2])
    request.wfile.flush()
    time.sleep(5)
