"""The controller as its documentation has it, in memory.

Each request comes to an `Outcome`. Where several things are wrong with one, any of them may be told.
"""

from tests.release.model.holdings import Holdings
from tests.release.model.rollouts import Rollouts


class Oracle(Rollouts, Holdings):
    """All state and every rule."""
