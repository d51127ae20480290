"""The software bill of materials of a platform wheel, in CycloneDX 1.6.

Standard: PEP 770; the file lies in the wheel's `.dist-info/sboms/`.
"""

import base64
import binascii
import datetime as dt
import hashlib
import importlib.metadata
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from .binaries import Binary
from .formats.facts import EmbeddedPackage
from .project.manifest import Project

# What a wheel's bytes depend on, besides its content: the same versions make the same wheel.
MADE_WITH = (
    "leanspec-build",
    "auditwheel",
    "cyclonedx-python-lib",
    "deflate",
    "pyproject-metadata",
)
NAMESPACE = uuid.UUID("6f0c2a0e-4f0f-5d0b-9d5c-0c1f6d3f7a10")


def bill_of_materials(
    project: Project, binaries: Mapping[str, Binary], moment: int
) -> bytes:
    """Return what is in a wheel and where it came from; `moment` is in seconds since the epoch.

    The same wheel gives the same bytes: the serial number comes from the binaries, the time is
    that of all entries.
    """
    contents = []
    digests = []
    for name, binary in binaries.items():
        sha256 = binary.source.sha256
        digests.append(sha256)
        program = Component(
            name=name,
            version=project.version,
            type=ComponentType.APPLICATION,
            bom_ref=f"program:{name}",
            hashes=_sha256(sha256),
        )
        contents.append((program, [*_sources(binary), *_libraries(binary)]))
    return _bill(project, contents, "".join(digests), moment)


def bill_of_data(project: Project, sha256: str, record: bytes, moment: int) -> bytes:
    """Return what is in a wheel of data and where it came from; `moment` is in seconds.

    `sha256` identifies all files of the package, `record` is its JSON file or empty.
    """
    data = Component(
        name=project.package,
        version=project.version,
        type=ComponentType.DATA,
        bom_ref=f"data:{project.package}",
        hashes=_sha256(sha256),
    )
    return _bill(project, [(data, [*_recorded(record)])], sha256, moment)


def _bill(
    project: Project,
    contents: list[tuple[Component, list[Component]]],
    identity: str,
    moment: int,
) -> bytes:
    """Write the bill of a wheel, its contents, and what each of them was made from."""
    name = project.metadata.name
    purl = PackageURL("pypi", None, project.metadata.canonical_name, project.version)
    wheel = _library(f"wheel:{name}", name, project.version, purl)
    bom = Bom(serial_number=uuid.uuid5(NAMESPACE, identity))
    bom.metadata.timestamp = dt.datetime.fromtimestamp(moment, dt.UTC)
    bom.metadata.component = wheel
    for tool in MADE_WITH:
        version = importlib.metadata.version(tool)
        bom.metadata.tools.components.add(_library(f"tool:{tool}", tool, version))
    bom.register_dependency(wheel, [content for content, _ in contents])
    for content, parts in contents:
        for component in (content, *parts):
            bom.components.add(component)
        bom.register_dependency(content, parts)
    return (JsonV1Dot6(bom).output_as_string(indent=2) + "\n").encode()


def _library(
    reference: str,
    name: str,
    version: str | None,
    purl: PackageURL | None = None,
    hashes: Iterable[HashType] = (),
) -> Component:
    return Component(
        name=name,
        version=version,
        type=ComponentType.LIBRARY,
        bom_ref=reference,
        purl=purl,
        hashes=hashes,
    )


def _sha256(digest: str) -> list[HashType]:
    return [HashType(alg=HashAlgorithm.SHA_256, content=digest)]


def _sources(binary: Binary) -> Iterator[Component]:
    """Return what a program was made from, by its record, or else by what cargo or Go left in the program."""
    recorded = [*_recorded(binary.record)]
    yield from recorded or map(_embedded, binary.embedded)


def _embedded(package: EmbeddedPackage) -> Component:
    purl = None
    if package.is_public:
        namespace, _, name = package.path.rpartition("/")
        purl = PackageURL(package.kind, namespace or None, name, package.version)
    reference = f"{package.kind}:{package.name}@{package.version}"
    return _library(reference, package.name, package.version, purl)


def _recorded(record: bytes | None) -> Iterator[Component]:
    """Return what a record says that the content was taken or built from."""
    if not record:
        return
    source: dict[str, Any] = json.loads(record).get("source", {})
    if source.get("kind") == "npm":
        package, version = str(source["package"]), str(source["version"])
        namespace, _, name = package.rpartition("/")
        purl = PackageURL("npm", namespace or None, name, version)
        hashes = _integrity(str(source.get("integrity", "")))
        yield _library(f"npm:{package}", package, version, purl, hashes)
    for crate in source.get("packages", []):
        name, version, checksum = crate["name"], crate["version"], crate.get("checksum")
        purl = PackageURL("cargo", None, name, version)
        hashes = _sha256(checksum) if checksum else []
        yield _library(f"cargo:{name}@{version}", name, version, purl, hashes)
    if openssl := source.get("openssl"):
        name, version = openssl["name"], openssl["version"]
        purl = PackageURL("generic", None, name, version)
        hashes = _sha256(openssl["sha256"])
        library = _library(f"linked:{name}", name, version, purl, hashes)
        # Databases of vulnerabilities know OpenSSL by this name.
        library.cpe = f"cpe:2.3:a:{name}:{name}:{version}:*:*:*:*:*:*:*"
        yield library


def _libraries(binary: Binary) -> Iterator[Component]:
    """Return the shared libraries that were grafted into the wheel, and the packages that they are from."""
    for package in binary.packages:
        purl = PackageURL.from_string(package.purl)
        yield _library(package.purl, package.name, package.version, purl)
    for name, data in binary.libraries.items():
        sha256 = hashlib.sha256(data).hexdigest()
        yield _library(f"grafted:{name}", name, None, hashes=_sha256(sha256))


def _integrity(text: str) -> list[HashType]:
    """Return the hash of a Subresource Integrity value, as `sha512-<base64>`."""
    algorithm, _, value = text.partition("-")
    if algorithm != "sha512":
        return []
    try:
        digest = base64.b64decode(value, validate=True).hex()
    except binascii.Error:
        return []
    return [HashType(alg=HashAlgorithm.SHA_512, content=digest)]
