"""A model worker that says what a script says, written from cyclient/WIRE.md alone."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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
    inputs: list[Any] = field(default_factory=list)  # an array, or a key
    least_version: int = 0


@dataclass
class Chain:
    """Several in one request."""

    id: int
    attempt: int
    timeout_ms: int
    steps: list[Run]  # what an input takes of an earlier one is (step, output)
    outputs: list[tuple[int, int]]


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
        """The next request, which is no chain."""
        run = self.run_or_chain()
        assert isinstance(run, Run)
        return run

    def run_or_chain(self) -> Run | Chain:
        label, id_, attempt, timeout, *rest = self.request()
        words = iter(rest)
        head = int(id_), int(attempt), int(timeout)
        if label == b"SSA.RUN":
            run = Run(*head, next(words).decode(), next(words).decode())
            for kind in words:
                if kind == b"V":
                    assert not run.inputs
                    run.least_version = int(next(words))
                else:
                    run.inputs.append(self._input(kind, words))
            return run
        assert label == b"SSA.CHAIN"
        chain = Chain(*head, [], [])
        for _ in range(int(next(words))):
            step = Run(*head, next(words).decode(), next(words).decode())
            if (count := next(words)) == b"V":
                step.least_version = int(next(words))
                count = next(words)
            for _ in range(int(count)):
                step.inputs.append(self._input(next(words), words))
            chain.steps.append(step)
        assert next(words) == b"OUTPUTS"
        for _ in range(int(next(words))):
            chain.outputs.append((int(next(words)), int(next(words))))
        assert not list(words)
        return chain

    @staticmethod
    def _input(kind: bytes, words: Iterator[bytes]) -> Any:
        if kind == b"O":
            return int(next(words)), int(next(words))
        assert kind in (b"T", b"K")
        value = next(words)
        return decode_tensor(value) if kind == b"T" else value.decode()

    def answer(self, run: Run, *outputs: np.ndarray[Any, Any], version: str = "1") -> None:
        body = b"".join(bulk(encode_tensor(np.asarray(output))) for output in outputs)
        self.say(b"*%d\r\n:%d\r\n" % (2 + len(outputs), run.id) + bulk(version.encode()) + body)

    def answer_chain(
        self, chain: Chain, *outputs: Sequence[np.ndarray[Any, Any]], versions: Sequence[str] = ()
    ) -> None:
        """outputs: of each step."""
        versions = versions or ["1"] * len(outputs)
        steps = ",".join(f"{version}:{len(given)}" for version, given in zip(versions, outputs, strict=True))
        body = b"".join(bulk(encode_tensor(outputs[step][index])) for step, index in chain.outputs)
        self.say(b"*%d\r\n:%d\r\n" % (2 + len(chain.outputs), chain.id) + bulk(steps.encode()) + body)

    def refuse(self, run: Run | Chain, code: str, text: str) -> None:
        self.say(f"*2\r\n:{run.id}\r\n-{code} {text}\r\n".encode())

    def alive(self, run: Run | Chain, place: int = 0) -> None:
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


class Refused(Exception):
    """What a model of `Models` raises: code and text of the answer."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(code, text)
        self.code, self.text = code, text


class Models:
    """The script of a worker whose models are functions of arrays that give a tuple of them; `seen`: its requests."""

    def __init__(self, engine: EngineProcess, models: dict[str, Callable[..., tuple[Any, ...]]]) -> None:
        self.seen: list[Run | Chain] = []
        self._engine = engine
        self._models = models

    def __call__(self, worker: WorkerConversation) -> None:
        while True:
            request = worker.run_or_chain()
            self.seen.append(request)
            try:
                if isinstance(request, Run):
                    worker.answer(request, *self._outputs(request, []))
                else:
                    worker.answer_chain(request, *self._steps(request))
            except Refused as refused:
                worker.refuse(request, refused.code, refused.text)

    def _steps(self, chain: Chain) -> list[tuple[Any, ...]]:
        given: list[tuple[Any, ...]] = []
        for number, step in enumerate(chain.steps):
            try:
                given.append(self._outputs(step, given))
            except Refused as refused:
                raise Refused(refused.code, f"step {number} ('{step.model}'): {refused.text}") from None
        for step_number, output in chain.outputs:
            if output >= len(given[step_number]):
                raise Refused("BADINPUT", f"step {step_number}: it has no output {output}")
        return given

    def _outputs(self, run: Run, given: list[tuple[Any, ...]]) -> tuple[Any, ...]:
        return self._models[run.model](*(self._array(each, given) for each in run.inputs))

    def _array(self, source: Any, given: list[tuple[Any, ...]]) -> Any:
        if isinstance(source, tuple):
            return given[source[0]][source[1]]
        if isinstance(source, str):
            value = self._engine.redis.get(source)
            if value is None:
                raise Refused("NOINPUT", f"input '{source}' is not in the store")
            return decode_tensor(value)
        return source


@contextmanager
def worker_of_models(
    engine: EngineProcess, folder: Path, **models: Callable[..., tuple[Any, ...]]
) -> Iterator[list[Run | Chain]]:
    """The only worker of a store, with these models and "double", which gives twice each of its inputs; its requests."""
    script = Models(engine, {"double": lambda *inputs: tuple(2 * each for each in inputs), **models})
    with ScriptedWorker(folder / "worker", engine.password, script) as worker:
        list_workers(engine, worker)
        yield script.seen


def doubles(worker: WorkerConversation) -> None:
    """Answer each request with twice its inputs."""
    while True:
        run = worker.run()
        worker.answer(run, *(2 * each for each in run.inputs if not isinstance(each, str)))
