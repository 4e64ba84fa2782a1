"""Who is believed whom it speaks for: the proxies before the API."""

import ipaddress
from collections.abc import Sequence

from bundles.core.errors import Invalid

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_ANYBODY = "*"


def parse_proxies(texts: Sequence[str]) -> tuple[Network, ...]:
    """The proxies' networks, of addresses and networks as uvicorn understands them too; `*`, alone, is anybody.

    Raises `Invalid` for what is neither: such a proxy would silently not be believed.
    """
    if list(texts) == [_ANYBODY]:
        return (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))
    return tuple(map(_parse, texts))


def _parse(text: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise Invalid(f"{text!r} is no proxy's address: {error}. Write 192.0.2.1 or 192.0.2.0/24") from None
