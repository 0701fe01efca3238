"""Which port each part listens on, and whether it can."""

import secrets
import socket
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from typing import Self

import psutil

from orderly.errors import StackError

# Below what systems give to outgoing connections: what is found free stays so for the
# moment until a server listens there.
_CHOICE = range(20_000, 32_768)


@dataclass(frozen=True, kw_only=True)
class Ports:
    # Everything but the gateway is out of the way of what people usually run.
    gateway: int = 8080
    orders: int = 18081
    inventory: int = 18082
    accounting: int = 18083
    postgres: int = 15432
    emulator: int = 14566

    @classmethod
    def free(cls) -> Self:
        """Ports that nobody uses right now."""
        found: set[int] = set()
        while len(found) < len(PARTS):
            found.add(free_port())
        return cls(**dict(zip(PARTS, found, strict=True)))

    @property
    def url(self) -> str:
        return f"http://localhost:{self.gateway}"

    def options(self) -> list[tuple[str, int]]:
        """These ports, as options of `orderly up`."""
        return [(_option(part), self.of(part)) for part in PARTS]

    def of(self, part: str) -> int:
        return int(getattr(self, part))

    def check(self) -> None:
        """Raise, naming the option, if a port is taken."""
        if len(set(astuple(self))) < len(PARTS):
            raise StackError("Two parts cannot have the same port.")
        problems = list(self._problems())
        if problems:
            raise StackError("\n".join(problems))

    def _problems(self) -> Iterator[str]:
        for part in PARTS:
            port, option = self.of(part), _option(part)
            if _is_taken(port):
                yield (
                    f"Port {port}, for {part}, is taken{_by(port)}. End that, or choose"
                    f' another: make run ARGS="--{option} {port + 1}"'
                )


PARTS = tuple(field.name for field in fields(Ports))


def _option(part: str) -> str:
    return "port" if part == "gateway" else f"{part}-port"


def free_port() -> int:
    while _is_taken(port := secrets.choice(_CHOICE)):
        pass
    return port


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _by(port: int) -> str:
    """Name who listens there, where we may know."""
    try:
        listeners = [
            connection.pid
            for connection in psutil.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN
            and connection.laddr
            and connection.laddr.port == port
            and connection.pid
        ]
        return f" by {psutil.Process(listeners[0]).name()} (pid {listeners[0]})"
    except (psutil.Error, IndexError):
        return ""
