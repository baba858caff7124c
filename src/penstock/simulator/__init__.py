"""The simulator: a Binance-shaped exchange and a CardTrader-shaped marketplace on this machine.

Its data are deterministic or recorded, its faults on demand.
"""
