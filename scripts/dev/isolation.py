"""The environment of a test run: built from scratch, with what names this machine's package registries.

`python3 scripts/dev/isolation.py COMMAND ...` runs a command in one, with a home of its own. Runs on
the bare Python of a fresh machine: the standard library only.
"""

import configparser
import contextlib
import io
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

# The one list of what a run takes from whoever starts it. First, what a system's programs need.
SYSTEM = (
    *("PATH", "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT"),
    *("PROGRAMDATA", "PROGRAMFILES", "PROGRAMFILES(X86)", "PROCESSOR_ARCHITECTURE"),
    *("TMPDIR", "TEMP", "TMP"),
)
# Compilers and Pythons, which would otherwise be looked for in the home.
TOOLCHAINS = {"RUSTUP_HOME": ".rustup", "PYENV_ROOT": ".pyenv"}
TOOLCHAIN_VARIABLES = (*TOOLCHAINS, "RUNNER_TOOL_CACHE", "DEVELOPER_DIR", "SDKROOT")
# Addresses, proxies and authorities of the package registries, as pip, uv, npm and apt read them.
REGISTRIES = (
    *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_TRUSTED_HOST"),
    *("PIP_NO_INDEX", "PIP_CERT", "PIP_CLIENT_CERT", "PIP_PROXY", "PIP_DEFAULT_TIMEOUT"),
    *("UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL"),
    *("UV_FIND_LINKS", "UV_NATIVE_TLS", "UV_SYSTEM_CERTS", "UV_INSECURE_HOST"),
    *("NPM_CONFIG_REGISTRY", "NPM_CONFIG_CAFILE", "NODE_EXTRA_CA_CERTS"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    *("http_proxy", "https_proxy", "all_proxy", "no_proxy"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
)
NPM_PREFIX = "NPM_CONFIG_"
NPM_KEY = re.compile(
    r"\s*(registry|ca|cafile|proxy|https-proxy|noproxy|strict-ssl|@[^=]+:registry|//[^=]+)\s*="
)
PIP_KEYS = (
    *("index-url", "extra-index-url", "find-links", "no-index", "trusted-host"),
    *("cert", "client-cert", "proxy", "timeout"),
)
PIP_FILES = (".pip/pip.conf", ".config/pip/pip.conf", "AppData/Roaming/pip/pip.ini")
UV_KEYS = {
    "index-url": "UV_DEFAULT_INDEX",
    "native-tls": "UV_NATIVE_TLS",
    "extra-index-url": "UV_EXTRA_INDEX_URL",
    "find-links": "UV_FIND_LINKS",
}
UV_FILES = (".config/uv/uv.toml", "AppData/Roaming/uv/uv.toml")
# A measured process starts its children measured, too.
MEASURED = "COVERAGE_PROCESS"
# Tell a pytest that its environment is built already, and whether a CI wants its verdict.
ISOLATED, IN_CI = "LEANSPEC_ISOLATED", "LEANSPEC_IN_CI"


@contextlib.contextmanager
def isolated() -> Iterator[dict[str, str]]:
    """Give an environment whose home exists until the block ends."""
    with tempfile.TemporaryDirectory(
        prefix="leanspec-run-", ignore_cleanup_errors=True
    ) as folder:
        yield environment(Path(folder))


def environment(home: Path) -> dict[str, str]:
    """Return an environment with a home of its own."""
    inherited = {_key(name): value for name, value in os.environ.items()}
    names = (*SYSTEM, *TOOLCHAIN_VARIABLES, *REGISTRIES)
    result = {name: inherited[name] for name in names if name in inherited}
    result |= {name: text for name, text in inherited.items() if name.startswith(MEASURED)}
    # Without entries that depend on the working directory.
    entries = result.get("PATH", os.defpath).split(os.pathsep)
    absolute = [entry for entry in entries if Path(entry).is_absolute()]
    result["PATH"] = os.pathsep.join(absolute)
    result |= dict.fromkeys(("HOME", "USERPROFILE", ISOLATED), str(home))
    result[IN_CI] = inherited.get("CI") or inherited.get(IN_CI, "")
    if sys.platform == "win32":
        result |= {"LOCALAPPDATA": str(home / "AppData/Local"), "PYTHONUTF8": "1"}
        result |= {"APPDATA": str(home / "AppData/Roaming")}
    else:
        result["LANG"] = "C.UTF-8"
    return result | _from_home(_home(), home, inherited)


def _key(name: str) -> str:
    """Return a variable's name in upper case if its reader knows it in any case."""
    upper = name.upper()
    return upper if upper.startswith(NPM_PREFIX) or os.name == "nt" else name


def _home() -> Path | None:
    try:
        return Path.home()
    except RuntimeError:
        return None  # no variable, and no entry of this user in the system's list


def _from_home(
    source: Path | None, home: Path, inherited: Mapping[str, str]
) -> dict[str, str]:
    """Copy from a user's files what names registries; return what has to be a variable."""
    if source is None:
        return {}
    result = {}
    for name, folder in TOOLCHAINS.items():
        if name not in inherited and (source / folder).is_dir():
            result[name] = str(source / folder)
    npm = Path(inherited.get("NPM_CONFIG_USERCONFIG", source / ".npmrc"))
    npm_settings = [line for line in _lines(npm) if NPM_KEY.match(line)]
    _write(home / ".npmrc", "".join(npm_settings))
    _write(home / ".netrc", "".join(_lines(source / ".netrc")))
    files = [source / name for name in PIP_FILES]
    files.append(Path(inherited.get("PIP_CONFIG_FILE", os.devnull)))
    _write(home / PIP_FILES[0], _pip_settings(files))
    for name in UV_FILES:
        result |= _uv_settings("".join(_lines(source / name)))
    return {name: text for name, text in result.items() if name not in inherited}


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8").splitlines(keepends=True)
    except OSError:
        return []


def _write(path: Path, text: str) -> None:
    """Write a file that only its owner may read: it may hold a password."""
    if not text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(text, "utf-8")


def _pip_settings(files: list[Path]) -> str:
    parser = configparser.RawConfigParser()
    with contextlib.suppress(configparser.Error, UnicodeDecodeError):
        parser.read(files, "utf-8")
    for section in parser.values():
        for key in section.keys() - {*PIP_KEYS}:
            del section[key]
    text = io.StringIO()
    parser.write(text)
    return text.getvalue()


def _uv_settings(text: str) -> dict[str, str]:
    """Return uv's settings as variables: a file would need a writer of TOML."""
    try:
        settings = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return {}
    result = {}
    for key, variable in UV_KEYS.items():
        value = settings.get(key)
        if isinstance(value, list):
            # uv splits the value of the one at commas, and of the other at spaces.
            separator = "," if key == "find-links" else " "
            result[variable] = separator.join(value)
        elif value is not None:
            result[variable] = value if isinstance(value, str) else str(value).lower()
    for index in settings.get("index", ()):
        if index.get("default"):
            result["UV_DEFAULT_INDEX"] = index["url"]
        else:
            name = f"{index['name']}=" if index.get("name") else ""
            earlier = result.get("UV_INDEX", "")
            result["UV_INDEX"] = f"{earlier} {name}{index['url']}".strip()
    return result


def enter(stack: contextlib.ExitStack) -> bool:
    """Replace the environment of this process until the stack is closed; tell whether it is a CI's.

    One that was built for this process is kept: whoever built it removes it.
    """
    env = dict(os.environ)
    if env.get(ISOLATED) != env.get("HOME", ""):
        env = stack.enter_context(isolated())
    env.pop(ISOLATED)
    is_ci = bool(env.pop(IN_CI, ""))
    os.environ.clear()
    os.environ.update(env)
    os.umask(0o022)
    return is_ci


def main() -> int:
    """Run a command in an environment of its own; return its exit code."""
    with isolated() as env:
        return subprocess.run(sys.argv[1:], env=env, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
