"""A web server that answers as LeanSpec's does, as far as `leanspec-ui` asks it.

Like that one, it does not end at SIGTERM while a stream of events is open.
"""

from __future__ import annotations

from tests.support.surroundings import shebang

SOURCE = r"""
import http.server, json, os, signal, sys, threading, time

VERSION = "9.9.9"
options = dict(zip(sys.argv[1:], sys.argv[2:]))
streams = []
# As LeanSpec's, it shows whatever project it has ever shown, and not the one that it is given first.
shown = [{"id": "a b", "path": options[name]} for name in ("--project",) if name in options]


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        if self.path == "/api/events/specs":
            streams.append(1)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"data: here\n\n")
            time.sleep(60)
            return
        answers = {
            "/health": {"version": VERSION},
            "/api/projects": {"projects": [{"id": "first", "path": "/first"}, *shown]},
        }
        body = json.dumps(answers.get(self.path, {})).encode()
        self.send_response(200)
        if self.headers["Origin"] == options["--cors-origins"]:
            self.send_header("access-control-allow-origin", self.headers["Origin"])
        self.end_headers()
        self.wfile.write(body)


def end(*_):
    if not streams:
        os._exit(0)


for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, end)
print("seen", json.dumps(sys.argv[1:]), sorted(k for k in os.environ if k.startswith(("LEANSPEC", "PORT"))), flush=True)
server = http.server.ThreadingHTTPServer((options["--host"], int(options["--port"])), Handler)
server.serve_forever()
"""


def program(source: str = SOURCE) -> bytes:
    """Return the server as an executable."""
    return f"{shebang()}\n{source}".encode()
