"""The plan of a release: each platform is in it, or its source lacks it for a reason that holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from packaging.version import Version

from leanspec_launcher._tables import PLATFORMS
from leanspec_launcher.commands import CommandError
from scripts.model.plan import DEV, Plan, read_plan
from tests.support.versions import REAL, RELEASED

Edit = Callable[[dict[str, Any]], object]
FIX = f"{RELEASED}.post1"


@pytest.fixture
def plan(released_tree: Path) -> Plan:
    return read_plan(released_tree)


@pytest.fixture
def edited(released_tree: Path, tmp_path: Path) -> Callable[..., Plan]:
    """Return how the plan of a changed manifest is read, at a version."""

    def read(edit: Edit, version: str = RELEASED) -> Plan:
        text = (released_tree / "pyproject.toml").read_text("utf-8")
        document: Any = tomlkit.parse(text)
        document["project"]["version"] = version
        edit(document["tool"]["leanspec-release"])
        (tmp_path / "pyproject.toml").write_text(tomlkit.dumps(document), "utf-8")
        return read_plan(tmp_path)

    return read


def test_plan_of_a_workspace_has_every_platform(plan: Plan) -> None:
    assert plan.sources == ("cargo",)
    assert plan.platforms == tuple(PLATFORMS)
    assert plan.missing == {}


def test_plan_of_npm_lacks_what_npm_lacks(plan: Plan) -> None:
    npm = plan.built_from({"npm"})
    assert npm.platforms == REAL
    assert all("npm" in reason for reason in npm.missing.values())


def test_plan_of_two_sources_lacks_only_what_both_lack(plan: Plan) -> None:
    reasons = {"cargo": {"windows-arm64": "no runner"}, "npm": plan.reasons["npm"]}
    both = replace(plan, reasons=reasons).built_from({"npm", "cargo"})
    npm = plan.reasons["npm"]["windows-arm64"]
    assert both.missing == {"windows-arm64": f"{npm}; no runner"}


def test_plan_of_a_dev_build_has_one_platform(edited: Callable[..., Plan]) -> None:
    dev = edited(lambda table: table["exceptions"].update(rebuild="x"), "0.3.1.dev7")
    assert dev.platforms == dev.built_from({"npm"}).platforms == (DEV,)
    assert "rebuild" not in dev.exceptions


def remove_platform(table: dict[str, Any]) -> None:
    table["platforms"].remove("linux-arm64")


def update(name: str, **values: object) -> Edit:
    """Return an edit of a table of the plan; without a name, of the plan itself."""
    return lambda table: (table[name] if name else table).update(values)


TWICE = "`linux-arm64` must be either in `platforms` or in `missing`"
UNNAMED = f"the reason does not name {RELEASED}"
UNKNOWN = "unknown platform `linux-mips`"


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (remove_platform, TWICE),
        (update("missing", cargo={"linux-arm64": "no runner"}), TWICE),
        (lambda table: table["platforms"].append("linux-mips"), UNKNOWN),
        (update("missing", cargo={"linux-mips": "no runner"}), UNKNOWN),
        (update("missing", pip={}), "unknown source `pip`"),
        (update("", missing={"linux-arm64": "x"}), "unknown source `linux-arm64`"),
        (
            update("missing", cargo={"linux-x64": "npm has none"}),
            "the reason for `linux-x64` names npm",
        ),
        (
            update("missing", cargo={"linux-x64": " "}),
            "the reason for `linux-x64` is empty",
        ),
        (update("exceptions", commits="http in 0.2.9"), f"`commits`: {UNNAMED}"),
        (update("exceptions", sources="npm has one"), f"`sources`: {UNNAMED}"),
        (update("exceptions", commit=f"in {RELEASED}"), "unknown key `commit`"),
        (update("", platform=[]), "unknown key `platform`"),
        (update("desktop", reason="x"), r"desktop\]: unknown key `reason`"),
        (update("pages", missing=[]), r"pages\]: unknown key `missing`"),
        (
            update("exceptions", rebuild="OpenSSL 3.5.9"),
            f"`rebuild` is for a `.postN`, and this is {RELEASED}",
        ),
        (update("", signing="minisign"), "`signing` is `minisign`, and `public-key` is ``"),
        (lambda table: table.pop("signing"), "`public-key` is ``"),
        (update("", signing="pgp"), "`signing` is `pgp`"),
        (
            update("", **{"public-key": "RWQ"}),
            "`signing` is `none`, and `public-key` is `RWQ`",
        ),
    ],
)
def test_plan_refuses_a_reason_that_does_not_hold(
    edited: Callable[..., Plan], edit: Edit, words: str
) -> None:
    with pytest.raises(CommandError, match=words):
        edited(edit)


def test_plan_takes_a_gap_that_every_source_has(edited: Callable[..., Plan]) -> None:
    def edit(table: dict[str, Any]) -> None:
        remove_platform(table)
        table["missing"]["cargo"] = {"linux-arm64": "no runner"}

    assert edited(edit).missing == {"linux-arm64": "no runner"}


@pytest.mark.parametrize("version", [RELEASED, FIX])
def test_reasons_of_this_version_hold(edited: Callable[..., Plan], version: str) -> None:
    assert edited(lambda _: None, version).built_from({"npm"}).platforms == REAL


def test_reasons_that_name_another_version_do_not_hold(plan: Plan) -> None:
    later = replace(plan, version=Version("9.9.9"))
    words = f"`darwin-x64`: the reason names {RELEASED}, and this is 9.9.9"
    with pytest.raises(CommandError, match=words):
        later.built_from({"npm"})
    assert later.built_from({"cargo"}).missing == {}


@pytest.mark.parametrize("version", [RELEASED, FIX])
def test_exception_holds_for_the_version_that_it_names(
    edited: Callable[..., Plan], version: str
) -> None:
    reason = f"the fix of http in {RELEASED}, next to 0.2.9"
    plan = edited(lambda table: table["exceptions"].update(commits=reason), version)
    assert plan.exceptions["commits"] == reason
    with pytest.raises(CommandError, match=r"the reason does not name 0\.3\.9"):
        edited(lambda table: table["exceptions"].update(commits=reason), "0.3.9")


def test_rebuild_is_an_exception_of_a_fix(edited: Callable[..., Plan]) -> None:
    fix = edited(lambda table: table["exceptions"].update(rebuild="CVE"), FIX)
    assert fix.exceptions["rebuild"] == "CVE"
