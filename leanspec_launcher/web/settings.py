"""What the user has set for the web server, in `config.json` of its data folder."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import NamedTuple

from leanspec_launcher.commands import CommandError

from .port import HIGHEST

FOLDER_VARIABLE, FOLDER, FILE = "LEANSPEC_DATA_DIR", ".lean-spec", "config.json"


class Settings(NamedTuple):
    """The settings that `leanspec-ui` hands to the server as options.

    The file itself is not given to the server: its port would win over `--port`.
    """

    port: int | None = None
    theme: str = ""
    locale: str = ""


def data_folder() -> Path | None:
    """Return the folder in which the web server keeps its data; None for a user without a home folder."""
    chosen = os.environ.get(FOLDER_VARIABLE, "")
    home = os.path.expanduser("~")
    if chosen:
        return Path(chosen)
    # A relative one is a stranger's: it depends on the working directory.
    return Path(home, FOLDER) if os.path.isabs(home) else None


def read_settings() -> Settings:
    """Return the user's settings; raises CommandError for a file that cannot be read."""
    folder = data_folder()
    if folder is None:
        return Settings()
    path = folder / FILE
    try:
        # Reading a FIFO would wait for somebody to write to it.
        if not stat.S_ISREG(path.stat().st_mode):
            raise OSError("it is not a regular file")
        settings = json.loads(path.read_text("utf-8"))
        port = settings.get("server", {}).get("port")
        ui = settings.get("ui", {})
        theme, locale = str(ui.get("theme", "")), str(ui.get("locale", ""))
    except FileNotFoundError:
        return Settings()
    except (OSError, ValueError, RecursionError, AttributeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CommandError(
            f"cannot read the settings in `{path}`: {reason}",
            hint="correct the file or its permissions, or remove it",
        ) from None
    is_port = isinstance(port, int) and 1 <= port <= HIGHEST
    return Settings(port if is_port else None, theme, locale)
