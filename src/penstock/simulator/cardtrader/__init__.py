"""The CardTrader side of the simulator: a catalogue, sellers' products in versions, and the read endpoints of API v2."""
