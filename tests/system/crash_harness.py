"""Kills a publisher at each of its steps, and looks at what is left. Run as a process of its own, which forks.

`python -m tests.system.crash_harness disk|s3|enospc|eio FOLDER` prints as JSON how many steps there were, and what
was wrong after which of them. With `disk` the publisher is killed (-9) before each system call of a durable write
and in the midst of each write; with `s3` before and after each request. With an error's name, that step fails with
this error instead.
"""

import errno
import json
import os
import shutil
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import anyio

from bundles.adapters.directory import directory
from bundles.adapters.key_files import KeyFiles
from bundles.core.errors import Failed
from bundles.core.names import Product
from bundles.core.version import Version
from bundles.cores import Cores
from bundles.load import load_build
from bundles.order import Order, Publisher
from bundles.ports import Store
from bundles.publish import publish
from bundles.verify import verify
from headrace import wiring
from tests.support.cli import write_build

SDK, BASE, NEW = Product("sdk"), Version("1.0.0"), Version("1.1.0")
_WHOLE, _ABSENT, _TORN, _TOLD, _ESCAPED = 0, 10, 11, 12, 13
Step = Callable[[], None]


class Steps:
    """Counts the publisher's steps, and acts at one of them."""

    def __init__(self, at: int, act: Step) -> None:
        self._at = at
        self._act = act
        self._count = 0
        self._lock = threading.Lock()

    def take(self) -> None:
        """One step."""
        with self._lock:
            self._count += 1
            due = self._count == self._at
        if due:
            self._act()


def kill_self() -> None:
    """As the kernel would for want of memory, or an operator."""
    os.kill(os.getpid(), signal.SIGKILL)


def fail_with(number: int) -> None:
    """As a full or a dying disk does."""
    raise OSError(number, os.strerror(number))


def watch_disk(steps: Steps) -> None:
    """Make a step of each system call that a durable write is made of."""
    for name in ("open", "fsync", "link", "replace", "unlink", "mkdir", "utime"):
        setattr(os, name, _stepping(steps, getattr(os, name)))
    os.fdopen = _fdopen(steps, os.fdopen)


def _stepping(steps: Steps, call: Callable[..., Any]) -> Callable[..., Any]:
    def stepped(*arguments: Any, **options: Any) -> Any:
        steps.take()
        return call(*arguments, **options)

    return stepped


def _fdopen(steps: Steps, fdopen: Callable[..., Any]) -> Callable[..., Any]:
    def opened(*arguments: Any, **options: Any) -> Any:
        file = fdopen(*arguments, **options)
        write = file.write

        class Torn:
            """A file whose writes reach the disk in two halves, with a step between."""

            def __enter__(self) -> "Torn":
                return self

            def __exit__(self, *_: object) -> None:
                file.close()

            def __getattr__(self, name: str) -> Any:
                return getattr(file, name)

            def write(self, data: bytes) -> int:
                half = len(data) // 2
                write(data[:half])
                file.flush()
                steps.take()
                return half + int(write(data[half:]))

        return Torn()

    return opened


def watch_s3(steps: Steps) -> None:
    """Make steps of the moments before and after each request."""
    from bundles.adapters.s3_bucket import S3Bucket

    call = S3Bucket.call

    async def stepped(self: S3Bucket, *arguments: Any, **options: Any) -> Any:
        steps.take()
        answer = await call(self, *arguments, **options)
        steps.take()
        return answer

    S3Bucket.call = stepped  # type: ignore[method-assign]


class House:
    """A folder with keys and two builds' files; the store is below it, or in S3."""

    def __init__(self, folder: Path, parts: int) -> None:
        self.folder = folder
        self.keys = KeyFiles(folder / "keys")
        script = "".join(f"let a{number * 7919 % 10_007} = {number};\n" for number in range(40))
        for version in (BASE, NEW):
            parted: dict[str, str | bytes] = {f"{part}.js": f"{script}// {part}{version}" for part in range(parts)}
            write_build(folder / version, {**parted, "same.js": script, "empty.txt": ""})
        self.keys.signing_key()

    async def put(self, store: Store, version: Version) -> None:
        """Publish one of the builds."""
        publisher = Publisher(store, self.keys.signing_key(), self.keys.trusted_keys(), Cores())
        bases = (BASE,) if version == NEW else ()
        await publish(
            publisher, Order(SDK, version, bases=bases), directory(self.folder / version), lambda _: None
        )

    async def look(self, store: Store) -> int:
        """How the new build is: absent, whole or torn."""
        if NEW not in await store.versions(SDK):
            return _ABSENT
        manifest = await load_build(store, self.keys.trusted_keys(), SDK, NEW)
        return _TORN if manifest is None or await verify(store, manifest, lambda _: None) else _WHOLE


def in_child(work: Callable[[], Awaitable[int]]) -> int:
    """The exit code of a forked child that does this, or the negative number of the signal that ended it."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = anyio.run(work)
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


async def with_store(folder: Path, work: Callable[[Store], Awaitable[int]]) -> int:
    """Do this with the store that HEADRACE_STORE names, or a new one below the folder."""
    async with wiring.store(folder) as store:
        return await work(store)


async def publish_under(house: House, watch: Step, store: Store) -> int:
    """Publish the new build while its steps are watched."""
    await house.look(store)
    watch()
    try:
        await house.put(store, NEW)
    except Failed as error:
        return _TOLD if "\n" not in str(error) else _ESCAPED
    except OSError:
        return _ESCAPED
    return _WHOLE


async def look_and_publish(house: House, store: Store) -> int:
    """See that nothing torn is there, then publish the new build unwatched."""
    seen = await house.look(store)
    if seen == _TORN:
        return seen
    await house.put(store, NEW)
    return await house.look(store)


def fault_after(house: House, data: Path, watch: Step, wanted: int) -> tuple[bool, str | None]:
    """Whether the publisher met the step at all, and what was wrong afterwards."""
    code = in_child(partial(with_store, data, partial(publish_under, house, watch)))
    if code == _WHOLE:
        return False, None
    if code != wanted:
        return True, f"the publisher ended with {code}"
    after = in_child(partial(with_store, data, partial(look_and_publish, house)))
    return True, None if after == _WHOLE else f"afterwards the build was torn, or could not be published ({after})"


def main(kind: str, folder: Path) -> None:
    """Try every step, and print what was found."""
    kinds: dict[str, tuple[Step, int, int]] = {
        "disk": (kill_self, -signal.SIGKILL, 8),
        "s3": (kill_self, -signal.SIGKILL, 1),
        "enospc": (partial(fail_with, errno.ENOSPC), _TOLD, 1),
        "eio": (partial(fail_with, errno.EIO), _TOLD, 1),
    }
    act, wanted, parts = kinds[kind]
    house = House(folder, parts)
    base = folder / "base"
    if kind != "s3":
        assert in_child(partial(with_store, base, partial(_put_base, house))) == _WHOLE
    watch_kind = watch_s3 if kind == "s3" else watch_disk
    faults: dict[int, str] = {}
    step = 0
    while True:
        step += 1
        data = folder / "data"
        shutil.rmtree(data, ignore_errors=True)
        if kind == "s3":
            os.environ["HEADRACE_STORE"] = os.environ["CRASH_PLACE"].replace("PREFIX", f"step{step}")
            assert in_child(partial(with_store, data, partial(_put_base, house))) == _WHOLE
        else:
            shutil.copytree(base, data)
        met, fault = fault_after(house, data, partial(watch_kind, Steps(step, act)), wanted)
        if fault is not None:
            faults[step] = fault
        if not met:
            break
    sys.stdout.write(json.dumps({"steps": step - 1, "faults": faults}))


async def _put_base(house: House, store: Store) -> int:
    await house.put(store, BASE)
    return _WHOLE


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
