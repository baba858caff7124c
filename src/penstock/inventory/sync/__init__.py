"""One sync of an account: export, parse, check, publish."""
