"""The parent process that Windows needs, where no process can become another."""

import signal
import subprocess


def wait_for(path: str, arguments: "list[str]") -> int:
    """Run the program to its end and return its exit code, all 32 bits of it.

    Ctrl-C reaches every process of the console: it is the program's to answer, and this one outlives it. Raises OSError
    where the program cannot be started.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with subprocess.Popen([path, *arguments]) as process:
        return process.wait()
