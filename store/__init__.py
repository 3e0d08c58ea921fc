"""The server side of the store: engines, shards and the workers that run models.

May import actors, wlm and cyclient, and redis for administration (never for data).
"""

from ssasync.store.credentials import Credentials, Secret
from ssasync.store.engine import Engine, find_engine
from ssasync.store.errors import (
    AddressUnknown,
    BadWorkerList,
    EngineNotFound,
    EngineUnusable,
    InterfaceUnknown,
    InvalidOrchestrator,
    NoFreePort,
    PortTaken,
    ShardSilent,
    SocketPathTooLong,
    StoreError,
    WorkerMisreported,
)
from ssasync.store.events import DataLost, ShardHealth, ShardReady, WorkerListed, WorkerUnlisted
from ssasync.store.orchestrator import Store, StoreStatistics
from ssasync.store.orchestrator_spec import OrchestratorSpec
from ssasync.store.store_address import StoreAddress
from ssasync.store.worker_list import WORKER_LIST_KEY, WorkerEntry, WorkerList

__all__ = [
    "WORKER_LIST_KEY",
    "AddressUnknown",
    "BadWorkerList",
    "Credentials",
    "DataLost",
    "Engine",
    "EngineNotFound",
    "EngineUnusable",
    "InterfaceUnknown",
    "InvalidOrchestrator",
    "NoFreePort",
    "OrchestratorSpec",
    "PortTaken",
    "Secret",
    "ShardHealth",
    "ShardReady",
    "ShardSilent",
    "SocketPathTooLong",
    "Store",
    "StoreAddress",
    "StoreError",
    "StoreStatistics",
    "WorkerEntry",
    "WorkerList",
    "WorkerListed",
    "WorkerMisreported",
    "WorkerUnlisted",
    "find_engine",
]
