"""The wheel of an import package: with a binary in it, with data alone, or a stub of a release."""

import functools
from collections.abc import Mapping
from pathlib import Path

from .binaries import RECORD_NAME, Binary, choose_binary
from .errors import BuildError
from .project.manifest import Project
from .project.records import read_data_record, read_release
from .source import sha256_of
from .wheel import Content, WheelEntry, generated_entry, package_entries, project_entries

STUB_NAME = "stub.json"


def wheel_content(
    project: Project, settings: Mapping[str, str], *, is_editable: bool = False
) -> Content:
    """Return what the settings ask for: a stub, or the package as it is for a platform.

    An editable wheel leads to the package, which gets a link to its binary.
    """
    if "stub" in settings:
        release = read_release(Path(settings["stub"]))
        stub = generated_entry(f"{project.package}/{STUB_NAME}", lambda: release)
        return Content([*package_entries(project), stub])
    if "from" in settings:
        raise BuildError(
            "the config setting `from` is about `programs`, and this project has none",
            hint="name the executable: `-C binary=/path`",
        )
    if not project.executable_name:
        for name in set(settings) - {"version"}:
            raise BuildError(
                f"the config setting `{name}` is about an executable, and this project has none",
                hint=f"leave `-C {name}=...` out, or name an `executable` under `[tool.leanspec-build]`",
            )
        return _data_content(project, is_editable=is_editable)
    binary = choose_binary(project, settings)
    if is_editable:
        entries = project_entries(project, binary.tags, is_editable=True)
        links = {project.root / _place(project, binary): binary.path}
        return Content(entries, binary.tags, links=links)
    content = _binary_content(project, binary)
    repair = settings.get("repair") or project.repair
    if repair is None or binary.tags.publishable:
        return content
    from .repair import graft  # noqa: PLC0415 - few wheels need it

    return _binary_content(project, graft(project, binary, content))


def _place(project: Project, binary: Binary) -> str:
    """Return where a wheel has the binary, and a project the link to it."""
    return f"{project.package}/bin/{project.executable_name}{binary.suffix}"


def _binary_content(project: Project, binary: Binary) -> Content:
    """Return the package with its binary, 0755, and the libraries that it brings along."""
    entries = project_entries(project, binary.tags)
    entries.append(WheelEntry(_place(project, binary), binary.source, 0o755))
    files = {
        f"{project.libraries_folder}/{name}": data
        for name, data in binary.libraries.items()
    }
    if binary.record is not None:
        files[f"{project.package}/bin/{RECORD_NAME}"] = binary.record
    entries += [
        generated_entry(name, functools.partial(bytes, data))
        for name, data in files.items()
    ]

    def make_sbom() -> bytes:
        from .sbom import bill_of_materials  # noqa: PLC0415 - see Content

        return bill_of_materials(project, {project.executable_name: binary})

    return Content(entries, binary.tags, make_sbom)


def _data_content(project: Project, *, is_editable: bool) -> Content:
    entries = project_entries(project, is_editable=is_editable)
    if is_editable:
        return Content(entries)
    sums = [f"{sha256_of(entry.source.load())}  {entry.name}\n" for entry in entries]
    record = b""
    if project.record:
        path = project.root / project.package / project.record
        record = path.read_bytes()
        read_data_record(record, path)
    sha256 = sha256_of("".join(sums).encode())

    def make_sbom() -> bytes:
        from .sbom import bill_of_data  # noqa: PLC0415 - see Content

        return bill_of_data(project, sha256, record)

    return Content(entries, make_sbom=make_sbom)
