"""What is true of stock whoever asks: pure, without I/O, a clock or ids of its own."""
