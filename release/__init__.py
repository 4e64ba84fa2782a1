"""The control plane: decides which build each tenant gets, and moves that in small, undoable steps."""
