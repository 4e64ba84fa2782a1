"""`headrace publish`."""

from pathlib import Path
from typing import Annotated

import typer

from bundles.core.limits import MAX_BASES
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
from headrace.terminal import show

app = typer.Typer(add_completion=False)


@app.command(epilog=example("headrace publish dist --product posthog-js --version 1.4.2"))
def publish(
    files: Annotated[
        Path, typer.Argument(metavar="FILES", help="What your build system wrote: a folder, tar, tgz or zip.")
    ],
    product: Annotated[str, typer.Option("--product", help="The product that this is a build of.")],
    version: Annotated[str, typer.Option("--version", help="The build's exact version; never used again.")],
    include: Annotated[
        list[str] | None,
        typer.Option("--include", help="Publish this file or folder of FILES only; may be repeated."),
    ] = None,
    source_maps: SourceMapsOption = False,
    allow_secret: AllowSecretOption = None,
    budget: BudgetOption = None,
    channel: Annotated[
        str, typer.Option("--channel", help="Whose builds clients hold: deltas are made against them.")
    ] = DEFAULT_CHANNEL,
    deltas: Annotated[
        int, typer.Option("--deltas", min=0, max=MAX_BASES, help="Make deltas against so many of those builds.")
    ] = 3,
    delta_bytes: Annotated[
        str, typer.Option("--delta-budget", metavar="SIZE", help="The most bytes that the deltas may have in all.")
    ] = "16MiB",
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
    """Make an immutable, signed, compressed build. What tenants are served does not change.

    Where HEADRACE_PROFILE or HEADRACE_SERVER names a server, it makes the build and signs it: the files are packed
    and looked at for secrets here, and sent there.
    """
    from api.operations.publishing import PublishBuild
    from headrace import uploads
    from headrace.profiles import chosen_profile
    from headrace.provenance_given import Given
    from headrace.publish_rules import made_of
    from headrace.publish_run import draw_published, publish_here

    asked = PublishBuild(
        product=product,
        version=version,
        include=tuple(include or ()),
        source_maps=source_maps,
        allow_secret=tuple(allow_secret or ()),
        budget=tuple(budget or ()),
        channel=channel,
        deltas=deltas,
        delta_budget=delta_bytes,
    )
    given = Given(commit, source_repository, builder, input_ or (), sbom, sbom_file)
    if (profile := chosen_profile()) is not None:
        uploads.refuse_local_options(data, database, key, given, attestation)
        view = uploads.publish_there(profile, uploads.with_surroundings(asked, given), files)
    else:
        view = publish_here(asked, files, made_of(data, given, attestation, files), data, database, key)
    show(view, as_json, lambda console: draw_published(console, view))
