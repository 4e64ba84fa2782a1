"""One module for each real component that publishing talks to."""
