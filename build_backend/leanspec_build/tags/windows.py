"""The tags of a Windows program, and the libraries that a clean Windows has."""

from __future__ import annotations

from leanspec_build.errors import BuildError
from leanspec_build.formats.facts import Executable

from .foreign import VISUAL_CPP, foreign_on_windows, must_need_nothing_foreign
from .model import Tags

WINDOWS_TAGS = {"x86_64": "win_amd64", "aarch64": "win_arm64", "i686": "win32"}


def windows_tags(executable: Executable) -> Tags:
    """Return the tags of a PE file; raises BuildError where no clean Windows runs it."""
    cpu = executable.cpus[0]
    if cpu not in WINDOWS_TAGS:
        raise BuildError(f"there is no Windows platform tag for the CPU `{cpu}`")
    if executable.packed:
        raise BuildError(
            "it is packed (by UPX, or another packer), which hides the libraries that it needs",
            hint="package the program as the compiler left it: virus scanners stop packed ones",
        )
    must_need_nothing_foreign(foreign_on_windows(executable), "a clean Windows")
    runtime = [f"`{name}`" for name in executable.needed if VISUAL_CPP.fullmatch(name)]
    remarks = []
    if runtime:
        remedy = "link the C runtime in (`-C target-feature=+crt-static`)"
        remarks.append(
            f"it needs {', '.join(runtime)}, which a clean Windows lacks: {remedy}"
        )
    return Tags((WINDOWS_TAGS[cpu],), (f"it is a PE file for {cpu}",), tuple(remarks))
