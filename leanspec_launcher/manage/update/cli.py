"""Command line of `update`: asks the index, shows what would change, changes it, and verifies the result."""

from __future__ import annotations

import json
import sys

import click

from leanspec_launcher._pins import VERSION
from leanspec_launcher._release import is_newer, is_version
from leanspec_launcher._search import SITE
from leanspec_launcher.commands import CommandError, echo, say_hint, styled
from leanspec_launcher.installers.detect import MAIN
from leanspec_launcher.installers.words import shown
from leanspec_launcher.manage import options
from leanspec_launcher.manage.options import CommandReport
from leanspec_launcher.manage.repair import run_installer
from leanspec_launcher.processes import interpreter, output_of

from .index import IndexRelease, complete, newest
from .installation import Installation, installation

# The exit code of `--check` if there is an update.
AVAILABLE = 3
VERIFY_SECONDS = 120
INTERRUPTED = "it was interrupted"
# The new release's own commands, by its own code.
COMMAND = "import sys; sys.path.insert(0, {!r}); from leanspec_launcher.manage import main; main()"


@click.command(name="update")
@click.option("--check", is_flag=True, help="Only tell whether there is a newer release.")
@click.option("--version", metavar="V", help="Change to this release, newer or older.")
@options.dry_run
@options.report("files")
def command(*, check: bool, version: str | None, dry_run: bool) -> CommandReport:
    """Update LeanSpec with the installer that installed it.

    Asks that installer's index, and shows what would change. The update is the installer's own
    command, with the extras that are installed. Afterwards every binary is verified, and the MCP
    server is asked for its version; if anything fails, the same installer brings this release back.

    With --check, exits with 0 if this is the newest release, and with 3 if there is a newer one.

    \b
    Examples:
      leanspec-launcher update --check
      leanspec-launcher update
      leanspec-launcher update --version 0.3.0
    """
    if version is not None and not is_version(version):
        raise click.UsageError(f"`{version}` is not the version of a release")
    installed = installation()
    echo(f"asking the index for {MAIN}…", err=True)
    release = newest(installed, version)
    # An index may lag behind: without a version that was asked for, an older one is no update.
    is_other = is_newer(release.version, VERSION)
    if version:
        is_other = release.version != VERSION
    if is_other:
        release = complete(installed, release.version)
    steps = installed.command(release.version, is_newest=version is None)
    value: dict[str, object] = {
        "installed": VERSION,
        "available": release.version,
        "uploaded": release.uploaded,
        "files": [file.name for file in release.files],
        "command": steps if is_other else [],
    }
    if not is_other:
        echo(f"lean-spec {VERSION} is the newest release of your index")
        return CommandReport(value)
    if check:
        echo(f"lean-spec {release.version} is available, this is {VERSION}")
        say_hint(shown([steps]))
        return CommandReport(value, AVAILABLE)
    _print_change(release, installed)
    echo(styled(f"$ {shown([steps])}", bold=True), err=True)
    if not dry_run:
        _update(installed, steps, release.version)
        value["installed"] = release.version
    return CommandReport(value)


def _print_change(release: IndexRelease, installed: Installation) -> None:
    date = f", of {release.uploaded[:10]}" if release.uploaded else ""
    echo(f"lean-spec {VERSION} -> {release.version}{date}")
    if installed.extras:
        echo(f"  extras: {', '.join(installed.extras)}")
    for file in release.files:
        echo(f"  {file.name}")


def _update(installed: Installation, steps: list[str], version: str) -> None:
    """Run the installer, verify what it left, and undo it if that is not what it should be.

    Raises CommandError if the update failed, whether it could be undone or not.
    """
    if sys.platform == "win32":
        raise CommandError(
            "Windows does not let a program be replaced while it runs", hint=shown([steps])
        )
    before = set(_problems())
    reason = _failure(steps, version, before)
    if not reason:
        echo(f"updated: lean-spec {version}")
        return
    undo = installed.exact(VERSION)
    echo(f"the update failed: {reason}", err=True)
    # Whether this release is installed, with no more problems than before.
    is_back = not _wrong_version(VERSION) and before.issuperset(_problems())
    if not is_back:
        echo(styled(f"$ {shown([undo])}", bold=True), err=True)
        if _failure(undo, VERSION, before):
            raise CommandError(
                f"the update failed, and {VERSION} could not be restored: {reason}",
                hint=shown([undo]),
            )
    if reason == INTERRUPTED:
        echo(f"{VERSION} is still installed", err=True)
        raise click.Abort
    hint = f"report this, with the output of `{shown([steps])}`"
    again = installed.unpin()
    if again:
        hint += f"; once that is fixed, `{shown([again])}`"
    raise CommandError(
        f"the update failed, and {VERSION} was restored: {reason}", hint=hint
    )


def _failure(steps: list[str], version: str, before: set[str]) -> str:
    """Run an installer's command and verify its result; return what failed, empty if nothing did."""
    try:
        run_installer(steps)
        new = [problem for problem in _problems() if problem not in before]
        return "; ".join(new) or _wrong_version(version)
    except CommandError as error:
        return error.message
    except KeyboardInterrupt:
        return INTERRUPTED


def _problems() -> list[str]:
    """Return the errors that `doctor` finds in what is installed now, in a process of its own."""
    output = _of_the_installed("doctor", "--json")
    try:
        return [
            f"{finding['section']}, {finding['name']}: {finding['value']}"
            for finding in json.loads(output)["findings"]
            if finding["status"] == "error"
        ]
    except (ValueError, KeyError, TypeError):
        return ["`leanspec-launcher doctor` does not run"]


def _wrong_version(version: str) -> str:
    output = _of_the_installed("--version").strip()
    expected = f"leanspec-launcher {version}"
    return "" if output == expected else f"`{output}` is installed, not {version}"


def _of_the_installed(*arguments: str) -> str:
    command = [*interpreter(), "-c", COMMAND.format(SITE), *arguments]
    try:
        return output_of(command, seconds=VERIFY_SECONDS).stdout
    except OSError:
        return ""
