"""uvloop watches launchers as plain asyncio does."""

import asyncio

import pytest
import uvloop

from ssasync.wlm import Local, Reason


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_start_change_and_end_are_heard(factory, runtime, portable, make_job):
    async def main() -> None:
        local = Local(runtime, portable=portable)
        ended = await local.start_nowait(make_job("/bin/sh", "-c", "exit 3")).wait()
        assert ended.exit_code == 3
        process = local.start_nowait(make_job("sleep", "60"))
        await process.running()
        assert (await process.stop()).reason is Reason.CANCELLED

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(asyncio.wait_for(main(), 30))
