"""The option that `headrace backup` and `headrace restore` have in common."""

from pathlib import Path
from typing import Annotated

import typer

SecretFile = Annotated[
    Path | None,
    typer.Option(
        "--secret-file",
        metavar="FILE",
        help="Holds the passphrase or key that seals it. Else HEADRACE_BACKUP_SECRET is the passphrase.",
    ),
]
