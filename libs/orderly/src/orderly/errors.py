class StackError(Exception):
    """Something for a person to put right: says what is wrong and what to do."""
