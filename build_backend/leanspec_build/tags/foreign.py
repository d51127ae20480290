"""Which libraries are part of a system? Any other is on the machine that built a program, and perhaps nowhere else.

For Linux, the manylinux policies say it. For macOS it is a matter of folders (as delocate has it),
for Windows of names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from leanspec_build.errors import BuildError
from leanspec_build.formats.facts import Executable

MACOS_FOLDERS = ("/usr/lib/", "/System/Library/")
# Since macOS 10.14.4, Swift's libraries are part of the system; programs for older ones find them
# by a run path.
SWIFT, SWIFT_FOLDER = "@rpath/libswift", "/usr/lib/swift"

# Sets of functions that Windows leads to the library that has them.
WINDOWS_SETS = re.compile(r"(api|ext)-ms-win-[a-z0-9-]+\.dll")
# What Windows 10 has in each edition, of what programs ask for. A test holds each to delvewheel's
# list.
WINDOWS_NAMES = """
activeds advapi32 authz avicap32 avrt bcrypt bcryptprimitives cabinet cfgmgr32 clusapi combase comctl32
comdlg32 credui crypt32 cryptnet cryptsp cryptui d2d1 d3d10 d3d11 d3d12 d3d9 d3dcompiler_47 dbgeng dbghelp
dcomp ddraw dhcpcsvc dhcpcsvc6 dinput8 dnsapi dsound dwmapi dwrite dxgi dxva2 esent evr fltlib fwpuclnt gdi32
gdiplus glu32 hid httpapi icuin icuuc imagehlp imm32 iphlpapi kernel32 kernelbase ksuser ktmw32 loadperf
logoncli lz32 mf mfplat mfreadwrite mpr msacm32 mscms msdmo msi msimg32 mspatcha msvcrt msvfw32 mswsock msxml6
ncrypt ndfapi netapi32 netutils newdev normaliz ntdll ntdsapi odbc32 ole32 oleacc oleaut32 oledlg opengl32 pdh
powrprof propsys psapi qwave rasapi32 resutils rpcrt4 rstrtmgr samcli sechost secur32 sensapi setupapi shcore
shell32 shlwapi slc snmpapi srvcli sspicli tdh ucrtbase urlmon user32 userenv usp10 uxtheme version virtdisk
webio wer wevtapi winbio windowscodecs winhttp wininet winmm winscard winsta wintrust winusb wlanapi wldap32
ws2_32 wsock32 wtsapi32 xinput1_4 xinput9_1_0 xmllite
"""
WINDOWS_LIBRARIES = frozenset(f"{name}.dll" for name in WINDOWS_NAMES.split())
WINDOWS_DRIVERS = frozenset({"winspool.drv"})
# Libraries of Visual C++ that a clean Windows lacks, and most machines have.
VISUAL_CPP = re.compile(
    r"(vcruntime\d+(_\d)?|msvcp\d+.*|msvcr\d+|concrt\d+|vcomp\d+)\.dll", re.IGNORECASE
)


def foreign_on_macos(executable: Executable) -> Iterator[str]:
    """Yield the libraries that a macOS without anything installed does not have."""
    swift = SWIFT_FOLDER in executable.run_path
    for name in executable.needed:
        if not name.startswith(MACOS_FOLDERS) and not (swift and name.startswith(SWIFT)):
            yield name


def foreign_on_windows(executable: Executable) -> Iterator[str]:
    """Yield the libraries that a Windows without anything installed does not have, and few machines do."""
    for name in executable.needed:
        known = name.lower()
        if (
            known in WINDOWS_LIBRARIES
            or known in WINDOWS_DRIVERS
            or WINDOWS_SETS.fullmatch(known)
        ):
            continue
        if not VISUAL_CPP.fullmatch(known):
            yield name


def must_need_nothing_foreign(foreign: Iterator[str], where: str) -> None:
    """Raise BuildError for libraries that are on the machine that built a program, and not on its users' ones."""
    names = ", ".join(f"`{name}`" for name in foreign)
    if names:
        raise BuildError(
            f"it needs {names}, which {where} does not have",
            hint="link it statically: for OpenSSL, with the crate's feature `vendored`",
        )
