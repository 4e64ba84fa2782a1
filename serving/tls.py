"""HTTPS towards the edge, and the edge's certificate (Cloudflare's Authenticated Origin Pulls)."""

import ssl
from pathlib import Path

from bundles.core.errors import Failed, Invalid


def tls_of(certificate: Path | None, key: Path | None, client_ca: Path | None) -> ssl.SSLContext | None:
    """TLS as a server's options have it; None where they name no certificate. Raises `Invalid` for half of one."""
    if certificate is not None and key is not None:
        return _context(certificate, key, client_ca)
    if certificate or key or client_ca:
        raise Invalid("HTTPS needs --tls-certificate and --tls-key, and --client-ca needs HTTPS")
    return None


def _context(certificate: Path, key: Path, client_ca: Path | None) -> ssl.SSLContext:
    """TLS 1.2 or newer with this certificate chain and private key, from PEM files.

    With `client_ca`, only who has a certificate that this authority issued gets through the handshake. Raises
    `Failed` for files that can't be read or do not fit together.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ValueError) as error:
        raise Failed(f"can't use {certificate} with the key {key}: {_reason(error)}") from None
    if client_ca is not None:
        try:
            context.load_verify_locations(client_ca)
        except (OSError, ValueError) as error:
            raise Failed(f"can't use {client_ca} as an authority: {_reason(error)}") from None
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _no_password() -> str:
    raise ValueError("the key has a password: a server that starts by itself can't be asked for it")


def _reason(error: Exception) -> str:
    """What OpenSSL or the operating system says of a file."""
    if isinstance(error, ssl.SSLError):
        return (error.reason or str(error)).lower().replace("_", " ")
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
