"""Verify: prove that what is stored is whole, and mend what is not."""
