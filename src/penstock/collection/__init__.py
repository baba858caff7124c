"""What is collected by itself, and when."""
