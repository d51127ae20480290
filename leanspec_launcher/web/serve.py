"""What `leanspec-ui` does, in this order: verify, choose a port, start, show, watch."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess  # noqa: TID251 - LeanSpec's own program
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from leanspec_launcher._pins import BINARIES, VERSION
from leanspec_launcher._say import say
from leanspec_launcher._search import Start
from leanspec_launcher._tables import PROGRAMS
from leanspec_launcher.commands import CommandError, echo
from leanspec_launcher.verify.refusal import Refusal

from . import instances
from .instances import Instance
from .pages import chosen_pages, missing_parts, verified_pages
from .port import choose_port, connectable
from .project import find_project
from .server import (
    EndedError,
    WebServer,
    become_watcher,
    end,
    exit_at_signals,
    last_words,
    new_origin,
    reset_signals,
    start,
    wait_until_healthy,
)
from .settings import Settings, read_settings

PROGRAM = PROGRAMS["http"]
LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")
KEY_VARIABLE = "LEANSPEC_API_KEY"
ATTEMPTS = 12
# Where the home folders of people are, and the profiles of Windows that are nobody's.
HOMES = ("/home", "/Users")
NOBODYS = ("All Users", "Default", "Default User", "Public")
# Accounts below are the system's own.
FIRST_PERSON = 500


class ServerOptions(NamedTuple):
    """Options of `leanspec-ui`, by their names on the command line."""

    project: Path | None
    host: str = LOCAL_HOSTS[0]
    port: int | None = None
    no_open: bool = False
    new: bool = False
    readonly: bool = False
    dry_run: bool = False
    quiet: bool = False
    as_json: bool = False
    more: tuple[str, ...] = ()

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches the server."""
        return self.host in LOCAL_HOSTS

    @property
    def is_readonly(self) -> bool:
        """Whether the pages can change nothing."""
        return self.readonly or not self.is_local


class ServerPlan(NamedTuple):
    """A server to start: its options, the user's settings, the pages, and the program."""

    options: ServerOptions
    settings: Settings
    pages: str
    program: str

    def choose_port(self) -> tuple[int, str]:
        """Return a free port, and why it is not the usual one; empty if it is."""
        return choose_port(self.options.host, self.options.port, self.settings.port)

    def arguments(self, port: int, origin: str) -> tuple[str, ...]:
        """Return the server's options. Its settings file is left out: that would win over them."""
        options, settings = self.options, self.settings
        arguments = ["--host", options.host, "--port", str(port), "--ui-dist", self.pages]
        arguments += ["--cors-origins", origin]
        arguments += ["--no-config", "--no-open", "--log-level", "warn"]
        if options.project:
            arguments += ["--project", str(options.project)]
        if options.is_readonly:
            arguments.append("--readonly")
        if settings.theme:
            arguments += ["--theme", settings.theme]
        if settings.locale:
            arguments += ["--locale", settings.locale]
        return (*arguments, *options.more)


class Child(NamedTuple):
    """A server that this process has started: its process, where it is, and the file that says so."""

    process: subprocess.Popen[bytes]
    instance: Instance
    file: str
    """Empty if another server has the project's file."""
    remark: str
    """Why it has another port than the usual one; empty if it has that."""


def show(
    *,
    project: Path | None = None,
    specs_dir: Path | None = None,
    multi_project: bool = False,
    **values: Any,  # noqa: ANN401 - of ServerOptions, by name
) -> None:
    """Find the project and show it. Ends this process, unless a server for it runs already.

    Raises CommandError if that is not possible.
    """
    root = None if multi_project else find_project(project, specs_dir)
    options = ServerOptions(project=root, **values)
    reset_signals()
    if os.environ.get(KEY_VARIABLE):
        raise CommandError(
            f"`{KEY_VARIABLE}` is set, and the pages send no key: every request would be refused",
            hint=f"`unset {KEY_VARIABLE}`; on this machine alone, the server needs no key",
        )
    plan = ServerPlan(
        pages=chosen_pages() or verified_pages(),
        program=_verified_server(),
        settings=read_settings(),
        options=options,
    )
    if options.dry_run:
        _show_command(plan)
        return
    running = options.project and instances.find_running(options.project)
    if running and _is_enough(running, options):
        _show_running(running, options)
        return
    child = _start(plan, has_other=bool(running))
    if not child.file and not running and options.project:
        # Another start was faster. Nothing waits for it: two servers for a moment do no harm.
        running = instances.find_running(options.project)
        if running and _is_enough(running, options):
            end(child.process)
            _show_running(running, options)
            return
    _hand_over(child, options, missing_parts(plan.pages))


def _is_enough(running: Instance, options: ServerOptions) -> bool:
    """Tell whether a running server will do: whoever asks for pages that change nothing gets no others."""
    return not options.new and (running.readonly or not options.readonly)


def _show_running(running: Instance, options: ServerOptions) -> None:
    _show(running, options, "runs already")
    if options.port not in (None, running.port) and not options.quiet:
        text = f"it runs on port {running.port}, not {options.port}"
        say(f"note: {text}; `--new` starts another one")
    _open(running, options)


def _hand_over(child: Child, options: ServerOptions, missing: list[str]) -> NoReturn:
    """Say where the server is, open the browser, and watch the server."""
    try:
        exit_at_signals()
        _show(child.instance, options, "")
        _warn(options, child.remark)
        if missing and not options.quiet:
            text = "the web server has no API yet for these parts of the pages"
            say(f"note: {text}: {', '.join(missing)}")
        _open(child.instance, options)
        become_watcher(child.process, child.file)
    except BaseException:
        end(child.process)
        raise


def _show_command(plan: ServerPlan) -> None:
    # What only some runs need is imported there: a start has to be fast.
    from leanspec_launcher.installers.words import shown

    port, _ = plan.choose_port()
    echo(shown([[plan.program, *plan.arguments(port, new_origin())]]))


def _start(plan: ServerPlan, *, has_other: bool) -> Child:
    """Start a server, on another port if somebody takes the one that was free."""
    for _ in range(ATTEMPTS - 1):
        # A port that is free when we look may be taken when the server does: it ends, and we look
        # again. Whose port it was, nobody can say afterwards: that program may have ended too.
        with contextlib.suppress(EndedError):
            return _start_on_a_free_port(plan, has_other=has_other)
        # Several starts at the same moment would choose the same ports again and again.
        time.sleep(os.getpid() % 16 / 100)
    return _start_on_a_free_port(plan, has_other=has_other)


def _start_on_a_free_port(plan: ServerPlan, *, has_other: bool) -> Child:
    """Start a server. Raises EndedError if it ends before it answers."""
    options, origin = plan.options, new_origin()
    port, remark = plan.choose_port()
    file = instances.file_of(options.project) if options.project else ""
    # The other server of the project keeps its file and its log.
    log = f"{file}.new.log" if has_other else f"{file}.log"
    server = WebServer(
        program=plan.program,
        arguments=plan.arguments(port, origin),
        host=options.host,
        port=port,
        log=log if file else "",
        origin=origin,
    )
    process = start(server)
    try:
        wait_until_healthy(process, server)
        instance = _instance(server, process.pid, options)
        has_file = bool(file) and not has_other and instances.record(file, instance)
    except BaseException:
        end(process)
        raise
    return Child(process, instance, file if has_file else "", remark)


def _instance(server: WebServer, process: int, options: ServerOptions) -> Instance:
    """Return where the server is. Raises CommandError if it does not show the project."""
    host, project = connectable(server.host), options.project
    url = instances.page(host, server.port, project)
    if not url:
        raise CommandError(
            f"the server does not show `{project}`",
            hint="rename the folder if its name is not UTF-8",
            details=last_words(server.log),
        )
    return Instance(
        url=url,
        host=host,
        port=server.port,
        process=process,
        project=str(project or ""),
        version=BINARIES,
        readonly=options.is_readonly,
    )


def _warn(options: ServerOptions, remark: str) -> None:
    if not options.is_local:
        say(
            f"warning: everyone who reaches `{options.host}` can read your specs, and any file that"
            " this user can read; the pages can change nothing"
        )
    elif not options.quiet and _has_others():
        text = "every user of this machine can read your files through this server"
        if not options.readonly:
            text += ", and change your specs unless it runs with `--readonly`"
        say(f"note: {text}")
    if remark and not options.quiet:
        say(f"note: {remark}, so another one is used")


def _has_others() -> bool:
    """Tell whether other users have a home folder here: people whom loopback keeps from nothing.

    It is a guess, for a note: accounts of a directory server count once they have a folder, and an
    account that nobody uses any more counts too.
    """
    home = os.path.expanduser("~")
    for folder in {*HOMES, os.path.dirname(home)}:
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            if any(entry.is_dir() and _is_others(entry, home) for entry in entries):
                return True
    return False


def _is_others(entry: os.DirEntry[str], home: str) -> bool:
    if sys.platform == "win32":
        return entry.name not in (*NOBODYS, os.path.basename(home))
    owner = entry.stat().st_uid
    return owner >= FIRST_PERSON and owner != os.geteuid()


def _show(instance: Instance, options: ServerOptions, state: str) -> None:
    """Print where the server is."""
    if options.as_json:
        echo(json.dumps({**instance._asdict(), "lean_spec": VERSION}))
    elif options.quiet:
        echo(instance.url)
    else:
        verb = f" {state}" if state else ""
        echo(f"LeanSpec{verb}: {instance.url}  {instance.project}".rstrip())
        if not state:
            echo("Ctrl-C ends it.")
    if sys.stdout is not None:
        sys.stdout.flush()


def _open(instance: Instance, options: ServerOptions) -> None:
    """Open the browser, or say why not."""
    if options.no_open:
        return
    from . import browser

    reason = browser.why_not()
    if not reason and not browser.open_browser(instance.url):
        reason = "no browser could be started"
    if reason and not options.quiet:
        say(f"note: {reason}: open {instance.url} yourself")
        if tunnel := browser.tunnel(instance.port):
            say(f"hint: on your own machine, first run `{tunnel}`")


def _verified_server() -> str:
    """Return the path of the web server, verified. Raises CommandError if it is not to be run."""
    start = Start(PROGRAM)
    try:
        place = start.first_place()
        if start.must_verify(place):
            # A file that has not changed since saves this import.
            from leanspec_launcher.verify.proof import verify

            verify(start, place)
    except (Refusal, OSError) as error:
        from leanspec_launcher.explain import hints

        if isinstance(error, FileNotFoundError):
            raise CommandError(str(error), hint=hints.hint_of(start, None)) from None
        raise CommandError(
            f"refusing to run the web server: {error}",
            hint=f"`leanspec-launcher which {PROGRAM.name}` shows why, and what to type",
        ) from None
    return place.path
