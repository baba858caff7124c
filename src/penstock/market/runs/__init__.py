"""What the market runs: orders, their submissions, the work of a run, configs and health."""
