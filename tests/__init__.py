"""The tests: one folder for each kind of test subject."""
