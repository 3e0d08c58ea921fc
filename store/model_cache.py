"""Which models this worker has loaded, and the errands it runs for its front: load a model, fetch an input by key.

A model is loaded at its first request and kept. Its `current` pointer is watched: when it changes, the new version is
loaded beside the old one and takes its place between two batches. A new version that cannot be loaded leaves the old one
serving.
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

from ssasync.cyclient.errors import InvalidArgument, ModelNotFound, NotATensor, StoreError, TensorNotFound
from ssasync.cyclient.key_names import ModelKeys
from ssasync.store._worker_front import ERRAND_FETCH, ERRAND_IDLE, ERRAND_LOAD, Front
from ssasync.store.model_runtime import Array, LoadedModel, Runtime, runtime_for
from ssasync.store.worker_errors import (
    InputMissing,
    InputRefused,
    NoSuchModel,
    StoreUnreachable,
    UnloadableModel,
    WorkerError,
)

__all__ = ["ModelCache", "ModelStore"]

logger = logging.getLogger(__name__)


class ModelStore(Protocol):
    """What a worker reads from the store; `ssasync.cyclient.Client` has it."""

    async def get_model_version(self, name: str) -> str:
        """The current version. Raises ModelNotFound."""

    async def get_model_blob(self, name: str, version: str) -> tuple[bytes, Mapping[str, str]]:
        """Bytes and metadata of a version. Raises ModelNotFound."""

    async def get_tensor_by_key(self, key: bytes) -> Array:
        """A tensor. Raises TensorNotFound, NotATensor."""

    def watch_key(self, key: bytes, changed: Callable[[], None]) -> Callable[[], None]:
        """Call `changed` now and at every possible change; returns what ends that."""


@dataclass(slots=True)
class _Entry:
    """One model that somebody asked for."""

    name: str
    version: str = ""  #: the one that serves; empty: none yet
    refreshing: bool = False
    stale: bool = False  #: `current` may have changed since the refresh began
    stop_watching: Callable[[], None] = field(default=lambda: None)


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
        self._entries: dict[str, _Entry] = {}
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(front.errand_fd, self._run_errands)

    def close(self) -> None:
        """Take no more errands and end the watches."""
        self._loop.remove_reader(self._front.errand_fd)
        for entry in self._entries.values():
            entry.stop_watching()
        self._entries.clear()

    def versions(self) -> dict[str, str]:
        """The models that serve and their versions."""
        return {entry.name: entry.version for entry in self._entries.values() if entry.version}

    def _run_errands(self) -> None:
        while (errand := self._front.next_errand()) is not None:
            kind, name, request, index = errand
            if kind == ERRAND_LOAD and name not in self._entries:
                self._begin(name)
            elif kind == ERRAND_FETCH:
                self._tasks.start_soon(self._fetch, name, request, index)
            elif kind == ERRAND_IDLE:
                self._idle()

    # ---- models

    def _begin(self, name: str) -> None:
        entry = self._entries[name] = _Entry(name)
        try:
            key = ModelKeys(name).current
        except UnicodeEncodeError:  # a client sent bytes that are no UTF-8: nothing can be stored under them
            self._drop(entry, NoSuchModel(name))
            return
        entry.stop_watching = self._store.watch_key(key, partial(self._changed, entry))
        self._changed(entry)  # the watch may be waiting for a connection; the load has a deadline

    def _changed(self, entry: _Entry) -> None:
        entry.stale = True
        if not entry.refreshing and self._entries.get(entry.name) is entry:
            entry.refreshing = True
            self._tasks.start_soon(self._refresh, entry)

    async def _refresh(self, entry: _Entry) -> None:
        while entry.stale:
            entry.stale = False
            try:
                await self._load_current(entry)
            except NoSuchModel as error:
                self._drop(entry, error)
            except WorkerError as error:
                if entry.version:
                    logger.error("model '%s': version %s goes on serving: %s", entry.name, entry.version, error)
                elif not entry.stale:
                    self._drop(entry, error)
        entry.refreshing = False

    async def _load_current(self, entry: _Entry) -> None:
        """Bring the entry to the current version. Raises WorkerError."""
        name = entry.name
        try:
            version = await self._store.get_model_version(name)
            if version == entry.version:
                return
            blob, metadata = await self._store.get_model_blob(name, version)
        except ModelNotFound:
            if entry.stale:  # the version was replaced and deleted between the two questions; ask again
                return
            raise NoSuchModel(name) from None
        except InvalidArgument:  # a name that no model can have
            raise NoSuchModel(name) from None
        except (StoreError, OSError) as error:
            raise StoreUnreachable(f"model '{name}'", error) from error
        backend = metadata.get("backend", "")
        if hashlib.sha256(blob).hexdigest() != metadata.get("sha256"):
            raise UnloadableModel(name, version, backend, blob, "they do not have the stored SHA-256")
        model = await anyio.to_thread.run_sync(self._load, backend, name, version, blob, abandon_on_cancel=True)
        self._front.model_ready(
            name,
            version,
            model,
            batch_size=_count(metadata, "batch_size"),
            min_batch_size=_count(metadata, "min_batch_size"),
            min_batch_timeout=_count(metadata, "min_batch_timeout"),
        )
        entry.version = version
        logger.info("model '%s': version %s serves (%s, %d bytes)", name, version, backend, len(blob))
        self._loaded(len(self.versions()))

    def _load(self, backend: str, name: str, version: str, blob: bytes) -> LoadedModel:
        return self._runtime(backend).load(name, version, blob, self._device, self._threads)

    def _drop(self, entry: _Entry, error: WorkerError) -> None:
        """Answer who waits and forget the model: a later request asks for it anew."""
        entry.stale = False
        entry.version = ""
        entry.stop_watching()
        if self._entries.get(entry.name) is entry:
            del self._entries[entry.name]
        self._front.model_missing(entry.name, error.code, str(error))
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
            self._front.request_failed(request, error.code, str(error))
        except (MemoryError, TypeError) as error:
            self._front.request_failed(request, "BUSY" if isinstance(error, MemoryError) else "BADINPUT", str(error))


def _count(metadata: Mapping[str, str], field_name: str) -> int:
    """A number of the metadata; what is missing or not a number means: do not join."""
    text = metadata.get(field_name, "0")
    return int(text) if text.isdecimal() else 0
