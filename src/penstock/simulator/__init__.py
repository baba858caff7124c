"""A Binance-shaped exchange on one's own machine: deterministic, with fault switches, can replay recorded data."""
