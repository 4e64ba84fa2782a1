"""Who may reach a server: this machine alone, its edge, or anyone."""

import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING

from bundles.core.errors import Refused

if TYPE_CHECKING:
    from origin.edge import EdgeSecrets

_MAX_SECRETS_BYTES = 64 * 1024


def refuse_strangers(host: str, guards: str) -> None:
    """Raise `Refused` for an address that others reach; `guards` are the options that would keep them out."""
    if not _is_own(host):
        raise Refused(f"who reaches {host} could go round the edge: give {guards}, or --open-to-all")


def refuse_listeners(host: str) -> None:
    """Raise `Refused` for an address that others reach, where tokens would go there in clear text."""
    if not _is_own(host):
        raise Refused(
            f"who is on the way to {host} could read tokens: give --tls-certificate and --tls-key, or"
            " --plain-http where TLS ends before this server"
        )


def secrets_in(file: Path) -> "EdgeSecrets":
    """The edge's secrets in this file, not read yet."""
    from origin.adapters.followed_file import FollowedFile  # slow to load
    from origin.edge import EdgeSecrets

    return EdgeSecrets(FollowedFile(file, _MAX_SECRETS_BYTES))


def _is_own(host: str) -> bool:
    """True for an address that only this machine reaches."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
