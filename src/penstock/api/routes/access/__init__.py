"""Routes of access: tokens, and signing in with one."""
