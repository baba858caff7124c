"""What both domains share: the run, the flush, the governor, the HTTP client. No SQL, no web framework, no engine."""
