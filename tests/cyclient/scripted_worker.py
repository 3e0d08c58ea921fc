"""A model worker that says what a script says, written from cyclient/WIRE.md alone."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from tests.cyclient.engine_process import EngineProcess
from tests.cyclient.scripted_peer import Conversation, ScriptedPeer
from tests.cyclient.wire_format import bulk, decode_tensor, encode_tensor, proof

WORKER_LIST_KEY = "{ssa:workers:all}list"


@dataclass
class Run:
    """One request."""

    id: int
    attempt: int
    timeout_ms: int
    model: str
    function: str
    inputs: list[np.ndarray[Any, Any] | str] = field(default_factory=list)  # an array, or a key


class WorkerConversation:
    """One connection of a client, after the proof."""

    def __init__(self, conversation: Conversation) -> None:
        self.number = conversation.number
        self.stall = conversation.stall
        self.say = conversation.say
        self.request = conversation.request
        self.read = conversation.read
        self.poll = conversation.poll

    def run(self) -> Run:
        """The next request."""
        label, id_, attempt, timeout, model, function, *inputs = self.request()
        assert label == b"SSA.RUN"
        run = Run(int(id_), int(attempt), int(timeout), model.decode(), function.decode())
        for kind, value in zip(inputs[::2], inputs[1::2], strict=True):
            assert kind in (b"T", b"K")
            run.inputs.append(decode_tensor(value) if kind == b"T" else value.decode())
        return run

    def answer(self, run: Run, *outputs: np.ndarray[Any, Any], version: str = "1") -> None:
        body = b"".join(bulk(encode_tensor(np.asarray(output))) for output in outputs)
        self.say(b"*%d\r\n:%d\r\n" % (2 + len(outputs), run.id) + bulk(version.encode()) + body)

    def refuse(self, run: Run, code: str, text: str) -> None:
        self.say(f"*2\r\n:{run.id}\r\n-{code} {text}\r\n".encode())

    def alive(self, run: Run, place: int = 0) -> None:
        self.say(b">3\r\n+alive\r\n:%d\r\n:%d\r\n" % (run.id, place))


WorkerScript = Callable[[WorkerConversation], None]


class ScriptedWorker:
    """Proves itself to each client, then does what the script says with the connection."""

    def __init__(self, path: Path, secret: str, script: WorkerScript) -> None:
        self.id = os.urandom(16).hex()
        self.proved = 0  #: clients that have proved themselves
        self._secret = secret.encode()
        self._script = script
        self._peer = ScriptedPeer(path, self._serve)

    @property
    def address(self) -> str:
        return self._peer.address

    @property
    def connections(self) -> int:
        return self._peer.connections

    @property
    def line(self) -> str:
        """Its line in the list of workers."""
        return f"{self.id} 1 CPU {self.address}"

    def __enter__(self) -> Self:
        self._peer.__enter__()
        return self

    def __exit__(self, *failure: Any) -> None:
        self._peer.__exit__(*failure)

    def _serve(self, conversation: Conversation) -> None:
        label, version, worker_id, client_nonce = conversation.request()
        assert (label, version) == (b"SSA.HELLO", b"1")
        assert len(client_nonce) == 32
        if worker_id != self.id.encode():
            conversation.say(b"-WRONGWORKER another\r\n")
            return
        nonce = os.urandom(32)
        nonces = (worker_id, client_nonce, nonce)
        challenge = (b"SSA.CHALLENGE", worker_id, nonce, proof("worker", self._secret, *nonces))
        conversation.say(b"*4\r\n" + b"".join(map(bulk, challenge)))
        label, client_proof = conversation.request()
        assert label == b"SSA.PROOF"
        if client_proof != proof("client", self._secret, *nonces):
            conversation.say(b"-WRONGPROOF no\r\n")
            return
        conversation.say(b"+OK\r\n")
        self.proved += 1
        self._script(WorkerConversation(conversation))


def list_workers(engine: EngineProcess, *workers: ScriptedWorker | str, version: int = 1) -> None:
    """Write the list as a supervisor does."""
    lines = [worker if isinstance(worker, str) else worker.line for worker in workers]
    engine.redis.set(WORKER_LIST_KEY, "".join(f"{line}\n" for line in [f"1 {version}", *lines]))


def doubles(worker: WorkerConversation) -> None:
    """Answer each request with twice its inputs."""
    while True:
        run = worker.run()
        worker.answer(run, *(2 * each for each in run.inputs if not isinstance(each, str)))
