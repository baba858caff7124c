"""The store: the only code that writes to a database. SQLite (embedded) and PostgreSQL, one bulk way for each."""
