"""What all simulated providers share: the clock, the journal, and how a response goes out."""
