"""The pipelines of docs/pipelines.md: their steps run as they are there, on a real server and its controller."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import yaml  # type: ignore[import-untyped]

from api.core.role import Role
from tests.api.test_exchange import github
from tests.contract.conftest import free_port
from tests.support.api import make_tokens
from tests.support.cli import HEADRACE, write_build
from tests.support.issuer import GITHUB, Issuer, gitlab, issuer
from tests.support.processes import ApiProcess, api, controller
from tests.support.service import Service, say, serving

FOLDER = Path(__file__).parents[2] / "docs" / "pipelines"


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuer]:
    """The CI services' issuer of ID tokens."""
    with issuer(tmp_path_factory.mktemp("issuer")) as running:
        yield running


@pytest.fixture(scope="module")
def tokens(released_once: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[Role, str]]:
    """A data folder of the module's own, and its tokens."""
    data = tmp_path_factory.mktemp("pipelines") / "data"
    shutil.copytree(released_once / "data", data)
    return data, make_tokens(data)


@pytest.fixture(scope="module")
def server(host: Issuer, tokens: tuple[Path, dict[Role, str]]) -> Iterator[ApiProcess]:
    """A server that believes a workflow of GitHub's and a job of GitLab's, and whose rollouts have one stage."""
    data, secrets = tokens
    port = free_port()
    on_github = msgspec.to_builtins(github(host)) | {"roles": ["publisher", "releaser"]}
    ids = {"repository_id": "20", "owner_id": "72"}
    on_gitlab = on_github | ids | {"service": "gitlab", "workflow": ".gitlab-ci.yml"}
    with api(data, "--port", str(port), "--public-url", f"http://127.0.0.1:{port}") as process:
        with httpx.Client(headers={"authorization": f"Bearer {secrets[Role.ADMIN]}"}) as http:
            for name, publisher in (("on-github", on_github), ("on-gitlab", on_gitlab)):
                made = http.put(f"{process.url}/api/v1/publishers/{name}", json=publisher)
                assert made.status_code == 200, made.text
            policy = {"policy": {"rollout": [{"stages": "100@1s"}]}}
            assert http.put(f"{process.url}/api/v1/policy", json=policy).status_code == 200
        with controller(data):
            yield process


# What the examples stand for, and what a user puts in their places.
PLACE = "https://headrace.example.com"
TRUSTED = "sdk-release"


def run_job(
    server: ApiProcess, folder: Path, scripts: Sequence[str], publisher: str, **variables: str
) -> "subprocess.CompletedProcess[str]":
    """Run a job's scripts one after the other, as the CI service does, in a checkout that has been built.

    What the last one to run has come to: none runs after one that failed.
    """
    write_build(folder / "dist", {"sdk.js": f"globalThis.sdk = '{folder.name}';\n"})
    path = f"{HEADRACE.parent}:{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": str(folder), "HEADRACE_PROFILE": "ci", **variables}
    for script in scripts:
        here = script.replace(PLACE, server.url).replace(TRUSTED, publisher)
        command = ["bash", "-eo", "pipefail", "-c", here]
        ran = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        if ran.returncode:
            break
    return ran


def channel_of(server: ApiProcess, secret: str) -> dict[str, Any]:
    """The channel that the jobs release to."""
    channel = f"{server.url}/api/v1/products/sdk/channels/stable"
    said: dict[str, Any] = httpx.get(channel, headers={"authorization": f"Bearer {secret}"}).json()
    return said


def test_the_workflow_of_github(
    server: ApiProcess, host: Issuer, tokens: tuple[Path, dict[Role, str]], tmp_path: Path
) -> None:
    job = yaml.safe_load((FOLDER / "github.yml").read_text())["jobs"]["release"]
    assert job["permissions"]["id-token"] == "write"
    scripts = [step["run"] for step in job["steps"] if "headrace " in step.get("run", "")]
    id_token = say(200, json.dumps({"value": host.token(GITHUB, server.url)}).encode())
    with serving(Service(id_token)) as service:
        ran = run_job(
            server,
            tmp_path,
            scripts,
            "on-github",
            **job["env"],
            GITHUB_REF_NAME="v2.0.0",
            ACTIONS_ID_TOKEN_REQUEST_URL=f"{service}/token?api-version=2.0",
            ACTIONS_ID_TOKEN_REQUEST_TOKEN="of-the-job",
        )
    assert ran.returncode == 0, ran.stderr
    assert channel_of(server, tokens[1][Role.ADMIN])["stable"] == "2.0.0"


def test_the_job_of_gitlab(
    server: ApiProcess, host: Issuer, tokens: tuple[Path, dict[Role, str]], tmp_path: Path
) -> None:
    job = yaml.safe_load((FOLDER / "gitlab.yml").read_text())["release"]
    (variable,) = job["id_tokens"]
    id_token = host.token(gitlab(host.url), server.url)
    said = {**job["variables"], "CI_COMMIT_TAG": "v2.1.0", variable: id_token}
    ran = run_job(server, tmp_path, job["script"], "on-gitlab", **said)
    assert ran.returncode == 0, ran.stderr
    assert channel_of(server, tokens[1][Role.ADMIN])["stable"] == "2.1.0"


def test_a_job_that_is_not_believed_ends_before_it_publishes(
    server: ApiProcess, host: Issuer, tokens: tuple[Path, dict[Role, str]], tmp_path: Path
) -> None:
    job = yaml.safe_load((FOLDER / "gitlab.yml").read_text())["release"]
    (variable,) = job["id_tokens"]
    of_a_fork = {**gitlab(host.url), "project_path": "mallory/sdk", "project_id": "666"}
    said = {**job["variables"], "CI_COMMIT_TAG": "v2.2.0", variable: host.token(of_a_fork, server.url)}
    ran = run_job(server, tmp_path, job["script"], "on-gitlab", **said)
    assert (ran.returncode, ran.stdout) == (4, "")
    assert "project_id" in ran.stderr or "project_path" in ran.stderr
    headers = {"authorization": f"Bearer {tokens[1][Role.ADMIN]}"}
    assert httpx.get(f"{server.url}/api/v1/products/sdk/builds/2.2.0", headers=headers).status_code == 404
