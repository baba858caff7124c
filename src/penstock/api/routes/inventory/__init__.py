"""Routes of inventories."""
