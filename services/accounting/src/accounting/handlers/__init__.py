"""What accounting does about what Orders and Inventory announce."""
