"""One module for each real component that the collection of beacons talks to."""
