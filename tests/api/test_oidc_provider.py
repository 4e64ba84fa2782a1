"""Providers over HTTP: their keys, kept and asked for anew, and tokens that are signed by them or by others."""

import asyncio
import base64
import hmac
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import Key, RSAKey

from api.adapters.oidc_provider import KEEP_SECONDS, REFRESH_SECONDS, RETRY_SECONDS, HttpProviders
from bundles.core.errors import Failed, NotAuthenticated
from release.ports import Unanswered
from tests.support.issuer import EC_KEY, ED_KEY, KEY, Issuer, issuer, sign

pytestmark = pytest.mark.anyio

KEYS = "/jwks"
DOCUMENT = "/.well-known/openid-configuration"
ANOTHER = RSAKey.generate_key(2048, {"kid": "second", "use": "sig"})
CLAIMS = {"sub": "42"}
SMALL = {
    "kty": "RSA",
    "kid": "small",
    "e": "AQAB",
    "n": "rDURXfhXoZLdtKOS3FM00XZnBxMLsyDVpsFFQpa2HrsSX3Eb9pbCftdX3dVbcHPhiir302LXdbRBq8-M9dTDk"
    "z8SEapSemeDCAMjb6qxH3oEAHllm1D6qzSVRPqkgmr8jfg9VAqLcJ3ELiLMqzrvl6NupwoQvzB37t_g8KWN_2s",
}
"""A public key of 1024 bits."""


class Monotonic:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Monotonic:
    return Monotonic()


@pytest.fixture
def providers(clock: Monotonic) -> HttpProviders:
    return HttpProviders(clock)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Issuer]:
    with issuer(tmp_path / "issuer") as opened:
        yield opened


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuer]:
    """One whose keys stay as they are."""
    with issuer(tmp_path_factory.mktemp("steady")) as opened:
        yield opened


@pytest.mark.parametrize(("key", "algorithm"), [(KEY, "RS256"), (EC_KEY, "ES256"), (ED_KEY, "Ed25519")])
async def test_what_the_provider_has_signed_is_read(
    providers: HttpProviders, steady: Issuer, key: Key, algorithm: str
) -> None:
    payload = await providers.verify(steady.url, sign(CLAIMS, key, algorithm))
    assert json.loads(payload) == CLAIMS


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def unsigned(algorithm: str) -> str:
    return f"{part({'alg': algorithm, 'kid': 'first'})}.{part(CLAIMS)}."


def by_public_key() -> str:
    """HS256 with the public key as its secret: who trusts `alg` would believe it (RFC 8725, section 2.1)."""
    signed = f"{part({'alg': 'HS256', 'kid': 'first'})}.{part(CLAIMS)}"
    seal = hmac.digest(KEY.as_pem(private=False), signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(seal).rstrip(b'=').decode()}"


def changed() -> str:
    head, _, signature = sign(CLAIMS).split(".")
    return f"{head}.{part({'sub': '1'})}.{signature}"


FORGED: dict[str, Callable[[], str]] = {
    "none": lambda: unsigned("none"),
    "None": lambda: unsigned("None"),
    "HS256 with the public key": by_public_key,
    "no algorithm": lambda: f"{part({'kid': 'first'})}.{part(CLAIMS)}.x",
    "another key of the same name": lambda: sign(CLAIMS, RSAKey.generate_key(2048, {"kid": "first"})),
    "a key in the header": lambda: sign(CLAIMS, ANOTHER, kid="first", jwk=ANOTHER.as_dict(private=False)),
    "another key's name": lambda: sign(CLAIMS, kid="ec"),
    "no key's name": lambda: sign(CLAIMS, kid=""),
    "changed claims": changed,
    "no token": lambda: "token",
    "nothing": lambda: "",
    "very much": lambda: "x" * 40_000,
    "what is not ASCII": lambda: "é.é.é",
    "an encrypted one": lambda: "e.e.e.e.e",
}


@pytest.mark.parametrize("how", FORGED)
async def test_what_the_provider_has_not_signed_is_refused(
    providers: HttpProviders, steady: Issuer, how: str
) -> None:
    with pytest.raises(NotAuthenticated, match="ID token"):
        await providers.verify(steady.url, FORGED[how]())


async def test_made_up_keys_have_the_provider_asked_once_a_minute(
    providers: HttpProviders, host: Issuer, clock: Monotonic
) -> None:
    async def refused(name: str) -> None:
        with pytest.raises(NotAuthenticated, match="by a key that"):
            await providers.verify(host.url, sign(CLAIMS, ANOTHER, kid=name))

    async with asyncio.TaskGroup() as group:
        for number in range(50):
            group.create_task(refused(f"made-up-{number}"))
    assert (host.requests(DOCUMENT), host.requests(KEYS)) == (1, 1)
    clock.now += REFRESH_SECONDS
    for number in range(50):
        await refused(f"made-up-{number}")
    assert (host.requests(DOCUMENT), host.requests(KEYS)) == (2, 2)
    await providers.verify(host.url, sign(CLAIMS))
    assert host.requests(KEYS) == 2


async def test_a_new_key_is_known_within_a_minute_and_an_old_one_forgotten(
    providers: HttpProviders, host: Issuer, clock: Monotonic
) -> None:
    await providers.verify(host.url, sign(CLAIMS))
    host.publish(ANOTHER)
    clock.now += REFRESH_SECONDS
    await providers.verify(host.url, sign(CLAIMS, ANOTHER))
    with pytest.raises(NotAuthenticated):
        await providers.verify(host.url, sign(CLAIMS))


async def test_a_key_that_was_taken_away_is_believed_for_an_hour_at_most(
    providers: HttpProviders, host: Issuer, clock: Monotonic
) -> None:
    await providers.verify(host.url, sign(CLAIMS))
    host.publish(ANOTHER)
    clock.now += KEEP_SECONDS
    with pytest.raises(NotAuthenticated):
        await providers.verify(host.url, sign(CLAIMS))


async def test_while_the_provider_is_away_its_known_keys_hold(
    providers: HttpProviders, host: Issuer, clock: Monotonic
) -> None:
    await providers.verify(host.url, sign(CLAIMS))
    host.stop()
    clock.now += KEEP_SECONDS - 1
    await providers.verify(host.url, sign(CLAIMS))
    with pytest.raises(Unanswered, match="could not be asked"):
        await providers.verify(host.url, sign(CLAIMS, ANOTHER))
    clock.now += 1
    with pytest.raises(Unanswered, match="could not be asked"):
        await providers.verify(host.url, sign(CLAIMS))


async def test_a_provider_that_does_not_answer_is_left_alone_for_a_while(
    providers: HttpProviders, host: Issuer, clock: Monotonic
) -> None:
    host.publish(KEY, issuer="https://evil.example")
    for _ in range(5):
        with pytest.raises(Failed, match=r"is of the issuer 'https://evil\.example'"):
            await providers.provider(host.url)
    assert host.requests(DOCUMENT) == 1
    host.publish(KEY)
    clock.now += RETRY_SECONDS
    assert (await providers.provider(host.url)).issuer == host.url


@pytest.mark.filterwarnings("ignore:Key size")
async def test_keys_that_sign_no_tokens_are_passed_over(providers: HttpProviders, host: Issuer) -> None:
    useless: list[dict[str, Any]] = [
        {"kty": "oct", "kid": "secret", "k": "c2VjcmV0"},
        {"kty": "RSA", "kid": "broken"},
        {"kty": "AKP", "kid": "new"},
        {**ANOTHER.as_dict(private=False), "kid": "encrypts", "use": "enc"},
        SMALL,
    ]
    host.publish(KEY)
    host.write_keys([*useless, KEY.as_dict(private=False)])
    await providers.verify(host.url, sign(CLAIMS))
    for name in ("secret", "broken", "new", "encrypts", "small"):
        with pytest.raises(NotAuthenticated, match="by a key that"):
            await providers.verify(host.url, sign(CLAIMS, ANOTHER, kid=name))


@pytest.mark.parametrize("body", ["", "[]", '{"keys": 1}', "[" * 9999, "é"])
async def test_what_is_no_key_set_is_told(providers: HttpProviders, host: Issuer, body: str) -> None:
    host.write("jwks", body)
    with pytest.raises(Failed, match="answers no JSON Web Key Set"):
        await providers.verify(host.url, sign(CLAIMS))


async def test_an_endless_answer_is_left(providers: HttpProviders, host: Issuer) -> None:
    host.write("jwks", "x" * 600_000)
    with pytest.raises(Unanswered, match="more than 524288 bytes"):
        await providers.verify(host.url, sign(CLAIMS))


async def test_redirects_are_not_followed(providers: HttpProviders, host: Issuer) -> None:
    host.publish(KEY, jwks_uri=f"{host.url}/.well-known")  # a folder, which the host sends on to `/.well-known/`
    with pytest.raises(Unanswered, match="answered 301, and redirects are not followed"):
        await providers.verify(host.url, sign(CLAIMS))
