"""Orders' SQL, as functions on `tx`: sets, locked in the order of their ids."""
