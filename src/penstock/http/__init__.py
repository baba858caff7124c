"""HTTP to providers: one client, its deadlines, and the limits that all processes share."""
