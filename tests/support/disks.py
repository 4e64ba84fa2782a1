"""A small disk, and what fills it."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PAGE_BYTES = 4096


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """The folder with its content on a disk of its own, of 4 MiB; False where this process may not mount one."""
    content = folder.with_name("content")
    shutil.copytree(folder, content)
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    is_mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    try:
        if is_mounted:
            shutil.copytree(content, folder, dirs_exist_ok=True)
        yield is_mounted
    finally:
        if is_mounted:
            subprocess.run(["umount", folder], check=True)


@contextmanager
def filled(folder: Path, spare_pages: int) -> Iterator[None]:
    """Meanwhile there is no room on the folder's disk but for some pages."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for _ in range(shutil.disk_usage(folder).free // PAGE_BYTES - spare_pages):
            file.write(b"x" * PAGE_BYTES)
    try:
        yield
    finally:
        filler.unlink()
