"""What accounting means: pure, without a database, a clock or ids of its own."""
