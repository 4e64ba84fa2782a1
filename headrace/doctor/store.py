"""The store: what this machine may do there, and whether its own disk has room."""

import os
import shutil
from functools import partial

import anyio.to_thread
from rich.filesize import decimal

from bundles.adapters.disk_rights import lacking_disk_rights
from headrace import wiring
from headrace.doctor.finding import Finding, Role, failed, ok, warning
from headrace.doctor.setup import Setup

RIGHTS, SPACE = "store", "disk space"
_LEAST_BYTES, _LOW_BYTES = 100_000_000, 1_000_000_000
_NEEDED = {
    "list": "s3:ListBucket",
    "read": "s3:GetObject",
    "write": "s3:PutObject",
    "remove": "s3:DeleteObject",
}


async def check_store(setup: Setup) -> Finding:
    """List, read and, where builds are published, write and remove."""
    place, writes = os.environ.get(wiring.STORE_VARIABLE), setup.role is Role.CONTROL
    if place:
        from bundles.adapters.s3_bucket import parse_s3_location  # aiobotocore is slow to load
        from bundles.adapters.s3_rights import lacking_s3_rights

        location = parse_s3_location(place)
        name = f"s3://{location.bucket}/{location.prefix}"
        lacking = await lacking_s3_rights(location, writes=writes)
        remedy = f"give this machine's role {', '.join(_NEEDED[right] for right in lacking)} there"
    else:
        name = str(setup.data / "store")
        look = partial(lacking_disk_rights, setup.data / "store", writes=writes)
        lacking = await anyio.to_thread.run_sync(look)
        remedy = "give the user that runs this the folder, by chown or chmod; see that it is not mounted read-only"
    if lacking:
        seen = "; ".join(f"can't {right}: {why}" for right, why in lacking.items())
        return failed(RIGHTS, seen, remedy)
    if not writes:
        return ok(RIGHTS, f"{name} can be listed and read; nothing was written, as this machine only reads")
    return ok(RIGHTS, f"{name} can be listed, written, read and removed from, or is yet to be made")


async def check_disk_space(setup: Setup) -> Finding:
    """Room on the data folder's disk."""
    folder = next(each for each in (setup.data, *setup.data.absolute().parents) if each.is_dir())
    free = (await anyio.to_thread.run_sync(shutil.disk_usage, folder)).free
    seen = f"{decimal(free)} free for {setup.data}"
    remedy = "free some: `headrace retire` shows which builds nobody needs; or move --data to a larger disk"
    if free < _LEAST_BYTES:
        return failed(SPACE, seen, remedy)
    return warning(SPACE, seen, remedy) if free < _LOW_BYTES else ok(SPACE, seen)
