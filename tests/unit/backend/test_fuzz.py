"""Arbitrary bytes: an Executable or a BuildError, soon, and nothing else."""

from __future__ import annotations

import contextlib
import random
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from leanspec_build.errors import BuildError
from leanspec_build.formats.executable import parse_executable
from leanspec_build.tags.derive import platform_tags

from tests.support import headers

SEEDS = [
    headers.elf(versions={"libc.so.6": ["GLIBC_2.2.5", "GLIBC_2.34"]}, run_path="/x"),
    headers.elf("s390x"),
    headers.mach_o(),
    headers.universal(headers.mach_o("x86_64"), headers.mach_o()),
    headers.pe(),
]
MAGICS = [b"", *(seed[:4] for seed in SEEDS), b"\xca\xfe\xba\xbf", b"\xfe\xed\xfa\xce"]


def read(data: bytes) -> None:
    """Read and judge; a BuildError is an answer."""
    with contextlib.suppress(BuildError):
        platform_tags(parse_executable(data, "it"))


@settings(
    max_examples=400,
    deadline=2000,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
)
@given(st.sampled_from(MAGICS), st.binary(max_size=600))
def test_arbitrary_bytes(magic: bytes, rest: bytes) -> None:
    read(magic + rest)


@pytest.mark.long
@settings(
    max_examples=800,
    deadline=2000,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
)
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.integers(0, 1200), st.integers(0, 255)), max_size=12),
)
def test_programs_with_changed_bytes(seed: bytes, changes: list[tuple[int, int]]) -> None:
    data = bytearray(seed)
    for place, value in changes:
        data[place % len(data)] = value
    read(bytes(data))


def largest_memory() -> int:
    """Return how much memory this process had at most, in KiB; 0 if the system does not say."""
    if sys.platform == "win32":
        return 0
    import resource  # noqa: PLC0415 - POSIX alone has it

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@pytest.mark.slow
@pytest.mark.parametrize("number", range(4))
def test_real_programs_with_changed_bytes_for_a_minute(number: int, binaries: Path) -> None:
    """A minute a seed, mostly in the first kilobytes, where the headers are; memory stays in bounds."""
    chance = random.Random(number)  # noqa: S311 - reproducible, not secret
    seeds = [
        path.read_bytes() for path in sorted(binaries.glob("*/binaries/*/leanspec*"))
    ] + SEEDS
    started, slowest, count = time.monotonic(), 0.0, 0
    while time.monotonic() - started < 60:
        data = bytearray(chance.choice(seeds))
        for _ in range(chance.choice([1, 3, 10, 50])):
            place = chance.randrange(
                min(len(data), chance.choice([64, 512, 4096, len(data)]))
            )
            data[place] = chance.choice([0, 255, chance.randrange(256)])
        before = time.monotonic()
        read(
            bytes(data[: chance.randrange(1, len(data))] if chance.random() < 0.2 else data)
        )
        slowest, count = max(slowest, time.monotonic() - before), count + 1
    assert slowest < 10, slowest
    assert largest_memory() < 2_000_000
    print(f"{count} inputs, slowest {slowest:.2f} s")  # noqa: T201 - the figure for whoever runs it
