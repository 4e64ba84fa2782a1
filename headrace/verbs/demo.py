"""`headrace demo`."""

import sys
import tempfile
from pathlib import Path

import typer

from headrace.options import AsJson, example
from headrace.terminal import show

app = typer.Typer(add_completion=False)


@app.command(epilog=example("headrace demo"))
def demo(as_json: AsJson = False) -> None:
    """Show the main job on real SDK builds, in a folder of its own that is removed afterwards."""
    import anyio
    from rich.console import Console

    from headrace.demo.fetch import default_cache, fetch_builds, find_npm, read_lock
    from headrace.demo.main import Story, tell

    # With --json the payload is stdout's alone.
    console = Console(file=sys.stderr if as_json else sys.stdout, highlight=False, soft_wrap=True)
    sdk = fetch_builds(default_cache(), read_lock(), find_npm())

    async def run() -> Story:
        with tempfile.TemporaryDirectory(prefix="headrace-demo-") as data:
            return await tell(Path(data), sdk, console)

    story = anyio.run(run)
    if as_json:
        show(story, as_json, lambda _: None)
