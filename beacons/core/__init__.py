"""Pure values and functions of beacons: their form, and what is left of them."""
