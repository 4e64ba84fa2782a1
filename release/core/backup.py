"""A backup's bytes: sealed by a secret, in chunks, so that no part of it can be read, altered, moved or cut off.

    header   "headrace-backup-1\\n", the cost (1 byte), the salt (16 bytes)
    chunks   ChaCha20-Poly1305 (RFC 8439) of 64 KiB each, the last one shorter

The key is scrypt's (RFC 7914; N = 2^cost, r = 8, p = 1) of the secret. A chunk's nonce is its number and whether
it is the last one, as in the STREAM construction; the header is authenticated with each.
"""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from bundles.core.errors import Failed, Invalid

MAGIC = b"headrace-backup-1\n"
SALT_BYTES = 16
HEADER_BYTES = len(MAGIC) + 1 + SALT_BYTES
COST = 17
"""128 MiB and half a second for each guess at a secret."""
MAX_COST = 18
MIN_SECRET_BYTES = 12
CHUNK_BYTES = 64 * 1024
SEALED_CHUNK_BYTES = CHUNK_BYTES + 16


def make_header(cost: int, salt: bytes) -> bytes:
    """The first bytes of a backup. The salt is random, and new for each."""
    return MAGIC + bytes([cost]) + salt


class Chunks:
    """Seals or opens the chunks of one backup, from its first one on."""

    def __init__(self, header: bytes, secret: bytes) -> None:
        """Raises `Failed` for what is no backup's header, `Invalid` for too short a secret."""
        if len(header) != HEADER_BYTES or not header.startswith(MAGIC) or not 1 <= header[len(MAGIC)] <= MAX_COST:
            raise Failed("it is no backup of this Headrace, or its first bytes are damaged")
        if len(secret) < MIN_SECRET_BYTES:
            raise Invalid(f"a backup's secret has at least {MIN_SECRET_BYTES} bytes")
        cost, salt = header[len(MAGIC)], header[len(MAGIC) + 1 :]
        self._cipher = ChaCha20Poly1305(Scrypt(salt=salt, length=32, n=2**cost, r=8, p=1).derive(secret))
        self._header = header
        self._number = 0

    def seal(self, chunk: bytes, *, last: bool) -> bytes:
        """The next chunk, sealed."""
        return self._cipher.encrypt(self._nonce(last=last), chunk, self._header)

    def open(self, sealed: bytes, *, last: bool) -> bytes:
        """The next chunk. Raises `Failed` for one that is not as it was sealed, or another secret."""
        try:
            return self._cipher.decrypt(self._nonce(last=last), sealed, self._header)
        except InvalidTag:
            raise Failed("it is damaged or cut off, or this is not its secret: nothing of it was used") from None

    def _nonce(self, *, last: bool) -> bytes:
        self._number += 1
        return self._number.to_bytes(11) + bytes([last])
