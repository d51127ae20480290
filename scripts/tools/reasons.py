"""The reason of an error as a person says it, without the names that Python has for it; and lists of names."""

import json
from collections.abc import Iterable

MISSING = "is missing"
OTHER_STRUCTURE = "it has another structure than it should have"


def reason(error: BaseException) -> str:
    """Return one line that says why something failed."""
    text = " ".join(str(error).split())
    match error:
        case KeyError():
            # A missing key is its own message; an archive says in words what it lacks.
            key = str(error.args[0]) if error.args else "a part"
            return key if " " in key else f"`{key}` {MISSING}"
        case OSError() if error.strerror:
            words = error.strerror[0].lower() + error.strerror[1:]
            return f"`{error.filename}`: {words}" if error.filename else words
        case json.JSONDecodeError():
            return f"line {error.lineno} is not JSON: {error.msg}"
        case UnicodeError():
            return "it is not text in UTF-8"
        case TypeError() | AttributeError() | IndexError():
            return OTHER_STRUCTURE
        case _:
            return text or "it is damaged"


def quoted(names: Iterable[object]) -> str:
    """Return names as a message lists them."""
    return ", ".join(f"`{name}`" for name in names)
