"""What SDKs report: beacons, counted by build, tenant and time."""
