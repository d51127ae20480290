"""What a release knows: which versions there are, and which of two is newer."""

from __future__ import annotations

import itertools

import pytest
from packaging.version import Version

from leanspec_launcher._release import is_newer, is_version

VERSIONS = [
    *("0.3.0", "0.3", "0.3.0.0", "0.3.1", "0.10.0", "1", "1.0", "0.3.0a0"),
    *("0.3.0a1", "0.3.0b1", "0.3.0rc1", "0.3.0rc10", "0.3.0.post1", "0.3.0.post0"),
    *("0.3.0.dev1", "0.3.0.dev20260101000000", "0.3.0a1.dev1", "0.3.0.post1.dev1"),
]


def test_versions_are_ordered_as_installers_do() -> None:
    for one, other in itertools.product(VERSIONS, VERSIONS):
        assert is_newer(one, other) is (Version(one) > Version(other)), (one, other)


@pytest.mark.parametrize("text", ["", "latest", "1.0-1", "v1", "1.0+local", "1!2", "1.0 "])
def test_is_version_refuses_other_texts(text: str) -> None:
    assert not is_version(text)
    assert not is_newer(text, "0.3.0")
