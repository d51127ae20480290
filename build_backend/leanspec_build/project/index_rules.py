"""The rules by which the public index refuses a wheel's metadata, applied before an upload.

They are those of the index's own validation (Warehouse, the software that runs it:
warehouse/forklift/metadata.py); rules of the standard are left to `packaging`.
"""

import copy
import itertools
from collections.abc import Iterator
from email.utils import getaddresses
from typing import NamedTuple

from packaging.metadata import Metadata
from trove_classifiers import all_classifiers, deprecated_classifiers

from leanspec_build.errors import BuildError

from .manifest import Project
from .metadata import metadata_file

LONGEST_SUMMARY, LONGEST_LABEL = 512, 32
# By convention, whoever states a classifier that begins so does not want the wheel on a public index.
PRIVATE = "Private ::"


class IndexRefusal(NamedTuple):
    """What the index refuses in a file."""

    subject: str
    expected: str
    actual: object

    def __str__(self) -> str:
        """Return a line for people."""
        return f"{self.subject}: expected {self.expected}, found `{self.actual}`"


def must_be_accepted(project: Project) -> None:
    """Raise BuildError for metadata that the public index refuses."""
    lines = "".join(f"\n  {refusal}" for refusal in _refusals_of(project))
    if lines:
        if project.has_dynamic_version and "+" in project.version:
            lines += (
                "\n  the version is that of `Cargo.toml`, of a git tag or of `--version`"
            )
        raise BuildError(
            f"no public index takes a wheel of `{project.path}`:{lines}",
            hint="correct it; for an index of your own, add the classifier `Private :: Do Not Upload`",
        )


def refusal_notes(project: Project) -> list[str]:
    """Return a line for each thing that the public index refuses: whoever installs from a folder does not care."""
    return [
        f"note: no public index takes this wheel: {refusal}"
        for refusal in _refusals_of(project)
    ]


def _refusals_of(project: Project) -> list[IndexRefusal | str]:
    metadata = copy.copy(project.metadata)
    lines = (metadata.description or "").splitlines()
    problems = []
    if lines[1:]:
        problems = [f"`description` has {len(lines)} lines; the index takes one"]
        # With one line, the other faults show.
        metadata.description = lines[0]
    return [*problems, *refusals_of(metadata_file(metadata))]


def refusals_of(data: bytes) -> list[IndexRefusal]:
    """Return what the index refuses in a METADATA file; nothing if it is not meant for a public index."""
    try:
        metadata = Metadata.from_email(data, validate=True)
    except ExceptionGroup as group:
        return [*standard_refusals(group)]
    if any(name.startswith(PRIVATE) for name in metadata.classifiers or []):
        return []
    return list(index_refusals(metadata))


def standard_refusals(group: ExceptionGroup[Exception]) -> Iterator[IndexRefusal]:
    """Yield what `packaging` found against the standard."""
    for error in group.exceptions:
        yield IndexRefusal("metadata", "what the standard allows", error)


def index_refusals(metadata: Metadata) -> Iterator[IndexRefusal]:
    """Yield what the index refuses in addition to the standard."""
    rules = (_fields, _classifiers, _addresses, _urls)
    for key, expected, actual in itertools.chain.from_iterable(
        rule(metadata) for rule in rules
    ):
        yield IndexRefusal(f"metadata: {key}", expected, actual)


# Key, expected and actual value.
Problems = Iterator[tuple[str, str, object]]


def _fields(metadata: Metadata) -> Problems:
    if metadata.version.local:
        yield "Version", "no local version", metadata.version
    summary = metadata.summary or ""
    if len(summary) > LONGEST_SUMMARY:
        yield "Summary", f"at most {LONGEST_SUMMARY} characters", len(summary)
    if metadata.license and metadata.license_expression:
        yield "License", "none in addition to License-Expression", metadata.license[:40]
    for requirement in metadata.requires_dist or []:
        if requirement.url:
            yield "Requires-Dist", "no direct reference", requirement


def _classifiers(metadata: Metadata) -> Problems:
    for classifier in metadata.classifiers or []:
        if classifier not in all_classifiers:
            yield "Classifier", "one of the index's classifiers", classifier
        elif classifier in deprecated_classifiers:
            instead = ", ".join(deprecated_classifiers[classifier]) or "none"
            yield "Classifier", f"the one that replaces it: {instead}", classifier


def _addresses(metadata: Metadata) -> Problems:
    texts = [text for text in (metadata.author_email, metadata.maintainer_email) if text]
    if not texts:
        return
    # Takes 0.2 s to import, which a project without addresses does not wait for.
    import email_validator  # noqa: PLC0415

    for _, address in getaddresses(texts):
        try:
            email_validator.validate_email(address, check_deliverability=False)
        except email_validator.EmailNotValidError as error:
            yield "email", "an address", f"{address!r}: {error}"


def _urls(metadata: Metadata) -> Problems:
    urls = [("Home-page", metadata.home_page), ("Download-URL", metadata.download_url)]
    for label, url in [*urls, *(metadata.project_urls or {}).items()]:
        if len(label) > LONGEST_LABEL:
            expected = f"a label of at most {LONGEST_LABEL} characters"
            yield "Project-URL", expected, label
        if not label:
            yield "Project-URL", "a label", url
        if url is not None and not _is_url(url):
            yield label, "an http(s) URL", url or "nothing"


def _is_url(text: str) -> bool:
    from rfc3986 import exceptions, uri_reference, validators  # noqa: PLC0415 - as above

    rules = validators.Validator().allow_schemes("http", "https")
    rules = rules.require_presence_of("scheme", "host")
    rules = rules.check_validity_of("scheme", "host", "path", "query")
    try:
        rules.validate(uri_reference(text).normalize())
    except exceptions.ValidationError:
        return False
    return True
