"""What a worker process answers its clients with when it cannot give outputs, and why it cannot start.

WorkerError                 `code` is the one that travels to the client (WIRE.md, "Run")
├── NoSuchModel             NOMODEL      the caller: nothing is stored under that name
├── NoSuchScript            NOSCRIPT     the caller: the same for a script
├── UnloadableModel         BADMODEL     the caller: the stored bytes are not a model of that backend
├── UncompilableScript      BADMODEL     the caller: the stored text is no TorchScript
├── WrongDevice             WRONGDEVICE  the caller: it is for another device than this worker's
├── UnknownBackend          BADMODEL     the caller or the installation: nobody here runs such models
├── InputRefused            BADINPUT     the caller: the model does not take these inputs
├── InputMissing            NOINPUT      the caller: an input by key does not exist
├── ModelRaised             MODELFAILED  the model: it raised an error, or returned what cannot be sent
└── StoreUnreachable        BUSY         the other side: the store did not answer; worth another try
WorkerMisconfigured         we or the caller: the process was started with something unusable
"""

from typing import ClassVar

from ssasync.store.errors import OrchestratorError

__all__ = [
    "InputMissing",
    "InputRefused",
    "ModelRaised",
    "NoSuchModel",
    "NoSuchScript",
    "StoreUnreachable",
    "UncompilableScript",
    "UnknownBackend",
    "UnloadableModel",
    "WorkerError",
    "WorkerMisconfigured",
    "WrongDevice",
]

_BEGINNING = 16


class WorkerError(OrchestratorError):
    """Base of what a client is answered with."""

    code: ClassVar[str]


class NoSuchModel(WorkerError):
    """There is no current version of the model."""

    code = "NOMODEL"

    def __init__(self, name: str) -> None:
        super().__init__(f"model '{name}' is not in the store; put it there with set_model('{name}', ...)")


class NoSuchScript(WorkerError):
    """There is no current version of the script."""

    code = "NOSCRIPT"

    def __init__(self, name: str) -> None:
        super().__init__(f"script '{name}' is not in the store; put it there with set_script('{name}', ...)")


class UnloadableModel(WorkerError):
    """The stored bytes are not what their metadata say."""

    code = "BADMODEL"

    def __init__(self, name: str, version: str, backend: str, blob: bytes, why: str) -> None:
        beginning = repr(blob[:_BEGINNING])[1:] if blob else "nothing"
        super().__init__(
            f"model '{name}' version {version} cannot be loaded as {backend}: {why} "
            f"(its {len(blob)} bytes begin with {beginning}); store it again with set_model"
        )


class UncompilableScript(WorkerError):
    """TorchScript does not take the text."""

    code = "BADMODEL"

    def __init__(self, name: str, version: str, why: str) -> None:
        super().__init__(f"script '{name}' version {version} is not TorchScript: {why}; store it again with set_script")


class WrongDevice(WorkerError):
    """The model or script is not meant for this worker's device."""

    code = "WRONGDEVICE"

    def __init__(self, what: str, wanted: str, own: str) -> None:
        super().__init__(
            f"{what} is for {wanted}, this worker has {own}; ask a worker of that device, or store it again for {own}"
        )


class UnknownBackend(WorkerError):
    """No runtime for the backend that the metadata name, or its library is not installed."""

    code = "BADMODEL"

    def __init__(self, backend: str, why: str) -> None:
        super().__init__(f"backend '{backend}' cannot run here: {why}")


class InputRefused(WorkerError):
    """The model does not take these inputs."""

    code = "BADINPUT"

    def __init__(self, why: str) -> None:
        super().__init__(why)


class InputMissing(WorkerError):
    """No tensor under the key of an input."""

    code = "NOINPUT"

    def __init__(self, key: str) -> None:
        super().__init__(f"input '{key}' is not in the store; put it there before the run")


class ModelRaised(WorkerError):
    """The model raised an error of its own, or returned something that is not an array."""

    code = "MODELFAILED"

    def __init__(self, why: str) -> None:
        super().__init__(why)


class StoreUnreachable(WorkerError):
    """The store did not give what was asked for, and it is not known that it lacks it."""

    code = "BUSY"

    def __init__(self, what: str, why: BaseException) -> None:
        super().__init__(f"{what} cannot be read from the store now: {why}")


class WorkerMisconfigured(OrchestratorError):
    """The worker process cannot start with this option or variable."""

    def __init__(self, what: str, value: str, remedy: str) -> None:
        super().__init__(f"{what} is {value}; {remedy}")
