"""Benchmarks: each prints a ratio to a peer that is measured in the same run, or a table of sizes."""
