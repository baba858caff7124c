"""Transactions of one database, in threads of their own."""
