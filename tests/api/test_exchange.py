"""A pipeline's ID token becomes a session: through a real issuer's keys, a real ledger and the access database."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from joserfc.jwk import RSAKey
from structlog.testing import capture_logs

from api.adapters.oidc_provider import HttpProviders
from api.authenticate import Credential, authenticate
from api.core.access import Caller, Grant
from api.core.publishers import Service, TrustedPublisher
from api.core.role import Role
from api.core.session import RULES, SessionKind
from api.exchange import Exchange
from api.perform import Plane
from api.publishers import remove_publisher, set_publisher
from bundles.core.errors import NotAllowed, NotAuthenticated
from release.change import Author
from release.ports import Unanswered
from tests.release.conftest import at
from tests.support.issuer import GITHUB, Issuer, gitlab, issuer, sign

pytestmark = pytest.mark.anyio

HERE = "https://headrace.example.com"
ADMIN = Caller("ada@example.com", Grant(roles=frozenset({Role.ADMIN})))
ADA = Author("ada@example.com")


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuer]:
    with issuer(tmp_path_factory.mktemp("issuer")) as opened:
        yield opened


def github(host: Issuer) -> TrustedPublisher:
    return TrustedPublisher(
        service=Service.GITHUB,
        issuer=host.url,
        repository="acme/sdk",
        owner_id="65",
        workflow="release.yml",
        environment="production",
        refs=("refs/heads/main",),
        products=("sdk",),
    )


@pytest.fixture
async def exchange(plane: Plane, host: Issuer) -> Exchange:
    """Exchanges for two publishers: `github` and `gitlab`."""
    on_github = github(host)
    on_gitlab = msgspec.structs.replace(
        on_github, service=Service.GITLAB, repository_id="20", owner_id="72", workflow=".gitlab-ci.yml"
    )
    await set_publisher(plane.control, "github", on_github, ADMIN, ADA)
    await set_publisher(plane.control, "gitlab", on_gitlab, ADMIN, ADA)
    return Exchange(plane, HttpProviders(), HERE)


@pytest.mark.parametrize("service", Service)
async def test_a_job_gets_a_session_of_its_publisher_s_grant(
    exchange: Exchange, host: Issuer, service: Service
) -> None:
    claims, file = (GITHUB, "release.yml") if service is Service.GITHUB else (gitlab(host.url), ".gitlab-ci.yml")
    token = host.token(claims, HERE)
    with capture_logs() as logged:
        secret = await exchange(service, token)
    credential = Credential(authorization=f"Bearer {secret}")
    now = exchange.plane.control.clock.now()
    known = await authenticate(exchange.plane, credential, now)
    assert known.caller.name == f"{service}:{host.url.partition('//')[2]}:acme/sdk:{file}@refs/heads/main"
    assert known.caller.grant == Grant(roles=frozenset({Role.PUBLISHER}), products=("sdk",))
    assert known.session is SessionKind.PIPELINE
    with pytest.raises(NotAuthenticated):
        await authenticate(exchange.plane, credential, now + RULES[SessionKind.PIPELINE].longest)
    with pytest.raises(NotAuthenticated):
        await authenticate(exchange.plane, Credential(cookie=secret), now)
    (line,) = logged
    assert (line["event"], line["publisher"]) == ("ID token exchanged", service)
    assert secret not in str(logged)
    assert token.rpartition(".")[2] not in str(logged)


async def test_a_token_is_exchanged_once_however_many_try(exchange: Exchange, host: Issuer) -> None:
    token = host.token(GITHUB, HERE)
    tries = await asyncio.gather(*(exchange("github", token) for _ in range(5)), return_exceptions=True)
    assert len([each for each in tries if isinstance(each, str)]) == 1
    assert all("exchanged before" in str(each) for each in tries if isinstance(each, NotAllowed))
    with pytest.raises(NotAllowed, match="exchanged before"):
        await exchange("github", token)


WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"aud": "https://pypi.org"}, NotAuthenticated, "claim 'aud'"),
    ({"aud": [HERE, "https://pypi.org"]}, NotAuthenticated, "claim 'aud'"),
    ({"iss": "https://token.actions.githubusercontent.com"}, NotAuthenticated, "claim 'iss'"),
    ({"exp": int(time.time()) - 60}, NotAuthenticated, "claim 'exp'"),
    ({"jti": None}, NotAllowed, "no `jti`"),
    ({"jti": ""}, NotAllowed, "no `jti`"),
    ({"repository_owner_id": "66"}, NotAllowed, "claim 'repository_owner_id' is '66'"),
    ({"event_name": "pull_request_target"}, NotAllowed, "claim 'event_name' is 'pull_request_target'"),
    ({"environment": None}, NotAllowed, "claim 'environment' is missing"),
]


async def test_a_wrong_claim_is_refused_and_told(exchange: Exchange, host: Issuer) -> None:
    for changed, fault, complaint in WRONG:
        with pytest.raises(fault, match=complaint):
            await exchange("github", host.token(GITHUB, HERE, **changed))


async def test_what_was_wanted_is_for_the_log_alone(exchange: Exchange, host: Issuer) -> None:
    with capture_logs() as logged, pytest.raises(NotAllowed) as refused:
        await exchange("github", host.token(GITHUB, HERE, repository="evil/sdk"))
    assert "acme" not in str(refused.value)
    (line,) = logged
    told = {name: line[name] for name in ("publisher", "claim", "said", "wanted")}
    assert told == {"publisher": "github", "claim": "repository", "said": "evil/sdk", "wanted": "acme/sdk"}


async def test_a_refused_token_is_not_used_up(exchange: Exchange, host: Issuer) -> None:
    token = host.token(GITHUB, HERE)
    with pytest.raises(NotAllowed):
        await exchange("gitlab", token)
    assert await exchange("github", token)


async def test_a_token_that_somebody_else_has_signed_is_refused(exchange: Exchange, host: Issuer) -> None:
    now = int(time.time())
    claims = {**GITHUB, "iss": host.url, "aud": HERE, "jti": "1", "sub": "x", "iat": now, "exp": now + 60}
    with pytest.raises(NotAuthenticated, match="not validly signed"):
        await exchange("github", sign(claims, RSAKey.generate_key(2048, {"kid": "first"})))


async def test_a_publisher_that_is_not_known_believes_nothing(exchange: Exchange, host: Issuer) -> None:
    await remove_publisher(exchange.plane.control, "github", ADMIN, ADA)
    with pytest.raises(NotAuthenticated, match="no trusted publisher 'github'"):
        await exchange("github", host.token(GITHUB, HERE))


async def test_used_tokens_are_forgotten_once_they_hold_no_more(exchange: Exchange, host: Issuer) -> None:
    token, used = host.token(GITHUB, HERE), exchange.plane.access.used_tokens
    await exchange("github", token)
    now = int(time.time())
    await used.forget(now + 300)
    with pytest.raises(NotAllowed, match="exchanged before"):  # while its time is over by less than clocks differ
        await exchange("github", token)
    await used.forget(now + 3600)
    later = msgspec.structs.replace(exchange.plane, control=at(exchange.plane.control, now + 3600))
    with pytest.raises(NotAuthenticated, match="has expired"):
        await msgspec.structs.replace(exchange, plane=later)("github", token)


async def test_an_issuer_that_is_away_is_no_refusal(plane: Plane, tmp_path: Path) -> None:
    with issuer(tmp_path / "another") as gone:
        await set_publisher(plane.control, "github", github(gone), ADMIN, ADA)
        token = gone.token(GITHUB, HERE)
        gone.stop()
        with pytest.raises(Unanswered, match="could not be asked"):
            await Exchange(plane, HttpProviders(), HERE)("github", token)
