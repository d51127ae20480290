"""The gate on OpenSSL: which version is linked into the programs for Linux, and whether it is still a good one."""

import datetime as dt
import zipfile
from collections.abc import Iterator

from leanspec_launcher.commands import CommandError
from scripts.collect.openssl import MARKER, VENDORED_CRATE, OpenSSL, has_crate
from scripts.model.files import File, FileKind
from scripts.model.finding import Finding, compare, confirm, gap, problem
from scripts.model.gates import OPENSSL as GATE

from .binaries import RecordedBinary, read_binary

LICENCE = "OpenSSL-LICENSE.txt"
LONGEST = dt.timedelta(days=120)
"""The age at which a pin should be compared with the newest version again."""


def openssl_gate(
    pin: OpenSSL, files: list[File], today: dt.date | None = None
) -> Iterator[Finding]:
    """Compare the OpenSSL in each binary with the pin; warn if the pin is old, or known to be bad."""
    linked = [*_linked(files)]
    for binary in linked:
        yield _compare(pin, binary)
        yield from _licence(binary)
    if not linked:
        return
    age = (today or dt.datetime.now(dt.UTC).date()) - pin.pinned
    if age > LONGEST:
        text = f"pinned {age.days} days ago: check whether there is a newer one than {pin.version}"
        yield gap(GATE, "age of the pin", text)
    if pin.advisory:
        yield gap(GATE, f"OpenSSL {pin.version}", pin.advisory)


def _linked(files: list[File]) -> Iterator[RecordedBinary]:
    """Yield the binaries for Linux that contain OpenSSL, or state that they do."""
    for file in files:
        if file.kind != FileKind.PLATFORM:
            continue
        try:
            binary = read_binary(file)
        except CommandError:
            continue  # another gate reports it
        is_for_linux = binary.platform.system == "linux"
        has_record = "openssl" in binary.record.get("source", {})
        if is_for_linux and (has_record or MARKER in binary.data):
            yield binary


def _compare(pin: OpenSSL, binary: RecordedBinary) -> Finding:
    name, source = binary.file.path.name, binary.record.get("source", {})
    if has_crate(source.get("packages", []), VENDORED_CRATE) and "openssl" not in source:
        return confirm(GATE, name, f"of the crate `{VENDORED_CRATE}`")
    if MARKER not in binary.data:
        return problem(GATE, name, "the OpenSSL that its record states", "none in it")
    return compare(GATE, name, _written(pin.record), _written(source.get("openssl", {})))


def _licence(binary: RecordedBinary) -> Iterator[Finding]:
    """Check that whoever gets OpenSSL gets its licence (Apache License 2.0, 4a)."""
    with zipfile.ZipFile(binary.file.path) as wheel:
        if any(name.endswith(f"/licenses/{LICENCE}") for name in wheel.namelist()):
            return
    yield problem(
        GATE,
        binary.file.path.name,
        f"`{LICENCE}`, as OpenSSL is in it",
        "missing",
        hint=f"add `{LICENCE}` to the project in platform_wheels/, and to its `license-files`",
    )


def _written(record: dict[str, str]) -> str:
    if not record:
        return "not stated"
    return f"{record['name']} {record['version']} (sha256 {record['sha256']})"
