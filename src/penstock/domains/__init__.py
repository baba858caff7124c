"""Penstock's own domains, declared through the entry points `penstock.domains` like any other."""
