"""The keys: who signs here, and whom this machine believes."""

from headrace import wiring
from headrace.doctor.finding import Finding, Role, failed, ok, skipped, warning
from headrace.doctor.setup import Setup

SIGNING, TRUSTED = "signing key", "trusted keys"
_BRING = "`headrace keys trust` the publisher's public key here, or publish a first build"


async def check_signing_key(setup: Setup) -> Finding:
    """The private key: there, private, and believed by the ring for everything."""
    keys = wiring.keys(setup.data)
    if keys.signing_key_file is None:
        if setup.role is Role.ORIGIN:
            return skipped(SIGNING, "none, and none is needed to serve: this machine only reads")
        if not any(keys.trusted_keys()):
            return skipped(SIGNING, "none yet: the first publish makes it")
        return failed(SIGNING, "none: nothing can be published or released here", "restore keys/signing.pem")
    key_id = keys.signing_key_id()
    if setup.role is Role.ORIGIN:
        return warning(
            SIGNING,
            f"{key_id} is on a machine that only reads",
            "move keys/signing.pem to where builds are published; an origin needs the public keys alone",
        )
    if key_id is None or keys.trusted_keys().find(key_id, None) is None:
        return failed(
            SIGNING,
            f"{key_id} signs here, and is not trusted here: origins refuse what it signs",
            "`headrace keys trust` its public key, or restore the pair from your backup",
        )
    return ok(SIGNING, f"{key_id} signs, can be read by its owner alone, and is trusted")


async def check_trusted_keys(setup: Setup) -> Finding:
    """The public keys: each can be read, and there is one of the vendor's."""
    trusted = list(wiring.keys(setup.data).trusted_keys())
    if not trusted:
        if setup.role is Role.ORIGIN:
            return failed(TRUSTED, f"{setup.data} has no public keys: nothing would be believed", _BRING)
        return skipped(TRUSTED, "none yet: the first publish makes the first")
    vendors = sum(key.scope is None for key in trusted)
    if not vendors:
        return failed(TRUSTED, f"{len(trusted)} keys of tenants, and none of the vendor's", _BRING)
    return ok(TRUSTED, f"{vendors} of the vendor's, {len(trusted) - vendors} of tenants")
