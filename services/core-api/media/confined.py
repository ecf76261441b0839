"""Runs another program with little: at low priority, with bounded files, memory and processor time, without a network,
and no longer than its parent lives.

    python confined.py <parent's pid> <largest file in bytes> <memory in bytes> <processor seconds> program arguments…

It is a program of its own because what it sets must be set between fork and exec, where a process with threads, such as
a worker, may not run Python. It imports nothing of Lectern's and starts in some 15 ms.
"""

import ctypes
import os
import resource
import signal
import struct
import sys

PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 22, 38  # linux/prctl.h
SECCOMP_MODE_FILTER, ALLOW, REFUSE = 2, 0x7FFF0000, 0x00050001  # linux/seccomp.h; refused with EPERM
LOAD, EQUAL, AT_LEAST, RETURN = (
    0x20,
    0x15,
    0x35,
    0x06,
)  # linux/bpf_common.h: BPF_LD|W|ABS, BPF_JMP|JEQ|K, …|JGE|K, BPF_RET|K
IO_URING_SETUP = 425  # which could open sockets too
MACHINES = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}  # linux/audit.h; the number of socket()
OTHER_NUMBERS = 0x40000000  # the x32 way of calling: from here on, on x86_64


def main(parent: int, largest_file: int, memory: int, cpu_s: int, command: list[str]) -> None:
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before we asked to be told
            raise SystemExit(1)
        forbid_sockets(libc)
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))  # elsewhere it does not count what is mapped
    os.nice(10)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.execvp(command[0], command)  # noqa: S606  no shell is the point


def forbid_sockets(libc: ctypes.CDLL) -> None:
    """From here on, and in whatever is started, no socket can be opened (seccomp, a filter of system calls)."""
    machine = os.uname().machine
    if machine not in MACHINES:
        return
    audit_arch, socket = MACHINES[machine]
    steps = [
        (LOAD, 0, 0, 4),  # seccomp_data.arch
        (EQUAL, 0, 4, audit_arch),
        (LOAD, 0, 0, 0),  # seccomp_data.nr
        (AT_LEAST, 2, 0, OTHER_NUMBERS),
        (EQUAL, 1, 0, socket),
        (EQUAL, 0, 1, IO_URING_SETUP),
        (RETURN, 0, 0, REFUSE),
        (RETURN, 0, 0, ALLOW),
    ]
    filters = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = struct.pack("HP", len(steps), ctypes.addressof(filters))
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0):
        raise SystemExit("This kernel refuses seccomp filters, without which no stranger's file is opened.")


if __name__ == "__main__":
    parent, largest_file, memory, cpu_s = map(int, sys.argv[1:5])
    main(parent, largest_file, memory, cpu_s, sys.argv[5:])
