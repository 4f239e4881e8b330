"""A whole join: a registrar of its own, a Join Proxy and a simulated pledge, all on loopback.

Nothing of the operator's takes part: database, keys and network are made for it and thrown away.
"""

import asyncio
import secrets
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from jrc.cli.diagnosis.case import Case
from jrc.cli.diagnosis.verdict import Verdict, failure, skipped, success, warning
from jrc.errors import OperatorError

WITHIN_S = 20.0
WITNESS = ("aiocoap", "filelock")
"""The pledge's OSCORE is aiocoap's, so that it is an independent witness; it imports filelock."""


def look_at_join(case: Case) -> Iterator[Verdict]:
    """That this machine can carry out a join from end to end."""
    missing = [name for name in WITNESS if find_spec(name) is None]
    if not case.wants_join:
        yield skipped("not asked for (--no-join)")
    elif missing:
        yield warning(
            f"not tried: the simulated pledge needs {' and '.join(missing)}",
            f"run: pip install {' '.join(missing)}",
        )
    else:
        with tempfile.TemporaryDirectory(prefix="jrc-doctor-") as folder:
            yield _tried(Path(folder))


def _tried(folder: Path) -> Verdict:
    try:
        return asyncio.run(_stoppable(folder))
    except TimeoutError:
        return failure(
            f"no join within {WITHIN_S:g} s, in a throw-away network on loopback",
            "`jrc lab run --once --dir DIR` does the same and keeps the registrar's log",
        )
    except OperatorError as error:
        return failure(f"a throw-away registrar can't be made here: {error.message}", error.hint)
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


async def _stoppable(folder: Path) -> Verdict:
    """One that ends in order at a signal: what was started is stopped first."""
    from jrc.cli.lab_demo import STOPPING

    work = asyncio.ensure_future(_join(folder))
    loop = asyncio.get_running_loop()
    for number in STOPPING:
        loop.add_signal_handler(number, work.cancel)
    return await work


async def _join(folder: Path) -> Verdict:
    # aiocoap may not be installed.
    from jrc.cli.lab_registrar import LabRegistrar
    from jrc.lab import demo

    devices = demo.make_devices(1, secrets.token_bytes)
    registrar = LabRegistrar(folder, devices)
    async with asyncio.timeout(WITHIN_S):
        address = await registrar.prepare()
        async with registrar.running():
            await registrar.enroll()
            results = await demo.join_devices(devices, address, lambda _result: None)
    faults = demo.find_faults(results)
    if faults:
        return failure(
            f"the pledge of a throw-away network did not join: {'; '.join(faults)}",
            "`jrc lab run --once --dir DIR` does the same and keeps the registrar's log",
        )
    took = f"{results[0].elapsed_s * 1000:.0f} ms"
    return success(f"a simulated pledge joined a throw-away network through a Join Proxy in {took}")
