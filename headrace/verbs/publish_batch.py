"""`headrace publish-batch`."""

from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractContextManager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Annotated, Any

import anyio
import typer
from rich.console import Console

from api.operations.publishing import PublishBuild
from bundles.batch import Outcome, Report, State
from bundles.batch import publish_batch as publish_builds
from bundles.core.errors import Failed, Invalid
from bundles.core.listing import MAX_LINE_BYTES, Listed
from bundles.cores import Cores
from bundles.order import Order, Publisher
from bundles.ports import ArtifactSource
from headrace import uploads, wiring
from headrace.exits import Exit
from headrace.options import (
    DEFAULT_DATA,
    AllowSecretOption,
    AsJson,
    BudgetOption,
    Data,
    SigningKey,
    SnapshotDatabase,
    SourceMapsOption,
    example,
)
from headrace.profiles import chosen_profile
from headrace.provenance_options import (
    AttestationOption,
    BuilderOption,
    CommitOption,
    Given,
    InputOption,
    RepositoryOption,
    SbomFileOption,
    SbomOption,
)
from headrace.publish_rules import Rules, parse_rules
from headrace.terminal import progress, show, tell
from release.core.names import STABLE, Channel, parse_channel
from release.held import Held

app = typer.Typer(add_completion=False)

_SHOWN = 20
_MOST = MAX_LINE_BYTES + len(b"\r\n") + 1
_CODES = {State.FAILED: Exit.FAILED, State.REFUSED: Exit.REFUSED, State.INVALID: Exit.USAGE}
"""The exit code of each kind of fault, the worst first: only after the first may another run do better."""


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


@app.command(epilog=example("headrace publish-batch tenants.jsonl"))
def publish_batch(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="LIST",
            help='JSON lines: {"product": "@tenant/name", "version": "1.0.0", "files": FOLDER relative to LIST}.',
        ),
    ],
    source_maps: SourceMapsOption = False,
    allow_secret: AllowSecretOption = None,
    budget: BudgetOption = None,
    channel: Annotated[
        str, typer.Option("--channel", help="Whose builds clients hold: growth is measured against them.")
    ] = STABLE,
    key: SigningKey = None,
    commit: CommitOption = None,
    source_repository: RepositoryOption = None,
    builder: BuilderOption = None,
    input_: InputOption = None,
    attestation: AttestationOption = None,
    sbom: SbomOption = None,
    sbom_file: SbomFileOption = None,
    data: Data = DEFAULT_DATA,
    database: SnapshotDatabase = None,
    as_json: AsJson = False,
) -> None:
    """Publish many small builds in one run, such as tenants' content; one fault does not stop the others.

    What exists already is left as it is, and mended where it is damaged: a run that was broken off is finished by
    the same list. With --json, one line for each build as soon as it is done. The exit code is that of the worst:
    1, 3 or 2. With HEADRACE_PROFILE or HEADRACE_SERVER the builds are made by that server, as those of publish.
    """
    given = Given(commit, source_repository, builder, input_ or (), sbom, sbom_file)
    parsed_channel = parse_channel(channel)
    run: Callable[[Report], Coroutine[Any, Any, None]]
    if (profile := chosen_profile()) is not None:
        uploads.refuse_local_options(data, database, key, given, attestation)

        def asked(listed: Listed) -> PublishBuild:
            build = PublishBuild(
                product=listed.product,
                version=listed.version,
                source_maps=source_maps,
                allow_secret=tuple(allow_secret or ()),
                budget=tuple(budget or ()),
                channel=channel,
                deltas=0,
            )
            return uploads.with_surroundings(build, given)

        run = partial(uploads.publish_all, profile, _lines(file), asked, file.parent)
    else:
        rules = parse_rules(data, budget, allow_secret, given, attestation, source_maps=source_maps)
        run = partial(_publish, data, database, key, file, rules, parsed_channel)
    summary = _Summary()
    with progress(file.name, sum(1 for _ in _lines(file))) as advance:

        def report(outcome: Outcome) -> None:
            summary.add(outcome)
            if as_json:
                tell(outcome)
            advance()

        anyio.run(run, report)
    if not as_json:
        show(None, as_json, summary.draw)
    raise typer.Exit(summary.exit_code())


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
        return wiring.source(file.parent / listed.files)

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
