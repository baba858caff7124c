"""A Binance-shaped exchange and a CardTrader-shaped marketplace on one's machine: deterministic, with fault switches, can replay recorded data."""
