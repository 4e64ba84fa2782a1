"""What this process may do in a store on disk, found out by doing it to a file that is no part of a build."""

import errno
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

_PROBE = b"headrace doctor"


def lacking_disk_rights(root: Path, *, writes: bool) -> Mapping[str, str]:
    """The rights that are missing below the store's folder, each with why; the file is gone again at the end.

    Where there is no store yet, the folder that it will be made in must let it be made.
    """
    blobs = root / "blobs"
    there = next(each for each in (blobs, root, *root.absolute().parents) if each.exists())
    if there != blobs and there.is_dir():
        may_be_made = not writes or os.access(there, os.W_OK | os.X_OK)
        return {} if may_be_made else {"write": f"{there}: {os.strerror(errno.EACCES)}"}
    lacking: dict[str, str] = {}
    try:
        next(there.iterdir(), None)
    except OSError as error:
        return {"list": f"{there}: {error.strerror}"}
    if writes:
        lacking.update(_try_a_file(blobs))
    return lacking


def _try_a_file(folder: Path) -> Mapping[str, str]:
    # By its name a sweep takes it for a publisher's that was killed, should it be left.
    probe = folder / f".doctor.{secrets.token_hex(8)}.tmp"
    lacking = {}
    try:
        probe.write_bytes(_PROBE)
        probe.read_bytes()
    except OSError as error:
        lacking["read" if probe.exists() else "write"] = f"{folder}: {error.strerror}"
    try:
        probe.unlink(missing_ok=True)
    except OSError as error:
        lacking["remove"] = f"{folder}: {error.strerror}"
    return lacking
