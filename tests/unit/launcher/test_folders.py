"""The launcher's own folders, which a start knows without a library, are those that platformdirs names."""

from __future__ import annotations

import ntpath
import os
import posixpath
import types
from pathlib import PurePath, PurePosixPath, PureWindowsPath

import platformdirs.windows
import pytest
from platformdirs.api import PlatformDirsABC
from platformdirs.macos import MacOS
from platformdirs.unix import Unix
from platformdirs.windows import Windows

from leanspec_launcher import _search, folders

VARIABLES = ("HOME", "LOCALAPPDATA", "XDG_CACHE_HOME", "XDG_DATA_HOME")
HOME = {"HOME": "/home/a b"}
XDG = {"XDG_CACHE_HOME": "/xdg/cache", "XDG_DATA_HOME": "/xdg/data"}
WINDOWS_HOME = {"LOCALAPPDATA": r"C:\Users\a b\AppData\Local"}


def on_windows(_: str) -> str:
    """Answer as the shell of Windows does, which no other system can ask."""
    return WINDOWS_HOME["LOCALAPPDATA"]


@pytest.mark.parametrize(
    ("platform", "dirs", "path", "env"),
    [
        ("win32", Windows, PureWindowsPath, WINDOWS_HOME),
        *(
            pytest.param(platform, dirs, PurePosixPath, env, marks=pytest.mark.posix)
            for platform, dirs, env in (
                ("linux", Unix, HOME),
                ("linux", Unix, HOME | XDG),
                ("linux", Unix, HOME | {"XDG_DATA_HOME": ""}),
                ("darwin", MacOS, HOME),
                ("darwin", MacOS, HOME | XDG),
            )
        ),
    ],
)
def test_store_and_cache_are_where_platformdirs_says(
    monkeypatch: pytest.MonkeyPatch,
    platform: str,
    dirs: type[PlatformDirsABC],
    path: type[PurePath],
    env: dict[str, str],
) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(platformdirs.windows, "get_win_folder", on_windows)
    system_path = ntpath if platform == "win32" else posixpath
    system = types.SimpleNamespace(path=system_path, environ=os.environ)
    monkeypatch.setattr(_search, "os", system)
    monkeypatch.setattr(_search, "sys", types.SimpleNamespace(platform=platform))
    expected = dirs("lean-spec", appauthor=False)
    assert path(_search.store_directory()) == path(expected.user_data_dir) / "binaries"
    assert path(_search.stamp_directory()) == path(expected.user_cache_dir) / "verified"


@pytest.mark.posix
@pytest.mark.parametrize("home", ["", "relative"])
def test_without_a_home_there_is_no_folder(
    monkeypatch: pytest.MonkeyPatch, home: str
) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", home)
    assert (folders.cache(), folders.store()) == ("", "")
