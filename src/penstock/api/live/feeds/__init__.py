"""What clients can follow: one feed for each kind of channel."""
