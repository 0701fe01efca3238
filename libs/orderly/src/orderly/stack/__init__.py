"""All of Orderly on this machine, without Docker: the parts, their start and end."""
