"""What a process tells about itself: logs always, traces and metrics where asked to.

What is not asked for is not imported either, let alone paid for.
"""

from chassis import logs
from chassis.settings import ServiceSettings


def setup(service: str, settings: ServiceSettings) -> None:
    logs.setup(service, settings)
    if settings.exports:
        from chassis import exporting  # noqa: PLC0415 - it costs 200 ms and 20 MB

        exporting.start(service, settings)


def finish(settings: ServiceSettings) -> None:
    """Send what was not sent yet, within a moment."""
    if settings.exports:
        from chassis import exporting  # noqa: PLC0415 - as above

        exporting.finish()
