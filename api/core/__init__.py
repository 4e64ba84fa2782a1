"""Pure: what can be asked, who may ask it, and how a fault is told."""
