"""The composition root: the `headrace` command, which joins bundles, release and origin to real parts."""

__version__ = "0.1.0"
