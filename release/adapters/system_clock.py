"""The machine's clock."""

import time


class SystemClock:
    """Wall-clock time."""

    def now(self) -> int:
        """Whole seconds since the Unix epoch."""
        return int(time.time())
