"""The versions that tests speak of: each has its one home, and none is written again."""

from __future__ import annotations

from scripts.model.programs import main_project

# The version of this tree.
OURS = str(main_project()["version"])
# The newest release whose real binaries everybody can fetch from npm: what the tests run.
RELEASED = "0.3.0"
# npm has the binaries of that release for these.
REAL = ("linux-x64",)
