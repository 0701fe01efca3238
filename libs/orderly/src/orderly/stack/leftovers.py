"""What runs without its supervisor. `orderly down` asks: nothing slow is imported."""

import asyncio
import signal
from collections.abc import Mapping
from types import MappingProxyType

from orderly.stack import services
from orderly.stack.folder import Folder
from orderly.stack.keeper import Say
from orderly.stack.processes import Identity

# After the services; who needs others goes before them.
ORDER_OF_LEAVING: Mapping[str, signal.Signals] = MappingProxyType(
    {
        "gateway": signal.SIGTERM,
        "emulator": signal.SIGTERM,
        "postgres": signal.SIGINT,  # or it would wait for who is connected
    }
)


async def stop_leftovers(folder: Folder, say: Say) -> None:
    """End what a killed supervisor left running; to be called with the folder held."""
    await asyncio.gather(
        *(_stop(folder, name, signal.SIGTERM, say) for name in services.NAMES)
    )
    for name, number in ORDER_OF_LEAVING.items():
        await _stop(folder, name, number, say)


async def _stop(folder: Folder, name: str, number: signal.Signals, say: Say) -> None:
    run_file = folder.run_file(name)
    identity = Identity.read(run_file)
    if identity and identity.process():
        await identity.end(number, patience_s=services.LEAVES_WITHIN_S)
        say(name, f"(pid {identity.pid}) was left from an earlier run: ended it")
    run_file.unlink(missing_ok=True)
