"""What a worker computes on, and whose models it serves (WIRE.md, "Model")."""

from collections.abc import Mapping, Sequence

__all__ = ["may_run", "wanted_devices"]


def wanted_devices(metadata: Mapping[str, str]) -> Sequence[str]:
    """The devices that a model or script is meant for; the CPU when its metadata do not say."""
    return (metadata.get("devices") or metadata.get("device") or "CPU").split(",")


def may_run(own: str, wanted: Sequence[str]) -> bool:
    """Whether a worker on `own` serves what is meant for any of `wanted`: one without a number means any of its kind."""
    return own in wanted or own.partition(":")[0] in wanted
