"""Runs another program with little: at low priority, with bounded files, and no longer than its parent lives.

    python confined.py <parent's pid> <largest file in bytes> program arguments…

It is a program of its own because what it sets must be set between fork and exec, where a process with threads, such as
a worker, may not run Python. It imports nothing of Lectern's and starts in some 15 ms.
"""

import ctypes
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(parent: int, largest_file: int, command: list[str]) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before we asked to be told
            raise SystemExit(1)
    os.nice(10)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    os.execvp(command[0], command)  # noqa: S606  no shell is the point


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
