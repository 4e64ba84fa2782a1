"""The pipelines of docs/pipelines.md: their steps run as they are there, on a real server."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import yaml  # type: ignore[import-untyped]

from api.core.access import Role
from tests.api.test_exchange import github
from tests.contract.conftest import free_port
from tests.support.api import make_tokens
from tests.support.cli import HEADRACE, write_build
from tests.support.issuer import GITHUB, Issuer, gitlab, issuer
from tests.support.processes import ApiProcess, api
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
        yield process


def in_job(folder: Path, script: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run a script as a job does, in a checkout that has been built."""
    (folder / ".ci").mkdir()
    shutil.copy(FOLDER / "release.sh", folder / ".ci")
    write_build(folder / "dist", {"sdk.js": f"globalThis.sdk = '{folder.name}';\n"})
    path = f"{HEADRACE.parent}:{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": str(folder), "TIMEOUT": "1s", **variables}
    command = ["bash", "-eo", "pipefail", "-c", script]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def end_rollout(server: ApiProcess, secret: str) -> dict[str, Any]:
    """The rollout that was under way, which is aborted."""
    with httpx.Client(headers={"authorization": f"Bearer {secret}"}) as http:
        channel = f"{server.url}/api/v1/products/sdk/channels/stable"
        rollout: dict[str, Any] = http.get(channel).json()["rollout"]
        assert http.post(f"{channel}/rollout/abort").status_code == 200
        return rollout


def test_the_workflow_of_github(
    server: ApiProcess, host: Issuer, tokens: tuple[Path, dict[Role, str]], tmp_path: Path
) -> None:
    job = yaml.safe_load((FOLDER / "github.yml").read_text())["jobs"]["release"]
    assert job["permissions"]["id-token"] == "write"
    (step,) = (step for step in job["steps"] if step.get("name") == "Release")
    id_token = say(200, json.dumps({"value": host.token(GITHUB, server.url)}).encode())
    with serving(Service(id_token)) as service:
        ran = in_job(
            tmp_path,
            step["run"],
            HEADRACE_SERVER=server.url,
            PUBLISHER="on-github",
            GITHUB_REF_NAME="v2.0.0",
            ACTIONS_ID_TOKEN_REQUEST_URL=f"{service}/token?api-version=2.0",
            ACTIONS_ID_TOKEN_REQUEST_TOKEN="of-the-job",
        )
    assert ran.returncode == 6, ran.stderr  # no controller runs here: the rollout is under way
    rollout = end_rollout(server, tokens[1][Role.ADMIN])
    assert (rollout["candidate"], rollout["author"].partition(":")[0]) == ("2.0.0", "github")


def test_the_job_of_gitlab(
    server: ApiProcess, host: Issuer, tokens: tuple[Path, dict[Role, str]], tmp_path: Path
) -> None:
    job = yaml.safe_load((FOLDER / "gitlab.yml").read_text())["release"]
    ran = in_job(
        tmp_path,
        "\n".join(job["script"]),
        HEADRACE_SERVER=server.url,
        PUBLISHER="on-gitlab",
        CI_COMMIT_TAG="v2.1.0",
        ID_TOKEN=host.token(gitlab(host.url), server.url),
    )
    assert ran.returncode == 6, ran.stderr
    assert end_rollout(server, tokens[1][Role.ADMIN])["candidate"] == "2.1.0"


def test_a_job_with_a_token_ends_as_the_rollout_does_and_says_why_not(
    server: ApiProcess, tokens: tuple[Path, dict[Role, str]], tmp_path: Path
) -> None:
    release = "sh .ci/release.sh sdk 2.2.0 dist"
    here = {"HEADRACE_SERVER": server.url}
    (tmp_path / "viewer").mkdir()
    refused = in_job(tmp_path / "viewer", release, HEADRACE_TOKEN=tokens[1][Role.VIEWER], **here)
    assert refused.returncode != 0
    assert "needs the role" in refused.stdout
    (tmp_path / "unknown").mkdir()
    unknown = in_job(tmp_path / "unknown", release, PUBLISHER="none", ID_TOKEN="a.b.c", **here)
    assert (unknown.returncode, "not-authenticated" in unknown.stderr) == (4, True)
    (tmp_path / "admin").mkdir()
    started = in_job(tmp_path / "admin", release, HEADRACE_TOKEN=tokens[1][Role.ADMIN], **here)
    assert started.returncode == 6, started.stderr
    end_rollout(server, tokens[1][Role.ADMIN])
