"""Access: who may do what, and the secrets that are kept."""
