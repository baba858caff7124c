"""CardTrader's catalogue, the user's own list of cards, and the mapping between them."""
