"""A workflow played on this machine: its jobs in order, their expressions, their script steps, their artifacts.

Of the actions it knows the checkout, the attestation and the two for artifacts; another one is
passed over and named.
"""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

TOKENS = re.compile(r"\s*('(?:[^']|'')*'|[A-Za-z_][\w.-]*|&&|\|\||==|!=|!|\(|\)|,)")
OWN_ACTION = "$/"
SUCCESS, SKIPPED, FAILURE = "success", "skipped", "failure"


class Expression:
    """Evaluate what stands in `${{ }}`: contexts, `!`, `==`, `!=`, `&&`, `||`, a few functions."""

    def __init__(self, text: str, contexts: dict[str, Any]) -> None:
        self.tokens = [match[1] for match in TOKENS.finditer(text)]
        compact = re.sub(r"\s+(?=(?:[^']*'[^']*')*[^']*$)", "", text)
        assert "".join(self.tokens) == compact, f"cannot read `{text}`"
        self.contexts = contexts

    def value(self) -> Any:  # noqa: ANN401 - JSON
        """Return the value of the whole."""
        value = self._or()
        assert not self.tokens, f"`{self.tokens}` is left over"
        return value

    def _next(self, *wanted: str) -> str | None:
        return self.tokens.pop(0) if self.tokens and self.tokens[0] in wanted else None

    def _or(self) -> Any:  # noqa: ANN401
        value = self._and()
        while self._next("||"):
            other = self._and()
            value = value or other
        return value

    def _and(self) -> Any:  # noqa: ANN401
        value = self._equal()
        while self._next("&&"):
            other = self._equal()
            value = value and other
        return value

    def _equal(self) -> Any:  # noqa: ANN401
        value = self._one()
        while sign := self._next("==", "!="):
            value = (value == self._one()) is (sign == "==")
        return value

    def _one(self) -> Any:  # noqa: ANN401
        if self._next("!"):
            return not self._one()
        if self._next("("):
            value = self._or()
            assert self._next(")")
            return value
        token = self.tokens.pop(0)
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        if self._next("("):
            arguments = [] if self.tokens[0] == ")" else [self._or()]
            assert self._next(")")
            return self._call(token, arguments)
        context: Any = self.contexts
        for part in token.split("."):
            context = context.get(part) if isinstance(context, dict) else None
        return context

    def _call(self, name: str, arguments: list[Any]) -> Any:  # noqa: ANN401
        functions: dict[str, Callable[..., Any]] = {
            "fromJSON": json.loads,
            "toJSON": json.dumps,
            "cancelled": lambda: False,
            "always": lambda: True,
            "success": lambda: True,
        }
        return functions[name](*arguments)


@dataclass(frozen=True)
class Step:
    """A script step as it is typed: its job, its command, and the variables that it sets."""

    job: str
    command: str
    variables: dict[str, str]

    def __str__(self) -> str:
        """Write the command line with the variables that it names."""
        names = re.findall(r"\$(\w+)", self.command)
        values = [f"{name}={self.variables[name]}" for name in names]
        return f"[{self.job}] {' '.join([*values, self.command])}"


@dataclass(frozen=True)
class Result:
    """How a step ended."""

    step: Step
    exit_code: int
    stdout: str
    stderr: str
    outputs: dict[str, str]
    """What it handed on to later steps."""


@dataclass
class Player:
    """Play a workflow: `checkout` makes a clone of a repository (None: the workflow's own), `env` is the machine's."""

    path: Path
    folder: Path
    contexts: dict[str, Any]
    env: dict[str, str]
    checkout: Callable[[Path, str | None, str | None], str]
    skip: Callable[[str], bool]
    """Tells of a step's command whether it is left out."""
    before: Callable[[str, Path], None] = lambda _command, _workspace: None
    answer: Callable[[Step, Path], Result | None] = lambda _step, _workspace: None
    """Puts the output of a step into its workspace instead of running it, if it can."""
    steps: list[Result] = field(default_factory=list)
    passed_over: set[str] = field(default_factory=set)
    results: dict[str, dict[str, Any]] = field(default_factory=dict)

    def play(self) -> None:
        """Play every job after those that it needs; a job fails with its first step that fails."""
        workflow = yaml.safe_load(self.path.read_text("utf-8"))
        jobs = dict(workflow["jobs"])
        while jobs:
            needs = {name: set(job.get("needs", ())) for name, job in jobs.items()}
            name = next(name for name in jobs if needs[name] <= set(self.results))
            self._job(name, jobs.pop(name), workflow.get("env", {}))

    def _job(self, name: str, job: dict[str, Any], env: dict[str, str]) -> None:
        contexts = self.contexts | {"needs": self.results}
        needed = {self.results[need]["result"] for need in job.get("needs", ())}
        condition = str(job.get("if", ""))
        wanted = self._holds(condition, contexts) if condition else True
        if not re.search(r"cancelled\(\)|always\(\)", condition):
            wanted = wanted and needed <= {SUCCESS}
        if not wanted:
            self.results[name] = {"result": SKIPPED, "outputs": {}}
            return
        entries: list[dict[str, str]] = [{}]
        if "strategy" in job:
            entries = self._text(job["strategy"]["matrix"], contexts, whole=True)["include"]
        outputs: dict[str, str] = {}
        result = SUCCESS
        for number, entry in enumerate(entries):
            workspace = self.folder / f"{name}-{number}"
            workspace.mkdir()
            own = contexts | {"matrix": entry}
            own["steps"] = {}
            if not all(self._steps(name, job["steps"], workspace, env, own)):
                result = FAILURE
            outputs = {
                key: self._text(value, own) for key, value in job.get("outputs", {}).items()
            }
        self.results[name] = {"result": result, "outputs": outputs}

    def _steps(
        self,
        name: str,
        steps: list[dict[str, Any]],
        workspace: Path,
        env: dict[str, str],
        contexts: dict[str, Any],
    ) -> Iterator[bool]:
        for step in steps:
            if "if" in step and not self._holds(str(step["if"]), contexts):
                continue
            if step.get("uses", "").startswith(OWN_ACTION):
                inner, inputs = self._own_action(step, contexts)
                own = contexts | {"inputs": inputs}
                yield from self._steps(name, inner, workspace, env, own)
                continue
            if "uses" in step:
                settings = {
                    key: self._text(value, contexts)
                    for key, value in step.get("with", {}).items()
                }
                outputs = self._action(step["uses"].partition("@")[0], settings, workspace)
                contexts["steps"][step.get("id", "")] = {"outputs": outputs}
                continue
            if self.skip(step["run"]):
                self.passed_over.add(step["run"])
                continue
            variables = {
                key: self._text(value, contexts)
                for key, value in (env | step.get("env", {})).items()
            }
            script = Step(name, step["run"], variables)
            result = self.answer(script, workspace) or self._run(script, workspace)
            self.steps.append(result)
            if "id" in step:
                contexts["steps"][step["id"]] = {"outputs": result.outputs}
            yield result.exit_code == 0
            if result.exit_code != 0:
                return

    def _own_action(
        self, step: dict[str, Any], contexts: dict[str, Any]
    ) -> tuple[list[dict[str, Any]], dict[str, str]]:
        """Return the steps of an action of the workflow's repository, and its inputs."""
        root = self.path.parents[2]
        path = root / step["uses"].removeprefix(OWN_ACTION) / "action.yml"
        action = yaml.safe_load(path.read_text("utf-8"))
        values = {name: entry["default"] for name, entry in action["inputs"].items()}
        inputs = values | step.get("with", {})
        texts = {name: self._text(value, contexts) for name, value in inputs.items()}
        return action["runs"]["steps"], texts

    def _run(self, step: Step, workspace: Path) -> Result:
        output = workspace.with_name(f"{workspace.name}.output")
        output.write_text("")
        self.before(step.command, workspace)
        process = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step.command],
            cwd=workspace,
            env=self.env | step.variables | {"GITHUB_OUTPUT": str(output)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )
        lines = [line.partition("=") for line in output.read_text().splitlines()]
        outputs = {key: value for key, _, value in lines}
        return Result(step, process.returncode, process.stdout, process.stderr, outputs)

    def failures(self) -> str:
        """Return each failed step: its command line, its exit code and both of its streams."""
        return "\n".join(
            f"{result.step}: exit code {result.exit_code}\n{result.stdout}\n{result.stderr}"
            for result in self.steps
            if result.exit_code != 0
        )

    def _action(
        self, action: str, settings: dict[str, Any], workspace: Path
    ) -> dict[str, str]:
        store = self.folder / "artifacts"
        if action == "actions/checkout":
            place = workspace / settings.get("path", ".")
            repository, ref = settings.get("repository"), settings.get("ref")
            return {"commit": self.checkout(place, repository, ref)}
        if action == "actions/attest":
            return {"bundle-path": str(_attest(workspace / settings["subject-checksums"]))}
        if action == "actions/upload-artifact":
            _upload(workspace, settings["path"], store / settings["name"])
        elif action == "actions/download-artifact":
            place = workspace / settings["path"]
            if "name" in settings:
                shutil.copytree(store / settings["name"], place, dirs_exist_ok=True)
                return {}
            artifacts = [*store.glob(settings.get("pattern", "*"))]
            # A single one gets no folder of its own (the action's README, `path`).
            merged = settings.get("merge-multiple") is True or len(artifacts) == 1
            for artifact in artifacts:
                target = place if merged else place / artifact.name
                shutil.copytree(artifact, target, dirs_exist_ok=True)
        else:
            self.passed_over.add(action)
        return {}

    def _holds(self, condition: str, contexts: dict[str, Any]) -> bool:
        inner = re.fullmatch(r"\$\{\{(.*)\}\}", condition.strip(), re.DOTALL)
        text = inner[1] if inner else condition
        return bool(Expression(text.strip(), contexts).value())

    def _text(self, text: Any, contexts: dict[str, Any], *, whole: bool = False) -> Any:  # noqa: ANN401
        if whole:
            return Expression(text.strip()[3:-2].strip(), contexts).value()
        if not isinstance(text, str):
            return text

        def evaluate(match: re.Match[str]) -> str:
            return _written(Expression(match[1].strip(), contexts).value())

        return re.sub(r"\$\{\{(.*?)\}\}", evaluate, text)


def _written(value: object) -> str:
    text = "" if value is None else str(value)
    return text.lower() if isinstance(value, bool) else text


def _attest(sums: Path) -> Path:
    """Write a bundle as the action does, as far as it states which files it is of."""
    pairs = [line.split("  ") for line in sums.read_text().splitlines()]
    subjects = [{"name": name, "digest": {"sha256": digest}} for digest, name in pairs]
    payload = base64.b64encode(json.dumps({"subject": subjects}).encode()).decode()
    path = sums.parent.with_name("attestation.json")
    path.write_text(json.dumps({"dsseEnvelope": {"payload": payload}}))
    return path


def _upload(workspace: Path, pattern: str, target: Path) -> None:
    """Take files as GitHub does: below the first wildcard, without their run bits."""
    base = workspace
    for part in Path(pattern).parts:
        if "*" in part:
            break
        base /= part
    places = workspace.glob(pattern.rstrip("/"))
    paths = [path for place in places for path in place.rglob("*") if path.is_file()]
    assert paths, f"`{pattern}`: no files were found (if-no-files-found: error)"
    for path in paths:
        place = target / path.relative_to(base)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
        place.chmod(0o644)
