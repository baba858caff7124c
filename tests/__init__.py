"""The tests: one folder for each kind of thing they hold in their hands."""
