"""The C library's allocator (glibc's), told to give large blocks back."""

import ctypes

_M_MMAP_THRESHOLD = -3  # malloc.h
_LARGE_BYTES = 64 * 1024


def give_large_blocks_back() -> None:
    """Have each block of 64 KiB and more mapped on its own, and unmapped when it is freed.

    By itself glibc takes ever larger blocks from its heap once some were freed. There the bodies that come and go
    leave holes: two thirds more than the cache's budget were taken. Other C libraries are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
