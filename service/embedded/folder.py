"""The data folder: what lies where, and that one process at a time has it.

DATELINE_DATA/
├── lock             held by the running service; its process id, and its runtime folder
├── admin.key        the key that the service made for its owner, of mode 0600
├── postgresql/      PostgreSQL's own folder, of mode 0700
└── postgresql.log   what the server says; the one before is kept as postgresql.log.1
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import tempfile
from pathlib import Path

from service.embedded.errors import EmbeddedError

LOG_LIMIT_BYTES = 10_000_000
SOCKET_LIMIT_BYTES = 107  # of sun_path on Linux, less its closing NUL; unix(7)
RUNTIME_PREFIX = "dateline-"
SOCKET_FOLDER = "socket"
PORT = 5432  # by which the socket is named


class DataFolder:
    """A data folder, opened by `lock` and closed by `unlock`."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.cluster = self.path / "postgresql"
        self.log = self.path / "postgresql.log"
        self.runtime: Path | None = None
        self._lock_file: int | None = None
        self._left_behind: Path | None = None

    def lock(self) -> None:
        """Take the folder for this process, making it where there is none.

        Raises EmbeddedError where another process has it, or it cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise EmbeddedError(
                f"The data folder {self.path} cannot be used: {error.strerror}. Choose another with DATELINE_DATA."
            ) from error
        holder, _, runtime = os.read(handle, 4096).decode(errors="replace").partition("\n")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise EmbeddedError(
                f"The data folder {self.path} is in use by process {holder or 'unknown'}. Stop that process "
                "first, or choose another folder with DATELINE_DATA."
            ) from None
        self._lock_file = handle
        self._left_behind = Path(runtime.strip()) if runtime.strip() else None
        self.runtime = Path(tempfile.mkdtemp(prefix=RUNTIME_PREFIX, dir=_runtime_parent()))
        self.runtime.chmod(0o711)  # so that the server's account reaches what it owns in there, and no more
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n{self.runtime}\n".encode(), 0)

    def socket_in_use(self) -> Path | None:
        """Find the folder of the socket at which the server of another process answers; None where none does.

        Nothing is taken: whoever starts on the folder meanwhile is not disturbed.
        """
        lock = self.path / "lock"
        try:
            runtime = Path(lock.read_text(encoding="utf-8").partition("\n")[2].strip())
            # what was left behind by a process that was killed may since be somebody else's
            if not runtime.name.startswith(RUNTIME_PREFIX) or runtime.lstat().st_uid != lock.stat().st_uid:
                return None
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(str(runtime / SOCKET_FOLDER / f".s.PGSQL.{PORT}"))
        except OSError:
            return None
        return runtime / SOCKET_FOLDER

    def clear_left_behind(self) -> None:
        """Remove the runtime folder of a process that was killed; only once its server has ended, too."""
        folder = self._left_behind
        if folder is not None and folder.name.startswith(RUNTIME_PREFIX) and _is_own(folder):
            shutil.rmtree(folder, ignore_errors=True)
        self._left_behind = None

    def rotate_log(self) -> None:
        """Keep the log from growing for ever."""
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT_BYTES:
            self.log.replace(self.log.with_name(f"{self.log.name}.1"))

    def major_version(self) -> int | None:
        """Read which PostgreSQL wrote the data; None where there are none yet."""
        try:
            text = (self.cluster / "PG_VERSION").read_text(encoding="ascii")
        except FileNotFoundError:
            if self.cluster.exists():
                raise EmbeddedError(f"{self.cluster} is no PostgreSQL folder: it lacks PG_VERSION.") from None
            return None
        return int(text.split(".")[0])

    def unlock(self) -> None:
        """Let go of the folder, and remove the runtime folder."""
        if self.runtime is not None:
            shutil.rmtree(self.runtime, ignore_errors=True)
            self.runtime = None
        if self._lock_file is not None:
            os.ftruncate(self._lock_file, 0)
            os.close(self._lock_file)
            self._lock_file = None


def _runtime_parent() -> str:
    """Choose where the runtime folder goes: a socket's whole path must be short."""
    parent = tempfile.gettempdir()
    example = f"{parent}/{RUNTIME_PREFIX}12345678/{SOCKET_FOLDER}/.s.PGSQL.{PORT}"
    return parent if len(os.fsencode(example)) <= SOCKET_LIMIT_BYTES else "/tmp"  # noqa: S108  # mkdtemp makes it private


def _is_own(folder: Path) -> bool:
    try:
        return folder.lstat().st_uid == os.geteuid()
    except OSError:
        return False
