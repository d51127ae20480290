"""The launcher under test: each start runs what the test wrote last."""

from __future__ import annotations

import pytest

from tests.support.site import Site, script


@pytest.mark.posix
def test_pins_of_one_length_written_within_a_second_are_all_read(site: Site) -> None:
    pins = site.root / "leanspec_launcher/_pins.py"
    site.pin("cli", script("echo 0"))
    sizes, seconds = [pins.stat().st_size], [int(pins.stat().st_mtime)]
    # Of three starts within a second, two are surely within the same second of the clock.
    for number in "123":
        site.install("cli", script(f"echo {number}"))
        assert site.start("cli").stdout == f"{number}\n"
        sizes.append(pins.stat().st_size)
        seconds.append(int(pins.stat().st_mtime))
    assert len(set(sizes)) == 1
    assert len(set(seconds)) == len(seconds)
