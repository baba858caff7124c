"""The record of runs: what is queued, who works on it, what it holds, and how it ended."""
