"""The experiment: what users open, start things in, wait for and leave."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ssasync.actors import (
    ActorRef,
    ActorStopped,
    ActorSystem,
    ChildSpec,
    ExitReason,
    FailedToStart,
    Restart,
    Subscription,
    Supervisor,
    TreeNode,
    UnknownActor,
    WaitTimeout,
    render_tree,
    restart_child,
)
from ssasync.cyclient import Client
from ssasync.ensemble import Ensemble
from ssasync.errors import ExperimentClosed, InvalidExperiment, NotStarted
from ssasync.interrupts import Interrupts
from ssasync.model import Model, name_mistakes
from ssasync.orchestrator import Orchestrator
from ssasync.permutation import Strategy, Value
from ssasync.store import InvalidOrchestrator, Store, check_orchestrator
from ssasync.wlm import Job, JobFailed, Local, Placement, RunSettings, RuntimeDirectory, workload_spec

Entity = Orchestrator | Model | Ensemble

_LAUNCHERS = ("local",)


class Experiment:
    """A set of workloads and stores under one supervision tree.

        async with Experiment("ocean") as exp:
            store = exp.create_database()
            ensemble = exp.create_ensemble("member", exp.create_run_settings("./ocean"), replicas=4)
            await exp.start(store)
            await exp.start(ensemble)
            await exp.wait(ensemble)

    name      becomes the first part of all paths in the tree
    exp_path  its directory, for logs and results, which stay; default: `./<name>`
    launcher  who starts workloads: "local", this machine

    Leaving it stops everything in reverse order; no process, socket or temporary file stays. Ctrl-C and SIGTERM do the
    same (a second one kills at once), unless it was opened in a notebook or in another thread than the main one. It may be
    opened with `open()` in one task and closed with `close()` in another.
    """

    def __init__(self, name: str, exp_path: str | Path | None = None, launcher: str = "local") -> None:
        mistakes = name_mistakes(name)
        if launcher not in _LAUNCHERS:
            mistakes.append(f"launcher {launcher!r} is unknown: this version has {', '.join(_LAUNCHERS)}")
        if mistakes:
            raise InvalidExperiment(mistakes)
        self.name = name
        self.exp_path = Path(exp_path if exp_path is not None else name).absolute()
        self.launcher = launcher
        self._system: ActorSystem | None = None
        self._runtime: RuntimeDirectory | None = None
        self._local: Local | None = None
        self._paths: dict[str, str] = {}  # in the tree, of models and members that were started, by name
        self._entities: list[Entity] = []
        self._clients: list[Client] = []
        self._interrupts = Interrupts(self._interrupted, self._interrupted_again)
        self._body: asyncio.Task[Any] | None = None
        self._closed = False

    # ---- opening and closing

    async def open(self) -> None:
        """Open it in the running loop. Raises SystemClosed if it ever was open, RuntimeDirectoryError, OSError."""
        self.exp_path.mkdir(parents=True, exist_ok=True)
        system = ActorSystem(self.name)
        self._runtime = RuntimeDirectory.create()
        atexit.register(self._runtime.close)  # the loop may end with the experiment still open
        try:
            await system.open()
        except BaseException:
            self._runtime.close()
            atexit.unregister(self._runtime.close)
            raise
        self._system = system
        self._local = Local(self._runtime)
        self._interrupts.take(asyncio.get_running_loop())

    async def close(self) -> None:
        """Stop everything in reverse start order and remove what is temporary. Safe to repeat, in any task of the loop."""
        self._closed = True
        for client in self._clients:
            client.close()
        try:
            if self._system is not None:
                await self._system.close()
        finally:
            self._interrupts.release()
            if self._runtime is not None:
                self._runtime.close()
                atexit.unregister(self._runtime.close)

    async def __aenter__(self) -> Self:
        await self.open()
        self._body = asyncio.current_task()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._body = None
        await self.close()
        interruption = self._interrupts.exception()
        if interruption is not None and isinstance(error, asyncio.CancelledError):
            raise interruption from None

    def _interrupted(self) -> None:
        """End the body of `async with`, which closes the experiment; without one, close it ourselves."""
        if self._body is not None:
            self._body.cancel()
        elif self._system is not None:
            self._system.begin_close()

    def _interrupted_again(self) -> None:
        if self._system is not None:
            self._system.kill_now()

    # ---- what can be run

    def create_run_settings(
        self,
        exe: str | os.PathLike[str],
        exe_args: str | Sequence[str] | None = None,
        run_command: str | None = None,
        run_args: Mapping[str, str | int | float | None] | None = None,
        env_vars: Mapping[str, str | int | float | bool] | None = None,
    ) -> RunSettings:
        """How to run a program; see RunSettings. Raises SettingsError."""
        return RunSettings(exe, exe_args, run_command, run_args, env_vars)

    def create_model(self, name: str, run_settings: RunSettings, **options: Any) -> Model:
        """A program of its own; options as for Model. It starts with `start`."""
        return Model(name, run_settings, **options)

    def create_ensemble(
        self,
        name: str,
        run_settings: RunSettings,
        *,
        params: Mapping[str, Value | Iterable[Value]] | None = None,
        replicas: int | None = None,
        perm_strategy: Strategy = "all_perm",
        **options: Any,
    ) -> Ensemble:
        """Several members of one program; options as for Ensemble. They start with `start`."""
        return Ensemble(name, run_settings, params=params, replicas=replicas, perm_strategy=perm_strategy, **options)

    def create_database(
        self, name: str = "orchestrator", *, db_nodes: int | None = None, **options: Any
    ) -> Orchestrator:
        """A store and its model workers; options as for Orchestrator. It starts with `start`."""
        if db_nodes is not None:
            raise InvalidExperiment([f"db_nodes={db_nodes} is named shards here: write shards={db_nodes}"])
        return Orchestrator(name, **options)

    # ---- running

    async def start(self, *entities: Any, wait: bool = False) -> None:
        """Start stores, models and ensembles; returns when all are ready: stores answer, programs run.

        Stores first, whatever the order given, since the programs are told where they are. What is over may be started
        again. wait: return when the programs have ended, as `wait()` does. Raises InvalidExperiment (all mistakes at once,
        nothing was started), or why something failed to start (ExecutableNotFound, PortTaken, JobFailed …; what was started
        before it goes on).
        """
        system = self._open_system()
        self._check(entities)
        stores = [entity for entity in entities if isinstance(entity, Orchestrator)]
        programs = [entity for entity in entities if not isinstance(entity, Orchestrator)]
        try:
            for entity in (*stores, *programs):
                if entity in self._entities:
                    await self._start_again(system, entity)
                elif isinstance(entity, Orchestrator):
                    await self._start_store(system, entity)
                else:
                    for store in self._running_stores():  # a start that was cancelled goes on: its address comes
                        await system.lookup(f"/{self.name}/{store.name}").ready()
                    await self._start_programs(system, entity)
        except FailedToStart as error:
            if isinstance(error.reason.exception, Exception):
                raise error.reason.exception from error
            raise
        if wait:
            await self.wait(*programs)

    async def stop(self, *entities: Entity) -> None:
        """Stop these, within their grace; what is over already stays as it is. Raises NotStarted."""
        system = self._open_system()
        for entity in entities:
            if entity not in self._entities:
                raise NotStarted(_describe(entity))
            try:
                await system.stop_child(entity.name)
            except UnknownActor:
                raise NotStarted(_describe(entity)) from None

    async def wait(self, *entities: Model | Ensemble, timeout: float | None = None) -> None:
        """Until all these models and members (default: all that were started) have ended.

        Raises an ExceptionGroup with the error of each that failed and was not, or no longer, restarted; TimeoutError
        after `timeout` seconds, with all of them left running.
        """
        system = self._open_system()
        deadline = None if timeout is None else time.monotonic() + timeout
        for ensemble in [e for e in entities or self._entities if isinstance(e, Ensemble) and e in self._entities]:
            with contextlib.suppress(ActorStopped):  # its members tell more
                await system.lookup(f"/{self.name}/{ensemble.name}").ready(timeout)
        models = [model for entity in entities or self._entities for model in _models(entity)]
        failures: list[Exception] = []
        for model in models:
            reference = self.reference(model)
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            try:
                reason = await reference.terminated(left)
            except WaitTimeout:
                raise TimeoutError(f"{_describe(model)} has not ended within {timeout:g} s; it goes on") from None
            if reason.failed:
                failures.append(_failure(model, reference, reason))
        if failures:
            raise ExceptionGroup(f"{len(failures)} of {len(models)} failed", failures)

    # ---- looking

    def client(self, orchestrator: Orchestrator, *, timeout: float | None = None) -> Client:
        """A client of a running store for the driver itself; closed with the experiment. Raises NotStarted."""
        address = orchestrator.address
        client = Client(
            ",".join(address.unix),
            user="workload",
            password=address.credentials.workload.reveal(),
            timeout=timeout,
            write_prefix="",  # of the environment nothing: an experiment may be a workload of another one
            read_prefixes="",
            server_type="any",
        )
        self._clients.append(client)
        return client

    def events(self, *, lossless: bool = False, limit: int = 10_000) -> Subscription:
        """All events from now on, as an async iterator; close it, or use it as `async with`."""
        return self._open_system().events(lossless=lossless, limit=limit)

    def tree(self) -> TreeNode:
        """The supervision tree at this moment; `print(render_tree(exp.tree()))` shows it."""
        return self._open_system().tree()

    def render_tree(self) -> str:
        """The supervision tree as text, one line an actor."""
        return render_tree(self.tree())

    def reference(self, model: Model) -> ActorRef:
        """The actor that runs a model or member: its path, story and end. Raises NotStarted."""
        try:
            return self._open_system().lookup(self._paths[model.name])
        except (KeyError, UnknownActor):
            raise NotStarted(_describe(model)) from None

    # ---- inside

    def _open_system(self) -> ActorSystem:
        if self._system is None or self._closed:
            raise ExperimentClosed(self.name)
        return self._system

    def _check(self, entities: Sequence[Any]) -> None:
        """Everything that can be told before a process is started. Raises InvalidExperiment with all mistakes."""
        mistakes = [] if entities else ["start() was given nothing"]
        names = [entity.name for entity in self._entities]
        members = set(self._paths)
        for entity in entities:
            if not isinstance(entity, Orchestrator | Model | Ensemble):
                raise TypeError(f"{entity!r} is no Orchestrator, Model or Ensemble")
            if entity in self._entities:
                if not self._is_over(entity):
                    mistakes.append(
                        f"{_describe(entity)} is running: wait for its end or stop it before it starts again"
                    )
                continue
            if entity.name in names:
                mistakes.append(f"the name {entity.name!r} is taken in this experiment: choose another")
            names.append(entity.name)
            for model in _models(entity):
                if model.name in members:
                    mistakes.append(f"the name {model.name!r} is taken in this experiment: choose another")
                members.add(model.name)
                mistakes += _executable_mistakes(model)
            mistakes += self._store_mistakes(entity) if isinstance(entity, Orchestrator) else entity.mistakes()
        if mistakes:
            raise InvalidExperiment(list(dict.fromkeys(mistakes)))

    def _is_over(self, entity: Entity) -> bool:
        """It ended, failed or was stopped; an ensemble when all its members did."""
        references = [self.reference(model) for model in _models(entity)]
        if isinstance(entity, Orchestrator):
            references = [self._open_system().lookup(f"/{self.name}/{entity.name}")]
        return all(reference.story()[-1].phase.over for reference in references)

    async def _start_again(self, system: ActorSystem, entity: Entity) -> None:
        supervisor = system.lookup(f"/{self.name}/{entity.name}")
        if isinstance(entity, Ensemble) and not supervisor.story()[-1].phase.over:
            for member in entity:
                await restart_child(supervisor, member.name)
        else:
            await restart_child(system.root, entity.name)

    def _running_stores(self) -> list[Orchestrator]:
        return [store for store in self._entities if isinstance(store, Orchestrator) and not self._is_over(store)]

    def _store_mistakes(self, orchestrator: Orchestrator) -> list[str]:
        try:
            check_orchestrator(orchestrator.spec(self.exp_path))
        except InvalidOrchestrator as error:
            return list(error.mistakes)
        return []

    async def _start_store(self, system: ActorSystem, orchestrator: Orchestrator) -> None:
        logs = self.exp_path / orchestrator.name
        logs.mkdir(exist_ok=True)
        try:
            store = Store(orchestrator.spec(logs), self._open_local())
        except InvalidOrchestrator as error:  # what was right a moment ago: a port may have been taken since
            raise InvalidExperiment(error.mistakes) from None
        self._entities.append(orchestrator)
        orchestrator.attach_store(store)
        await system.start_child(store.child_spec())

    async def _start_programs(self, system: ActorSystem, entity: Model | Ensemble) -> None:
        if isinstance(entity, Model):
            directory = entity.path or self.exp_path / entity.name
            spec = self._workload(entity, directory, f"model {entity.name!r}")
            self._entities.append(entity)
            self._paths[entity.name] = f"/{self.name}/{entity.name}"
            await _until_it_ran(system.start_child_nowait(spec))
            return
        children = [
            self._workload(
                member,
                member.path or self.exp_path / entity.name / member.name,
                f"member {member.name!r} of {entity.name!r}",
            )
            for member in entity
        ]
        # Members start together: the failure of one is no reason to hold the others back.
        spec = ChildSpec(
            name=entity.name,
            start=lambda: Supervisor(children, ordered=False, escalate=False),
            restart=Restart.TRANSIENT,
        )
        self._entities.append(entity)
        self._paths.update({member.name: f"/{self.name}/{entity.name}/{member.name}" for member in entity})
        await system.start_child_nowait(spec).ready()
        for member in entity:
            await _until_it_ran(self.reference(member))

    def _workload(self, model: Model, directory: Path, label: str) -> ChildSpec:
        directory.mkdir(parents=True, exist_ok=True)
        job = Job(
            name=model.name,
            argv=model.command(),
            cwd=directory,
            env=self._environment(model),
            grace=model.grace,
            placement=Placement(hosts=model.run_settings.hosts),
        )
        return workload_spec(job, self._open_local(), label=label, policy=model.restart_policy)

    def _environment(self, model: Model) -> dict[str, str]:
        """What the program finds in its environment: the stores, its prefixes, its own variables, which win."""
        values: dict[str, str] = {}
        for store in self._running_stores():
            values.update(store.address.environment())
        if model.key_prefixing:
            values["SSKEYOUT"] = model.name
        if model.incoming:
            values["SSKEYIN"] = ",".join(model.incoming)
        return {**values, **model.run_settings.env_vars}

    def _open_local(self) -> Local:
        if self._local is None:
            raise ExperimentClosed(self.name)
        return self._local


async def _until_it_ran(reference: ActorRef) -> None:
    """Until the program runs, or was so quick that it is over: how it ended is what `wait` tells. Raises FailedToStart."""
    try:
        await reference.ready()
    except FailedToStart:
        raise
    except ActorStopped:
        return


def _models(entity: object) -> list[Model]:
    if isinstance(entity, Ensemble):
        return entity.members
    return [entity] if isinstance(entity, Model) else []


def _describe(entity: Entity) -> str:
    return f"{type(entity).__name__.lower()} {entity.name!r}"


def _executable_mistakes(model: Model) -> list[str]:
    """The program must be there when it starts; its launcher says more if it cannot be executed."""
    settings = model.run_settings
    search = settings.env_vars.get("PATH", os.environ.get("PATH", ""))
    return [
        f"{name} {exe!r} was not found on PATH ({search}): install it, or give its path"
        for name, exe in (("run_command", settings.run_command), ("executable", settings.exe))
        if exe and "/" not in exe and shutil.which(exe, path=search) is None
    ]


def _failure(model: Model, reference: ActorRef, reason: ExitReason) -> Exception:
    """Why a model ended for good, with how often it was tried."""
    error = reason.exception
    if not isinstance(error, Exception):
        error = JobFailed(_describe(model), reason=reason.kind, note=reason.detail)
    attempts = max((transition.attempt for transition in reference.story()), default=1)
    if attempts > 1:
        error.add_note(f"Restart policy gave up after {attempts} attempts: {model.restart_policy.application}.")
    return error
