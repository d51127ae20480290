"""Wheels of this release and of what it needs, downloaded by pip into a folder to install from."""

import html
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

from leanspec_launcher._pins import VERSION
from leanspec_launcher._release import release_wheels
from leanspec_launcher._search import SITE
from leanspec_launcher._tables import PROGRAMS, Platform
from leanspec_launcher.commands import CommandError
from leanspec_launcher.installers.detect import MAIN, has_pip
from leanspec_launcher.installers.records import with_extras
from leanspec_launcher.installers.words import shown, words
from leanspec_launcher.manage.fetch.entries import pinned_wheel
from leanspec_launcher.processes import interpreter, run_on_terminal
from leanspec_launcher.verify.proof import MOST_BYTES, digest

# The oldest glibc that a wheel's tag names (PEP 600: 2.5 is manylinux1's).
OLDEST_GLIBC = 5
GLIBC = re.compile(r"manylinux_2_(\d+)_(\w+)")
DOWNLOAD_SECONDS = 1800
INDEX, SUMS, PAGE = "index.html", "SHA256SUMS", "README.md"
ASK_PIP = "check which index pip uses: `python -m pip config list`"
TEXT = """\
# LeanSpec {version}, without a network

For {targets}.

This folder contains everything LeanSpec needs. Copy it to the other machine and run one of these
there, with its own path in place of `/media/lean-spec`:

    pipx install --pip-args="{options}" {name}
    uv tool install {options} {name}
    uv pip install {options} {name}
    {by_pip}

Each verifies every wheel against the checksums in `{index}` and asks no index. To verify all files
first: `sha256sum --check {sums}`.
"""
OPTIONS = f"--no-index --find-links file:///media/lean-spec/{INDEX}"
# The same in the folder itself.
INSIDE = f"--no-index --find-links {INDEX}"


@dataclass(frozen=True)
class BundleTarget:
    """A kind of machine that a bundle is for."""

    platform: Platform
    # As `3.11`.
    python: str

    def __str__(self) -> str:
        """Return what messages call it."""
        return f"Python {self.python} on {self.platform.label}"


def install_command(options: str, extras: tuple[str, ...]) -> str:
    """Return how pip installs from a bundle."""
    return f"python3 -m pip install {options} {_quoted(extras)}"


def _quoted(extras: tuple[str, ...]) -> str:
    """Return `lean-spec` with its extras, as any shell takes it."""
    return f'"{with_extras(MAIN, extras)}"' if extras else MAIN


def must_have_pip() -> None:
    """Raise CommandError if this environment has no pip, which downloads the wheels."""
    if not has_pip():
        raise CommandError(
            "`bundle` needs pip, which is not installed in this environment",
            hint=shown([words("{uv} pip", PROGRAMS["cli"])]),
        )


def download(
    target: BundleTarget, extras: tuple[str, ...], folder: Path, work: Path
) -> None:
    """Let pip download the wheels for a kind of machine into a folder.

    Our programs first, by their hashes; then what is missing, with these files named: so no stub,
    and no other wheel, can be taken. Raises CommandError if pip cannot.
    """
    pinned = {
        program: pinned_wheel(program, target.platform)
        for program in PROGRAMS.values()
        if program.extra in ("", *extras)
    }
    hashed = work / "requirements.txt"
    lines = [
        f"{program.distribution}=={VERSION} --hash=sha256:{wheel.sha256}\n"
        for program, wheel in pinned.items()
    ]
    hashed.write_text("".join(lines), "utf-8")
    _pip_download(target, folder, "--no-deps", "--require-hashes", "-r", str(hashed))
    wheels = [str(folder / wheel.name) for wheel in pinned.values()]
    _pip_download(target, folder, f"{with_extras(MAIN, extras)}=={VERSION}", *wheels)
    _must_be_this_launcher(folder / f"lean_spec-{VERSION}-py3-none-any.whl")


def _pip_download(target: BundleTarget, folder: Path, *arguments: str) -> None:
    """Run `pip download` for a kind of machine, with pip's own words on standard error."""
    command = [*interpreter(), "-m", "pip", "download", "--quiet", "--dest", str(folder)]
    command += ["--only-binary", ":all:", "--implementation", "cp"]
    command += ["--python-version", target.python]
    for abi in (f"cp{target.python.replace('.', '')}", "abi3", "none"):
        command += ["--abi", abi]
    for tag in sorted(_tags(target.platform)):
        command += ["--platform", tag]
    try:
        exit_code = run_on_terminal([*command, *arguments], seconds=DOWNLOAD_SECONDS)
    except OSError as error:
        raise CommandError(str(error), hint=ASK_PIP) from None
    if exit_code != 0:
        raise CommandError(
            f"pip cannot download lean-spec for {target}, for the reason above",
            hint=ASK_PIP,
        )


def _tags(platform: Platform) -> set[str]:
    """Return the platform tags of wheels that run where this release's programs do."""
    tags: set[str] = set()
    for program in PROGRAMS.values():
        wheel = release_wheels(program).get(platform.key)
        if wheel:
            tags.update(wheel.tags)
    # pip takes older ones of macOS by itself, not of glibc.
    for newest in list(filter(None, map(GLIBC.fullmatch, tags))):
        every = range(OLDEST_GLIBC, int(newest[1]) + 1)
        tags.update(f"manylinux_2_{minor}_{newest[2]}" for minor in every)
        tags.add(f"manylinux2014_{newest[2]}")
    return tags


def _must_be_this_launcher(wheel: Path) -> None:
    """Compare the launcher's wheel with what is installed: it contains the checksums of all others."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            installed = Path(SITE, name)
            if name.startswith("leanspec_launcher/") and (
                not installed.is_file() or installed.read_bytes() != archive.read(name)
            ):
                raise CommandError(
                    f"`{wheel.name}` is not the one that is installed here: `{name}` differs",
                    hint=f"see `leanspec-launcher doctor`; {ASK_PIP}",
                )


def write(folder: Path, extras: tuple[str, ...], targets: list[BundleTarget]) -> None:
    """Write a page of links with checksums, which installers take for an index, and what to type."""
    sums = {}
    for path in sorted(folder.iterdir()):
        sums[path.name] = digest(str(path), MOST_BYTES)
    links = [
        f'<a href="{html.escape(name)}#sha256={sha256}">{html.escape(name)}</a>\n'
        for name, sha256 in sums.items()
        if name.endswith(".whl")
    ]
    page = TEXT.format(
        version=VERSION,
        targets=", ".join(map(str, targets)),
        name=_quoted(extras),
        options=OPTIONS,
        by_pip=install_command(OPTIONS, extras),
        index=INDEX,
        sums=SUMS,
    )
    texts = {INDEX: "".join(["<!DOCTYPE html>\n", *links]), PAGE: page}
    for name, text in texts.items():
        (folder / name).write_bytes(text.encode())
        sums[name] = digest(str(folder / name), MOST_BYTES)
    lines = [f"{sha256}  {name}\n" for name, sha256 in sums.items()]
    (folder / SUMS).write_bytes("".join(lines).encode())
