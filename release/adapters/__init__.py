"""One module for each real component that the control plane talks to."""
