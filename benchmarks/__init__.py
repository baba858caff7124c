"""The benchmarks of `make bench`: speed and memory, printed as a table or as JSON."""
