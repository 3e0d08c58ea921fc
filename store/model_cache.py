"""Which models and scripts this worker has loaded, and the errands it runs for its front: load one, fetch an input by key.

A model is loaded at its first request and kept; so is a script. Its `current` pointer is watched: when it changes, the new
version is loaded beside the old one and takes its place between two batches. A new version that cannot be loaded leaves the
old one serving, but for clients that know of the new one, who are told; one for another device ends it here.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from ssasync.cyclient.errors import InvalidArgument, NotATensor, NotFound, StoreError, TensorNotFound
from ssasync.cyclient.key_names import ModelKeys
from ssasync.store._worker_front import (
    ERRAND_FETCH,
    ERRAND_IDLE,
    ERRAND_LOAD,
    ERRAND_LOAD_SCRIPT,
    ERRAND_LOOK,
    ERRAND_LOOK_SCRIPT,
    NO_INPUT,
    Front,
)
from ssasync.store.device import may_run, wanted_devices
from ssasync.store.model_runtime import Array, LoadedModel, Runtime, runtime_for
from ssasync.store.worker_errors import (
    InputMissing,
    InputRefused,
    NoSuchModel,
    NoSuchScript,
    StoreUnreachable,
    UncompilableScript,
    UnloadableModel,
    WorkerError,
    WrongDevice,
)

__all__ = ["ModelCache", "ModelStore"]

logger = logging.getLogger(__name__)

#: Fields of a model's metadata that the front goes by.
_BATCHING = ("batch_size", "min_batch_size", "min_batch_timeout")


class ModelStore(Protocol):
    """What a worker reads from the store; `ssasync.cyclient.Client` has it."""

    async def get_model_version(self, name: str) -> str:
        """The current version. Raises NotFound."""

    async def get_model_blob(self, name: str, version: str) -> tuple[bytes, Mapping[str, str]]:
        """Bytes and metadata of a version. Raises NotFound."""

    async def get_script_version(self, name: str) -> str:
        """The current version. Raises NotFound."""

    async def get_script_blob(self, name: str, version: str) -> tuple[bytes, Mapping[str, str]]:
        """Bytes and metadata of a version. Raises NotFound."""

    async def get_tensor_by_key(self, key: bytes) -> Array:
        """A tensor. Raises TensorNotFound, NotATensor."""

    def watch_key(self, key: bytes, changed: Callable[[], None]) -> Callable[[], None]:
        """Call `changed` now and at every possible change; returns what ends that."""


@dataclass(slots=True)
class _Entry:
    """One model or script that somebody asked for."""

    name: str
    script: bool
    version: str = ""  #: the one that serves; empty: none yet
    refreshing: bool = False
    stale: bool = False  #: `current` may have changed since the refresh began
    lookers: list[int] = field(default_factory=list)  #: requests that wait for a refresh that began after they came
    stop_watching: Callable[[], None] = field(default=lambda: None)

    def __str__(self) -> str:
        return f"{'script' if self.script else 'model'} '{self.name}'"

    def missing(self) -> WorkerError:
        return NoSuchScript(self.name) if self.script else NoSuchModel(self.name)


class ModelCache:
    """Runs the errands of `front` in `tasks`, on the loop that makes it.

    device, threads: passed to the runtimes. loaded: called with the number of loaded models after each change.
    idle: called when a draining front has answered everything.
    """

    def __init__(
        self,
        front: Front,
        store: ModelStore,
        tasks: TaskGroup,
        *,
        device: str = "CPU",
        threads: int = 1,
        runtime: Callable[[str], Runtime] = runtime_for,
        loaded: Callable[[int], None] = lambda _: None,
        idle: Callable[[], None] = lambda: None,
    ) -> None:
        self._front = front
        self._store = store
        self._tasks = tasks
        self._device = device
        self._threads = threads
        self._runtime = runtime
        self._loaded = loaded
        self._idle = idle
        self._entries: dict[tuple[bool, str], _Entry] = {}
        self._something_to_do = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(front.errand_fd, self._something_to_do.set)
        tasks.start_soon(self._work)

    def close(self) -> None:
        """Take no more errands and end the watches."""
        self._loop.remove_reader(self._front.errand_fd)
        for entry in self._entries.values():
            entry.stop_watching()
        self._entries.clear()

    def versions(self) -> dict[str, str]:
        """The models and scripts that serve (`model 'm'`, `script 's'`) and their versions."""
        return {str(entry): entry.version for entry in self._entries.values() if entry.version}

    async def _work(self) -> None:
        # A task, since callbacks of the loop may not start others: the loop, not a task of ours, calls them.
        while True:
            await self._something_to_do.wait()  # without a deadline: a worker waits for its clients
            self._something_to_do.clear()
            self._run_errands()
            for entry in self._entries.values():
                if entry.stale and not entry.refreshing:
                    entry.refreshing = True
                    self._tasks.start_soon(self._refresh, entry)

    def _run_errands(self) -> None:
        while (errand := self._front.next_errand()) is not None:
            kind, name, request, index = errand
            if kind in (ERRAND_LOAD, ERRAND_LOAD_SCRIPT):
                self._begin(kind == ERRAND_LOAD_SCRIPT, name)
            elif kind in (ERRAND_LOOK, ERRAND_LOOK_SCRIPT):
                self._look(kind == ERRAND_LOOK_SCRIPT, name, request)
            elif kind == ERRAND_FETCH:
                self._tasks.start_soon(self._fetch, name, request, index)
            elif kind == ERRAND_IDLE:
                self._idle()

    # ---- models and scripts

    def _begin(self, script: bool, name: str) -> None:
        if (script, name) in self._entries:
            return
        entry = self._entries[script, name] = _Entry(name, script)
        try:
            key = ModelKeys(name, "script" if script else "model").current
        except UnicodeEncodeError:  # a client sent bytes that are no UTF-8: nothing can be stored under them
            self._drop(entry, entry.missing())
            return
        entry.stop_watching = self._store.watch_key(key, partial(self._changed, entry))
        self._changed(entry)  # the watch may be waiting for a connection; the load has a deadline

    def _look(self, script: bool, name: str, request: int) -> None:
        """A client knows of a later version than the one that serves: its watch may not have told us yet."""
        self._begin(script, name)
        entry = self._entries.get((script, name))
        if entry is None:  # nothing can be stored under that name
            error = _Entry(name, script).missing()
            self._front.request_failed(request, NO_INPUT, error.code, str(error))
            return
        entry.lookers.append(request)
        self._changed(entry)

    def _changed(self, entry: _Entry) -> None:
        entry.stale = True
        self._something_to_do.set()

    async def _refresh(self, entry: _Entry) -> None:
        while entry.stale:
            entry.stale = False
            lookers, entry.lookers = entry.lookers, []
            try:
                if await self._load_current(entry):
                    self._answer_lookers(lookers)
                else:
                    entry.lookers += lookers
            except WorkerError as error:
                self._refuse_current(entry, error, lookers)
        entry.refreshing = False

    def _answer_lookers(self, requests: list[int]) -> None:
        for request in requests:
            try:
                self._front.looked(request)
            except MemoryError as error:
                self._front.request_failed(request, NO_INPUT, "BUSY", str(error))

    def _refuse_current(self, entry: _Entry, error: WorkerError, lookers: list[int]) -> None:
        """The version that is current cannot serve here."""
        none_serves = not entry.version or isinstance(error, NoSuchModel | NoSuchScript | WrongDevice)
        if not none_serves:
            logger.error("%s: version %s goes on serving: %s", entry, entry.version, error)
        elif not entry.stale:  # else it is perhaps not current any more
            self._drop(entry, error)
        for request in lookers:
            self._front.request_failed(request, NO_INPUT, error.code, str(error))

    async def _load_current(self, entry: _Entry) -> bool:
        """Bring the entry to the current version; False: it went meanwhile. Raises WorkerError."""
        version = ""
        try:
            version = await self._read_version(entry)
            if version == entry.version:
                return True
            blob, metadata = await self._read_blob(entry, version)
        except NotFound:
            if version and entry.stale:  # it was replaced and deleted between the two questions; ask again
                return False
            raise entry.missing() from None
        except InvalidArgument:  # a name that nothing in the store can have
            raise entry.missing() from None
        except (StoreError, OSError) as error:
            raise StoreUnreachable(str(entry), error) from error
        wanted = wanted_devices(metadata)
        if not may_run(self._device, wanted):
            raise WrongDevice(f"{entry} version {version}", ",".join(wanted), self._device)
        backend = metadata.get("backend", "")
        if hashlib.sha256(blob).hexdigest() != metadata.get("sha256"):
            raise _damaged(entry, version, backend, blob)
        loaded = await anyio.to_thread.run_sync(self._load, backend, entry.name, version, blob, abandon_on_cancel=True)
        batching = {} if entry.script else {field: _count(metadata, field) for field in _BATCHING}
        self._front.model_ready(entry.name, version, loaded, script=entry.script, **batching)
        entry.version = version
        logger.info("%s: version %s serves (%s, %d bytes)", entry, version, backend, len(blob))
        self._loaded(len(self.versions()))
        return True

    async def _read_version(self, entry: _Entry) -> str:
        read = self._store.get_script_version if entry.script else self._store.get_model_version
        return await read(entry.name)

    async def _read_blob(self, entry: _Entry, version: str) -> tuple[bytes, Mapping[str, str]]:
        read = self._store.get_script_blob if entry.script else self._store.get_model_blob
        return await read(entry.name, version)

    def _load(self, backend: str, name: str, version: str, blob: bytes) -> LoadedModel:
        return self._runtime(backend).load(name, version, blob, self._device, self._threads)

    def _drop(self, entry: _Entry, error: WorkerError) -> None:
        """Answer who waits and forget the model: a later request asks for it anew."""
        entry.stale = False
        entry.version = ""
        entry.stop_watching()
        if self._entries.get((entry.script, entry.name)) is entry:
            del self._entries[entry.script, entry.name]
        self._front.model_missing(entry.name, error.code, str(error), script=entry.script)
        logger.warning("%s", error)

    # ---- inputs

    async def _fetch(self, key: str, request: int, index: int) -> None:
        try:
            try:
                array = await self._store.get_tensor_by_key(key.encode("utf-8", "surrogateescape"))
            except TensorNotFound:
                raise InputMissing(key) from None
            except NotATensor as error:
                raise InputRefused(str(error)) from error
            except (StoreError, OSError) as error:
                raise StoreUnreachable(f"input '{key}'", error) from error
            self._front.input_fetched(request, index, array)
        except WorkerError as error:
            self._front.request_failed(request, index, error.code, str(error))
        except (MemoryError, TypeError) as error:
            self._front.request_failed(
                request, index, "BUSY" if isinstance(error, MemoryError) else "BADINPUT", str(error)
            )


def _damaged(entry: _Entry, version: str, backend: str, blob: bytes) -> WorkerError:
    if entry.script:
        return UncompilableScript(entry.name, version, "its text does not have the stored SHA-256")
    return UnloadableModel(entry.name, version, backend, blob, "they do not have the stored SHA-256")


def _count(metadata: Mapping[str, str], field_name: str) -> int:
    """A number of the metadata; what is missing or not a number means: do not join."""
    text = metadata.get(field_name, "0")
    return int(text) if text.isdecimal() else 0
