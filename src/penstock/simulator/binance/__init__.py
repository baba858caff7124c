"""The Binance side of the simulator: market data, generated or recorded, and the spot REST API."""
