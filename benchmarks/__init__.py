"""What `make bench` runs: speed and memory of the real thing, printed as a table and as JSON."""
