"""What orders mean: pure, without a database, a clock or ids of its own."""
