"""What the kernel says of another process: CPU time, memory, its socket's queue."""

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

_SCHEDULER_CLOCK = 2
_STOLEN = 8
"""The column of /proc/stat (proc_stat(5))."""
_RESIDENT = re.compile(r"^VmRSS:\s+(\d+) kB$", re.MULTILINE)
_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)
_OWN = re.compile(r"^Private_(?:Clean|Dirty): +(\d+) kB$", re.MULTILINE)
_UDP6 = Path("/proc/net/udp6")
_LOCAL, _QUEUES, _DROPS = 1, 4, -1


def cpu_ns(pid: int) -> int:
    """User and system time of all threads of a process, ended ones too, in nanoseconds.

    The identifier of a process's clock is what clock_getcpuclockid(3) makes of its number.
    """
    return time.clock_gettime_ns(~pid << 3 | _SCHEDULER_CLOCK)


def resident_bytes(pid: int) -> int:
    """VmRSS."""
    return _kilobytes(pid, _RESIDENT)


def peak_bytes(pid: int) -> int:
    """VmHWM: the most that was resident since the start, or since ``forget_peak``.

    0 of a process that has ended and is not waited for yet.
    """
    return _kilobytes(pid, _PEAK)


def own_bytes(pid: int) -> int:
    """What is resident of a process and in no other: without the libraries that it shares."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(map(int, _OWN.findall(text))) * 1024


def forget_peak(pid: int) -> None:
    """Have VmHWM count from what is resident now (proc_pid_clear_refs(5))."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _kilobytes(pid: int, pattern: re.Pattern[str]) -> int:
    found = pattern.search(Path(f"/proc/{pid}/status").read_text())
    return 0 if found is None else int(found[1]) * 1024


def stolen_cpu_s() -> float:
    """CPU time that a hypervisor has given to others while this host wanted it, of all cores."""
    line = Path("/proc/stat").read_text().partition("\n")[0].split()
    return int(line[_STOLEN]) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Queue:
    """A UDP socket's receive queue in the kernel: bytes that wait, datagrams that found no room."""

    waiting_bytes: int
    dropped: int


def receive_queue(port: int) -> Queue:
    """The queue of the IPv6 socket that is bound to ``port``."""
    suffix = f":{port:04X}"
    for line in _UDP6.read_text().splitlines()[1:]:
        fields = line.split()
        if fields[_LOCAL].endswith(suffix):
            return Queue(int(fields[_QUEUES].partition(":")[2], 16), int(fields[_DROPS]))
    raise LookupError(f"no UDP socket is bound to port {port}")
