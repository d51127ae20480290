"""The software bill of materials of a platform wheel, in CycloneDX 1.6.

Standard: PEP 770; the file lies in the wheel's `.dist-info/sboms/`.
"""

import base64
import binascii
import contextlib
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
from .project.manifest import Project
from .wheel import source_date_epoch

# What a wheel's bytes depend on, besides its content: the same versions make the same wheel.
MADE_WITH = (
    "leanspec-build",
    "auditwheel",
    "cyclonedx-python-lib",
    "deflate",
    "pyproject-metadata",
)
NAMESPACE = uuid.UUID("6f0c2a0e-4f0f-5d0b-9d5c-0c1f6d3f7a10")


def bill_of_materials(project: Project, binaries: Mapping[str, Binary]) -> bytes:
    """Return what is in a wheel and where it came from.

    The same wheel gives the same bytes: the serial number comes from the binaries, the time is
    that of all entries.
    """
    contents = []
    for name, binary in binaries.items():
        program = _component(
            f"program:{name}",
            name,
            project.version,
            hashes=_sha256(binary.source.sha256),
            kind=ComponentType.APPLICATION,
        )
        contents.append((program, [*_sources(binary), *_libraries(binary)]))
    identity = "".join(binary.source.sha256 for binary in binaries.values())
    return _bill(project, contents, identity)


def bill_of_data(project: Project, sha256: str, record: bytes) -> bytes:
    """Return what is in a wheel of data and where it came from.

    `sha256` identifies all files of the package, `record` is its JSON file or empty.
    """
    data = _component(
        f"data:{project.package}",
        project.package,
        project.version,
        hashes=_sha256(sha256),
        kind=ComponentType.DATA,
    )
    return _bill(project, [(data, [*_recorded(record)])], sha256)


def _bill(
    project: Project,
    contents: list[tuple[Component, list[Component]]],
    identity: str,
) -> bytes:
    """Write the bill of a wheel, its contents, and what each of them was made from."""
    name = project.metadata.name
    purl = _purl("pypi", project.metadata.canonical_name, project.version)
    wheel = _component(f"wheel:{name}", name, project.version, purl)
    bom = Bom(serial_number=uuid.uuid5(NAMESPACE, identity))
    bom.metadata.timestamp = dt.datetime.fromtimestamp(source_date_epoch(), dt.UTC)
    bom.metadata.component = wheel
    for tool in MADE_WITH:
        version = importlib.metadata.version(tool)
        bom.metadata.tools.components.add(_component(f"tool:{tool}", tool, version))
    bom.register_dependency(wheel, [content for content, _ in contents])
    for content, parts in contents:
        for component in (content, *parts):
            bom.components.add(component)
        bom.register_dependency(content, parts)
    return (JsonV1Dot6(bom).output_as_string(indent=2) + "\n").encode()


def _component(
    reference: str,
    name: str,
    version: str | None,
    purl: PackageURL | None = None,
    hashes: Iterable[HashType] = (),
    kind: ComponentType = ComponentType.LIBRARY,
) -> Component:
    return Component(
        name=name,
        version=version,
        type=kind,
        bom_ref=reference,
        purl=purl,
        hashes=hashes,
    )


def _purl(kind: str, path: str, version: str) -> PackageURL:
    namespace, _, name = path.rpartition("/")
    return PackageURL(kind, namespace or None, name, version)


def _sha256(digest: str) -> list[HashType]:
    return [HashType(alg=HashAlgorithm.SHA_256, content=digest)]


def _sources(binary: Binary) -> Iterator[Component]:
    """Return what a program was made from, by its record, or else by what cargo or Go left in the program."""
    recorded = [*_recorded(binary.record)]
    yield from recorded
    for package in () if recorded else binary.embedded:
        kind, name, version = package.kind, package.name, package.version
        purl = _purl(kind, package.path, version) if package.is_public else None
        yield _component(f"{kind}:{name}@{version}", name, version, purl)


def _recorded(record: bytes | None) -> Iterator[Component]:
    """Return what a record says that the content was taken or built from."""
    if not record:
        return
    source: dict[str, Any] = json.loads(record).get("source", {})
    if source.get("kind") == "npm":
        package, version = str(source["package"]), str(source["version"])
        purl = _purl("npm", package, version)
        hashes = _integrity(str(source.get("integrity", "")))
        yield _component(f"npm:{package}", package, version, purl, hashes)
    for crate in source.get("packages", []):
        name, version, checksum = crate["name"], crate["version"], crate.get("checksum")
        purl = _purl("cargo", name, version)
        hashes = _sha256(checksum) if checksum else []
        yield _component(f"cargo:{name}@{version}", name, version, purl, hashes)
    if openssl := source.get("openssl"):
        name, version = openssl["name"], openssl["version"]
        purl = _purl("generic", name, version)
        hashes = _sha256(openssl["sha256"])
        library = _component(f"linked:{name}", name, version, purl, hashes)
        # Databases of vulnerabilities know OpenSSL by this name.
        library.cpe = f"cpe:2.3:a:{name}:{name}:{version}:*:*:*:*:*:*:*"
        yield library


def _libraries(binary: Binary) -> Iterator[Component]:
    """Return the shared libraries that were grafted into the wheel, and the packages that they are from."""
    for package in binary.packages:
        purl = PackageURL.from_string(package.purl)
        yield _component(package.purl, package.name, package.version, purl)
    for name, data in binary.libraries.items():
        sha256 = hashlib.sha256(data).hexdigest()
        yield _component(f"grafted:{name}", name, None, hashes=_sha256(sha256))


def _integrity(text: str) -> list[HashType]:
    """Return the hash of a Subresource Integrity value, as `sha512-<base64>`."""
    algorithm, _, value = text.partition("-")
    if algorithm == "sha512":
        with contextlib.suppress(binascii.Error):
            digest = base64.b64decode(value, validate=True).hex()
            return [HashType(alg=HashAlgorithm.SHA_512, content=digest)]
    return []
