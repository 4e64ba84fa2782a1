"""What `headrace publish-batch` does, and says."""

from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import anyio
import msgspec
from rich.console import Console

from api.operations.publishing import PublishBuild
from bundles.batch import Outcome, Report, State
from bundles.batch import publish_batch as publish_builds
from bundles.core.errors import Failed, Invalid
from bundles.core.listing import MAX_LINE_BYTES, Listed
from bundles.cores import Cores
from bundles.order import Order, Publisher
from bundles.ports import ArtifactSource
from headrace import publish_wiring, uploads, wiring
from headrace.exits import Exit
from headrace.profiles import Profile, chosen_profile
from headrace.provenance_given import Given
from headrace.publish_rules import Rules, parse_rules
from headrace.terminal import progress, show, tell
from release.core.names import Channel, parse_channel
from release.held import Held

_SHOWN = 20
_MOST = MAX_LINE_BYTES + len(b"\r\n") + 1
_CODES = {State.FAILED: Exit.FAILED, State.REFUSED: Exit.REFUSED, State.INVALID: Exit.USAGE}
"""The exit code of each kind of fault, the worst first: only after the first may another run do better."""


class Batch(msgspec.Struct, frozen=True):
    """A list of builds, and what the options ask of each."""

    file: Path
    source_maps: bool
    allow_secret: Sequence[str]
    budget: Sequence[str]
    channel: str
    given: Given
    attestation: Sequence[Path]


class _Summary:
    """What became of the builds: how many of each, and the first that are not there."""

    def __init__(self) -> None:
        self.counts: Counter[State] = Counter()
        self.faults: list[Outcome] = []
        self.unmeasured = 0

    def add(self, outcome: Outcome) -> None:
        """Count one build."""
        self.counts[outcome.state] += 1
        self.unmeasured += bool(outcome.unmeasured)
        if outcome.error is not None and len(self.faults) < _SHOWN:
            self.faults.append(outcome)

    def exit_code(self) -> Exit:
        """That of the worst fault."""
        return next((code for state, code in _CODES.items() if self.counts[state]), Exit.OK)

    def draw(self, console: Console) -> None:
        """The faults and the counts, for a person."""
        for fault in self.faults:
            build = f" {fault.product}@{fault.version}" if fault.product else ""
            console.print(f"line {fault.line}{build}: {fault.state}: {fault.error}")
        hidden = sum(self.counts[state] for state in _CODES) - len(self.faults)
        if hidden:
            console.print(f"and {hidden} more: --json has each of them")
        if self.unmeasured:
            console.print(f"{self.unmeasured} builds have a growth budget that was not measured: --json says why")
        console.print(", ".join(f"{self.counts[state]} {state}" for state in State))


def run_batch(batch: Batch, data: Path, database: str | None, key: Path | None, as_json: bool) -> Exit:
    """Publish the builds, through a server where a profile names one, and tell what became of them.

    The exit code is that of the worst fault. Raises `Invalid` for options that no build can be made with.
    """
    run: Callable[[Report], Coroutine[Any, Any, None]]
    channel = parse_channel(batch.channel)
    if (profile := chosen_profile()) is not None:
        uploads.refuse_local_options(data, database, key, batch.given, batch.attestation)
        run = _publishing_there(batch, profile)
    else:
        run = partial(_publish, data, database, key, batch.file, _rules(batch, data), channel)
    summary = _Summary()
    with progress(batch.file.name, sum(1 for _ in _lines(batch.file))) as advance:

        def report(outcome: Outcome) -> None:
            summary.add(outcome)
            if as_json:
                tell(outcome)
            advance()

        anyio.run(run, report)
    if not as_json:
        show(None, as_json, summary.draw)
    return summary.exit_code()


def _rules(batch: Batch, data: Path) -> Rules:
    return parse_rules(
        data,
        batch.budget,
        batch.allow_secret,
        batch.given,
        batch.attestation,
        source_maps=batch.source_maps,
    )


def _publishing_there(batch: Batch, profile: Profile) -> Callable[[Report], Coroutine[Any, Any, None]]:
    def asked(listed: Listed) -> PublishBuild:
        build = PublishBuild(
            product=listed.product,
            version=listed.version,
            source_maps=batch.source_maps,
            allow_secret=tuple(batch.allow_secret),
            budget=tuple(batch.budget),
            channel=batch.channel,
            deltas=0,
        )
        return uploads.with_surroundings(build, batch.given)

    return partial(uploads.publish_all, profile, _lines(batch.file), asked, batch.file.parent)


async def _publish(
    data: Path,
    database: str | None,
    key: Path | None,
    file: Path,
    rules: Rules,
    channel: Channel,
    report: Report,
) -> None:
    signing_key, trusted = wiring.publishing_keys(data, key)
    held = Held(await wiring.routing_table(data, database, trusted), channel)

    def order(listed: Listed) -> Order:
        return held.complete(rules.order(listed.product, listed.version, file.parent / listed.files), deltas=0)

    def source(listed: Listed) -> AbstractContextManager[ArtifactSource]:
        return publish_wiring.source(file.parent / listed.files)

    async with wiring.store(data) as store:
        publisher = Publisher(store, signing_key, trusted, Cores())
        await publish_builds(publisher, _lines(file), order, source, report)


def _lines(file: Path) -> Iterator[tuple[int, bytes]]:
    """The list's lines that are not blank, with their numbers; of one that is too long, no more than shows it."""
    if not file.is_file():
        raise Invalid(f"{file} is no file: name a list of builds, in JSON lines")
    try:
        with file.open("rb") as opened:
            for number in count(1):
                line = rest = opened.readline(_MOST)
                while len(rest) == _MOST and not rest.endswith(b"\n"):
                    rest = opened.readline(_MOST)
                if not line:
                    return
                if line.strip():
                    yield number, line.rstrip(b"\r\n")
    except OSError as error:
        raise Failed(f"can't read {file}: {error.strerror}") from None
