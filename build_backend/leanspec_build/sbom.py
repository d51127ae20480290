"""The software bill of materials of a platform wheel, in CycloneDX 1.6.

Standard: PEP 770; the file lies in the wheel's `.dist-info/sboms/`.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import importlib.metadata
import json
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from .binaries import Binary
from .formats.crates import Crate, embedded_crates
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
    project: Project, programs: Mapping[str, Binary], moment: int
) -> bytes:
    """Return what is in a wheel and where it came from; `moment` is in seconds since the epoch.

    The same wheel gives the same bytes: the serial number comes from the programs, the time is
    that of all entries.
    """
    contents: list[tuple[Component, list[Component]]] = []
    digests = []
    for name, binary in programs.items():
        digests.append(hashlib.sha256(binary.data).hexdigest())
        program = Component(
            name=name,
            version=project.version,
            type=ComponentType.APPLICATION,
            bom_ref=f"program:{name}",
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digests[-1])],
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
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=sha256)],
    )
    return _bill(project, [(data, [*_recorded(record or None)])], sha256, moment)


def _bill(
    project: Project,
    contents: list[tuple[Component, list[Component]]],
    identity: str,
    moment: int,
) -> bytes:
    """Write the bill of a wheel, its contents, and what each of them was made from."""
    wheel = Component(
        name=project.metadata.name,
        version=project.version,
        type=ComponentType.LIBRARY,
        bom_ref=f"wheel:{project.metadata.name}",
        purl=PackageURL("pypi", None, project.metadata.canonical_name, project.version),
    )
    bom = Bom(serial_number=uuid.uuid5(NAMESPACE, identity))
    bom.metadata.timestamp = dt.datetime.fromtimestamp(moment, dt.UTC)
    bom.metadata.component = wheel
    for name in MADE_WITH:
        bom.metadata.tools.components.add(
            Component(
                name=name,
                version=importlib.metadata.version(name),
                type=ComponentType.LIBRARY,
                bom_ref=f"tool:{name}",
            )
        )
    bom.register_dependency(wheel, [content for content, _ in contents])
    for content, parts in contents:
        for component in (content, *parts):
            bom.components.add(component)
        bom.register_dependency(content, parts)
    return (JsonV1Dot6(bom).output_as_string(indent=2) + "\n").encode()


def _sources(binary: Binary) -> Iterator[Component]:
    """Return what a program was made from, by its record, or else by what cargo left in the program."""
    recorded = [*_recorded(binary.record)]
    yield from recorded or map(_crate, embedded_crates(binary.data, binary.executable))


def _crate(crate: Crate) -> Component:
    purl = None
    if crate.is_of_registry:
        purl = PackageURL("cargo", None, crate.name, crate.version)
    return Component(
        name=crate.name,
        version=crate.version,
        type=ComponentType.LIBRARY,
        bom_ref=f"cargo:{crate.name}@{crate.version}",
        purl=purl,
    )


def _recorded(record: bytes | None) -> Iterator[Component]:
    """Return what a record says that the content was taken or built from."""
    source: dict[str, Any] = (
        json.loads(record).get("source", {}) if record is not None else {}
    )
    if source.get("kind") == "npm":
        namespace, _, name = str(source["package"]).rpartition("/")
        yield Component(
            name=str(source["package"]),
            version=str(source["version"]),
            type=ComponentType.LIBRARY,
            bom_ref=f"npm:{source['package']}",
            purl=PackageURL("npm", namespace or None, name, str(source["version"])),
            hashes=list(_integrity(str(source.get("integrity", "")))),
        )
    for package in source.get("packages", []):
        hashes = []
        if package.get("checksum"):
            hashes.append(HashType(alg=HashAlgorithm.SHA_256, content=package["checksum"]))
        yield Component(
            name=package["name"],
            version=package["version"],
            type=ComponentType.LIBRARY,
            bom_ref=f"cargo:{package['name']}@{package['version']}",
            purl=PackageURL("cargo", None, package["name"], package["version"]),
            hashes=hashes,
        )


def _libraries(binary: Binary) -> Iterator[Component]:
    """Return the shared libraries that were grafted into the wheel, and the packages that they are from."""
    for package in binary.packages:
        yield Component(
            name=package.name,
            version=package.version,
            type=ComponentType.LIBRARY,
            bom_ref=package.purl,
            purl=PackageURL.from_string(package.purl),
        )
    for name, data in binary.libraries.items():
        digest = hashlib.sha256(data).hexdigest()
        yield Component(
            name=name,
            type=ComponentType.LIBRARY,
            bom_ref=f"grafted:{name}",
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest)],
        )


def _integrity(text: str) -> Iterator[HashType]:
    """Return the hash of a Subresource Integrity value, as `sha512-<base64>`."""
    algorithm, _, value = text.partition("-")
    if algorithm != "sha512":
        return
    try:
        yield HashType(
            alg=HashAlgorithm.SHA_512, content=base64.b64decode(value, validate=True).hex()
        )
    except binascii.Error:
        return
