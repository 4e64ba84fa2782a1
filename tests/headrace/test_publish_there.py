"""Builds that are published to a running `headrace api` from the command line, as pipelines do it."""

import gzip
import io
import json
import os
import secrets
import socket
import subprocess
import tarfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx
import pytest
from stamina.instrumentation import set_on_retry_hooks

from api.core.access import ADMINS, Caller, Grant
from api.core.publishers import Service, TrustedPublisher
from api.core.role import Role
from api.operations.publishing import PublishBuild
from api.publishers import set_publisher
from bundles.adapters.directory import directory
from bundles.adapters.pack import pack
from headrace import wiring
from headrace.client import AsyncClient, Client
from release.change import Author
from tests.contract.conftest import FaultyS3, free_port, http_server
from tests.support.api import make_tokens
from tests.support.cli import HEADRACE, TIMEOUT_SECONDS, publish, run, write_build
from tests.support.issuer import GITHUB, Issuer, issuer
from tests.support.processes import ApiProcess, api
from tests.support.service import Service as Answering
from tests.support.service import say, serving

FILES: dict[str, str | bytes] = {"sdk.js": "let a = 1;\n" * 50, "lib/more.mjs": "export default 1;\n"}
PRIVATE = "-----BEGIN PRIVATE KEY-----\n" + "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj" * 2


class There:
    """A server with a data folder of its own, and the command line of those who ask it."""

    def __init__(self, server: ApiProcess, data: Path, tokens: dict[Role, str], temporary: Path) -> None:
        self.url = server.url
        self.data = data
        self.tokens = tokens
        self.temporary = temporary
        self.config = data.parent / "config"

    def run(
        self, *arguments: str, role: Role = Role.PUBLISHER, typed: str = "", **changed: Any
    ) -> subprocess.CompletedProcess[str]:
        """One verb, asked of the server with a token of the role."""
        named = {"HEADRACE_SERVER": self.url, "HEADRACE_TOKEN": self.tokens[role], **changed}
        around = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
        around |= {"NO_COLOR": "1", "XDG_CONFIG_HOME": str(self.config)}
        return subprocess.run(
            [HEADRACE, *arguments],
            env=around | {name: value for name, value in named.items() if value is not None},
            cwd=self.data.parent,
            input=typed,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )

    def publish(self, files: Path, version: str, *more: str, **how: Any) -> subprocess.CompletedProcess[str]:
        """Publish it as a build of the sdk."""
        return self.run("publish", str(files), "--product", "sdk", "--version", version, *more, **how)

    def made(self, files: Path, version: str, *more: str) -> Any:
        """What came of that, which must succeed."""
        ran = self.publish(files, version, *more, "--json")
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)

    def refused(self, ran: subprocess.CompletedProcess[str], code: int) -> str:
        """What was said in one line by a verb that failed with this code."""
        assert (ran.returncode, ran.stdout) == (code, ""), (ran.returncode, ran.stdout, ran.stderr)
        (line,) = ran.stderr.splitlines()
        assert line.startswith("headrace: ")
        return line

    def asked(self, part: str) -> int:
        """How often the server has been asked for builds with this in their URL."""
        token = {"authorization": f"Bearer {self.tokens[Role.VIEWER]}"}
        return httpx.get(f"{self.url}/api/v1/products/sdk/builds/{part}", headers=token).status_code

    def files(self) -> set[Path]:
        """All files of the store."""
        return {path for path in (self.data / "store").rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[There]:
    folder = tmp_path_factory.mktemp("there")
    data, temporary, port = folder / "data", folder / "temporary", free_port()
    publish(data, folder, "1.0.0")
    tokens = make_tokens(data)
    temporary.mkdir()
    limits = ("--reads", "100000", "--changes", "100000", "--strangers", "100000")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(temporary))
        with api(data, "--port", port, "--public-url", f"http://127.0.0.1:{port}", *limits) as process:
            yield There(process, data, tokens, temporary)


@pytest.fixture
def build(tmp_path: Path) -> Path:
    return write_build(tmp_path / "dist", FILES)


def tgz(target: Path, files: dict[str, str | bytes], folder: str = "") -> Path:
    with tarfile.open(target, "w:gz") as archive:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(folder + name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return target


def paths(made: Any) -> list[str]:
    return [each["path"] for each in made["artifacts"]]


def test_a_folder_a_tgz_and_a_zip_are_the_same_build(there: There, build: Path, tmp_path: Path) -> None:
    first = there.made(build, "2.0.0")
    assert (first["created"], paths(first)) == (True, ["lib/more.mjs", "sdk.js"])
    archive = tgz(tmp_path / "sdk.tgz", {**FILES, "package.json": "{}"}, "package/")
    with zipfile.ZipFile(tmp_path / "sdk.zip", "w") as zipped:
        for name, content in FILES.items():
            zipped.writestr(name, content)
    for again in (build, tmp_path / "sdk.zip"):
        assert there.made(again, "2.0.0") == {**first, "created": False}
    narrowed = there.made(archive, "2.0.0", "--include", "lib", "--include", "sdk.js")
    assert narrowed == {**first, "created": False}
    text = there.publish(build, "2.0.0").stdout
    here = run(there.data, "publish", str(build), "--product", "sdk", "--version", "2.0.0")
    assert text == here.stdout


def test_what_a_server_refuses_has_the_exit_code_that_it_has_here(there: There, build: Path) -> None:
    there.made(build, "2.1.0")
    write_build(build, {"sdk.js": "let b;"})
    assert "already published with other contents" in there.refused(there.publish(build, "2.1.0"), 3)
    assert "needs the role" in there.refused(there.publish(build, "2.2.0", role=Role.VIEWER), 4)
    write_build(build, {"big.bin": secrets.token_bytes(8 * 1024 * 1024)})
    assert "needs the role" in there.refused(there.publish(build, "2.2.0", role=Role.VIEWER), 4)
    assert there.asked("2.2.0") == 404
    away = f"http://127.0.0.1:{free_port()}"
    assert "did not answer" in there.refused(there.publish(build, "2.2.0", HEADRACE_SERVER=away), 1)


def test_no_secret_and_no_source_map_leaves_this_machine(build: Path, there: There, tmp_path: Path) -> None:
    write_build(build, {"sdk.js.map": "{}"})
    seen = Answering(say(500, b""))
    with serving(seen) as url:
        archive = tgz(tmp_path / "key.tgz", {"sdk.js": PRIVATE})
        for files in (write_build(tmp_path / "key", {"sdk.js": PRIVATE}), archive):
            told = there.refused(there.publish(files, "2.3.0", HEADRACE_SERVER=url), 3)
            assert "'sdk.js' line 1 (private key)" in told
        inline = write_build(
            tmp_path / "map", {"a.js": "//# sourceMappingURL=data:application/json;base64,eyJ2\n"}
        )
        assert "a source map" in there.refused(there.publish(inline, "2.3.0", HEADRACE_SERVER=url), 3)
    assert seen.asked == []
    assert "sdk.js.map" not in paths(there.made(build, "2.3.0"))
    with_map = tgz(tmp_path / "map.tgz", {**FILES, "sdk.js.map": "{}"})
    assert paths(there.made(with_map, "2.3.0")) == ["lib/more.mjs", "sdk.js"]
    assert "sdk.js.map" in paths(there.made(with_map, "2.3.1", "--source-maps"))


def test_a_build_is_packed_to_the_same_bytes_wherever_it_is(tmp_path: Path) -> None:
    packed: list[bytes] = []
    for name in ("one", "two"):
        folder = write_build(tmp_path / name, FILES)
        (folder / "sdk.js").chmod(0o700 if name == "one" else 0o600)
        os.utime(folder / "sdk.js", (len(packed) * 1000, 0))
        pack(directory(folder), tmp_path / f"{name}.tgz")
        packed.append((tmp_path / f"{name}.tgz").read_bytes())
        time.sleep(1.1 * (name == "one"))  # gzip would have the second in which it was made
    assert packed[0] == packed[1]
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(packed[0]))) as archive:
        assert [(each.name, each.uname, each.uid, each.mtime) for each in archive] == [
            ("lib/more.mjs", "", 0, 0),
            ("sdk.js", "", 0, 0),
        ]


def test_what_would_lose_its_folder_is_not_packed(there: There, tmp_path: Path) -> None:
    folder = write_build(tmp_path / "dist", {"esm/package.json": "{}", "esm/a.mjs": "let a;"})
    assert "Publish 'esm' itself" in there.refused(there.publish(folder, "2.4.0"), 2)


def test_what_a_server_does_not_take_is_refused(there: There, build: Path, tmp_path: Path) -> None:
    for option in ("--attestation", "--sbom", "--data"):
        told = there.refused(there.publish(build, "2.5.0", option, str(tmp_path)), 2)
        assert f"takes no {option}" in told
    key = there.publish(build, "2.5.0", HEADRACE_SIGNING_KEY=str(tmp_path))
    assert "HEADRACE_SIGNING_KEY" in there.refused(key, 2)
    here = there.publish(build, "2.5.0", "--data", str(tmp_path / "data"), HEADRACE_SERVER="")
    assert here.returncode == 0, here.stderr
    assert there.asked("2.5.0") == 404


def test_an_upload_that_breaks_leaves_nothing(there: There, build: Path, tmp_path: Path) -> None:
    pack(directory(build), tmp_path / "build.tgz")
    body, before = (tmp_path / "build.tgz").read_bytes(), there.files()
    idle = set(there.temporary.rglob("*"))
    address = urlsplit(there.url)
    with socket.create_connection((str(address.hostname), int(address.port or 0))) as opened:
        head = (
            "POST /api/v1/products/sdk/builds/2.6.0 HTTP/1.1\r\nhost: x\r\ncontent-type: application/gzip\r\n"
            f"authorization: Bearer {there.tokens[Role.PUBLISHER]}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        opened.sendall(head.encode() + body[: len(body) // 2])
        wait_until(lambda: set(there.temporary.rglob("*")) > idle)
    wait_until(lambda: set(there.temporary.rglob("*")) == idle)
    assert there.files() == before
    assert there.asked("2.6.0") == 404
    assert there.made(build, "2.6.0")["created"]


def wait_until(holds: Any) -> None:
    end = time.monotonic() + TIMEOUT_SECONDS
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture(scope="module")
def proxy(there: There) -> Iterator[FaultyS3]:
    """A proxy before the server, which fails as it is told."""
    port = free_port()
    with http_server(port, "tests.contract.faulty_proxy", there.url, port) as url:
        yield FaultyS3(url)


@pytest.mark.parametrize("colour", ["plain", "async"])
def test_an_archive_is_sent_again_from_its_beginning(
    there: There, proxy: FaultyS3, build: Path, tmp_path: Path, colour: str
) -> None:
    write_build(build, {"big.bin": secrets.token_bytes(1024 * 1024)})
    archive, sent = tmp_path / "build.tgz", list[int]()
    pack(directory(build), archive)
    asked = PublishBuild(product="sdk", version=f"3.0.0-{colour}", deltas=0)
    made_with = (proxy.url, there.tokens[Role.PUBLISHER])

    async def publish_async() -> Any:
        async with AsyncClient(*made_with) as client:
            return await client.publish(asked, archive, sent.append)

    set_on_retry_hooks([])
    proxy.fail("reset", 1, "/builds/")
    if colour == "async":
        made = anyio.run(publish_async)
    else:
        with Client(*made_with) as client:
            made = client.publish(asked, archive, sent.append)
    set_on_retry_hooks(None)
    assert proxy.seen("POST", "/builds/") == 2
    assert (made.version, made.created) == (asked.version, False)  # the first answer was lost, not the build
    size = archive.stat().st_size
    assert (sent.count(size), sent[-1], sent[0] < size) == (2, size, True)


def test_a_batch_is_published_there(there: There, tmp_path: Path) -> None:
    write_build(tmp_path / "dist", FILES)
    lines = [
        {"product": "sdk", "version": "4.0.0", "files": "dist"},
        {"product": "sdk", "version": "4.0.1", "files": "none"},
    ]
    (tmp_path / "list.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    told = []
    for _ in range(2):
        ran = there.run("publish-batch", str(tmp_path / "list.jsonl"), "--json")
        assert ran.returncode == 2, ran.stderr
        told.append({each["line"]: each["state"] for each in map(json.loads, ran.stdout.splitlines())})
    assert told == [{1: "created", 2: "invalid"}, {1: "unchanged", 2: "invalid"}]
    viewer = there.run("publish-batch", str(tmp_path / "list.jsonl"), role=Role.VIEWER)
    assert viewer.returncode == 3
    assert "needs the role" in viewer.stdout


@pytest.fixture(scope="module")
def ci(there: There, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuer]:
    """A CI service, whose jobs of acme/sdk are believed to be the publisher `release`, for the sdk alone."""
    with issuer(tmp_path_factory.mktemp("issuer")) as opened:
        believed = TrustedPublisher(
            service=Service.GITHUB,
            issuer=opened.url,
            repository="acme/sdk",
            owner_id="65",
            workflow="release.yml",
            environment="production",
            refs=("refs/heads/main",),
            products=("sdk",),
            roles=frozenset({Role.PUBLISHER, Role.RELEASER}),
        )

        async def believe() -> None:
            async with wiring.control(there.data) as control:
                ada = Caller("ada", Grant(roles=ADMINS))
                await set_publisher(control, "release", believed, ada, Author(ada.name))

        anyio.run(believe)
        yield opened


NOBODY: dict[str, Any] = {"HEADRACE_SERVER": None, "HEADRACE_TOKEN": None}
LOGIN = ("--profile", "ci", "--publisher", "release")


def test_a_pipeline_publishes_and_releases_without_a_secret(there: There, ci: Issuer, build: Path) -> None:
    token = ci.token(GITHUB, there.url)
    runner = Answering(say(200, json.dumps({"value": token}).encode()))
    with serving(runner) as url:
        asked = {"ACTIONS_ID_TOKEN_REQUEST_URL": f"{url}/token?api-version=2.0", **NOBODY}
        logged_in = there.run("login", there.url, *LOGIN, ACTIONS_ID_TOKEN_REQUEST_TOKEN="job", **asked)
    assert logged_in.returncode == 0, logged_in.stderr
    host = ci.url.partition("//")[2]
    assert logged_in.stdout == f"ci: {there.url} as github:{host}:acme/sdk:release.yml@refs/heads/main\n"
    assert "hds_" not in logged_in.stdout + logged_in.stderr
    as_ci = {"HEADRACE_PROFILE": "ci", **NOBODY}
    assert there.publish(build, "5.0.0", **as_ci).returncode == 0
    started = there.run("rollout", "start", "sdk", "5.0.0", "--stages", "100", **as_ci)
    assert started.returncode == 0, started.stderr
    other = there.run("publish", str(build), "--product", "other", "--version", "1.0.0", **as_ci)
    assert "other" in there.refused(other, 4)


def test_a_job_s_own_id_token_is_exchanged_once(there: There, ci: Issuer) -> None:
    token = ci.token(GITHUB, there.url)
    first = there.run("login", there.url, *LOGIN, HEADRACE_ID_TOKEN=token, **NOBODY)
    assert first.returncode == 0, first.stderr
    again = there.run("login", there.url, *LOGIN, typed=token, **NOBODY)
    assert "exchanged before" in there.refused(again, 4)
    elsewhere = there.run("login", there.url, *LOGIN, typed=ci.token(GITHUB, "https://pypi.org"), **NOBODY)
    assert "'aud'" in there.refused(elsewhere, 4)
    unasked = there.run("login", there.url, *LOGIN, GITHUB_ACTIONS="true", **NOBODY)
    assert "id-token: write" in there.refused(unasked, 2)
