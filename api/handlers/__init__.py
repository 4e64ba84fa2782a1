"""What is done for each operation: the use cases of the control plane, called on behalf of somebody."""
