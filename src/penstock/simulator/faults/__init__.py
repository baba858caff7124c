"""Faults: what the simulator does wrong when asked to."""
