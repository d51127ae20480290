"""A PEP 517 and PEP 660 build backend for wheels that carry compiled programs, or data.

The hooks load when a frontend asks for one: `python -m leanspec_build inspect` needs none of what
they import.
"""

import importlib
from typing import Any

HOOKS = ("build_", "get_requires_for_", "prepare_metadata_for_")


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a hook of any form (PEP 562)
    if not name.startswith(HOOKS):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(".hooks", __name__), name)
