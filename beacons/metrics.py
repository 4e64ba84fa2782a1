"""What a collector counts and measures, for Prometheus."""

from prometheus_client import Counter, Gauge, Histogram

bodies = Counter("headrace_beacons_bodies", "Bodies answered, by status.", ["status"])
received = Counter("headrace_beacons_received", "Beacons that are as they must be.")
dropped = Counter("headrace_beacons_dropped", "Beacons that were over a limit, by which.", ["limit"])
repeated = Counter("headrace_beacons_repeated", "Beacons of installations that were counted before.")
written = Counter("headrace_beacons_written", "Installations counted in the database.")
lost = Counter(
    "headrace_beacons_lost", "Accepted beacons that a fault of the collector's own kept from being counted."
)
failed_writes = Counter(
    "headrace_beacons_failed_writes", "Writes that the database did not take; they are repeated."
)
waiting = Gauge("headrace_beacons_waiting", "Accepted beacons that are not written yet.")
write_seconds = Histogram("headrace_beacons_write_seconds", "How long a write took that came to an end.")
ended = Counter("headrace_beacons_connections_ended", "Connections ended at a limit, by which.", ["limit"])
