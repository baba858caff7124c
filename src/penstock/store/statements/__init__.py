"""SQL that both databases share, and what differs in it."""
