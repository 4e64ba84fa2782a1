"""Signatures on what is sent to other services: HMAC-SHA256 by a secret that both know (RFC 2104)."""

import hashlib
import hmac

MIN_SECRET_BYTES = 16


def sign(secret: bytes, timestamp: int, body: bytes) -> str:
    """Lower-case hex of the HMAC over the decimal timestamp (seconds since the epoch), a full stop and the body.

    The timestamp is in it so that the receiver can refuse what was recorded and is sent again.
    """
    return hmac.new(secret, b"%d.%s" % (timestamp, body), hashlib.sha256).hexdigest()
