"""The command lines of a release. No logic."""

from __future__ import annotations

import functools
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from leanspec_launcher._say import say
from leanspec_launcher.commands import FAILURE
from scripts.environment import ROOT, extend
from scripts.options import (
    BINARIES_OPTION,
    CARGO_OPTION,
    DIST_OPTION,
    EXISTING_FOLDER,
    LONGEST_WAIT,
    checked_fingerprint,
    flag,
    json_option,
    number,
    print_rows,
    release_version,
)

if TYPE_CHECKING:
    from packaging.version import Version

    from scripts.model.finding import Finding
    from scripts.model.plan import Plan
    from scripts.model.version_places import VersionPlace

    from .publish import ReleaseChecks


@click.command()
@click.argument("version", type=release_version, required=False)
@click.option(
    "--dev", type=number, metavar="N", help="Set development version N of the next patch."
)
@flag("--check", "check_only", help="Change nothing; exit with 1 if a place disagrees.")
@CARGO_OPTION
@click.option(
    "--index",
    metavar="NAME|URL",
    show_default="pypi; testpypi with --dev",
    help="Index to check for published versions.",
)
@flag("--offline", help="Compare with the changelog only; ask no index.")
@flag("--commit", help="Commit the change locally; push nothing.")
@flag("--dry-run", help="Show what would change; change nothing.")
@json_option("place")
def bump(
    version: Version | None,
    dev: int | None,
    cargo: Path | None,
    index: str | None,
    *,
    check_only: bool,
    offline: bool,
    commit: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Set the version everywhere.

    VERSION is in PEP 440 or SemVer form. A version that is not newer than the latest published
    one is refused. With --dev N, the version is development version N of the next patch: from
    0.3.0, that is 0.3.1.devN, and 0.3.1-dev.N for Cargo. The caller chooses the number, for
    example the number of a CI run.

    The version is defined in the root pyproject.toml. The projects in platform_wheels/, the pins
    between the distributions and the changelog's heading repeat it; with --cargo, a workspace and
    its lock file too. All of them are changed, or none. Without VERSION, the present version is
    written into every place that disagrees.

    \b
    Examples:
      python3 -m scripts bump 0.3.1
      python3 -m scripts bump 0.4.0-rc.1 --cargo ../leanspec/rust
      python3 -m scripts bump 0.3.0.post1        # a packaging-only fix: the binaries of 0.3.0
      python3 -m scripts bump --dev 7
      python3 -m scripts bump --check
    """
    from .bump import commit_version, write_version

    unchanged = check_only or dry_run
    former, target = _former_and_target(version, dev, check_only=check_only)
    if commit and target is None:
        raise click.UsageError("`--commit` needs VERSION or `--dev`")
    published_on = index or ("pypi" if dev is None else "testpypi")
    places = write_version(
        target, cargo, None if offline else published_on, dry_run=unchanged
    )
    if as_json:
        print_rows("place", places, "agrees")
    else:
        _print_places(places, target or former, unchanged=unchanged)
        _print_mentions(former, target)
    if commit and target is not None and not unchanged:
        commit_version(target)
    return FAILURE if check_only and not all(place.agrees for place in places) else 0


def _former_and_target(
    version: Version | None, dev: int | None, *, check_only: bool
) -> tuple[Version, Version | None]:
    """Return the present version and the one to set, None to repeat it. Warns of a lower one."""
    from scripts.model.version_places import home_version
    from scripts.model.versions import next_dev

    if (version is not None) + (dev is not None) + check_only > 1:
        raise click.UsageError("choose one of VERSION, `--dev` and `--check`")
    former = home_version()
    target = version if dev is None else next_dev(former, dev)
    if target is not None and target < former:
        say(f"warning: {target} is lower than the present {former}")
    return former, target


def _print_mentions(former: Version, target: Version | None) -> None:
    from .bump import mentions

    lines = mentions(former) if target not in (None, former) else []
    if lines:
        click.echo(f"these lines still name {former}: correct those that no longer hold")
    for line in lines:
        click.echo(f"  {line}")


def _print_places(places: list[VersionPlace], version: Version, *, unchanged: bool) -> None:
    differing = [place for place in places if not place.agrees]
    for place in places:
        is_same = place.agrees
        mark = click.style("✓", fg="green") if is_same else click.style("→", fg="yellow")
        former = "" if is_same else f" (was `{place.actual}`)"
        click.echo(f"{mark} {place.file}: {place.subject} `{place.expected}`{former}")
    verb = "would change" if unchanged else "changed"
    click.echo(f"{len(differing)} of {len(places)} places {verb} to {version}")


@click.command(hidden=True)
@flag(
    "--github-output",
    help="Append the version and the matrices to the file `GITHUB_OUTPUT` instead.",
)
@flag("--tagged", help="Only check the release's tag.")
def matrix(*, github_output: bool, tagged: bool) -> int:
    """Print the CI build matrix as JSON.

    It is derived from the table of platforms and the release plan.
    """
    from .matrix import build_matrix, outputs, write_outputs

    if tagged:
        from scripts.gates.commit import tag
        from scripts.model.plan import read_plan

        return _print_findings([*tag(read_plan(), ROOT)], as_json=False)
    if github_output:
        values = outputs()
        write_outputs(values)
        for name, value in values.items():
            click.echo(f"{name}={value}")
    else:
        click.echo(json.dumps(build_matrix()))
    return 0


@click.command()
@DIST_OPTION
@BINARIES_OPTION
@CARGO_OPTION
@click.option(
    "--sources",
    metavar="COMMIT",
    help="Commit of LeanSpec that every binary must come from.",
)
@click.option(
    "--assemble",
    "artifacts",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Keep the assembled GitHub release, with the desktop bundles in DIR.",
)
@flag(
    "--draft",
    envvar="LEANSPEC_DRAFT",
    help="Check before the release is committed and tagged.",
)
@flag(
    "--bytes",
    "only_bytes",
    help="Only rebuild the files, in two environments, and compare every byte.",
)
@flag("--github-output", help="Pass the fingerprint on to other jobs of a workflow.")
@json_option("fact")
def check(
    dist: Path,
    binaries: Path,
    cargo: Path | None,
    sources: str | None,
    artifacts: Path | None,
    *,
    draft: bool,
    only_bytes: bool,
    github_output: bool,
    as_json: bool,
) -> int:
    """Run all release checks on the built files.

    Checks the tree (names, versions, tag, uncommitted changes, lock files), compares the files byte
    for byte with what the tree builds from the collected binaries, and applies the rules of the
    index. Then installs everything from an index on loopback with pip and uv, and runs it. Also
    assembles the GitHub release, unsigned, as `assets` does. Shows every failure, and the
    fingerprint for `publish --checked`. Exits with 1 if anything failed.

    \b
    Examples:
      python3 -m scripts check
      python3 -m scripts check --dist /tmp/dist --json
      python3 -m scripts check --bytes
    """
    if only_bytes:
        if cargo or sources or github_output or artifacts or draft:
            raise click.UsageError("`--bytes` only compares bytes: no other option fits")
        from scripts.gates.same_bytes import compare_bytes

        return _print_findings(compare_bytes(dist, binaries), as_json=as_json)
    plan = replace(_read_plan_for(dist), is_draft=draft)
    from scripts.gates.check import check_copy
    from scripts.github.gate import GitHubRelease

    out = ROOT / "final-artifacts" if artifacts else None
    findings, checked = check_copy(
        dist,
        cargo=cargo,
        collected=binaries,
        sources=sources,
        plan=plan,
        github=GitHubRelease(binaries, artifacts, out).check,
    )
    code = _print_findings(findings, as_json=as_json)
    if code == 0:
        _show_fingerprint(checked, out, github_output=github_output)
    return code


def _read_plan_for(dist: Path) -> Plan:
    """Return the release plan; fail without built files before the environment is made larger."""
    from scripts.model.files import must_be_built
    from scripts.model.plan import read_plan

    must_be_built(dist)
    plan = read_plan()
    extend()
    return plan


def _show_fingerprint(checked: str, out: Path | None, *, github_output: bool) -> None:
    """Print the fingerprint of checked files; pass it on with that of the assembled release."""
    click.echo(f"fingerprint: {checked}", err=True)
    if not github_output:
        return
    from scripts.github.assembled import fingerprint

    from .matrix import write_outputs

    # A dev version has no GitHub release, so nothing was assembled.
    assembled = fingerprint(out) if out and out.is_dir() else ""
    write_outputs({"checked": checked, "assembled": assembled})


def _print_findings(findings: list[Finding], *, as_json: bool) -> int:
    """Print a line per gate, with its problems; return the exit code."""
    from scripts.model.finding import counted

    if as_json:
        print_rows("fact", findings)
    else:
        for gate in dict.fromkeys(finding.gate for finding in findings):
            _print_gate(gate, [finding for finding in findings if finding.gate == gate])
        click.echo(counted(findings))
    return 0 if all(finding.passed for finding in findings) else FAILURE


def _print_gate(gate: str, findings: list[Finding]) -> None:
    """Print one line for a gate, then what failed and what helps, and the gaps that are explained."""
    from scripts.model.finding import counted

    failed = [finding for finding in findings if not finding.passed]
    mark = click.style("✗", fg="red") if failed else click.style("✓", fg="green")
    click.echo(f"{mark} {gate:32}  {counted(findings)}")
    for finding in failed:
        click.echo(f"    {finding.subject}")
        click.echo(f"      expected  {finding.expected}")
        click.echo(f"      found     {finding.actual}")
        if finding.hint:
            click.echo(f"      hint: {finding.hint}")
    for finding in findings:
        if finding.is_gap:
            click.echo(f"    {finding.subject}: {finding.actual}")


INDEX_OPTION = click.option(
    "--index",
    "name",
    metavar="NAME|URL",
    required=True,
    help="Name in ~/.pypirc, or upload URL.",
)
SIMPLE_OPTION = click.option(
    "--simple",
    metavar="URL",
    help="URL of its simple API, if it is not next to the upload URL.",
)

WAIT_OPTION = click.option(
    "--wait",
    type=click.IntRange(1),
    default=LONGEST_WAIT,
    show_default=True,
    help="Seconds to wait for the index (`publish`: for each of five waves).",
)


@click.command()
@INDEX_OPTION
@SIMPLE_OPTION
@DIST_OPTION
@BINARIES_OPTION
@CARGO_OPTION
@click.option(
    "--checked",
    metavar="FINGERPRINT",
    type=checked_fingerprint,
    help="Skip the checks for the files that passed them (see `check`).",
)
@flag("--allow-local", help="Allow publishing outside CI.")
@flag(
    "--resume",
    help="Resume a partial upload; fails if nothing of this version is on the index.",
)
@WAIT_OPTION
@flag("--dry-run", help="Do everything but the upload, and print the plan.")
@json_option("fact")
def publish(
    name: str,
    simple: str | None,
    dist: Path,
    binaries: Path,
    cargo: Path | None,
    checked: str | None,
    wait: int,
    *,
    allow_local: bool,
    resume: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Check, upload and verify a release.

    Uploads the platform wheels first, then the stubs, the web UI, lean-spec and leanspec-mcp, and
    waits for the index each time. Nothing is uploaded unless every check passes. Files that the
    index already has, byte for byte, are skipped; other bytes under one of the names stop
    everything. After an interruption, the same command resumes from what the index has. Credentials
    are those of twine: TWINE_USERNAME and TWINE_PASSWORD, ~/.pypirc, a keyring, trusted publishing.
    If the release plan lists the index in `attestations`, each file needs its attestations (see
    `attest`). A dry run needs no credentials, no CI, no tag and no attestation.

    With --checked, nothing of the release is run, before or after: the job that publishes holds a
    token, and `check` and `verify-release` run it in others.

    \b
    Examples:
      python3 -m scripts publish --index testpypi --dry-run
      python3 -m scripts publish --index pypi
    """
    from scripts.index.client import read_index
    from scripts.model.files import must_be_built

    from . import publish

    if not (allow_local or dry_run):
        publish.must_be_ci()
    index = read_index(name, simple)
    must_be_built(dist)
    checks = _release_checks(dist, binaries, cargo, checked, is_draft=dry_run)
    findings = publish.publish(
        dist, index, checks, dry_run=dry_run, resume=resume, wait=wait
    )
    code = _print_findings(findings, as_json=as_json)
    if code == 0 and not dry_run:
        work = " and compared" if checked else ", compared, installed and run"
        click.echo(f"published: every file was fetched from the index{work}", err=True)
    return code


def _release_checks(
    dist: Path, binaries: Path, cargo: Path | None, checked: str | None, *, is_draft: bool
) -> ReleaseChecks:
    """Return the checks of a release; a dry run comes before the tag, so its plan is a draft."""
    from .publish import ReleaseChecks, has_passed

    if checked:
        # This job holds a token, so nothing of the release may run in it.
        from scripts.index.served import compare_served

        before = functools.partial(has_passed, checked, is_draft=is_draft)
        return ReleaseChecks(before, compare_served)
    plan = replace(_read_plan_for(dist), is_draft=is_draft)
    from scripts.gates import check
    from scripts.github.gate import GitHubRelease

    from .verify import verify_release

    github = GitHubRelease(binaries).check
    gates = functools.partial(
        check.check, cargo=cargo, collected=binaries, plan=plan, github=github
    )
    return ReleaseChecks(gates, verify_release)


@click.command(hidden=True)
@DIST_OPTION
def attest(dist: Path) -> None:
    """Attest each built file, as PEP 740 describes.

    The attestation states the identity of the workflow that runs this command. `publish` uploads it
    with its file. Outside a workflow, this is an error.
    """
    from scripts.index import attestations

    for path in attestations.attest(dist):
        click.echo(path)


@click.command(name="verify-release")
@click.argument("version", type=release_version)
@INDEX_OPTION
@SIMPLE_OPTION
@click.option(
    "--dist",
    type=click.Path(file_okay=False, path_type=Path),
    help="Compare with these built files.",
)
@click.option(
    "--against",
    type=click.Choice(["npm"]),
    help="Compare the binaries with those of the npm packages.",
)
@flag(
    "--rebuild", help="Build the wheels again from npm's binaries, and compare every byte."
)
@WAIT_OPTION
@json_option("fact")
def verify_release(
    version: Version,
    name: str,
    simple: str | None,
    dist: Path | None,
    against: str | None,
    wait: int,
    *,
    rebuild: bool,
    as_json: bool,
) -> int:
    """Download, compare, install and run a release.

    Fetches every file from the index, and installs it with pip and with uv. Waits if the index does
    not list everything yet.

    \b
    Examples:
      python3 -m scripts verify-release 0.3.0 --index pypi
      python3 -m scripts verify-release 0.3.0 --index pypi --against npm --rebuild
    """
    from scripts.index.client import read_index
    from scripts.model.files import must_be_built
    from scripts.model.plan import read_plan

    index = read_index(name, simple)
    if dist is not None:
        must_be_built(dist)
    read_plan()
    extend()
    from . import verify

    findings = verify.verify_release(
        version,
        index,
        dist,
        against_npm=against == "npm",
        rebuild=rebuild,
        wait=wait,
    )
    return _print_findings(findings, as_json=as_json)


@click.command(name="publish-server", hidden=True)
@flag("--build", help="Only build the publisher, and write the entry for it.")
@flag("--dry-run", help="Show the entry; publish nothing.")
@click.option(
    "--bundles",
    "assembled",
    type=EXISTING_FOLDER,
    help="List the MCP bundles of the release that is assembled there.",
)
def publish_server(*, build: bool, dry_run: bool, assembled: Path | None) -> int:
    """Announce a release to the registry of MCP servers.

    The entry is `server.json`, which names the index's package, with each MCP bundle of the GitHub
    release and its digest. The registry asks for these files, so the release has to be public.

    Runs the registry's own publisher, which --build compiles with Go. Works only in a GitHub
    workflow, whose identity the registry accepts; the index has to serve the release.

    \b
    Examples:
      python3 -m scripts publish-server --dry-run --bundles final-artifacts
      python3 -m scripts publish-server --build --bundles final-artifacts
      python3 -m scripts publish-server
    """
    from . import registry

    if dry_run:
        click.echo(registry.shown_entry(ROOT, assembled), nl=False)
        click.echo("a dry run: nothing was published", err=True)
    elif build:
        click.echo(registry.build_publisher(assembled=assembled))
    else:
        registry.publish_server()
    return 0


COMMANDS = (
    bump,
    check,
    attest,
    publish,
    verify_release,
    publish_server,
    matrix,
)
