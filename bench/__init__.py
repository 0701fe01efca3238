"""How fast things are: scripts that load, measure and print."""
