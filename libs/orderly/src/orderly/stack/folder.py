"""The folder `.orderly/`: what a stack leaves and takes up again, one at a time."""

import fcntl
import json
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from orderly.errors import StackError
from orderly.stack.ports import Ports

# The package is installed from the clone. Only its image holds a copy, and says where
# the folder is instead.
CLONE = Path(__file__).resolve().parents[5]


def _default() -> Path:
    return Path(os.environ.get("ORDERLY_FOLDER", CLONE / ".orderly")).absolute()


@dataclass(frozen=True)
class State:
    """Who holds the folder, and where its stack is (or was last) to be found."""

    pid: int
    ports: Ports
    ready: bool


@dataclass(frozen=True)
class Folder:
    path: Path = field(default_factory=_default)

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def public(self) -> Path:
        """What the gateway serves to everybody."""
        return self.path / "public"

    @property
    def key(self) -> Path:
        return self.path / "token-key.json"

    @property
    def demo_done(self) -> Path:
        return self.path / "demo-done"

    def log(self, part: str) -> Path:
        return self.logs / f"{part}.log"

    def run_file(self, part: str) -> Path:
        return self.path / "run" / f"{part}.json"

    def open(self) -> None:
        """Make it, or see that it is ours."""
        self.path.mkdir(parents=True, exist_ok=True)
        owner = self.path.stat().st_uid
        if owner != os.geteuid():
            raise StackError(
                f"{self.path} belongs to {_name(owner)}, and you are"
                f" {_name(os.geteuid())}. Run Orderly as {_name(owner)}, or remove that"
                " folder to start anew."
            )
        self.logs.mkdir(exist_ok=True)

    def publish(self, name: str, text: str) -> None:
        """Put a file where the gateway serves it, under /.well-known/."""
        folder = self.public / ".well-known"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)

    def write_state(self, state: State) -> None:
        unfinished = self._state.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(asdict(state)))
        unfinished.replace(self._state)

    def read_state(self) -> State | None:
        if not self._state.exists():
            return None
        found = json.loads(self._state.read_text())
        return State(**{**found, "ports": Ports(**found["ports"])})

    @property
    def _state(self) -> Path:
        return self.path / "stack.json"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder alone. The lock goes with its process, however that ends."""
        with (self.path / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StackError(
                    "Orderly runs here already: `orderly status` shows it,"
                    " `orderly down` ends it."
                ) from None
            yield

    @property
    def is_held(self) -> bool:
        try:
            with self.held():
                return False
        except (StackError, FileNotFoundError):
            return (self.path / "lock").exists()


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
