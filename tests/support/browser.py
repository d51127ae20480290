"""A session in a real browser, without a network: what a user of the web UI sees and does.

Run as a program of its own, in a network namespace that has no interface but loopback:
`python -m tests.support.browser COMMAND PROJECT OTHER FOLDER`. It prints what it saw as JSON;
the browser's profile is in FOLDER. OTHER is a project that was shown between two sessions with PROJECT.
"""

from __future__ import annotations

import contextlib
import fcntl
import http.server
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from scripts.tools.loopback import Silent, serving

if sys.platform == "win32":
    raise ImportError  # the session needs a network namespace

BROWSERS, DRIVERS = ("chromium", "google-chrome"), ("chromedriver",)
OPTIONS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1280,900"),
    *("--no-proxy-server", "--disable-background-networking", "--disable-component-update"),
)
# ioctl(2) on a network interface: set its flags; up and running.
SIOCSIFFLAGS, UP = 0x8914, 0x1 | 0x40
FETCH = """
const [url, method, body, done] = arguments;
const headers = body ? {"Content-Type": "application/json"} : {};
fetch(url, {method, body, headers}).then(a => a.text()).then(t => done("read " + t), e => done("refused"));
"""


class Session:
    """A browser, and the folder for its profile and its pictures."""

    def __init__(self, folder: Path) -> None:
        options = webdriver.ChromeOptions()
        for option in (*OPTIONS, f"--user-data-dir={folder / 'profile'}"):
            options.add_argument(option)
        options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
        options.binary_location = first_of(BROWSERS)
        self.folder = folder
        # Some of selenium's functions carry no types.
        self.driver: Any = webdriver.Chrome(
            options=options, service=Service(first_of(DRIVERS))
        )

    def text(self) -> str:
        return str(self.driver.find_element(By.TAG_NAME, "body").text)

    def shows(self, words: str) -> bool:
        return wait(lambda: words in self.text())

    def find(self, path: str) -> list[WebElement]:
        return list(self.driver.find_elements(By.XPATH, path))

    def picture(self, name: str) -> None:
        self.driver.save_screenshot(str(self.folder / f"{name}.png"))

    def requests(self) -> Iterator[dict[str, Any]]:
        """Yield the answers to every request so far."""
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] in (
                "Network.responseReceived",
                "Network.requestWillBeSent",
            ):
                yield message


def first_of(names: tuple[str, ...]) -> str:
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        raise SystemExit(f"none of {', '.join(names)} is installed")
    return found


def wait(condition: Callable[[], bool], seconds: float = 20) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with contextlib.suppress(WebDriverException, OSError):
            if condition():
                return True
        time.sleep(0.1)
    return False


def raise_loopback() -> None:
    """Bring up the loopback interface of a new network namespace."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control,
        contextlib.suppress(PermissionError),
    ):
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh", b"lo", UP))


def drag_first_to_second(session: Session) -> None:
    """Drag the first spec of the board into the column of the second."""
    cards = {
        card.text.split("\n")[0]: card for card in session.find("//*[@draggable='true']")
    }
    drag = ActionChains(session.driver).click_and_hold(cards["#1"]).pause(0.3)
    drag = drag.move_by_offset(10, 5).pause(0.2).move_to_element(cards["#2"]).pause(0.3)
    drag.move_by_offset(0, 5).pause(0.3).release().perform()


def choose(session: Session, words: str) -> bool:
    """Click an item of the open menu; tell whether it was there."""
    items = session.find(f"//*[normalize-space(.)='{words}']")
    for item in items[-1:]:
        item.click()
    return bool(items)


def look_around(session: Session, url: str, project: Path) -> Iterator[tuple[str, object]]:
    """Use the pages as somebody would; yield what was seen, by name."""
    driver, first = session.driver, project / "specs/001-first/README.md"
    driver.get(url)
    yield "dashboard", session.shows("The first spec") and session.shows(project.name)
    yield "no other project", "The other spec" not in session.text()
    root = driver.current_url.rstrip("/")
    driver.get(f"{root}/specs")
    yield "list, by a deep link", session.shows("The second spec")
    next(
        button for button in session.find("//button") if button.text.strip() == "Board"
    ).click()
    yield "board", wait(lambda: len(session.find("//*[@draggable='true']")) == 3)
    drag_first_to_second(session)
    yield "drag and drop, on disk", wait(lambda: "status: in-progress" in first.read_text())
    driver.get(f"{root}/specs/003-third")
    yield "spec", session.shows("Some text of third")
    third = project / "specs/003-third/README.md"
    third.write_text(third.read_text().replace("Some text of third", "Changed on disk"))
    yield "a change on disk, without a reload", session.shows("Changed on disk")
    for part in ("files", "dependencies", "stats", "context"):
        driver.get(f"{root}/{part}")
        yield part, wait(lambda: len(session.text()) > 300)
    driver.get(root)
    session.shows("The first spec")
    driver.find_element(By.CSS_SELECTOR, "[aria-label='Toggle theme']").click()
    wait(lambda: choose(session, "Dark"))
    yield "dark theme", wait(lambda: bool(session.find("//html[contains(@class, 'dark')]")))
    wait(lambda: not session.find("//*[normalize-space(.)='System']"))


def from_elsewhere(session: Session, url: str) -> Iterator[tuple[str, object]]:
    """Try to read and to change something from another web site; yield what came of it."""

    class Other(Silent, http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<title>another site</title>")

    with serving(Other) as other:
        session.driver.get(other)
        for method, body in (("GET", None), ("POST", '{"path":"/etc"}')):
            answer = session.driver.execute_async_script(
                FETCH, f"{url}api/projects", method, body
            )
            yield f"{method} from another site", answer


@contextlib.contextmanager
def running(
    command: str, project: str, env: dict[str, str]
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the web UI in a project while the block does; give its process and the page that it names."""
    with subprocess.Popen(
        [command, "--no-open", "--json"],
        cwd=project,
        env=env,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        yield process, json.loads(process.stdout.readline())["url"]
        process.send_signal(signal.SIGINT)
        process.wait(20)


def main(command: str, project: str, other: str, folder: str) -> None:
    raise_loopback()
    home = Path(folder, "browser-home")
    home.mkdir()
    # No Node, no proxy, nothing of this user.
    env = {"HOME": str(home), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    for earlier in (project, other):
        with running(command, earlier, env):
            pass
    started = time.monotonic()
    with running(command, project, env) as (process, url):
        seen: dict[str, object] = {
            "seconds to a healthy server": time.monotonic() - started
        }
        session = Session(Path(folder))
        try:
            seen |= look_around(session, url, Path(project))
            messages = list(session.requests())
            seen |= from_elsewhere(session, url.partition("projects/")[0])
        finally:
            session.driver.quit()
        asked = [
            m["params"]["request"]["url"] for m in messages if "request" in m["params"]
        ]
        answers = [m["params"]["response"] for m in messages if "response" in m["params"]]
        seen["asked"] = sorted({each for each in asked if each.startswith("http")})
        seen["failed"] = sorted({each["url"] for each in answers if each["status"] >= 400})
        before = time.monotonic()
    seen["exit code"] = process.returncode
    seen["seconds to its end"] = time.monotonic() - before
    os.write(1, json.dumps(seen).encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
