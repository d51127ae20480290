"""A web server on the loopback interface, for as long as a block runs."""

import contextlib
import http.server
import socket
import threading
from collections.abc import Callable, Iterator

Handler = Callable[..., http.server.BaseHTTPRequestHandler]
# Seconds between two looks whether the block has ended.
POLL = 0.05


class LoopbackServer(http.server.ThreadingHTTPServer):
    """Answers each request in a thread, and waits for none of them when it ends."""

    daemon_threads = True
    block_on_close = False

    @property
    def url(self) -> str:
        """The address of its root, with a slash at the end."""
        return f"http://127.0.0.1:{self.server_port}/"


class Silent(http.server.BaseHTTPRequestHandler):
    """A handler that logs nothing."""

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def free_port() -> int:
    """Return a port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def running(server: LoopbackServer) -> Iterator[LoopbackServer]:
    """Let a server answer until the block ends."""
    thread = threading.Thread(target=server.serve_forever, args=(POLL,), daemon=True)
    with server:
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def serving(handler: Handler) -> Iterator[str]:
    """Serve with a handler on a free port; give the server's address."""
    with running(LoopbackServer(("127.0.0.1", 0), handler)) as server:
        yield server.url
