"""Adapters to one provider each, found through the entry points `penstock.sources`."""
