import gc

# What is imported stays: looking for garbage in it takes a tenth of a start.
gc.disable()

from sample.main import SERVICE  # noqa: E402

SERVICE.main()
