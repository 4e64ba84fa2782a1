"""A client of the admin API, in two colours: `Client` for plain code, `AsyncClient` for asyncio.

    with Client("https://headrace.example", token) as headrace:
        channel = headrace.send(PromoteRollout(product="posthog-js", channel="stable"))

What can be asked is in `api.operations`, and each operation says by its type what answers it. A problem that the
server tells of is raised as the fault that it is (`bundles.core.errors`).

What may pass is tried again: a connection that can't be had or breaks, an answer that does not come in time, and
the statuses 429, 502, 503 and 504. A change has an idempotency key, so that it is made once all the same.
"""

from headrace.client.asynchronous import AsyncClient
from headrace.client.synchronous import Client

__all__ = ["AsyncClient", "Client"]
