"""One request to an OpenID provider, which may be slow, broken or hostile."""

from collections.abc import Mapping

import anyio
import httpx
import msgspec

from release.ports import Unanswered

TIMEOUT_SECONDS = 10
MAX_ANSWER_BYTES = 512 * 1024


class Reply(msgspec.Struct, frozen=True):
    """A status and the whole body."""

    status: int
    body: bytes


async def get(url: str) -> bytes:
    """What is at this URL. Redirects are not followed: what is elsewhere was not named. Raises `Unanswered`."""
    reply = await _ask(httpx.Request("GET", url, headers=_HEADERS))
    if reply.status != 200:
        redirected = ", and redirects are not followed" if 300 <= reply.status < 400 else ""
        raise Unanswered(f"{url} answered {reply.status}{redirected}")
    return reply.body


async def post_form(url: str, form: Mapping[str, str], authorization: str | None) -> Reply:
    """What is answered to this form. Raises `Unanswered`, without the form, which has secrets in it."""
    headers = _HEADERS if authorization is None else {**_HEADERS, "authorization": authorization}
    return await _ask(httpx.Request("POST", url, data=dict(form), headers=headers))


# A few bytes of gzip may stand for very many.
_HEADERS = {"accept": "application/json", "accept-encoding": "identity"}


async def _ask(request: httpx.Request) -> Reply:
    body = bytearray()
    try:
        with anyio.fail_after(TIMEOUT_SECONDS):
            async with httpx.AsyncClient(timeout=None, follow_redirects=False) as client:  # noqa: S113 - has a time
                response = await client.send(request, stream=True)
                try:
                    async for chunk in response.aiter_raw():
                        body += chunk
                        if len(body) > MAX_ANSWER_BYTES:
                            raise Unanswered(f"{request.url} answered more than {MAX_ANSWER_BYTES} bytes")
                finally:
                    await response.aclose()
    except TimeoutError:
        raise Unanswered(f"{request.url} did not answer within {TIMEOUT_SECONDS} seconds") from None
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, OSError) as error:
        raise Unanswered(f"{request.url} could not be asked: {type(error).__name__}") from None
    return Reply(response.status_code, bytes(body))
