"""Wait for the server, and end it when this process is to end. Run as a program of its own.

`python -I -S watch.py PROCESS FILE`: by then the work of `leanspec-ui` is done, and the process
that did it becomes this small one. The server does not end by itself while a browser has a page
open: it waits for the page's stream of events. So it gets a moment to finish what it writes, and
is then killed.

FILE says that the server runs; it is removed at the end.
"""

import _signal
import os
import sys

if sys.platform == "win32":
    raise ImportError

# Seconds that the server has after it was signals to end.
GRACE = 1
INTERRUPTS = (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP)


def watch(process: int) -> int:
    """Wait for a child process, and end it at a signal. Return the exit code for this process.

    0 if a signal ended it, else the child's own: 128 and the signal's number if it was killed.
    """
    signals: list[int] = []

    def end(number: int, _: object) -> None:
        # The second Ctrl-C does not wait.
        is_first = not signals and number != _signal.SIGALRM
        signals.append(number)
        try:
            if is_first:
                os.kill(process, _signal.SIGTERM)
                _signal.alarm(GRACE)
            else:
                os.kill(process, _signal.SIGKILL)
        except ProcessLookupError:
            pass  # it has ended just now

    for number in (*INTERRUPTS, _signal.SIGALRM):
        # What is ignored stays so, as `nohup` wants it.
        if _signal.getsignal(number) != _signal.SIG_IGN:
            _signal.signal(number, end)
    # The process that became this one held them.
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, INTERRUPTS)
    _, status = os.waitpid(process, 0)
    # From here on, its number may be another process's, and Python gives signals back at its end.
    for number in (*INTERRUPTS, _signal.SIGALRM):
        _signal.signal(number, _signal.SIG_IGN)
    if signals:
        return 0
    if os.WIFSIGNALED(status):
        return 128 + os.WTERMSIG(status)
    return os.WEXITSTATUS(status)


def main(process: str, file: str) -> int:
    """Watch a process; remove a file when it has ended."""
    try:
        return watch(int(process))
    finally:
        if os.path.exists(file):
            os.unlink(file)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
