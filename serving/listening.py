"""Sockets that listen."""

import socket

from bundles.core.errors import Failed

_BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 is any free one. Raises `Failed` where it can't be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise Failed(
            f"can't listen on {host}:{port}: {error.strerror}. Stop what uses the port, or choose another"
        ) from None
    return listener


def address(listener: socket.socket) -> str:
    """Where a listener listens, as in 127.0.0.1:8080."""
    host, port, *_ = listener.getsockname()
    return f"[{host}]:{port}" if listener.family == socket.AF_INET6 else f"{host}:{port}"
