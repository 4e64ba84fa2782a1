"""All operations there are."""

from importlib import import_module
from pkgutil import iter_modules

from api import operations
from api.core.operation import Route, declared_routes


def all_routes() -> list[Route]:
    """Every operation's route, by path and method."""
    for module in iter_modules(operations.__path__):
        import_module(f"{operations.__name__}.{module.name}")
    return sorted(declared_routes(), key=lambda route: (route.path, route.method))
