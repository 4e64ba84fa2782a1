"""Pure values and functions of the control plane: the state machine, pins and resolution."""
