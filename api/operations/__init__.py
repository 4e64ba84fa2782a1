"""What can be asked: one module for each thing that it is about."""
