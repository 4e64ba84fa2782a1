"""Requests as they are, and answers as they were sent."""

import httpx


def raw(client: httpx.Client, url: str, method: str = "GET", **headers: str) -> tuple[httpx.Response, bytes]:
    """The response and its body as sent, before any decoding. `if_range` stands for `If-Range`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with client.stream(method, url, headers=named) as response:
        return response, b"".join(response.iter_raw())
