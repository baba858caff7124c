"""The market domain: candles of crypto exchanges."""
