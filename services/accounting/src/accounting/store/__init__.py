"""SQL in and out, as functions on `tx`."""
