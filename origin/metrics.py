"""What the origin counts and measures, for Prometheus.

Workers of one origin are seen as one: prometheus-client sums them up in the folder that PROMETHEUS_MULTIPROC_DIR
names.
"""

import os

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
CONTENT_TYPE = CONTENT_TYPE_LATEST

requests = Counter("headrace_origin_requests", "Requests answered.", ["url_class", "status"])
sent_again = Counter("headrace_origin_answers_sent_again", "Requests that the fast lane answered.")
refusals = Counter(
    "headrace_origin_refusals", "Requests and connections refused at the limits, by why.", ["reason"]
)
connections = Gauge("headrace_origin_connections", "Clients connected.", ["port"], multiprocess_mode="livesum")
bodies = Counter(
    "headrace_origin_bodies", "Bodies for the slow lane, by what the cache in memory did.", ["result"]
)
cache_bytes = Gauge("headrace_origin_cache_bytes", "Bodies in memory.", multiprocess_mode="livesum")
store_reads = Counter("headrace_origin_store_reads", "Reads of the store that were begun.", ["kind"])
store_failures = Counter("headrace_origin_store_failures", "Reads of the store that failed.", ["kind"])
snapshots_refused = Counter("headrace_origin_snapshots_refused", "Snapshots that were not taken.")
# Of several workers, the one that is the furthest behind is told.
snapshot_revision = Gauge(
    "headrace_origin_snapshot_revision", "The revision in force; 0 before the first.", multiprocess_mode="livemin"
)
snapshot_adopted = Gauge(
    "headrace_origin_snapshot_adopted_timestamp_seconds",
    "When the snapshot in force was taken, since the epoch.",
    multiprocess_mode="livemin",
)
snapshot_expires = Gauge(
    "headrace_origin_snapshot_expires_timestamp_seconds",
    "When the snapshot in force expires, since the epoch: after that the control plane was not heard from.",
    multiprocess_mode="livemin",
)


class Tally:
    """Answers of one kind that were sent again: prometheus-client's own counters take a lock each time."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._count = 0

    def add(self) -> None:
        """Count one more."""
        self._count += 1

    def settle(self) -> None:
        """Have the counters say what was counted."""
        count, self._count = self._count, 0
        self._counter.inc(count)
        sent_again.inc(count)


_tallies: dict[tuple[str, int], Tally] = {}


def tally(url_class: str, status: int) -> Tally:
    """The tally of the answers of this kind."""
    kind = url_class, status
    if kind not in _tallies:
        _tallies[kind] = Tally(requests.labels(*kind))
    return _tallies[kind]


def settle() -> None:
    """Have all counters say what was counted, on the thread that counts."""
    for one in _tallies.values():
        one.settle()


def exposition() -> bytes:
    """Everything counted, in Prometheus's text format."""
    if FOLDER_VARIABLE not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
