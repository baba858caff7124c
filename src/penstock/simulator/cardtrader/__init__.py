"""The CardTrader side of the simulator: a catalogue, sellers' products, the reads of API v2."""
