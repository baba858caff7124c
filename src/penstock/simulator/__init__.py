"""The simulator: a Binance-shaped exchange and a CardTrader-shaped marketplace on this machine.

Its data is deterministic or recorded, its faults are on demand.
"""
