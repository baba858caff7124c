"""The inventory domain: a seller's products, kept as whole snapshots of what CardTrader exports."""
