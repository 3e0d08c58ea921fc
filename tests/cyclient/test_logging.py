"""What a client tells about itself goes to the logger `ssasync.cyclient`, if its log_level says so, and nowhere else."""

import gc
import logging
import subprocess
import sys
import threading

import numpy as np
import pytest

from ssasync.cyclient import StoreError
from ssasync.cyclient.blocking import Client as BlockingClient

X = np.ones(3)
LOGGER = logging.getLogger("ssasync.cyclient")


@pytest.fixture(autouse=True)
def every_level(caplog):
    caplog.set_level(logging.DEBUG, logger="ssasync.cyclient")


def said(caplog) -> list[tuple[str, str]]:
    return [(record.levelname, record.getMessage()) for record in caplog.records if record.name == "ssasync.cyclient"]


def test_connections_are_told_at_info(face, engine, caplog):
    client = face.open(engine.unix, password=engine.password, log_level="info")
    client.put_tensor("t", X)
    assert said(caplog)[0] == ("INFO", f"connected to {engine.unix}")


def test_a_failure_is_told_before_its_error_is_raised(face, tmp_path, caplog):
    client = face.open(f"unix://{tmp_path}/none", timeout=0.05, log_level="info")
    with pytest.raises(StoreError):
        client.ping()
    level, text = said(caplog)[0]
    assert level == "INFO"
    assert text.startswith(f"cannot connect to unix://{tmp_path}/none")


def test_a_client_is_silent_unless_it_was_told(face, engine, caplog):
    client = face.open(engine.unix, password=engine.password)
    client.put_tensor("t", X)
    assert said(caplog) == []


def test_a_program_without_logging_says_nothing(engine):
    program = f"""
from ssasync.cyclient.blocking import Client
with Client({engine.unix!r}, password={engine.password!r}, log_level="debug") as client:
    client.ping()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")


class Handler(logging.Handler):
    """Runs something for each line."""

    def __init__(self, handle) -> None:
        super().__init__()
        self._handle = handle

    def emit(self, record: logging.LogRecord) -> None:
        self._handle(record.getMessage())


@pytest.fixture
def handle():
    handlers = []

    def add(function) -> None:
        handlers.append(Handler(function))
        LOGGER.addHandler(handlers[-1])

    yield add
    for handler in handlers:
        LOGGER.removeHandler(handler)


def test_a_handler_that_raises_harms_no_operation(face, engine, handle):
    def fail(text: str) -> None:
        raise RuntimeError(text)

    handle(fail)
    client = face.open(engine.unix, password=engine.password, log_level="info")
    client.put_tensor("t", X)
    np.testing.assert_array_equal(client.get_tensor("t"), X)


def test_ctrl_c_in_a_handler_ends_the_operation(engine, handle):
    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    handle(interrupt)
    with BlockingClient(engine.unix, password=engine.password, log_level="info", timeout=20) as client:
        with pytest.raises(KeyboardInterrupt):
            client.wait_for_tensor("never")
        client.ping()


def test_threads_may_log_while_others_drop_what_they_had(engine, handle):
    """A handler that collects garbage: nothing of the engine is freed while it works."""
    handle(lambda _: gc.collect())
    with BlockingClient(engine.unix, password=engine.password, log_level="debug") as client:
        kept = []

        def work() -> None:
            for i in range(30):
                try:
                    client.get_tensor(f"missing{i}")
                except StoreError as error:
                    kept.append(error)
                if i % 5 == 0:
                    kept.clear()

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert client.ping() == 1
