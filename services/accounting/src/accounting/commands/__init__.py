"""What accounting does of its own accord or because somebody asked."""
