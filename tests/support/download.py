"""pip's download of a wheel for a machine that this one need not be."""

from __future__ import annotations

import sys

ONE_WHEEL = ("--no-deps", "--only-binary=:all:", "--python-version", "3.12")
# `--platform`, `--dest` and a requirement are to be added.
PIP_DOWNLOAD = (sys.executable, "-m", "pip", "download", *ONE_WHEEL)
