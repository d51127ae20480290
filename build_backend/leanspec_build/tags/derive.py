"""The tags of an executable, by the rules of its system."""

from collections.abc import Mapping

from leanspec_build.errors import BuildError, NoTagError
from leanspec_build.formats.facts import Executable, FileFormat, Signature

from .linux import linux_tags
from .macos import macos_tags
from .model import Tags
from .windows import windows_tags


def platform_tags(
    executable: Executable, bundled: Mapping[str, Executable] | None = None
) -> Tags:
    """Derive the platform tags of an executable.

    `bundled` are the shared libraries that the wheel brings along, by their file name. Raises
    NoTagError if there is no tag for its system or CPU, BuildError if no machine would run it.
    """
    if Signature.BROKEN in executable.signatures.values():
        raise BuildError(
            "it was changed after it was signed, so the system stops it, or warns of it",
            hint="sign it again, after `strip` and whatever else changes it",
        )
    if executable.format is FileFormat.PE:
        return windows_tags(executable)
    if executable.format is FileFormat.MACH_O:
        return macos_tags(executable)
    if executable.system != "linux":
        raise NoTagError(f"there is no platform tag for the system `{executable.system}`")
    return linux_tags(executable, bundled or {})
