"""One module for each real component that the origin talks to."""
