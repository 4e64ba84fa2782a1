"""The demo: the main job on real SDK builds, with real processes and live traffic."""
