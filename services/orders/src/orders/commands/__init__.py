"""What a caller may ask of Orders."""
