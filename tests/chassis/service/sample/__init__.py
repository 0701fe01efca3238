"""The smallest service there can be: it takes notes, and hears of them itself."""
