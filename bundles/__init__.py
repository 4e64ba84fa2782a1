"""Publishing: turns what a build system made into an immutable, signed, compressed build."""
