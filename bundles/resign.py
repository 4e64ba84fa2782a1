"""Re-sign: after a rotation, add the new key's signature to what the old one signed, to be able to distrust it."""

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bundles.core.envelope import add_signature, signers
from bundles.core.manifest import PAYLOAD_TYPE
from bundles.core.names import Product
from bundles.core.trust import TrustedKeys, key_id_of
from bundles.core.version import Version
from bundles.manifests import each_manifest
from bundles.ports import Store


class Resigned(msgspec.Struct):
    """How many builds got the key's signature, had it already, and are not the key's to vouch for."""

    signed: int = 0
    unchanged: int = 0
    left: int = 0


async def resign(store: Store, key: Ed25519PrivateKey, trusted: TrustedKeys) -> Resigned:
    """Sign each manifest that a key of the same owner has signed: the vendor's for the vendor, a tenant's for it.

    What nobody is trusted for, or another owner alone, is left: to sign is to vouch. The signed bytes stay as they
    are, and each build can be read at every moment; a run that was broken off is finished by the next. Meanwhile
    nothing is swept from the store.
    """
    key_id = key_id_of(key.public_key())
    is_vendors = trusted.find(key_id, None) is not None
    resigned = Resigned()

    async def look(product: Product, version: Version, sealed: bytes) -> None:
        believed = signers(PAYLOAD_TYPE, sealed, trusted, product)
        vendors = signers(PAYLOAD_TYPE, sealed, trusted)
        if key_id in believed:
            resigned.unchanged += 1
        elif vendors if is_vendors else believed - vendors and trusted.find(key_id, product):
            await store.replace_manifest(product, version, add_signature(PAYLOAD_TYPE, sealed, key, believed))
            resigned.signed += 1
        else:
            resigned.left += 1

    async with store.publishing():
        await each_manifest(store, look)
    return resigned
