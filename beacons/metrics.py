"""What a collector counts and measures, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

REGISTRY = CollectorRegistry()
"""These, and what the process takes of the machine."""

ProcessCollector(registry=REGISTRY)

bodies = Counter("headrace_beacons_bodies", "Bodies answered, by status.", ["status"], registry=REGISTRY)
received = Counter("headrace_beacons_received", "Beacons that are as they must be.", registry=REGISTRY)
dropped = Counter(
    "headrace_beacons_dropped", "Beacons that were over a limit, by which.", ["limit"], registry=REGISTRY
)
repeated = Counter(
    "headrace_beacons_repeated", "Beacons of installations that were counted before.", registry=REGISTRY
)
written = Counter("headrace_beacons_written", "Installations counted in the database.", registry=REGISTRY)
lost = Counter(
    "headrace_beacons_lost",
    "Accepted beacons that a fault of the collector's own kept from being counted.",
    registry=REGISTRY,
)
failed_writes = Counter(
    "headrace_beacons_failed_writes",
    "Writes that the database did not take; they are repeated.",
    registry=REGISTRY,
)
waiting = Gauge("headrace_beacons_waiting", "Accepted beacons that are not written yet.", registry=REGISTRY)
write_seconds = Histogram(
    "headrace_beacons_write_seconds", "How long a write took that came to an end.", registry=REGISTRY
)
ended = Counter(
    "headrace_beacons_connections_ended", "Connections ended at a limit, by which.", ["limit"], registry=REGISTRY
)
