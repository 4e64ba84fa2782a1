"""What the admin API needs from outside: a memory of who asks, and who vouches for whom."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import msgspec

from api.core.access import Caller
from api.core.command_line import LoginCode
from api.core.id_token import IdToken
from api.core.oidc import Client, Provider
from api.core.refusal import Refusal, Refusals
from api.core.session import Session
from api.core.token import TokenId
from bundles.core.digest import Digest


class TokenUses(Protocol):
    """When tokens were used last. Failing surroundings raise `Failed`."""

    async def add(self, uses: Mapping[TokenId, int]) -> None:
        """Note that tokens were used at these times; an earlier time than is known changes nothing."""
        ...

    async def last(self) -> Mapping[TokenId, int]:
        """When each token was used last."""
        ...

    async def forget(self, before: int) -> None:
        """Forget tokens that were used last before this time."""
        ...


class Sessions(Protocol):
    """Those who have logged in. Failing surroundings raise `Failed`."""

    async def add(self, session: Session) -> None:
        """Begin a session."""
        ...

    async def find(self, digest: Digest) -> Session | None:
        """The session whose secret has this digest, whether it has ended or not."""
        ...

    async def use(self, uses: Mapping[Digest, int]) -> None:
        """Note that sessions were used at these times; an earlier time than is known changes nothing."""
        ...

    async def end(self, digests: Collection[Digest]) -> int:
        """End these sessions; how many there were."""
        ...

    async def end_granted(self, person: str) -> int:
        """End the sessions of this person, and of whose grant was set for this person or group; how many."""
        ...

    async def forget(self, before: int) -> None:
        """Forget the sessions that have ended before this time."""
        ...


class LoginCodes(Protocol):
    """Codes for command lines that wait for a login. Failing surroundings raise `Failed`."""

    async def add(self, code: LoginCode) -> None:
        """Keep a code."""
        ...

    async def redeem(self, digest: Digest, code_challenge: str, now: int) -> Caller | None:
        """Who has logged in, the first time; None for a code that is no more, or has another challenge."""
        ...

    async def end_granted(self, person: str) -> None:
        """End the codes of this person, and of whose grant was set for this person or group."""
        ...

    async def forget(self, before: int) -> None:
        """Forget the codes that have ended before this time."""
        ...


class UsedTokens(Protocol):
    """Which ID tokens were exchanged already. Failing surroundings raise `Failed`."""

    async def use(self, token: IdToken) -> bool:
        """Remember the token for as long as it holds; false where it was used before, by whoever."""
        ...

    async def forget(self, before: int) -> None:
        """Forget the tokens that have held no longer than this time, in seconds since the epoch."""
        ...


class RefusalCounts(Protocol):
    """What was refused. Failing surroundings raise `Failed`."""

    async def add(self, refusals: Sequence[Refusals]) -> None:
        """Count these, all or none of them, with those that are like them."""
        ...

    async def newest(self, limit: int, before: Refusal | None = None) -> Sequence[Refusals]:
        """The newest of them, the last in their order first; with `before`, those that follow it in the list."""
        ...

    async def forget(self, before: int) -> None:
        """Forget what was refused before this time, in seconds since the epoch."""
        ...


class Access(msgspec.Struct, frozen=True):
    """What is kept of those who ask."""

    uses: TokenUses
    sessions: Sessions
    login_codes: LoginCodes
    used_tokens: UsedTokens
    refusals: RefusalCounts


class Providers(Protocol):
    """The OpenID providers. Failing surroundings raise `Failed`; `Unanswered` where a provider is away."""

    async def provider(self, issuer: str) -> Provider:
        """What the provider says of itself."""
        ...

    async def verify(self, issuer: str, token: str) -> bytes:
        """The token's payload, once a key of the issuer has signed it. `NotAuthenticated` where none has."""
        ...

    async def redeem(self, client: Client, code: str, verifier: str) -> str:
        """The ID token for a code that a browser brought back. `NotAuthenticated` for one that is of no use."""
        ...
