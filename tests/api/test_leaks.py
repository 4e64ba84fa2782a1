"""Leaked tokens are revoked by a report that somebody known has signed, and by no other."""

import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from api.authenticate import Credential, authenticate
from api.chance import new_secret
from api.core.access import ADMINS, Caller, Grant
from api.core.leak_report import MAX_LEAKS, Reporters, parse_report, parse_reporters_keys
from api.core.session import SessionKind
from api.core.token import DAY, Prefix
from api.leaks import report_leaks
from api.perform import Plane
from api.sessions import start_session
from api.tokens import create_token, list_tokens
from bundles.core.errors import Failed, Invalid, NotAuthenticated, Refused
from headrace.access_wiring import leak_reporters
from release.change import Author
from release.core.audit import Row, open_row
from release.core.notices import NoticeKind, Severity, notice_of
from release.core.signature import sign

pytestmark = pytest.mark.anyio

SECRET = b"at least sixteen bytes"
ADA = Caller("ada", Grant(roles=ADMINS))
KEY = ec.generate_private_key(ec.SECP256R1())


def pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def keys_file(*keys: tuple[str, str]) -> bytes:
    listed = [{"key_identifier": name, "key": text, "is_current": True} for name, text in keys]
    return json.dumps({"public_keys": listed}).encode()


REPORTERS = Reporters(SECRET, parse_reporters_keys(keys_file(("k1", pem(KEY)))))


def report(*found: str, url: str = "https://github.com/acme/web/blob/main/.env") -> bytes:
    return json.dumps(
        [{"token": each, "type": "headrace_token", "url": url, "source": "commit"} for each in found]
    ).encode()


def by_secret(plane: Plane, body: bytes, secret: bytes = SECRET, ago: int = 0) -> dict[str, str]:
    timestamp = plane.control.clock.now() - ago
    return {"headrace-timestamp": str(timestamp), "headrace-signature": f"v1={sign(secret, timestamp, body)}"}


def by_key(body: bytes, name: str = "k1", key: ec.EllipticCurvePrivateKey = KEY) -> dict[str, str]:
    signature = base64.b64encode(key.sign(body, ec.ECDSA(SHA256()))).decode()
    return {"github-public-key-identifier": name, "github-public-key-signature": signature}


async def token(plane: Plane, name: str) -> str:
    issued = await create_token(plane.control, name, ADA.grant, DAY, ADA, Author("ada"))
    return str(issued.secret)


async def last_row(plane: Plane) -> Row:
    async with plane.control.ledger.reading() as reading:
        return [row async for row in reading.trail()][-1]


async def test_a_leaked_token_is_revoked_audited_and_told_of(plane: Plane) -> None:
    leaked, kept = await token(plane, "ci"), await token(plane, "other")
    session = await start_session(plane.access.sessions, SessionKind.PIPELINE, ADA, plane.control.clock.now())
    body = report("hdr_no", new_secret(Prefix.TOKEN), leaked, session, leaked, new_secret(Prefix.SESSION))
    await report_leaks(plane, REPORTERS, by_secret(plane, body), body)
    for secret in (leaked, session):
        with pytest.raises(NotAuthenticated):
            await authenticate(plane, Credential(f"Bearer {secret}"), plane.control.clock.now())
    assert [each.name for each in (await list_tokens(plane.control)).values()] == ["other"]
    assert (await authenticate(plane, Credential(f"Bearer {kept}"), plane.control.clock.now())).caller
    row = await last_row(plane)
    entry = open_row(row)
    assert (entry.actor, entry.verb) == ("leak-report", "token-revoke")
    assert entry.reason == "found at https://github.com/acme/web/blob/main/.env"
    notice = notice_of(entry, row.hash)
    assert notice is not None
    assert (notice.kind, notice.severity, notice.product) == (NoticeKind.TOKEN_REVOKED, Severity.CRITICAL, None)
    assert notice.summary.startswith("the token ci was revoked, by leak-report: found at https://")
    assert leaked not in row.entry


async def test_github_signs_with_a_key_that_is_known(plane: Plane) -> None:
    leaked = await token(plane, "ci")
    body = report(leaked)
    await report_leaks(plane, REPORTERS, by_key(body), body)
    assert await list_tokens(plane.control) == {}


async def test_what_nobody_known_has_signed_revokes_nothing(plane: Plane) -> None:
    body = report(await token(plane, "ci"))
    stranger = ec.generate_private_key(ec.SECP256R1())
    now = plane.control.clock.now()
    forged = [
        {},
        by_secret(plane, body, b"another secret than ours"),
        by_secret(plane, body, ago=301),
        by_secret(plane, body, ago=-301),
        by_secret(plane, body + b" "),
        {**by_secret(plane, body), "headrace-timestamp": str(now + 1)},
        {"headrace-timestamp": "\u0661", "headrace-signature": "v1="},
        {"headrace-timestamp": "9" * 5000, "headrace-signature": "\u00e9"},
        by_key(body, key=stranger),
        by_key(body, "k2"),
        by_key(body + b" "),
        {"github-public-key-identifier": "k1", "github-public-key-signature": "no base64"},
        {"github-public-key-identifier": "k1"},
    ]
    for headers in forged:
        with pytest.raises(NotAuthenticated):
            await report_leaks(plane, REPORTERS, headers, body)
    with pytest.raises(NotAuthenticated):
        await report_leaks(plane, Reporters(), by_secret(plane, body), body)
    assert len(await list_tokens(plane.control)) == 1


async def test_a_url_that_is_no_line_is_audited_as_one(plane: Plane) -> None:
    body = report(await token(plane, "ci"), url="https://x/\n\u202e" + "y" * 2000)
    await report_leaks(plane, REPORTERS, by_key(body), body)
    assert len(open_row(await last_row(plane)).reason) == 500


async def test_of_several_all_are_revoked_though_one_could_not_be_told(
    plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Origins' snapshot can't be written; that the tokens are revoked does not wait for it."""
    body = report(await token(plane, "one"), await token(plane, "two"))

    async def fail(*_: object, **__: object) -> None:
        raise Failed("the disk is full")

    monkeypatch.setattr(type(plane.control.snapshots), "replace", fail)
    with pytest.raises(Failed, match="is committed"):
        await report_leaks(plane, REPORTERS, by_key(body), body)
    assert await list_tokens(plane.control) == {}


@pytest.mark.parametrize("body", [b"", b"{}", b"[1]", b'[{"url": "x"}]', b"\xff", b"[" * 100_000])
def test_what_is_no_report_is_refused(body: bytes) -> None:
    with pytest.raises(Invalid):
        parse_report(body)


def test_a_report_is_bounded() -> None:
    assert len(parse_report(report(*["x"] * MAX_LEAKS))) == MAX_LEAKS
    with pytest.raises(Invalid, match="send several"):
        parse_report(report(*["x"] * (MAX_LEAKS + 1)))


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"{}",
        keys_file(("k", "no key")),
        keys_file(("k", pem(ec.generate_private_key(ec.SECP384R1())))),
    ],
)
def test_what_are_no_keys_of_github_is_refused(document: bytes) -> None:
    with pytest.raises(Invalid):
        parse_reporters_keys(document)


def test_who_may_report_is_in_files(tmp_path: Path) -> None:
    secret, keys = tmp_path / "secret", tmp_path / "keys.json"
    secret.write_bytes(SECRET + b"\n")
    keys.write_bytes(keys_file(("k1", pem(KEY))))
    secret.chmod(0o644)
    with pytest.raises(Refused, match="can be read by others"):
        leak_reporters(secret, keys)
    secret.chmod(0o600)
    assert leak_reporters(secret, keys).secret == SECRET
    assert set(leak_reporters(None, keys).keys) == {"k1"}
    assert leak_reporters(None, None) == Reporters()
    with pytest.raises(Failed, match="can't read"):
        leak_reporters(None, tmp_path / "absent")


def test_a_reporters_secret_is_not_guessed() -> None:
    with pytest.raises(Invalid, match="at least 16 bytes"):
        Reporters(b"short")
