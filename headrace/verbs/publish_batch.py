"""`headrace publish-batch`."""

from pathlib import Path
from typing import Annotated

import typer

from headrace.options import (
    DEFAULT_CHANNEL,
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
from headrace.provenance_options import (
    AttestationOption,
    BuilderOption,
    CommitOption,
    InputOption,
    RepositoryOption,
    SbomFileOption,
    SbomOption,
)

app = typer.Typer(add_completion=False)


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
    ] = DEFAULT_CHANNEL,
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
    from headrace.batch_run import Batch, run_batch
    from headrace.provenance_given import Given

    given = Given(commit, source_repository, builder, input_ or (), sbom, sbom_file)
    batch = Batch(file, source_maps, allow_secret or (), budget or (), channel, given, attestation or ())
    raise typer.Exit(run_batch(batch, data, database, key, as_json))
