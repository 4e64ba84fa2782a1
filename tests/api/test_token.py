"""Secrets by their form, and what a grant covers."""

import re
import zlib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from api.core.access import Caller, Grant
from api.core.role import Role
from api.core.session import check_csrf, csrf_token, session_cookie
from api.core.token import (
    DAY,
    Prefix,
    Token,
    digest_of_secret,
    id_of,
    make_secret,
    parse_token_id,
    parse_token_name,
    prefix_of,
)
from bundles.core.errors import Invalid, NotAllowed
from bundles.core.names import Product
from release.core.codec import decode_document, encode_document
from release.core.names import Tenant

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
VENDORS = frozenset(Role) - {Role.CUSTOMER}

entropies = st.binary(min_size=32, max_size=32)
patterns = st.text("ab*/@-", min_size=1, max_size=6)
grants = st.builds(
    lambda roles, products: Grant(roles=roles, products=tuple(products)),
    st.frozensets(st.sampled_from(sorted(VENDORS)), min_size=1),
    st.lists(patterns, min_size=1, max_size=3),
)


@given(entropies, st.sampled_from(Prefix))
def test_a_secret_is_known_by_its_prefix_and_its_checksum(entropy: bytes, prefix: Prefix) -> None:
    secret = make_secret(prefix, entropy)
    assert re.fullmatch(r"hd[rs]_[0-9A-Za-z]{36}", secret)
    assert prefix_of(secret) is prefix
    checksum = 0
    for letter in secret[-6:]:  # as a scanner does it
        checksum = checksum * 62 + ALPHABET.index(letter)
    assert checksum == zlib.crc32(secret[4:-6].encode())
    assert re.fullmatch(r"[0-9a-f]{16}", id_of(digest_of_secret(secret)))


@given(entropies, st.integers(4, 39), st.sampled_from(ALPHABET))
def test_a_secret_with_another_letter_is_none(entropy: bytes, place: int, letter: str) -> None:
    secret = make_secret(Prefix.TOKEN, entropy)
    assume(secret[place] != letter)
    assert prefix_of(secret[:place] + letter + secret[place + 1 :]) is None


@given(st.text(max_size=60))
def test_what_is_no_secret_is_told_to_be_none(text: str) -> None:
    assert prefix_of(text) is None
    assert prefix_of(f"hdr_{text}") is None


@given(entropies, entropies)
def test_other_chance_makes_another_secret(one: bytes, other: bytes) -> None:
    space = 62**30
    differs = int.from_bytes(one) % space != int.from_bytes(other) % space
    assert (make_secret(Prefix.TOKEN, one) != make_secret(Prefix.TOKEN, other)) is differs


def test_a_secret_needs_all_of_its_chance() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        make_secret(Prefix.TOKEN, bytes(16))


@given(grants, grants, st.text("ab/@-", min_size=1, max_size=8))
def test_what_a_grant_covers_it_lets_do(own: Grant, other: Grant, product: str) -> None:
    if own.covers(other) and other.is_for_product(Product(product)):
        assert own.is_for_product(Product(product))
        assert Role.ADMIN in own.roles or other.roles <= own.roles


@given(grants)
def test_a_grant_covers_itself_and_an_admin_of_everything_covers_all(grant: Grant) -> None:
    assert grant.covers(grant)
    assert Grant(roles=frozenset({Role.ADMIN})).covers(grant)


@given(grants, grants)
def test_the_least_of_two_grants_lets_do_no_more_than_either(one: Grant, other: Grant) -> None:
    least = one.least(other)
    assert (least is None) == (not one.covers(other) and not other.covers(one))
    assert least is None or (one.covers(least) and other.covers(least) and least in (one, other))


def test_a_grant_does_not_cover_what_is_wider() -> None:
    narrow = Grant(roles=frozenset({Role.ADMIN}), products=("posthog-*",))
    assert narrow.covers(Grant(roles=frozenset({Role.RELEASER}), products=("posthog-js", "posthog-*-x")))
    assert not narrow.covers(Grant(roles=frozenset({Role.VIEWER}), products=("*",)))
    assert not narrow.covers(Grant(roles=frozenset({Role.VIEWER}), products=("posthog-js", "other")))
    viewer = Grant(roles=frozenset({Role.VIEWER}))
    assert not viewer.covers(Grant(roles=frozenset({Role.ADMIN})))
    acme, globex = (Grant(roles=frozenset({Role.CUSTOMER}), tenant=Tenant(each)) for each in ("acme", "globex"))
    assert acme.covers(acme)
    assert not acme.covers(globex)


@pytest.mark.parametrize(
    ("roles", "tenant", "products"),
    [
        ({Role.CUSTOMER}, None, ("*",)),
        ({Role.CUSTOMER, Role.ADMIN}, "acme", ("*",)),
        ({Role.ADMIN}, "acme", ("*",)),
        (set(), None, ("*",)),
        ({Role.ADMIN}, None, ()),
        ({Role.ADMIN}, None, ("sdk[ab]",)),
        ({Role.ADMIN}, None, ("sd?",)),
    ],
)
def test_a_grant_that_makes_no_sense_is_refused(
    roles: set[Role], tenant: str | None, products: tuple[str, ...]
) -> None:
    with pytest.raises(Invalid):
        Grant(roles=frozenset(roles), tenant=None if tenant is None else Tenant(tenant), products=products)


def token(lifetime: int, replaced_until: int | None = None) -> Token:
    return Token(
        digest=digest_of_secret("x"),
        name="ci",
        grant=Grant(roles=frozenset({Role.ADMIN})),
        created_at=1000,
        created_by="sam",
        expires_at=1000 + lifetime,
        replaced_until=replaced_until,
    )


def test_a_token_ends_when_it_expires_or_its_overlap_does() -> None:
    assert [token(10).is_valid(now) for now in (1009, 1010)] == [True, False]
    assert [token(10, 1005).is_valid(now) for now in (1004, 1005)] == [True, False]
    assert [token(10, 2000).is_valid(now) for now in (1009, 1010)] == [True, False]
    assert decode_document(encode_document(token(10, 1005)), Token) == token(10, 1005)


@pytest.mark.parametrize("lifetime", [0, 400 * DAY + 1])
def test_a_token_has_an_end_that_is_not_too_far(lifetime: int) -> None:
    with pytest.raises(Invalid, match="at most 400 days"):
        token(lifetime)


@pytest.mark.parametrize("text", ["", "abc", "0123456789ABCDEF", "0" * 17])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_token_id(text)


@pytest.mark.parametrize("text", ["", "-ci", "CI", "a b", "a" * 65, "ci\n"])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_token_name(text)


def test_a_change_from_a_browser_needs_what_only_our_pages_know() -> None:
    secret, other = (make_secret(Prefix.SESSION, bytes([each]) * 32) for each in (1, 2))
    check_csrf(secret, csrf_token(secret))
    for sent in (None, "", csrf_token(other), secret, "\u00e9"):
        with pytest.raises(NotAllowed):
            check_csrf(secret, sent)
    assert secret[4:] not in csrf_token(secret)


def test_a_sessions_cookie_is_seen_by_no_script_and_no_other_host() -> None:
    cookie = session_cookie("hds_x")
    assert cookie.startswith("__Host-headrace=hds_x; ")
    assert {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"} <= set(cookie.split("; "))
    assert "Domain" not in cookie


def test_a_caller_keeps_its_grant_in_a_document() -> None:
    caller = Caller("token:ci", Grant(roles=frozenset({Role.CUSTOMER}), tenant=Tenant("acme"), products=("a-*",)))
    assert decode_document(encode_document(caller), Caller) == caller
