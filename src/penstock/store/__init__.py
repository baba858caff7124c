"""The store: the only code that writes to a database, with one bulk way for each kind."""
