"""The shapes of market data."""
