"""The config settings of one build, as `-C name=value` gives them to a frontend."""

from collections.abc import Mapping

from leanspec_build.errors import BuildError

from .keys import must_be_a_repair, names_hint

SETTINGS = ("platform", "binary", "from", "repair", "stub", "version")
EXCLUSIVE = (("platform", "binary"), ("from", "binary"))


def read_settings(settings: Mapping[str, object] | None) -> dict[str, str]:
    """Return the config settings; raises BuildError for an unknown one, a list, or two that exclude each other."""
    chosen: dict[str, str] = {}
    for key, value in (settings or {}).items():
        if key not in SETTINGS:
            hint = names_hint(key, SETTINGS, "the settings are", "-C {}=...")
            raise BuildError(f"the config setting `{key}` is unknown", hint=hint)
        if not isinstance(value, str) or not value:
            raise BuildError(
                f"the config setting `{key}` wants one text, not `{value}`",
                hint=f"give it once: `-C {key}=VALUE`",
            )
        chosen[key] = value
    for one, other in EXCLUSIVE:
        if {one, other} <= set(chosen):
            raise BuildError(
                f"the config settings `{one}` and `{other}` exclude each other",
                hint="give one of them",
            )
    if "stub" in chosen and set(chosen) - {"stub", "version"}:
        raise BuildError(
            "the config setting `stub` stands alone: a stub carries no binary",
            hint="leave the others out",
        )
    must_be_a_repair(chosen.get("repair"), "the config setting `repair`")
    return chosen
