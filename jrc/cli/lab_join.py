"""``jrc lab join``: simulated devices with the keys of an import file join a running registrar."""

import asyncio
import signal
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from jrc.cli.keyfiles import open_input
from jrc.cli.lab_screen import judge, screen, tell, tell_switch
from jrc.config import Endpoint, Settings
from jrc.errors import ExitCode, OperatorError
from jrc.lab.crowd import Crowd
from jrc.lab.demo import MAX_PLEDGES
from jrc.lab.network import Address
from jrc.lab.pledge import DerivedKeys, SimulatedPledge
from jrc.model import Secret
from jrc.service.applicants import Applicant
from jrc.service.import_fields import applicant_of
from jrc.service.import_file import format_of, read_rows
from jrc.service.import_rows import RowError

CHUNK_BYTES: Final = 1 << 16
LOOPBACK: Final = "::1"
_FIRST_DAY: Final = datetime(2026, 1, 1, tzinfo=UTC)
STOPPING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def join(settings: Settings, files: Sequence[str], network_id: bytes, *, once: bool) -> ExitCode:
    """Everything, until Ctrl-C or, with ``once``, the last join; gives the exit code.

    Raises:
        OperatorError: a file can't be read, or an address can't be used.
    """
    devices = [device for file in files for device in _devices(file)]
    numbers_from = _fresh_number()
    pledges = [_simulated(each, network_id, numbers_from) for each in devices]
    return asyncio.run(_run(settings, pledges, once=once))


async def _run(settings: Settings, pledges: Sequence[SimulatedPledge], *, once: bool) -> ExitCode:
    """The work, which a signal ends in order."""
    crowd, code = Crowd(pledges), ExitCode.FAILED
    work = asyncio.ensure_future(_join_and_stay(settings, crowd, len(pledges), once=once))
    for number in STOPPING:
        asyncio.get_running_loop().add_signal_handler(number, work.cancel)
    try:
        code = await work
    except asyncio.CancelledError:
        code = ExitCode.DONE
    return code


async def _join_and_stay(settings: Settings, crowd: Crowd, count: int, *, once: bool) -> ExitCode:
    jrc, nodes = _registrar(settings.coap.listen[0]), settings.lab.nodes
    if nodes is None or once:
        return await _join(crowd, jrc, count)
    try:
        async with crowd.listening((nodes.host, nodes.port)):
            code = await _join(crowd, jrc, count)
            tell(f"they stay, and hear updates at {nodes}; Ctrl-C ends them")
            await crowd.live(tell_switch)
            return code
    except OSError as error:
        raise OperatorError(
            f"the nodes can't have {nodes} ({error.strerror})",
            "another `jrc lab join` may run; or name another port as `nodes` under [lab]",
        ) from None


async def _join(crowd: Crowd, jrc: Address, count: int) -> ExitCode:
    tell(f"{count} pledges join the registrar at [{jrc[0]}]:{jrc[1]}")
    with screen(count) as shown:
        results = await crowd.join(jrc, shown.show)
    return judge(results)


def _registrar(listening: Endpoint) -> Address:
    """Where a registrar of this host is asked, for one that listens at every address too."""
    host = LOOPBACK if listening.address.is_unspecified else listening.host
    return host, listening.port


def _fresh_number() -> int:
    """A sender number above all that a simulated device has ever used: it has no flash.

    Milliseconds since 2026 fit into the five bytes of RFC 8613 §7.2.1 for 34 years.
    """
    return int((time.time() - _FIRST_DAY.timestamp()) * 1000)


def _simulated(device: Applicant, network_id: bytes, first_number: int) -> SimulatedPledge:
    keys, identifier = device.keys, device.identifier.value
    if isinstance(keys, Secret):
        role = device.role or 0
        return SimulatedPledge(identifier, keys, network_id, role, first_number=first_number)
    derived = DerivedKeys(keys.pledge_sender_key, keys.pledge_recipient_key, keys.common_iv)
    return SimulatedPledge.with_derived_keys(identifier, derived, network_id)


def _devices(file: str) -> list[Applicant]:
    """What an import file says of its devices.

    Raises:
        OperatorError: it can't be read, or a row is no device.
    """
    found: list[Applicant] = []
    with open_input(file) as stream:
        pieces = iter(lambda: stream.read(CHUNK_BYTES), b"")
        for device in _rows(pieces, file):
            found.append(device)
            if len(found) > MAX_PLEDGES:
                raise OperatorError(f"{file} has more than {MAX_PLEDGES} devices", "split it")
    if not found:
        raise OperatorError(f"{file} has no device", "`jrc pledge generate` makes such a file")
    return found


def _rows(pieces: Iterator[bytes], file: str) -> Iterator[Applicant]:
    for row in read_rows(pieces, format_of(Path(file).name)):
        if isinstance(row, RowError):
            raise _wrong(file, row)
        device, faults = applicant_of(row, file)
        if device is None:
            raise _wrong(file, faults[0])
        yield device


def _wrong(file: str, fault: RowError) -> OperatorError:
    where = f", {fault.column}" if fault.column else ""
    return OperatorError(
        f"{file}, line {fault.line}{where}: {fault.reason}",
        fault.hint or "`jrc pledge import FILE --dry-run` says all that is wrong with it",
    )
