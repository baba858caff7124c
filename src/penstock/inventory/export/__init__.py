"""The export of an inventory: received, unpacked, decoded and staged in bounded memory."""
