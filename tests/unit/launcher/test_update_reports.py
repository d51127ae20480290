"""`update`: what it reports before it changes anything, and what it refuses."""

from __future__ import annotations

import json

import pytest

from leanspec_launcher.manage.update import index
from tests.support.installation import VERSION, Installation
from tests.support.site import HOST

pytestmark = pytest.mark.posix


LOCK = """cat <<'END'
[[packages]]
name = "lean-spec"
version = "9.9.10"
wheels = [{{ url = "https://example.org/lean_spec-9.9.10-py3-none-any.whl", hashes = {{}} }}]
{}
END"""


BUILD = """[[packages]]
name = "leanspec-{}-bin"
version = "9.9.10"
wheels = [{{ url = "https://example.org/{}" }}]"""


def lock(*programs: str) -> str:
    """Return what uv prints of a release with builds of programs for this machine."""
    tag = f"manylinux_2_17_{HOST.machines[0]}" if HOST.system == "linux" else "macosx_11_0"
    builds = [
        BUILD.format(name, f"leanspec_{name}_bin-9.9.10-py3-none-{tag}.whl")
        for name in programs
    ]
    return LOCK.format("\n".join(builds))


def test_update_reports_what_it_would_install(installed: Installation) -> None:
    installed.uv(lock("cli", "mcp"))
    output = installed.manage("update", "--check", "--json", code=3)
    report = json.loads(output[: output.rindex("}") + 1])
    assert (report["installed"], report["available"]) == (VERSION, "9.9.10")
    assert report["files"][0] == "lean_spec-9.9.10-py3-none-any.whl"
    assert len(report["files"]) == 3
    assert "lean-spec==9.9.10" in report["command"]


UV_IS_REFUSED = """error: Request failed after 3 retries in 8.2s
  cause: Failed to fetch: http://127.0.0.1:9/simple/lean-spec/
  cause: Connection refused (os error 111)"""


PIP_IS_REFUSED = """WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError('<x>: Failed to \
establish a new connection: [Errno 111] Connection refused')': /simple/lean-spec/
ERROR: No matching distribution found for lean-spec"""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (UV_IS_REFUSED, "Connection refused (os error 111)"),
        (PIP_IS_REFUSED, "[Errno 111] Connection refused"),
    ],
)
def test_update_says_at_once_that_it_asks_and_then_why_the_index_does_not_answer(
    installed: Installation, text: str, reason: str
) -> None:
    installed.uv(f"cat >&2 <<'END'\n{text}\nEND\nexit 2")
    (installed.site.root / f"lean_spec-{VERSION}.dist-info/INSTALLER").write_text("uv\n")
    lines = installed.manage("update", "--check", code=1).splitlines()
    assert lines[:2] == [
        "asking the index for lean-spec…",
        f"error: the index does not answer: {reason}",
    ]
    assert lines[2].startswith("  asked by: ")
    assert lines[3:] == [f"hint: {index.NETWORK}"]


def test_update_names_a_version_that_the_index_lacks(installed: Installation) -> None:
    installed.uv("echo 'No solution found when resolving dependencies:' >&2; exit 1")
    (installed.site.root / f"lean_spec-{VERSION}.dist-info/INSTALLER").write_text("uv\n")
    output = installed.manage("update", "--version", "9.9.8", code=1)
    assert "error: your index has no lean-spec 9.9.8\n" in output
    assert output.endswith("hint: leanspec-launcher update --check\n")


def test_update_refuses_a_release_without_a_build_for_this_machine(
    installed: Installation,
) -> None:
    installed.uv(lock("mcp"))
    output = installed.manage("update", code=1)
    text = "release 9.9.10 has no build of `leanspec-cli-bin` for this machine"
    assert f"error: {text}\n" in output
