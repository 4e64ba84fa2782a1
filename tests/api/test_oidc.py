"""A provider's document, the way to its login and back, and what an ID token says."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.core.id_token import LEEWAY_SECONDS, MAX_LIFE_SECONDS, check_id_token
from api.core.oidc import (
    Attempt,
    Client,
    Provider,
    authorization_url,
    check_callback,
    check_issuer,
    code_challenge,
    discovery_url,
    parse_provider,
)
from bundles.core.errors import Failed, Invalid, NotAuthenticated

ISSUER = "https://login.example.com"
DOCUMENT = {
    "issuer": ISSUER,
    "jwks_uri": f"{ISSUER}/jwks",
    "authorization_endpoint": f"{ISSUER}/authorize",
    "token_endpoint": f"{ISSUER}/token",
    "authorization_response_iss_parameter_supported": True,
    "claims_supported": ["sub"],
}
ATTEMPT = Attempt("the-state", "the-nonce", "the-verifier")
CLIENT = Client(ISSUER, "headrace", "https://headrace.example.com/login/callback")
NOW = 1_800_000_000
TOKEN = {"iss": ISSUER, "sub": "42", "aud": "headrace", "iat": NOW, "exp": NOW + 300, "nonce": "the-nonce"}


def provider(**changed: Any) -> Provider:
    return parse_provider(json.dumps({**DOCUMENT, **changed}).encode(), ISSUER)


def checked(**changed: Any) -> None:
    payload = json.dumps({name: said for name, said in {**TOKEN, **changed}.items() if said is not None})
    check_id_token(payload.encode(), issuer=ISSUER, audience="headrace", now=NOW, nonce="the-nonce")


@pytest.mark.parametrize(
    ("issuer", "complaint"),
    [
        ("http://login.example.com", "is not https"),
        ("ftp://login.example.com", "is not https"),
        ("https://", "no URL of a host"),
        ("https://ada@login.example.com", "no URL of a host"),
        ("https://login.example.com:99999", "is no URL"),
        ("https://login.example.com?x", "a query or a fragment"),
    ],
)
def test_an_issuer_that_anybody_could_answer_for_is_refused(issuer: str, complaint: str) -> None:
    with pytest.raises(Invalid, match=complaint):
        check_issuer(issuer)


@pytest.mark.parametrize("issuer", [ISSUER, "http://127.0.0.1:8080", "http://localhost", "http://[::1]:80/x"])
def test_an_issuer_is_https_or_this_machine(issuer: str) -> None:
    check_issuer(issuer)


def test_the_document_is_below_the_issuer() -> None:
    assert discovery_url(f"{ISSUER}/a/") == f"{ISSUER}/a/.well-known/openid-configuration"


@pytest.mark.parametrize("other", [f"{ISSUER}/", "https://login.example.org", ISSUER.upper()])
def test_a_document_speaks_for_its_own_issuer_alone(other: str) -> None:
    with pytest.raises(Failed, match="is of the issuer"):
        provider(issuer=other)


@pytest.mark.parametrize("name", ["jwks_uri", "authorization_endpoint", "token_endpoint"])
def test_every_endpoint_is_https(name: str) -> None:
    with pytest.raises(Failed, match=f"{name} .* is not https"):
        provider(**{name: "http://login.example.com/x"})


@pytest.mark.parametrize("document", [b"", b"[]", b"\xff", b'{"issuer":"https://login.example.com"}', b"[" * 9999])
def test_what_is_no_document_is_told(document: bytes) -> None:
    with pytest.raises(Failed, match="is no discovery document"):
        parse_provider(document, ISSUER)


def test_the_browser_is_sent_with_the_challenge_and_never_the_verifier() -> None:
    url = authorization_url(provider(), CLIENT, ATTEMPT, ("email",))
    assert "the-verifier" not in url
    assert parse_qs(urlsplit(url).query) == {
        "response_type": ["code"],
        "client_id": ["headrace"],
        "redirect_uri": ["https://headrace.example.com/login/callback"],
        "scope": ["openid email"],
        "state": ["the-state"],
        "nonce": ["the-nonce"],
        "code_challenge": [code_challenge("the-verifier")],
        "code_challenge_method": ["S256"],
    }


def test_an_endpoint_with_a_query_keeps_it() -> None:
    url = authorization_url(provider(authorization_endpoint=f"{ISSUER}/a?tenant=1"), CLIENT, ATTEMPT, ())
    assert url.startswith(f"{ISSUER}/a?tenant=1&response_type=code&")


def test_the_challenge_is_that_of_rfc_7636() -> None:
    """Its appendix B."""
    challenge = code_challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
    assert challenge == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_a_provider_of_keys_alone_logs_nobody_in() -> None:
    with pytest.raises(Failed, match="logs no people in"):
        authorization_url(provider(authorization_endpoint=None), CLIENT, ATTEMPT, ())


def test_the_code_is_what_the_browser_brings_back() -> None:
    assert check_callback(provider(), {"state": "the-state", "iss": ISSUER, "code": "c"}, ATTEMPT) == "c"


@pytest.mark.parametrize(
    ("parameters", "complaint"),
    [
        ({}, "begun in this browser"),
        ({"iss": ISSUER, "code": "c", "state": "another"}, "begun in this browser"),
        ({"iss": ISSUER, "code": "c", "state": "thé-state"}, "begun in this browser"),
        ({"state": "the-state", "code": "c"}, "does not say that it is from"),
        ({"state": "the-state", "code": "c", "iss": f"{ISSUER}/"}, "of another provider"),
        ({"state": "the-state", "error": "access_denied"}, "does not say that it is from"),
        ({"state": "the-state", "error": "access_denied", "iss": ISSUER}, "'access_denied'"),
        ({"state": "the-state", "iss": ISSUER}, "has no code"),
    ],
)
def test_what_is_no_answer_to_this_login_is_refused(parameters: dict[str, str], complaint: str) -> None:
    with pytest.raises(NotAuthenticated, match=complaint):
        check_callback(provider(), parameters, ATTEMPT)


def test_a_provider_that_never_says_who_it_is_need_not_but_must_not_lie() -> None:
    silent = provider(authorization_response_iss_parameter_supported=False)
    assert check_callback(silent, {"state": "the-state", "code": "c"}, ATTEMPT) == "c"
    with pytest.raises(NotAuthenticated, match="of another provider"):
        check_callback(silent, {"state": "the-state", "code": "c", "iss": "https://evil.example"}, ATTEMPT)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"aud": ["headrace"]},
        {"aud": ["headrace", "another"], "azp": "headrace"},
        {"exp": NOW - LEEWAY_SECONDS + 1},
        {"iat": NOW + LEEWAY_SECONDS, "nbf": NOW + LEEWAY_SECONDS},
        {"exp": NOW + 0.5},
        {"aud": "headrace", "azp": "headrace"},
    ],
)
def test_a_token_of_this_login_holds(changed: dict[str, Any]) -> None:
    checked(**changed)


@pytest.mark.parametrize(
    ("claim", "said"),
    [
        ("iss", "https://evil.example"),
        ("iss", f"{ISSUER}/"),
        ("sub", ""),
        ("sub", "two\nlines"),
        ("aud", "another"),
        ("aud", []),
        ("aud", ["headrace", "another"]),
        ("aud", "HEADRACE"),
        ("azp", "another"),
        ("exp", NOW - LEEWAY_SECONDS),
        ("exp", NOW + MAX_LIFE_SECONDS + 1),
        ("iat", NOW + LEEWAY_SECONDS + 1),
        ("nbf", NOW + LEEWAY_SECONDS + 1),
        ("nonce", "another"),
        ("nonce", None),
    ],
)
def test_a_wrong_claim_is_named(claim: str, said: Any) -> None:
    with pytest.raises(NotAuthenticated, match=f"claim '{claim}'"):
        checked(**{claim: said})


@pytest.mark.parametrize("claim", ["iss", "sub", "aud", "exp", "iat"])
def test_a_claim_that_is_missing_or_of_another_kind_is_named(claim: str) -> None:
    for said in (None, {"a": 1}, True):
        with pytest.raises(NotAuthenticated, match=rf"can't be read: .*{claim}"):
            checked(**{claim: said})


@pytest.mark.parametrize("payload", [b'{"exp":NaN}', b'{"exp":1e999}', b"[]", b"\xff", b"[" * 9999])
def test_what_is_no_claims_is_refused(payload: bytes) -> None:
    with pytest.raises(NotAuthenticated, match="can't be read"):
        check_id_token(payload, issuer=ISSUER, audience="headrace", now=NOW)


_json = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=3)


@given(st.dictionaries(st.sampled_from([*TOKEN, "azp", "nbf", "jti"]), _json))
def test_whatever_a_token_says_it_holds_or_is_refused(changed: dict[str, Any]) -> None:
    payload = json.dumps({**TOKEN, **changed}).encode()
    try:
        known = check_id_token(payload, issuer=ISSUER, audience="headrace", now=NOW, nonce="the-nonce")
    except NotAuthenticated:
        return
    assert known.issuer == ISSUER
    assert NOW - LEEWAY_SECONDS < known.expires <= NOW + MAX_LIFE_SECONDS
    assert known.claims["nonce"] == "the-nonce"
