"""Sources: adapters to one provider each, found through the entry point group `penstock.sources`."""
