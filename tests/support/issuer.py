"""A CI service's issuer of ID tokens: a host of its document and keys in a process of its own, and its pen."""

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

KEY = RSAKey.generate_key(2048, {"kid": "first", "use": "sig", "alg": "RS256"})
EC_KEY = ECKey.generate_key("P-256", {"kid": "ec", "use": "sig"})
ED_KEY = OKPKey.generate_key("Ed25519", {"kid": "ed", "use": "sig"})

GITHUB = {
    "sub": "repo:acme/sdk:environment:production",
    "environment": "production",
    "ref": "refs/heads/main",
    "sha": "c5a0e2b3f6d1c5a0e2b3f6d1c5a0e2b3f6d1c5a0",
    "repository": "acme/sdk",
    "repository_owner": "acme",
    "actor_id": "12",
    "repository_visibility": "private",
    "repository_id": "74",
    "repository_owner_id": "65",
    "run_id": "30433642",
    "run_number": "10",
    "run_attempt": "2",
    "runner_environment": "github-hosted",
    "actor": "ada",
    "workflow": "release",
    "head_ref": "",
    "base_ref": "",
    "event_name": "push",
    "ref_type": "branch",
    "ref_protected": "true",
    "workflow_ref": "acme/sdk/.github/workflows/release.yml@refs/heads/main",
    "workflow_sha": "c5a0e2b3f6d1c5a0e2b3f6d1c5a0e2b3f6d1c5a0",
    "job_workflow_ref": "acme/sdk/.github/workflows/release.yml@refs/heads/main",
    "job_workflow_sha": "c5a0e2b3f6d1c5a0e2b3f6d1c5a0e2b3f6d1c5a0",
}
"""What a job of GitHub Actions claims, as GitHub's reference has it."""


def gitlab(issuer: str) -> dict[str, Any]:
    """What a job of GitLab CI claims, as GitLab's reference has it."""
    host = issuer.partition("://")[2]
    return {
        "sub": "project_path:acme/sdk:ref_type:branch:ref:main",
        "namespace_id": "72",
        "namespace_path": "acme",
        "project_id": "20",
        "project_path": "acme/sdk",
        "user_id": "1",
        "user_login": "ada",
        "user_email": "ada@example.com",
        "user_access_level": "maintainer",
        "pipeline_id": "574",
        "pipeline_source": "push",
        "job_id": "302",
        "ref": "main",
        "ref_type": "branch",
        "ref_path": "refs/heads/main",
        "ref_protected": "true",
        "environment": "production",
        "environment_protected": "false",
        "deployment_tier": "production",
        "runner_id": 1,
        "runner_environment": "self-hosted",
        "sha": "714a629c0b401fdce83e847fc9589983fc6f46bc",
        "project_visibility": "private",
        "ci_config_ref_uri": f"{host}/acme/sdk//.gitlab-ci.yml@refs/heads/main",
        "ci_config_sha": "714a629c0b401fdce83e847fc9589983fc6f46bc",
    }


def sign(claims: Mapping[str, Any], key: Key = KEY, algorithm: str = "RS256", **header: Any) -> str:
    """A token of these claims, signed."""
    named = {"typ": "JWT", "alg": algorithm, "kid": key.kid, **header}
    return jwt.encode(named, dict(claims), key, algorithms=[algorithm])


class Issuer:
    """The host, whose keys can change; `requests` says how often what was asked of it."""

    def __init__(self, folder: Path, process: "subprocess.Popen[str]", url: str, log: Path) -> None:
        self._folder = folder
        self._process = process
        self._log = log
        self.url = url
        self.publish(KEY, EC_KEY, ED_KEY)

    def publish(self, *keys: Key, **document: Any) -> None:
        """Put these keys, and a document that says so, in the place of those there are."""
        said = {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/jwks",
            "id_token_signing_alg_values_supported": ["RS256"],
            **document,
        }
        self.write(".well-known/openid-configuration", json.dumps(said))
        self.write_keys([key.as_dict(private=False) for key in keys])

    def write_keys(self, keys: Sequence[Mapping[str, Any]]) -> None:
        """The same with keys as they are told, be they of use or not."""
        self.write("jwks", json.dumps({"keys": keys}))

    def write(self, path: str, body: str) -> None:
        """Have this answered there."""
        (self._folder / path).write_text(body)

    def requests(self, path: str) -> int:
        """How often this was asked for."""
        return self._log.read_text().count(f"GET {path} ")

    def token(self, claims: Mapping[str, Any], audience: str, **changed: Any) -> str:
        """A token that holds for five minutes, and some claims of it changed; None takes one away."""
        now = int(time.time())
        times = {"iat": now, "nbf": now, "exp": now + 300}
        whole = {"iss": self.url, "aud": audience, "jti": str(uuid.uuid4()), **times, **claims, **changed}
        return sign({name: said for name, said in whole.items() if said is not None})

    def stop(self) -> None:
        """Go away."""
        self._process.kill()
        self._process.wait()


@contextmanager
def issuer(folder: Path) -> Iterator[Issuer]:
    """An issuer on a free port."""
    site, log = folder / "site", folder / "requests.log"
    (site / ".well-known").mkdir(parents=True)
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", str(site)]
    with (
        log.open("w") as errors,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            yield Issuer(site, process, f"http://127.0.0.1:{line.split(' port ')[1].split()[0]}", log)
        finally:
            process.kill()
