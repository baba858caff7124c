"""What is pushed to clients while it happens."""
