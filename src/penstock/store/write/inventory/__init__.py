"""What is written of inventories."""
