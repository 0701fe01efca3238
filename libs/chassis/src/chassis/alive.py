"""`python -m chassis.alive`: whether the service in this container is alive.

Asked every few seconds, in a process of its own: so it imports next to nothing.
"""

import os
import socket
import sys

ANSWERS_WITHIN_S = 4
REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def is_alive(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), ANSWERS_WITHIN_S) as service:
            service.sendall(REQUEST)
            return service.recv(1024).startswith(b"HTTP/1.1 200 ")
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(not is_alive(int(os.environ.get("ORDERLY_PORT", "8000"))))
