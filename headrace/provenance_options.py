"""The options of the verbs that publish, which say how a build was made."""

from pathlib import Path
from typing import Annotated

import typer

CommitOption = Annotated[
    str | None,
    typer.Option("--commit", help="The commit that was built, in full. Else as attested, or as CI has it."),
]
RepositoryOption = Annotated[
    str | None, typer.Option("--source-repository", metavar="URL", help="The repository of that commit.")
]
BuilderOption = Annotated[
    str | None,
    typer.Option("--builder", metavar="URI", help="Who or what built it. Else as attested, or the CI job."),
]
InputOption = Annotated[
    list[Path] | None,
    typer.Option("--input", metavar="FILE", help="A file that it was made of, as a lock file; may be repeated."),
]
AttestationOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--attestation",
        metavar="FILE",
        help="An in-toto statement in DSSE, a Sigstore bundle or npm's attestations; may be repeated.",
    ),
]
SbomOption = Annotated[str | None, typer.Option("--sbom", metavar="URL", help="Where its bill of materials is.")]
SbomFileOption = Annotated[
    Path | None, typer.Option("--sbom-file", metavar="FILE", help="That bill of materials, for its digest.")
]
