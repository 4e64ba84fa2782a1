"""Prometheus, or a server that speaks its HTTP API, asked for the value of a query."""

from collections.abc import Callable
from urllib.parse import urlencode

from bundles.core.errors import Invalid
from release.adapters.service_post import Reply, post
from release.core.prometheus_answer import PrometheusAnswer
from release.ports import Unanswered

_PATH = "/api/v1/query"


class PrometheusCheck:
    """Asks by POST, so that a query may be long. The whole answer must be there, and must be small.

    `token` is asked for each time: a bearer token, or None to send none. It raises `Failed` where it can't be had.
    """

    def __init__(self, token: Callable[[], str | None]) -> None:
        self._token = token

    async def value(self, url: str, query: str, timeout_seconds: int) -> float:
        """As `Prometheus.value`. The server is told to give up when nobody waits any more."""
        body = urlencode({"query": query, "timeout": f"{timeout_seconds}s"}).encode()
        headers = {"content-type": "application/x-www-form-urlencoded"}
        if (token := self._token()) is not None:
            headers["authorization"] = f"Bearer {token}"
        reply = await post(url.rstrip("/") + _PATH, body, headers, timeout_seconds)
        try:
            return _read(reply)
        except Invalid as error:
            raise Unanswered(str(error)) from None


def _read(reply: Reply) -> float:
    answer = reply.decode(PrometheusAnswer) if reply.is_whole else None
    if reply.fault is not None:
        raise Invalid(f"{reply.fault}: {answer.error[:200]}" if answer and answer.error else reply.fault)
    if not reply.is_whole:
        raise Invalid(f"answered more than {len(reply.body)} bytes: a query comes to one value")
    if answer is None:
        raise Invalid(f"answered {reply.status} with something else than Prometheus' JSON")
    return answer.value()
