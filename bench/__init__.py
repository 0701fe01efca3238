"""What things cost, measured on the real thing."""
