"""The tags of a macOS program: the oldest system of each of its slices."""

from leanspec_build.errors import BuildError, NoTagError
from leanspec_build.formats.facts import Executable, Libraries, Signature, Version

from .model import Tags, dotted, must_need_nothing_else, newer_machines
from .run_path import run_path_remarks, unsafe_folders

MACOS_CPUS = {"x86_64": "x86_64", "aarch64": "arm64"}
FIRST_ARM_MACOS = (11, 0)
# The folders of libraries that are part of the system, as delocate has them.
MACOS_FOLDERS: tuple[str, ...] = ("/usr/lib/", "/System/Library/")
# Since macOS 10.14.4, Swift's libraries are part of the system; programs for older ones find them
# by a run path.
SWIFT, SWIFT_FOLDER = "@rpath/libswift", "/usr/lib/swift"


def macos_tags(executable: Executable, bundled: Libraries) -> Tags:
    """Return the tags of a Mach-O file with the libraries beside it; raises BuildError where no clean macOS runs it."""
    of_system = MACOS_FOLDERS
    if SWIFT_FOLDER in executable.run_path:
        of_system += (SWIFT,)
    parts = [executable, *bundled.values()]
    needed = dict.fromkeys(name for part in parts for name in part.needed)
    foreign = [name for name in needed if not name.startswith(of_system)]
    must_need_nothing_else(foreign, "a macOS without Homebrew and the like")
    folders = [folder for part in parts for folder in unsafe_folders(part)]
    if folders:
        raise BuildError(
            f"it looks for libraries in {', '.join(folders)} first, where others may put one",
            hint="take the run path out: `install_name_tool -delete_rpath FOLDER PROGRAM`, and sign it again",
        )
    # Slices without a tag, as for older machines, take nothing from the others. One for arm64e does: Apple silicon
    # may prefer it, and runs those of the system's alone.
    untagged = [cpu for cpu in executable.cpus if cpu not in MACOS_CPUS]
    cpus = [cpu for cpu in executable.cpus if cpu in MACOS_CPUS]
    if not cpus or "arm64e" in untagged:
        raise NoTagError(f"there is no macOS platform tag for the CPU `{untagged[0]}`")
    floors = {cpu: max(_macos_floor(part, cpu) for part in parts) for cpu in cpus}
    minimum = {cpu: max(part.macos_minimum[cpu] for part in parts) for cpu in floors}
    reasons = tuple(
        f"its {cpu} code needs macOS {dotted(number)}" for cpu, number in minimum.items()
    )
    tags = [
        f"macosx_{major}_{minor}_{MACOS_CPUS[cpu]}"
        for cpu, (major, minor) in floors.items()
    ]
    # A universal2 tag of macOS 10.x is taken by every Apple silicon, whose first system is 11.0:
    # where the arm64 code needs a newer one, only the two thin tags are true.
    if set(floors) == set(MACOS_CPUS) and floors["aarch64"] <= max(
        FIRST_ARM_MACOS, floors["x86_64"]
    ):
        tags.append("macosx_{}_{}_universal2".format(*floors["x86_64"]))
    # macOS 13 starts on CPUs with AVX2 alone, but Rosetta has it since macOS 15: a level counts as elsewhere.
    if executable.instructions:
        reasons = (newer_machines(executable.instructions),)
    is_local = executable.instructions is not None
    return Tags(tuple(tags), reasons, run_path_remarks(executable), is_local)


def _macos_floor(executable: Executable, cpu: str) -> Version:
    """Return the oldest macOS that a slice may be promised to, in the numbers that tags use."""
    if cpu not in executable.macos_minimum:
        raise BuildError(f"the file does not say which macOS its {cpu} code needs at least")
    if cpu == "aarch64" and executable.signatures[cpu] is Signature.NONE:
        raise BuildError(
            "its arm64 code is not signed, and Apple silicon kills what is not",
            hint="sign it on a Mac with `codesign --sign -`, or elsewhere with `rcodesign sign`",
        )
    major, minor = executable.macos_minimum[cpu]
    if cpu == "aarch64":
        major, minor = max((major, minor), FIRST_ARM_MACOS)
    # From macOS 11 on the major version counts, and tags have minor 0; 11.3 is not there on all of
    # 11.
    return (major + (minor > 0), 0) if major > 10 else (major, minor)  # noqa: PLR2004 - macOS 10.x
