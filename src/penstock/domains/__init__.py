"""The domains that Penstock brings, declared as any other package declares its own: by the entry points `penstock.domains`."""
