"""Nobody goes round the edge: a secret header, or the edge's certificate, while the probes stay reachable."""

import json
import ssl
import time
from pathlib import Path

import httpx
import pytest

from tests.support.certificates import Authority
from tests.support.cli import fail
from tests.support.processes import Origin, origin

PATIENCE_SECONDS = 20
OLD, NEW, OTHER = "old-" + "x" * 40, "new-" + "y" * 40, "bad-" + "z" * 40
URL = "/sdk@1.0.0/sdk.js"


def status(process: Origin, *secrets: str, method: str = "GET", url: str = URL) -> int:
    headers = [("X-Edge-Secret", secret) for secret in secrets]
    return httpx.request(method, process.url + url, headers=headers).status_code


def wait_for_status(process: Origin, secret: str, expected: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while status(process, secret) != expected:
        assert time.monotonic() < deadline, f"never {expected}"
        time.sleep(0.05)


def test_only_who_knows_the_secret_is_answered(released_data: Path, tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.write_text(f"{OLD}\n")
    with origin(released_data, "--edge-secrets", str(secrets)) as process:
        assert status(process, OLD) == 200
        for wrong in ((), (OTHER,), ("",), (OLD[:-1],), (OLD + "x",), (OLD.upper(),)):
            assert status(process, *wrong) == 403
        for method in ("GET", "HEAD", "OPTIONS", "POST"):
            for url in (URL, "/nope", "/t/acme/sdk.json", "/sdk@stable/sdk.js", "/healthz"):
                assert status(process, method=method, url=url) == 403
        assert httpx.get(f"{process.probes}/healthz").status_code == 200
        assert httpx.get(f"{process.probes}/readyz").status_code == 200


def test_two_secrets_are_valid_side_by_side_and_a_running_origin_changes_over(
    released_data: Path, tmp_path: Path
) -> None:
    secrets = tmp_path / "secrets"
    secrets.write_text(OLD)
    with origin(released_data, "--edge-secrets", str(secrets)) as process:
        assert status(process, NEW) == 403
        secrets.write_text(f"{OLD}\n\n  {NEW}\n")
        wait_for_status(process, NEW, 200)
        assert status(process, OLD) == 200
        secrets.write_text(f"{NEW}\n")
        wait_for_status(process, OLD, 403)
        assert status(process, NEW) == 200
        for broken in ("", "short", f"{OLD}\n{NEW}\n{OTHER}\n", None):
            secrets.unlink() if broken is None else secrets.write_text(broken)
            process.wait_for("edge secrets refused")
            assert status(process, NEW) == 200
            assert status(process) == 403
    log = json.dumps(process.log)
    assert not any(secret in log for secret in (OLD, NEW, OTHER))


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        (None, 1, "can't be read"),
        ("", 2, "0 secrets"),
        ("hunter2", 2, "32 to 256"),
        (f"{OLD}\n{NEW}\n{OTHER}", 2, "3 secrets"),
        (f"{OLD} {NEW}", 2, "without spaces"),
    ],
)
def test_secrets_that_would_guard_nothing_are_refused_and_never_told(
    released_data: Path, tmp_path: Path, text: str | None, code: int, told: str
) -> None:
    secrets = tmp_path / "secrets"
    if text is not None:
        secrets.write_text(text)
    line = fail(released_data, "serve", "--port", "0", "--edge-secrets", str(secrets), code=code)
    assert told in line
    assert not any(word in line for word in (text or "-").split() if word)


def test_an_address_that_others_reach_is_open_to_all_only_when_that_is_said(released_data: Path) -> None:
    for host in ("0.0.0.0", "::", "192.0.2.1"):
        assert "go round the edge" in fail(released_data, "serve", "--host", host, code=3)


def trusting(authority: Authority, client: tuple[Path, Path] | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(authority.certificate))
    if client is not None:
        context.load_cert_chain(*client)
    return context


def test_only_who_has_the_edges_certificate_gets_through_the_handshake(
    released_data: Path, tmp_path: Path
) -> None:
    ours, edges, others = (Authority(tmp_path, name) for name in ("ours", "edges", "others"))
    certificate, key = ours.issue("origin")
    tls = "--tls-certificate", str(certificate), "--tls-key", str(key), "--client-ca", str(edges.certificate)
    with origin(released_data, *tls) as process:
        url = process.url.replace("http://", "https://") + URL
        for client in (edges.issue("first"), edges.issue("second")):
            assert httpx.get(url, verify=trusting(ours, client)).status_code == 200
        for intruder in (None, others.issue("edge")):
            with pytest.raises(httpx.TransportError):
                httpx.get(url, verify=trusting(ours, intruder))
        with pytest.raises(httpx.TransportError):
            httpx.get(process.url + URL)
        old = trusting(ours, edges.issue("old"))
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        assert httpx.get(url, verify=old).status_code == 200
        assert httpx.get(f"{process.probes}/readyz").status_code == 200


def test_https_without_an_authority_answers_anyone(released_data: Path, tmp_path: Path) -> None:
    ours = Authority(tmp_path, "ours")
    certificate, key = ours.issue("origin")
    with origin(released_data, "--tls-certificate", str(certificate), "--tls-key", str(key)) as process:
        url = process.url.replace("http://", "https://") + URL
        assert httpx.get(url, verify=trusting(ours)).status_code == 200


def test_tls_files_that_do_not_work_are_told(released_data: Path, tmp_path: Path) -> None:
    ours = Authority(tmp_path, "ours")
    (certificate, key), (_, other) = ours.issue("origin"), ours.issue("other")
    missing, empty = tmp_path / "missing.pem", tmp_path / "empty.pem"
    empty.write_text("")

    def told(code: int, *arguments: object) -> str:
        return fail(released_data, "serve", "--port", "0", *map(str, arguments), code=code)

    assert "No such file" in told(1, "--tls-certificate", missing, "--tls-key", key)
    assert "key values mismatch" in told(1, "--tls-certificate", certificate, "--tls-key", other)
    pair = "--tls-certificate", certificate, "--tls-key", key
    assert "as an authority" in told(1, *pair, "--client-ca", empty)
    assert "needs --tls-certificate" in told(2, "--client-ca", ours.certificate)
    assert "needs --tls-certificate" in told(2, "--tls-key", key)
