"""Pictures of the web UI: `.venv/bin/python -m tests.support.board_picture BIN`, with installed commands."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from selenium.webdriver.common.by import By

from scripts.environment import ROOT

from .surroundings import clean, run

if sys.platform == "win32":
    raise ImportError  # the browser's session needs a network namespace

from .browser import Session, choose, raise_loopback, running, wait

PICTURES = {"Light": "web-ui.png", "Dark": "web-ui-dark.png"}
# As large as all columns need.
WIDTH, HEIGHT = 1320, 940
CUT = """
const scrolls = (overflow, content, room) => ["auto", "scroll"].includes(overflow) && content > room;
return [...document.querySelectorAll("main *")].filter(e => {
    const style = getComputedStyle(e);
    return scrolls(style.overflowX, e.scrollWidth, e.clientWidth)
        || scrolls(style.overflowY, e.scrollHeight, e.clientHeight);
}).map(e => e.innerText);
"""


@dataclass(frozen=True)
class Spec:
    """A spec of the project in the pictures."""

    name: str
    status: str
    priority: str
    tags: str


SPECS = (
    Spec("import-from-a-link", "complete", "high", "import"),
    Spec("scale-portions", "complete", "medium", "recipes"),
    Spec("shopping-list", "in-progress", "high", "lists,sync"),
    Spec("search-by-ingredient", "in-progress", "medium", "search"),
    Spec("cook-without-a-network", "planned", "high", "sync"),
    Spec("share-a-recipe", "planned", "low", "recipes"),
)


def write_project(program: Path, folder: Path) -> Path:
    """Write a small project with the program, as its user would; return its folder."""
    project = folder / "recipe-box"
    project.mkdir()
    env = clean(folder / "home")
    run([program, "init", "-y"], env, cwd=project)
    for spec in SPECS:
        options = ["--status", spec.status, "--priority", spec.priority]
        options += ["--tags", spec.tags]
        run([program, "create", spec.name, *options], env, cwd=project)
    return project


def take(commands: Path, folder: Path) -> list[str]:
    """Take the pictures of the board, into `folder`; return the text of what is cut off in them."""
    project = write_project(commands / "lean-spec", folder)
    home = folder / "browser-home"
    home.mkdir()
    env = {"HOME": str(home), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    with running(str(commands / "leanspec-ui"), str(project), env) as (_, url):
        session = Session(folder)
        try:
            return [text for texts in _pictures(session, url) for text in texts]
        finally:
            session.driver.quit()


def _pictures(session: Session, url: str) -> Iterator[list[str]]:
    driver = session.driver
    driver.set_window_size(WIDTH, HEIGHT)
    driver.get(url)
    session.shows("Recent")
    driver.get(f"{driver.current_url.rstrip('/')}/specs")
    session.shows("Board")
    buttons = session.find("//button")
    next(button for button in buttons if button.text.strip() == "Board").click()
    wait(lambda: len(session.find("//*[@draggable='true']")) == len(SPECS))
    for theme, name in PICTURES.items():
        driver.find_element(By.CSS_SELECTOR, "[aria-label='Toggle theme']").click()
        wait(partial(choose, session, theme))
        wait(lambda: not session.find("//*[normalize-space(.)='System']"))
        session.picture(name.removesuffix(".png"))
        yield list(driver.execute_script(CUT))


def main(commands: str, target: str = str(ROOT / "docs")) -> None:
    """Take the pictures and put them into a folder, unless something in them is cut off."""
    raise_loopback()
    with tempfile.TemporaryDirectory() as folder:
        if take(Path(commands), Path(folder)):
            raise SystemExit("something is cut off: make the window larger")
        for name in PICTURES.values():
            shutil.copy(Path(folder, name), target)


if __name__ == "__main__":
    main(*sys.argv[1:])
