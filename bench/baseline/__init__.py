"""What one would write first: one process, one transaction per order, for all of it."""
