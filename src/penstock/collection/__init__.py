"""What is collected automatically, and when."""
