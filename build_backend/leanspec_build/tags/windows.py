"""The tags of a Windows program, and the libraries that a clean Windows has."""

import re

from leanspec_build.errors import BuildError, NoTagError, listed
from leanspec_build.formats.facts import Executable, Libraries

from .model import Tags, must_need_nothing_else, newer_machines

WINDOWS_TAGS = {"x86_64": "win_amd64", "aarch64": "win_arm64", "i686": "win32"}
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


def windows_tags(executable: Executable, bundled: Libraries) -> Tags:
    """Return the tags of a PE file with the libraries beside it; raises BuildError where no clean Windows runs it."""
    cpu = executable.cpus[0]
    if cpu not in WINDOWS_TAGS:
        raise NoTagError(f"there is no Windows platform tag for the CPU `{cpu}`")
    if executable.packed:
        raise BuildError(
            "it is packed (by UPX, or another packer), which hides the libraries that it needs",
            hint="package the program as the compiler left it: virus scanners stop packed ones",
        )
    parts = (executable, *bundled.values())
    needed = dict.fromkeys(name for part in parts for name in part.needed)
    runtime = [name for name in needed if VISUAL_CPP.fullmatch(name)]
    foreign = [
        name
        for name in needed
        if name.lower() not in WINDOWS_LIBRARIES | WINDOWS_DRIVERS
        and not WINDOWS_SETS.fullmatch(name.lower())
        and name not in runtime
    ]
    must_need_nothing_else(foreign, "a clean Windows")
    remarks = []
    if runtime:
        remedy = "link the C runtime in (`-C target-feature=+crt-static`)"
        remarks.append(f"it needs {listed(runtime)}, which a clean Windows lacks: {remedy}")
    reasons = [f"it is a PE file for {cpu}"]
    if executable.instructions:
        reasons = [newer_machines(executable.instructions)]
    is_local = executable.instructions is not None
    return Tags((WINDOWS_TAGS[cpu],), tuple(reasons), tuple(remarks), is_local)
