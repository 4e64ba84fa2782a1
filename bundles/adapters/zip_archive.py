"""Unpacks a zip archive."""

import stat
import struct
import zipfile
import zlib
from pathlib import Path

from bundles.adapters.unpacking import Unpacked
from bundles.core.errors import Invalid

# zipfile reads the list of members into memory whole, before it can be asked how long it is.
MAX_LIST_BYTES = 16 * 1024 * 1024
_END = struct.Struct("<4s4H2LH")
_END_SIGNATURE, _ZIP64_LOCATOR_SIGNATURE = b"PK\x05\x06", b"PK\x06\x07"
_ZIP64_LOCATOR_BYTES = 20
_LONGEST_COMMENT = 65_535
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1


def unpack_zip(archive: Path, found: Unpacked) -> None:
    """Unpack a zip. Raises `Invalid`."""
    _check_list(archive)
    try:
        with zipfile.ZipFile(archive) as members:
            for member in members.infolist():
                _unpack_member(members, member, archive, found)
    except (zipfile.BadZipFile, NotImplementedError, zlib.error, EOFError, ValueError, struct.error) as error:
        if isinstance(error, Invalid):
            raise
        raise Invalid(f"{archive} is damaged: {error}") from None


def _check_list(archive: Path) -> None:
    """Refuse a list of members that could not be held, by the record at the archive's end that tells its size."""
    with archive.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - _END.size - _LONGEST_COMMENT - _ZIP64_LOCATOR_BYTES))
        tail = file.read()
    at = tail.rfind(_END_SIGNATURE)
    if at < 0 or len(tail) < at + _END.size:
        raise Invalid(f"{archive} is damaged: a zip's end is not there")
    size = _END.unpack_from(tail, at)[5]
    if tail[max(0, at - _ZIP64_LOCATOR_BYTES) : at].startswith(_ZIP64_LOCATOR_SIGNATURE):
        raise Invalid(f"{archive} is a zip64: make it smaller, or a tar.gz")
    if size > MAX_LIST_BYTES:
        raise Invalid(f"{archive} has a list of members of {size} bytes; the most is {MAX_LIST_BYTES}")


def _unpack_member(members: zipfile.ZipFile, member: zipfile.ZipInfo, archive: Path, found: Unpacked) -> None:
    # zipfile cuts a name at a NUL, so that what is checked would not be what is there.
    name = member.orig_filename
    is_folder = name.endswith("/")
    path = found.count(name.rstrip("/") if is_folder else name)
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise Invalid(f"{path!r} in {archive} is a link or a device: a build holds files and folders only")
    if is_folder:
        return
    if member.flag_bits & _ENCRYPTED:
        raise Invalid(f"{path!r} in {archive} is encrypted")
    if member.compress_type not in _METHODS:
        raise Invalid(f"{path!r} in {archive} is compressed by method {member.compress_type}: use deflate")
    with members.open(member) as body:
        found.add(path, body)  # type: ignore[arg-type]
