"""A controller and several origins under simulated time, all of whose chances come from one seed.

The use cases, the database, the signatures and the origins' code are the real ones. What is simulated stands at
their ports: clocks, disks, the way from the controller to each origin, and whose turn it is.
"""
