"""Sets documents: `python -m accounting.press` makes a PDF of JSON, and is gone.

A process of its own, as setting five hundred lines takes half a second and a few
hundred megabytes, most of it kept as a cache that the next document has no use for.
"""
