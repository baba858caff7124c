"""Access: scopes, tokens, and stored secrets."""
