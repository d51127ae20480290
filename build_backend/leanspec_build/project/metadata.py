"""Metadata of a wheel from the table `[project]` (pyproject.toml specification)."""

import warnings
from pathlib import Path
from typing import Any

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.version import InvalidVersion, Version
from pyproject_metadata import ConfigurationError, StandardMetadata

from leanspec_build.errors import BuildError, listed
from leanspec_build.formats.executable import must_be_file

from .version import find_version

METADATA_VERSION = "2.4"  # licence expression and licence files (PEP 639)
# Where a project does not say what its licence files are (PEP 639, License Files).
LICENSE_FILES = ("LICEN[CS]E*", "COPYING*", "NOTICE*", "AUTHORS*")


def read_metadata(table: dict[str, Any], path: Path, version: str) -> StandardMetadata:
    """Return the metadata; `version` is that of the command or the setting, or empty.

    Raises BuildError, in words that name the key, for anything that is missing or not valid.
    """
    project = table.get("project")
    if not isinstance(project, dict):
        raise BuildError(
            f"`{path}` has no `[project]` table",
            hint="write its keys below a line `[project]`",
        )
    project = _with_version(project, path, version)
    for key in ("name", "version"):
        if key not in project:
            raise BuildError(
                f"`{path}` has no `{key}` under `[project]`",
                hint=f'add `{key} = "..."` under `[project]`',
            )
    if "licence" in project:
        raise BuildError(
            f"`{path}` has the unknown key `licence` under `[project]`",
            hint="the standard spells it `license`",
        )
    _must_be_a_licence_expression(project.get("license"), path)
    metadata = _parsed(table | {"project": project}, path)
    patterns = project.get("license-files", LICENSE_FILES)
    matches = {file for pattern in patterns for file in path.parent.glob(pattern)}
    files = sorted(file for file in matches if not file.is_dir())
    for file in files:
        must_be_file(file)
    if metadata.license_files is None:
        names = [file.relative_to(path.parent) for file in files]
        metadata.license_files = names or None
    return metadata


def _parsed(table: dict[str, Any], path: Path) -> StandardMetadata:
    """Return valid metadata; raises BuildError, which names all that is wrong."""
    try:
        # What the library warns of is checked by the rules of the index.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return StandardMetadata.from_pyproject(
                table,
                path.parent,
                metadata_version=METADATA_VERSION,
                allow_extra_keys=False,
                all_errors=True,
            )
    except ExceptionGroup as group:
        problems = [str(error) for error in group.exceptions]
    # An empty pattern of licence files is a ValueError.
    except (ConfigurationError, OSError, ValueError) as error:
        problems = [str(error)]
    raise BuildError(
        f"`{path}` is not valid: {'; '.join(problems)}", hint="correct it under `[project]`"
    )


def metadata_file(metadata: StandardMetadata) -> bytes:
    """Return the content of METADATA."""
    metadata.metadata_version = METADATA_VERSION
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bytes(metadata.as_rfc822())


def _with_version(project: dict[str, Any], path: Path, version: str) -> dict[str, Any]:
    """Return the table with the version, which alone may be dynamic."""
    dynamic = project.get("dynamic", [])
    if dynamic == ["version"] and "version" not in project:
        static = {key: value for key, value in project.items() if key != "dynamic"}
        return static | {"version": _valid(version) or find_version(path)}
    if dynamic != []:
        fields = dynamic if isinstance(dynamic, list) else [dynamic]
        raise BuildError(
            f"`{path}` calls {listed(fields)} dynamic, but nothing here computes it",
            hint="write the value under `[project]` and take it out of `dynamic`;"
            " `version` alone may stand there",
        )
    if version:
        raise BuildError(
            f"the version `{version}` cannot be given: `{path}` states one",
            hint='write `dynamic = ["version"]` in place of `version` under `[project]`',
        )
    return project


def _valid(version: str) -> str:
    """Return a version that was given, if it is one."""
    try:
        return version and str(Version(version))
    except InvalidVersion:
        raise BuildError(
            f"invalid version: `{version}`", hint="give one like this: `--version 1.2.3`"
        ) from None


def _must_be_a_licence_expression(value: object, path: Path) -> None:
    """Raise BuildError unless a licence is an SPDX expression (PEP 639), or not stated.

    The older tables `{file = ...}` and `{text = ...}` have no place in this metadata version.
    """
    if isinstance(value, dict):
        raise BuildError(
            f"`{path}` states the licence as a table, which is out of date (PEP 639)",
            hint='write `license = "MIT"` (an SPDX expression) and `license-files = ["LICENSE"]`',
        )
    if isinstance(value, str):
        try:
            canonicalize_license_expression(value)
        except InvalidLicenseExpression as error:
            raise BuildError(
                f"`{path}` states the licence `{value}`, which is not an SPDX expression: {error}",
                hint="https://spdx.org/licenses lists the identifiers; `LicenseRef-NAME` names any other",
            ) from None
