"""What the Python tests stand on: real servers, the real daemon, and a check of SPEC 4's invariants."""
