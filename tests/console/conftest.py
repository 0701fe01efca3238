"""What a browser does needs one, and what drives it: `make console-test` sees to it."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("playwright") else ["browser"]
