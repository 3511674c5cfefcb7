"""Become a PostgreSQL program: give up root, ask to end with the parent, then exec.

Run as a script, with neither site-packages nor the project on the path, by the supervisor:
`python -I -S launch.py PARENT UID GID PROGRAM ARGUMENT…`; UID and GID are `-` to keep them. A step between
fork and exec in the supervisor itself could deadlock on a lock that another of its threads holds.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def end_with(parent: int) -> None:
    """Ask Linux for SIGINT, PostgreSQL's fast shutdown, when the parent ends however abruptly.

    After the change of user, which would clear the wish. Elsewhere than on Linux this does nothing.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0)
    if os.getppid() != parent:  # it ended before it could be asked for
        raise SystemExit(1)


def main() -> None:
    """Read the arguments and become the program."""
    parent, uid, gid, program = sys.argv[1:5]
    if uid != "-":
        os.setgroups([])
        os.setgid(int(gid))
        os.setuid(int(uid))
    os.umask(0o077)
    os.chdir("/")
    end_with(int(parent))
    os.execv(program, [program, *sys.argv[5:]])  # noqa: S606  # no shell is wanted


if __name__ == "__main__":
    main()
