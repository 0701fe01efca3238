"""What Inventory does about what Orders announces."""
