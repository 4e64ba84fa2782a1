"""The Python peers' applications, all on the folder that WORLD_FOLDER names."""

import os
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

_FOLDER = os.environ["WORLD_FOLDER"]


def static_files() -> Starlette:
    """Starlette's own StaticFiles; it knows no encodings, so the encoded file is asked for by its name."""
    return Starlette(routes=[Mount("/", StaticFiles(directory=_FOLDER))])


def servestatic() -> Any:
    """ServeStatic, whitenoise's ASGI descendant: files and their .br and .gz are found once, at the start."""
    from servestatic import ServeStaticASGI

    return ServeStaticASGI(static_files(), root=_FOLDER, max_age=31_536_000)


def whitenoise() -> Any:
    """whitenoise, on WSGI."""
    from whitenoise import WhiteNoise

    def absent(_: Any, start_response: Any) -> list[bytes]:
        start_response("404 Not Found", [])
        return []

    return WhiteNoise(absent, root=_FOLDER, max_age=31_536_000)
