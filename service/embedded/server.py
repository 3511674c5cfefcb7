"""The supervisor: PostgreSQL as a child that never outlives the service, on a folder that does."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

from service.embedded import launch
from service.embedded.account import Account, may_enter, require_name, server_account
from service.embedded.binaries import Programs, find_programs, lend_programs
from service.embedded.errors import EmbeddedError
from service.embedded.folder import PORT, SOCKET_FOLDER, DataFolder
from service.embedded.room import tell_full

logger = logging.getLogger("dateline.embedded")

USER = "postgres"
DATABASE = "postgres"
BUILTIN_LOCALE_MAJOR = 17  # the first with a locale provider that needs nothing of the system
RETRY_SECONDS = 15.0
POLL_SECONDS = 0.01
NOTICE_SECONDS = 10.0
STOP_SECONDS = 30.0
# What PostgreSQL says while the server of a killed process is still on its way out.
STILL_ENDING = ("lock file", "still in use")
# Said outright, so that no file in the folder can quietly give durability away.
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}

# A batch locks each event that it names: up to a thousand in one transaction.
ROOMY = {"max_locks_per_transaction": "256"}


class EmbeddedPostgres:
    """A PostgreSQL of one's own on a data folder; a context manager that answers its URL.

    `connections` is how many clients it admits, `options` are further server settings by name, `programs` the
    PostgreSQL to take instead of the one that is found. Start it on a thread that lives as long as the
    server should, such as the main one: Linux counts the end of the thread as the end of the parent.
    """

    def __init__(
        self,
        folder: Path,
        *,
        connections: int = 100,
        options: Mapping[str, str] | None = None,
        programs: Programs | None = None,
    ) -> None:
        self._folder = DataFolder(folder)
        self._options = {**DURABLE, **ROOMY, "max_connections": str(connections), **(options or {})}
        self._programs = programs
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = False

    @property
    def pid(self) -> int | None:
        """The server's process id; None while it does not run."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> str:
        """Start the server, setting up the folder where it is new, and answer the URL of its database.

        Raises EmbeddedError where that cannot be.
        """
        try:
            self._folder.lock()
            self._start_locked()
        except (EmbeddedError, OSError) as error:
            self.stop()
            reason = str(error)
            if isinstance(error, OSError):
                reason = f"PostgreSQL cannot be started on {self._folder.path}: {error}"
            full = tell_full(self._folder.path, reason)
            raise EmbeddedError(reason if full is None else f"{full}\n{reason}") from error
        except BaseException:
            self.stop()
            raise
        return self.url

    @property
    def url(self) -> str:
        """The URL of the database, for libpq and SQLAlchemy."""
        return _url(self._socket_folder)

    def watch(self, when_lost: Callable[[], None]) -> None:
        """Call back, from a thread of its own, when the server ends without having been asked to."""
        process = self._process
        if process is None:
            raise RuntimeError("not started")

        def wait() -> None:
            status = process.wait()
            if not self._stopping:
                logger.error("PostgreSQL ended with status %d; its last words:\n%s", status, self._last_words())
                when_lost()

        threading.Thread(target=wait, name="embedded-postgres", daemon=True).start()

    def stop(self) -> None:
        """End the server by a fast shutdown, and let go of the folder; calling it again does nothing."""
        self._stopping = True
        process = self._process
        if process is not None:
            # Fast, then immediate (the next start recovers), then by force.
            for number, seconds in (
                (signal.SIGINT, STOP_SECONDS),
                (signal.SIGQUIT, 10.0),
                (signal.SIGKILL, 10.0),
            ):
                if process.poll() is not None:
                    break
                process.send_signal(number)
                try:
                    process.wait(seconds)
                except subprocess.TimeoutExpired:
                    logger.warning("PostgreSQL did not end within %d s of %s", seconds, number.name)
            self._process = None
        self._folder.unlock()

    def __enter__(self) -> str:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def _runtime(self) -> Path:
        if self._folder.runtime is None:
            raise RuntimeError("not started")
        return self._folder.runtime

    @property
    def _socket_folder(self) -> Path:
        return self._runtime / SOCKET_FOLDER

    def _start_locked(self) -> None:
        self._folder.rotate_log()
        self._log_start = self._folder.log.stat().st_size if self._folder.log.exists() else 0
        major = self._folder.major_version()
        account = server_account(self._folder.cluster)
        programs = self._programs or find_programs(major)
        if major not in (None, programs.major):
            raise EmbeddedError(
                f"The data in {self._folder.path} were written by PostgreSQL {major}, not {programs.major}."
            )
        programs = lend_programs(programs, account, self._runtime)
        if major is None:
            self._initialise(programs, account)
        self._socket_folder.mkdir(mode=0o700)
        if account is not None:
            os.chown(self._socket_folder, account.uid, account.gid)
        self._launch_with_patience(programs, account)
        self._folder.clear_left_behind()

    def _initialise(self, programs: Programs, account: Account | None) -> None:
        """Set up a new cluster beside its place, then move it there: half a one is never taken for whole."""
        logger.info("setting up PostgreSQL %d in %s", programs.major, self._folder.path)
        if account is None:
            require_name()
        for unfinished in self._folder.path.glob("unfinished-*"):
            shutil.rmtree(unfinished, ignore_errors=True)
        cluster = Path(tempfile.mkdtemp(prefix="unfinished-", dir=self._folder.path))
        arguments = [
            "--encoding=UTF8", f"--username={USER}", "--auth-local=trust", "--auth-host=reject",
            "--data-checksums", "--no-instructions", *_locale_arguments(programs.major),
        ]  # fmt: skip
        try:
            if account is not None:
                os.chown(cluster, account.uid, account.gid)
            with self._spawn(programs.folder / "initdb", cluster, arguments, account) as process:
                status = process.wait()
            if status == 0:
                cluster.rename(self._folder.cluster)
        finally:
            shutil.rmtree(cluster, ignore_errors=True)
        if status != 0:
            raise EmbeddedError(f"PostgreSQL's initdb failed (status {status}):\n{self._last_words()}")
        sync_folder(self._folder.path)

    def _launch_with_patience(self, programs: Programs, account: Account | None) -> None:
        """Launch the server, again and again while that of a killed process is still ending."""
        arguments = ["-k", str(self._socket_folder), "-h", "", "-p", str(PORT)]
        for name, value in self._options.items():
            arguments += ["-c", f"{name}={value}"]
        deadline = time.monotonic() + RETRY_SECONDS
        while True:
            self._log_start = self._folder.log.stat().st_size if self._folder.log.exists() else 0
            self._process = self._spawn(programs.folder / "postgres", self._folder.cluster, arguments, account)
            if self._wait_until_ready(self._process):
                return
            words = self._last_words()
            if time.monotonic() > deadline or not any(phrase in words for phrase in STILL_ENDING):
                raise EmbeddedError(
                    f"PostgreSQL did not start on {self._folder.cluster} (status {self._process.returncode}):\n{words}"
                )
            time.sleep(0.2)

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> bool:
        """Wait, for as long as recovery takes, until the server admits clients; False where it ended."""
        notice = time.monotonic() + NOTICE_SECONDS
        while process.poll() is None:
            if self._says_ready(process.pid):
                return True
            if time.monotonic() > notice:
                logger.info("PostgreSQL is still starting; it may be recovering from a crash")
                notice += NOTICE_SECONDS
            time.sleep(POLL_SECONDS)
        return False

    def _says_ready(self, pid: int) -> bool:
        """Read the status line of this very server's postmaster.pid."""
        try:
            lines = (self._folder.cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"  # noqa: PLR2004  # its eighth line

    def _spawn(
        self, program: Path, cluster: Path, arguments: Sequence[str], account: Account | None
    ) -> subprocess.Popen[bytes]:
        """Launch a program on a cluster, away from the terminal: Ctrl-C reaches the service alone.

        Where the server's account cannot come to the folder, since an ancestor is private, it is handed the
        open folder: its name in /proc leads there directly, and nothing above need be opened.
        """
        descriptor = None
        place = str(cluster)
        if account is not None and not may_enter(cluster.parent):
            descriptor = os.open(cluster, os.O_RDONLY | os.O_DIRECTORY)
            place = f"/proc/self/fd/{descriptor}"
        identity = ["-", "-"] if account is None else [str(account.uid), str(account.gid)]
        try:
            with self._folder.log.open("ab") as log:
                return subprocess.Popen(
                    [
                        sys.executable, "-I", "-S", launch.__file__, str(os.getpid()), *identity,
                        str(program), "-D", place, *arguments,
                    ],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                    pass_fds=() if descriptor is None else (descriptor,),
                    env=_environment(),
                )  # fmt: skip
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def _last_words(self) -> str:
        """Read what the server said since its launch, shortened to its end."""
        try:
            with self._folder.log.open("rb") as log:
                log.seek(self._log_start)
                return log.read().decode(errors="replace").strip()[-2000:]
        except OSError:
            return "(no log)"


def running_url(folder: Path) -> str | None:
    """Answer the URL of the server that another process runs on a data folder; None where none answers."""
    found = DataFolder(folder).socket_in_use()
    return None if found is None else _url(found)


def _url(socket_folder: Path) -> str:
    # with the port: libpq takes it from the environment otherwise
    return f"postgresql://{USER}@/{DATABASE}?port={PORT}&host={quote(str(socket_folder), safe='')}"


def _locale_arguments(major: int) -> list[str]:
    """Say how text compares and folds: by code point, in Unicode, the same on every system."""
    ctype = "--lc-ctype=en_US.UTF-8" if sys.platform == "darwin" else "--lc-ctype=C.UTF-8"
    if major >= BUILTIN_LOCALE_MAJOR:
        return ["--locale=C", ctype, "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    return ["--locale=C", ctype]


def _environment() -> dict[str, str]:
    """Keep what the system needs, and no PG… variable that would bend the server's settings."""
    return {name: value for name, value in os.environ.items() if name in ("PATH", "TMPDIR", "LD_LIBRARY_PATH")}


def sync_folder(path: Path) -> None:
    """Have the disk know which files a folder holds."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
