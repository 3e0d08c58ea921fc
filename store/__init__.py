"""The server side of the store: engines, shards and the workers that run models.

May import actors, wlm and cyclient, and redis for administration (never for data).
"""

from ssasync.store.credentials import Credentials, Secret
from ssasync.store.engine import Engine, find_engine
from ssasync.store.errors import (
    AddressUnknown,
    EngineNotFound,
    EngineUnusable,
    InterfaceUnknown,
    InvalidOrchestrator,
    NoFreePort,
    OrchestratorError,
    PortTaken,
    ShardSilent,
    SocketPathTooLong,
    WorkerMisreported,
)
from ssasync.store.events import DataLost, ShardHealth, ShardReady, WorkerListed, WorkerUnlisted
from ssasync.store.orchestrator import Store, StoreStatistics
from ssasync.store.orchestrator_spec import OrchestratorSpec, check_orchestrator
from ssasync.store.store_address import StoreAddress

__all__ = [
    "AddressUnknown",
    "Credentials",
    "DataLost",
    "Engine",
    "EngineNotFound",
    "EngineUnusable",
    "InterfaceUnknown",
    "InvalidOrchestrator",
    "NoFreePort",
    "OrchestratorError",
    "OrchestratorSpec",
    "PortTaken",
    "Secret",
    "ShardHealth",
    "ShardReady",
    "ShardSilent",
    "SocketPathTooLong",
    "Store",
    "StoreAddress",
    "StoreStatistics",
    "WorkerListed",
    "WorkerMisreported",
    "WorkerUnlisted",
    "check_orchestrator",
    "find_engine",
]
