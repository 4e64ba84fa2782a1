"""From the first bad beacon to the last bad answer, with real processes: `python -m benchmarks.time_to_safety`."""
