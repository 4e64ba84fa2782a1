"""How fast files are served, beside what others serve them with: `python -m benchmarks.serving`.

world.py   the builds, published and released, and the same files as a folder for the peers
peers.py   each server as a process of its own, pinned to one core
client.py  wrk, pinned to another core
report.py  the figures as a table, JSON and a picture
"""
