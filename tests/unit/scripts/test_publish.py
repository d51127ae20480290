"""A release to a small index in memory, which shows, hides, refuses and lies as a test wants it."""

from __future__ import annotations

import shutil
import threading
import time
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.version import Version

from leanspec_launcher.commands import CommandError
from scripts.gates.index_state import provenance, served_predicates
from scripts.index import client as index_client
from scripts.index import served, upload
from scripts.index.client import IndexClient, IndexUnreachableError
from scripts.index.upload import BurntError, CredentialsError
from scripts.model.files import SLSA, FileKind, read_files
from scripts.model.finding import Finding, confirm, problem, wrong_facts
from scripts.model.plan import Plan
from scripts.publish import publish as module
from scripts.publish.publish import GatesError, ReleaseChecks, publish
from scripts.wheels.pins import PINS, pinned_binaries
from tests.support.attestation import write_attestation
from tests.support.releases import plan_of_this_machine
from tests.support.small_index import CUT, SmallIndex
from tests.support.wheel_files import content, rewrite

WAVE = {
    FileKind.PLATFORM: 0,
    FileKind.STUB: 1,
    FileKind.PAGES: 2,
    FileKind.MAIN: 3,
    FileKind.SDIST: 3,
    FileKind.MCP_COMMAND: 4,
}


@pytest.fixture
def index(quick_index: SmallIndex) -> SmallIndex:
    return quick_index


@pytest.fixture
def dist(stand_in: Path, tmp_path: Path) -> Path:
    shutil.copytree(stand_in / "dist", tmp_path / "dist")
    return tmp_path / "dist"


@pytest.fixture(autouse=True)
def plan(released_tree: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    release_plan = plan_of_this_machine(released_tree)
    monkeypatch.setattr(module, "read_plan", lambda: release_plan)
    return release_plan


def release(
    index: SmallIndex,
    dist: Path,
    *,
    proof: ReleaseChecks | None = None,
    dry_run: bool = False,
    resume: bool = False,
    wait: int = 5,
) -> list[Finding]:
    usual = ReleaseChecks(lambda _: [], served.compare_served)
    return publish(
        dist, index.place, proof or usual, dry_run=dry_run, resume=resume, wait=wait
    )


def test_each_wave_waits_until_the_one_before_is_served(
    index: SmallIndex, dist: Path
) -> None:
    """A stub that is seen before its platform wheel would be taken in its place."""
    index.hidden_looks = 3
    findings = release(index, dist)
    assert all(finding.passed for finding in findings)
    kinds = {file.path.name: file.kind for file in read_files(dist)[0]}
    actual = {name: index.files[name] for name in kinds}
    assert actual == {name: (dist / name).read_bytes() for name in kinds}
    waves = [WAVE[kinds[name]] for name in index.uploaded]
    assert waves == sorted(waves)
    for wave in (1, 2, 3, 4):
        first = min(
            index.events.index(f"uploaded {name}")
            for name, kind in kinds.items()
            if WAVE[kind] == wave
        )
        before = [
            index.events.index(f"shown {name}")
            for name, kind in kinds.items()
            if WAVE[kind] < wave
        ]
        assert max(before) < first, "all of the wave before were served when this one began"


def test_a_dry_run_uploads_nothing_and_needs_no_credentials(
    index: SmallIndex,
    dist: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("TWINE_PASSWORD")
    monkeypatch.setattr(upload, "Private", lambda *_: pytest.fail("a token was asked for"))
    proof = ReleaseChecks(
        lambda _: [confirm("gate", "it", "good")],
        lambda *_: pytest.fail("it was published"),
    )
    findings = release(index, dist, proof=proof, dry_run=True)
    gates = {finding.gate for finding in findings}
    assert gates == {"gate", "index"}, "all that was looked at is shown"
    assert index.files == {}
    output = capsys.readouterr().err
    assert output.count("to be uploaded") == len(read_files(dist)[0])
    assert "missing         darwin-arm64: " in output
    assert "a dry run: nothing was uploaded" in output


def test_publish_needs_credentials(
    index: SmallIndex, dist: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TWINE_PASSWORD")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    with pytest.raises(CredentialsError, match="there are no credentials"):
        release(index, dist)
    assert index.uploaded == []


def test_publish_uploads_nothing_if_a_gate_fails(index: SmallIndex, dist: Path) -> None:
    proof = ReleaseChecks(
        lambda _: [problem("gate", "it", "good", "bad")],
        lambda *_: pytest.fail("it was published"),
    )
    with pytest.raises(GatesError, match="gate: it: expected good, found bad"):
        release(index, dist, proof=proof)
    assert index.events == []


def test_publish_skips_files_that_the_index_has(index: SmallIndex, dist: Path) -> None:
    some = sorted(path for path in dist.iterdir())[:3]
    index.files = {path.name: path.read_bytes() for path in some}
    release(index, dist, resume=True)
    actual = sorted(index.uploaded)
    assert actual == sorted(path.name for path in dist.iterdir() if path not in some)
    index.events.clear()
    release(index, dist)
    assert index.uploaded == []


def test_publish_resume_needs_a_file_on_the_index(index: SmallIndex, dist: Path) -> None:
    with pytest.raises(CommandError, match="there is nothing to resume"):
        release(index, dist, resume=True)


ENDLESS = 10**6
# The index's faults: how a release ends under each, which the words of its error tell.
FAULTS: dict[str, tuple[dict[str, object], str]] = {
    "403 to every upload": ({"answers": [(403, "no")] * 99}, "rejected `leanspec"),
    "401 from the fifth upload on": (
        {"answers": [(200, "")] * 4 + [(401, "no")] * 99},
        "rejected `",
    ),
    "400 to every upload": ({"answers": [(400, "no")] * 99}, "rejected `leanspec"),
    "500 to two uploads": ({"answers": [(200, ""), (500, ""), (500, "")]}, ""),
    "429 with `Retry-After`": (
        {"answers": [(429, "")], "headers": {"Retry-After": "1"}},
        "",
    ),
    "cut before a file arrives": ({"answers": [(200, ""), (CUT, "")]}, ""),
    "cut after a file arrived": (
        {"answers": [(200, ""), (CUT, "")], "takes_what_it_refuses": True},
        "",
    ),
    "shows the old version only, for a while": (
        {"hidden_looks": 3, "files": {"leanspec_cli_bin-0.0.1-py3-none-any.whl": b"x"}},
        "",
    ),
    "never shows a file": ({"hidden_looks": ENDLESS}, "still does not serve"),
    "answers late": ({"delay": 0.1}, ""),
    "down for a while": ({"down_after": 3, "down_requests": 12}, ""),
    "down for good": ({"down_after": 2, "down_requests": ENDLESS}, "did not take"),
}


@pytest.mark.parametrize(("fault", "words"), FAULTS.values(), ids=FAULTS)
def test_publish_under_a_fault_is_complete_or_can_be_resumed(
    index: SmallIndex,
    dist: Path,
    fault: dict[str, object],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    secret = "a-token-that-nobody-may-see"  # noqa: S105 - of no index
    monkeypatch.setenv("TWINE_PASSWORD", secret)
    files = read_files(dist)[0]
    kinds = {file.path.name: file.kind for file in files}
    sound = SmallIndex(index.url)
    for name, value in fault.items():
        setattr(index, name, deepcopy(value))
    if words:
        with pytest.raises(CommandError, match=words) as error:
            release(index, dist, wait=2)
        assert secret not in f"{error.value.message} {error.value.hint}"
        assert FileKind.MAIN not in {kinds[name] for name in index.uploaded}
        for name in fault:
            setattr(index, name, getattr(sound, name))
    assert all(finding.passed for finding in release(index, dist))
    actual = {name: index.files[name] for name in kinds}
    assert actual == {file.path.name: file.path.read_bytes() for file in files}
    waves = [WAVE[kinds[name]] for name in index.uploaded]
    assert waves == sorted(waves)
    assert secret not in capsys.readouterr().err


def test_publish_fails_if_the_index_serves_other_bytes_than_it_states(
    index: SmallIndex, dist: Path
) -> None:
    index.forged = {next(dist.glob("leanspec_cli_bin-*linux*")).name}
    findings = release(index, dist)
    wrong = {finding.subject: finding.gate for finding in findings if not finding.passed}
    assert wrong == dict.fromkeys(index.forged, served.GATE)


def test_publish_refuses_an_index_with_other_bytes_under_a_name(
    index: SmallIndex, dist: Path
) -> None:
    name = next(dist.glob("leanspec_cli_bin-*linux*")).name
    index.files[name] = b"other"
    with pytest.raises(BurntError, match="with other bytes") as error:
        release(index, dist)
    assert "run only the failed jobs again" in str(error.value.hint)
    assert index.uploaded == []


def test_publish_shows_the_gaps_of_the_source_in_use(
    index: SmallIndex,
    dist: Path,
    plan: Plan,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The wheels state that source."""
    npm = replace(plan, reasons=plan.reasons | {"npm": {}}).built_from({"npm"})
    monkeypatch.setattr(module, "read_plan", lambda: npm)
    release(index, dist, dry_run=True)
    lines = capsys.readouterr().err.splitlines()
    shown = [line.split(":")[0].split()[1] for line in lines if "  missing  " in line]
    assert shown == list(plan.missing)


def test_publish_refuses_a_fix_with_other_binaries_than_its_base(
    index: SmallIndex,
    dist: Path,
    plan: Plan,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fix = replace(plan, version=Version(f"{plan.version}.post1"))
    monkeypatch.setattr(module, "read_plan", lambda: fix)
    name = f"lean_spec-{plan.version}-py3-none-any.whl"
    before = Path(shutil.copy(dist / name, tmp_path))
    pins = content(before, PINS)
    binary = next(iter(pinned_binaries(before).values()))[0]
    rewrite(before, {PINS: pins.replace(binary.encode(), b"0" * 64)})
    index.files[name] = before.read_bytes()
    with pytest.raises(GatesError) as error:
        release(index, dist)
    assert "the exception `rebuild` in the plan" in "\n".join(error.value.details)
    assert index.uploaded == []


STRAY = "which is not of this release"
HIGHER = r"expected no version above .*, found 99\.0\.0"


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("leanspec_cli_bin-{}-py3-none-win_amd64", BurntError, STRAY),
        ("lean_spec-99.0.0-py3-none-any", GatesError, HIGHER),
        ("leanspec_http_bin-99.0.0-py3-none-any", GatesError, HIGHER),
    ],
    ids=["a stray wheel of this version", "a higher version", "a higher binary"],
)
def test_publish_refuses_an_index_with_another_wheel(
    index: SmallIndex, dist: Path, plan: Plan, name: str, error: type[Exception], words: str
) -> None:
    index.files[f"{name.format(plan.version)}.whl"] = b"x"
    with pytest.raises(error, match=words):
        release(index, dist)
    assert index.uploaded == []


def test_publish_refuses_an_index_with_a_stray_sdist_of_this_version(
    index: SmallIndex, dist: Path, plan: Plan
) -> None:
    (dist / f"lean_spec-{plan.version}.tar.gz").rename(dist.parent / "ours.tar.gz")
    index.files[f"lean_spec-{plan.version}.tar.gz"] = b"x"
    with pytest.raises(BurntError, match=STRAY):
        release(index, dist)
    assert index.uploaded == []


def test_publish_ignores_files_of_other_versions(index: SmallIndex, dist: Path) -> None:
    for name in ("lean_spec-0.0.1.tar.gz", "lean_spec-0.0.1-py3-none-any.whl"):
        index.files[name] = b"x"
    release(index, dist)
    assert len(index.uploaded) == len(read_files(dist)[0])


def test_waiting_asks_the_index_less_and_less_often(
    index: SmallIndex,
    dist: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(index_client, "BACK_OFF", (0.01, 0.02, 0.03))
    monkeypatch.setattr(time, "sleep", pauses.append)
    files = [file for file in read_files(dist)[0] if file.kind == FileKind.MAIN]
    client = IndexClient(index.place)
    index.files = {files[0].path.name: files[0].path.read_bytes()}
    index.hidden_looks = 5
    module.wait_until_served(client, files, 60)
    assert pauses == [0.01, 0.02, 0.03, 0.03, 0.03]
    actual = capsys.readouterr().err.count("not served yet, looking again in")
    assert actual == 4, "the first look tells nothing"


def test_publish_lock_is_in_a_folder_of_this_user(index: SmallIndex, dist: Path) -> None:
    release(index, dist, dry_run=True)
    (folder,) = Path.home().glob(".cache/*")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert len(list(folder.iterdir())) == 1


def test_waiting_ends_if_the_index_lists_other_bytes(index: SmallIndex, dist: Path) -> None:
    name = next(dist.glob("leanspec_cli_bin-*linux*")).name
    index.lies[name] = "0" * 64
    with pytest.raises(BurntError, match=f"lists `{name}` with the sha256"):
        release(index, dist)
    assert not [name for name in index.uploaded if name.startswith("lean_spec-")]


def test_waiting_ends_for_a_file_that_is_never_served(
    index: SmallIndex, dist: Path
) -> None:
    index.hidden_looks = 10**6
    before = time.monotonic()
    with pytest.raises(CommandError, match=r"after 1 s .* still does not serve"):
        release(index, dist, wait=1)
    assert time.monotonic() - before < 20
    kinds = {file.path.name: file.kind for file in read_files(dist)[0]}
    assert {kinds[name] for name in index.uploaded} == {FileKind.PLATFORM}


def test_one_process_publishes_to_an_index_at_a_time(index: SmallIndex, dist: Path) -> None:
    inside = threading.Event()
    go_on = threading.Event()

    def hold(_: Path) -> list[Finding]:
        inside.set()
        go_on.wait(20)
        return []

    first = threading.Thread(
        target=release,
        args=(index, dist),
        kwargs={"proof": ReleaseChecks(hold, lambda *_: [])},
    )
    first.start()
    assert inside.wait(20)
    try:
        with pytest.raises(CommandError, match="another process is publishing to"):
            release(index, dist)
    finally:
        go_on.set()
        first.join(30)
    release(index, dist)


def test_publish_needs_attestations_for_an_index_of_the_plan(
    index: SmallIndex, dist: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        module, "read_plan", lambda: replace(plan, attestations=(f"{index.url}upload/",))
    )
    words = "expected an attestation next to its file, found none"
    with pytest.raises(GatesError, match=words):
        release(index, dist)
    assert index.events == []
    release(index, dist, dry_run=True)
    for file in read_files(dist)[0]:
        write_attestation(file)
    release(index, dist)
    assert len(index.uploaded) == len(read_files(dist)[0])


def test_publish_refuses_files_with_less_provenance_than_the_release_before(
    index: SmallIndex, dist: Path, plan: Plan
) -> None:
    """Whether the plan asks for attestations or not: an installer may compare releases."""
    wheel = next(dist.glob("leanspec_mcp_bin-*linux*.whl"))
    former = wheel.name.replace(f"-{plan.version}-", "-0.2.9-")
    index.files[former] = b""
    release(index, dist, dry_run=True)
    files = {file.path.name: file for file in read_files(dist)[0]}
    old = write_attestation(files[wheel.name])
    slsa = wheel.with_name(wheel.name + SLSA)
    index.provenance[former] = (
        f'{{"attestation_bundles": [{{"attestations": [{old.read_text()}, {slsa.read_text()}]}}]}}'
    ).encode()
    for path in (slsa, old):
        path.unlink()
        words = r"provenance on the index: leanspec_mcp_bin-.*as 0\.2\.9"
        with pytest.raises(GatesError, match=words):
            release(index, dist)
        assert index.uploaded == []
    for file in files.values():
        write_attestation(file)
    release(index, dist)
    client = IndexClient(index.place)
    predicates = served_predicates(client, plan.version)
    names = {file.distribution for file in files.values()}
    assert wrong_facts(provenance(client, plan.version, names, predicates)) == []
    del index.provenance[wheel.name]
    wrong, _ = wrong_facts(provenance(client, plan.version, names, predicates))
    assert wrong.startswith(
        f"provenance on the index: {wheel.name}: expected attested as 0.2.9 is"
    )
    index.provenance[former] = b"{}"
    with pytest.raises(CommandError, match=r"the provenance of `.*` cannot be read"):
        [*provenance(client, plan.version, names, predicates)]


def test_publish_refuses_a_damaged_attestation(index: SmallIndex, dist: Path) -> None:
    wheel = next(dist.glob("lean_spec-*.whl"))
    wheel.with_name(f"{wheel.name}.publish.attestation").write_text("{}")
    with pytest.raises(GatesError, match="attestation"):
        release(index, dist)
    assert index.events == []


def test_cut_download_leaves_nothing(index: SmallIndex, dist: Path, tmp_path: Path) -> None:
    release(index, dist)
    index.cut = next(dist.glob("lean_spec-*.whl")).name
    client = IndexClient(index.place)
    file = client.files("lean-spec")[index.cut]
    (tmp_path / "fetched").mkdir()
    with pytest.raises(IndexUnreachableError):
        client.download(file, tmp_path / "fetched" / file.name)
    assert list((tmp_path / "fetched").iterdir()) == []


def test_compare_served_compares_with_the_built_files(
    index: SmallIndex, dist: Path, plan: Plan
) -> None:
    def wrong() -> dict[str, str]:
        findings = served.compare_served(plan.version, index.place, dist)
        return {
            finding.subject: finding.actual for finding in findings if not finding.passed
        }

    release(index, dist)
    assert wrong() == {}
    name = next(dist.glob("leanspec_mcp_bin-*any*")).name
    index.files[name] = b"other"
    assert wrong().keys() == {name}
    del index.files[name]
    assert [*wrong().values()] == ["not listed"]
    missing = served.compare_served(Version("9.9.9"), index.place, dist.parent / "home")
    assert missing[-1].actual == "none"
