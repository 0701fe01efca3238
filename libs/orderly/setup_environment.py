# ruff: noqa: INP001, S603, T201 - a script, run by its path; it talks, and calls its own
"""What `make setup` does. Runs before anything is installed: the standard library only.

`.venv` gets uv and with it the locked workspace, `.venv/emulator` the SQS/SNS emulator,
which pins other versions of what we use too.
"""

import fcntl
import os
import ssl
import subprocess
import sys
import tomllib
from pathlib import Path

CLONE = Path(__file__).resolve().parents[2]
VENV = CLONE / ".venv"
PYTHON = VENV / "bin" / "python"
UV = VENV / "bin" / "uv"
EMULATOR = VENV / "emulator"
EMULATOR_REQUIREMENTS = (
    CLONE / "libs/orderly/src/orderly/stack/emulator-requirements.txt"
)
STAMP = VENV / ".set-up"  # the Makefile compares its age with what it was made from


def main() -> None:
    asked_at = STAMP.stat().st_mtime_ns if STAMP.exists() else 0
    with (CLONE / ".setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if STAMP.exists() and STAMP.stat().st_mtime_ns > asked_at:
            return  # somebody else did it while we waited for our turn
        _make_venv()
        _install_uv()
        # Compiled now, or the first start would take the time; and every start would
        # where Python is told not to keep what it compiled.
        _uv("sync", "--frozen", "--all-packages", "--compile-bytecode", "--quiet")
        _install_emulator()
        STAMP.touch()


def _make_venv() -> None:
    if _works(PYTHON):
        return
    print(f"Making {VENV} with Python {sys.version.split()[0]}", flush=True)
    made = _run(sys.executable, "-m", "venv", "--clear", VENV, check=False)
    if made.returncode:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        sys.exit(
            f"{sys.executable} cannot make virtual environments here (see above).\n"
            f"On Debian and Ubuntu: apt install python{version}-venv. Or name another"
            " one: make setup PYTHON=/path/to/python3"
        )


def _works(python: Path) -> bool:
    if not python.exists():  # also when it points to an interpreter that is gone
        return False
    check = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    return _run(python, "-c", check, check=False).returncode == 0


def _install_uv() -> None:
    packages = tomllib.loads((CLONE / "uv.lock").read_text())["package"]
    [version] = [package["version"] for package in packages if package["name"] == "uv"]
    if UV.exists() and version in _run(UV, "--version", capture=True).stdout.split():
        return
    print("Installing what uv.lock lists", flush=True)
    _run(PYTHON, "-m", "pip", "install", "--quiet", f"uv=={version}")


def _install_emulator() -> None:
    if not _run_emulator_python():
        _uv("venv", "--quiet", "--clear", "--python", PYTHON, EMULATOR)
    python = EMULATOR / "bin" / "python"
    _uv(
        *("pip", "sync", "--compile-bytecode", "--quiet"),
        *("--python", python, EMULATOR_REQUIREMENTS),
    )


def _run_emulator_python() -> bool:
    python = EMULATOR / "bin" / "python"
    return python.exists() and not _run(python, "-c", "", check=False).returncode


def _uv(*arguments: str | Path) -> None:
    # Only this Python and these folders, whatever the caller's environment would like,
    # and whom this machine trusts, as pip does.
    trusted = ssl.get_default_verify_paths()
    environment = {
        "UV_SYSTEM_CERTS": "true" if trusted.cafile or trusted.capath else "false",
        "UV_PROJECT_ENVIRONMENT": str(VENV),
        "UV_PYTHON": str(PYTHON),
        "UV_PYTHON_DOWNLOADS": "never",
    }
    _run(UV, *arguments, environment=environment)


def _run(
    *command: str | Path,
    check: bool = True,
    capture: bool = False,
    environment: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    ran = subprocess.run(
        command,
        check=False,
        capture_output=capture,
        text=True,
        cwd=CLONE,
        env={**os.environ, **(environment or {})},
    )
    if check and ran.returncode:
        sys.exit(f"Failed: {' '.join(map(str, command))}")
    return ran


if __name__ == "__main__":
    main()
