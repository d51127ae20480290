"""The commands of a stub: it is what an installer takes where no wheel has the programs, and it says so.

This file is copied into the stub as it is, beside a `machines.json`. It imports nothing of this
package, and runs on any Python that the project may allow.
"""

import json
import platform
import sys
from pathlib import Path

FAILURE = 1


def main() -> int:
    """Say which machines the programs are for, on standard error; return 1."""
    facts = json.loads(Path(__file__).with_name("machines.json").read_text("utf-8"))
    name, version = facts["name"], facts["version"]
    command = Path(sys.argv[0]).name
    lines = [
        f"error: {name} {version} has no `{command}` for this machine: {_machine()}",
        *(f"  it has one for {machine}" for machine in facts["machines"]),
        f"hint: on one of those, `python -m pip install --upgrade pip`, then install {name} again",
    ]
    sys.stderr.write("\n".join(lines) + "\n")
    return FAILURE


def _machine() -> str:
    """Return the system, the CPU and the libc, as in `Linux on x86_64 with glibc 2.36`."""
    system = {"Darwin": "macOS"}.get(platform.system(), platform.system())
    library, version = platform.libc_ver()
    libc = ""
    if library:
        libc = f" with {library} {version}"
    return f"{system} on {platform.machine()}{libc}"
