"""Collecting candles: plan, ask, judge, write."""
