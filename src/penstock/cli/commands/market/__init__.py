"""Commands for candles."""
