"""Verification of a binary before its first start."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def refuse(
    kind: str, reason: str, *, expected: "tuple[str, ...]" = (), actual: str = ""
) -> "NoReturn":
    """Raise the Refusal of a kind, by its name. A start that succeeds does not import it."""
    from .refusal import Kind, Refusal

    raise Refusal(Kind[kind], reason, expected=expected, actual=actual)
