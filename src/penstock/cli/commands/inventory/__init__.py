"""Commands for inventories."""
