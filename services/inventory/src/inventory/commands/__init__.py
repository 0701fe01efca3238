"""What Inventory may be asked; each is announced in the transaction that does it."""
