"""Platform tags: what each promises, and which ones several programs share.

Standards: PEP 425 (compatibility tags) and the platform compatibility tags page of the packaging
specifications.
"""

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from leanspec_build.errors import BuildError, listed
from leanspec_build.formats.facts import Version
from leanspec_build.formats.go_build import BASELINES

# What the public index takes (its own upload check, 2026); it refuses every other platform tag.
INDEX_TAGS = re.compile(
    r"any|win32|win_amd64|win_arm64|linux_armv[67]l"
    r"|macosx_(10_\d+|(11|12|13|14|15|26)_0)_(x86_64|arm64|universal2)"
    r"|manylinux(1|2010)_(x86_64|i686)|manylinux2014_(x86_64|i686|aarch64|armv7l|ppc64|ppc64le|s390x)"
    r"|manylinux_\d+_\d+_(x86_64|i686|aarch64|armv7l|ppc64|ppc64le|s390x|riscv64)"
    r"|musllinux_\d+_\d+_(x86_64|i686|aarch64|armv7l|ppc64le|s390x|riscv64)"
)

# The older names of three policies (PEP 600).
LEGACY = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}
IN_NO_POLICY = "is in no {} policy"
# What helps a program for this machine alone.
LINK = "link the library in (vendored OpenSSL, rustls, static musl)"
BESIDE = "put it next to the program (`data-files.bin`, with the run path `$ORIGIN`)"
GRAFT = "graft it with `-C repair=auditwheel`"
OPENSSL = re.compile(r"libssl|libcrypto|ssleay|libeay", re.IGNORECASE)
# A family of systems, and the CPU.
System = tuple[str, str]
# The oldest version of each system.
Promise = dict[System, Version]
# A version that no system has.
NEVER = (sys.maxsize, 0)


@dataclass(frozen=True)
class Tags:
    """The platforms that a wheel may be promised to, and why."""

    platforms: tuple[str, ...]
    """Platform tags, most specific first."""
    reasons: tuple[str, ...]
    remarks: tuple[str, ...] = ()
    """What a tag cannot say, and a user may still stumble over."""
    is_local: bool = False
    """Whether nothing promises that it runs on another machine than that of the build."""

    @property
    def publishable(self) -> bool:
        """Whether a public index takes a wheel with these tags, and its users can run what is in it."""
        if self.is_local or not self.platforms:
            return False
        return all(map(INDEX_TAGS.fullmatch, self.platforms))

    def explanation(self) -> list[str]:
        """Return the lines that say why, for people."""
        lines = [f"because {reason}" for reason in self.reasons]
        lines += [f"note: {remark}" for remark in self.remarks]
        if not self.publishable:
            cause = "no public index takes a wheel with this tag"
            if all(map(INDEX_TAGS.fullmatch, self.platforms)):
                cause = "other machines of this tag may not run it"
            lines.append(f"for local use only: {cause}")
        return lines


EVERY_MACHINE = Tags(("any",), ())


def of_all(parts: list[Tags]) -> Tags:
    """Return the tags of several programs that a wheel carries together: what each of them allows."""
    every = dict.fromkeys(tag for part in parts for tag in part.platforms)
    common = []
    cpus = set()
    for tag in every:
        family, number, cpu = split_tag(tag)
        cpus.add(cpu)
        # All machines of a tag have to be machines of one of each program's tags.
        oldest = [
            oldest_systems(part.platforms).get((family, cpu), NEVER) for part in parts
        ]
        if number >= max(oldest):
            common.append(tag)
    local = [tag for tag in every if tag.startswith("linux_")]
    if local and len(cpus) == 1:
        common = local[:1]  # one of them is for this machine alone, so all are
    reasons = dict.fromkeys(reason for part in parts for reason in part.reasons)
    remarks = dict.fromkeys(remark for part in parts for remark in part.remarks)
    is_local = any(part.is_local for part in parts)
    return Tags(tuple(common), tuple(reasons), tuple(remarks), is_local)


def split_tag(tag: str) -> tuple[str, Version, str]:
    """Return the family of systems that a platform tag promises, its oldest version, and the CPU."""
    versioned = re.fullmatch(r"(manylinux|musllinux|macosx)_(\d+)_(\d+)_(.+)", tag)
    if versioned:
        return versioned[1], (int(versioned[2]), int(versioned[3])), versioned[4]
    family, _, cpu = tag.partition("_")
    if family in LEGACY:
        return "manylinux", LEGACY[family], cpu
    return family, (0, 0), cpu


def dotted(version: Version) -> str:
    """Return a version as it is written, as in `11.0`."""
    return f"{version[0]}.{version[1]}"


def oldest_systems(tags: Iterable[str]) -> Promise:
    """Return the oldest version that platform tags promise, per family of systems and CPU."""
    oldest: Promise = {}
    for tag in tags:
        family, number, cpu = split_tag(tag)
        key = (family, cpu)
        oldest[key] = min(number, oldest.get(key, number))
    return oldest


def newer_machines(instructions: str) -> str:
    """Say that a program is for some machines of its CPU alone."""
    return f"it says that it needs {instructions}, which older machines do not have"


def remedies(reasons: Iterable[str], *, is_on_path: bool) -> list[str]:
    """Return what helps a program for this machine alone, on the path or in a package, about the reasons."""
    text = "\n".join(reasons)
    advice = [
        f"build it for all machines of its CPU: `{name}={level}`"
        for name, level in BASELINES.items()
        if f" {name}=" in text
    ]
    # Other reasons are not about a library.
    if IN_NO_POLICY.partition("{")[0] in text:
        advice += [BESIDE, LINK] if is_on_path else [LINK, GRAFT]
    return advice


def must_need_nothing_else(libraries: list[str], system: str) -> None:
    """Raise BuildError for libraries that are on the machine that built a program, and not on its users' ones."""
    if not libraries:
        return
    path = libraries[0]
    name = path.rpartition("/")[2]
    hint = f'put it next to the program: `data-files.bin = ["FOLDER/{name}"]`'
    if path.startswith("/"):
        change = f"install_name_tool -change {path} @loader_path/{name} PROGRAM"
        hint += f" and `{change}`"
    hint += ", or link it statically"
    if any(map(OPENSSL.search, libraries)):
        hint += ": for OpenSSL, with the crate's feature `vendored`"
    raise BuildError(
        f"it needs {listed(libraries)}, which {system} does not have", hint=hint
    )
