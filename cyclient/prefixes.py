"""What a client does with ensemble prefixes, the same on both Python faces."""

from __future__ import annotations

from collections.abc import Callable

from ssasync.cyclient import _core


class PrefixSwitches:
    """Whose keys are read, and which kinds of names get the ensemble prefix."""

    def _set_prefix(self, what: str, set_prefix: Callable[[_core.Engine], None]) -> None:
        """Do it to every engine that the client has or will have; a later one of the same `what` takes its place."""
        raise NotImplementedError

    def set_data_source(self, source: str) -> None:
        """Read from this producer from now on: one named in SSKEYIN, or the client's own prefix."""
        self._set_prefix("source", lambda engine: engine.set_data_source(source))

    def use_tensor_ensemble_prefix(self, use_prefix: bool) -> None:
        """Whether names of tensors and bytes get the ensemble prefix (default: yes)."""
        self._set_prefix("tensor", lambda engine: engine.use_prefix("tensor", use_prefix))

    def use_dataset_ensemble_prefix(self, use_prefix: bool) -> None:
        """Whether names of datasets get the ensemble prefix (default: yes)."""
        self._set_prefix("dataset", lambda engine: engine.use_prefix("dataset", use_prefix))

    def use_list_ensemble_prefix(self, use_prefix: bool) -> None:
        """Whether names of lists of datasets get the ensemble prefix (default: yes)."""
        self._set_prefix("list", lambda engine: engine.use_prefix("list", use_prefix))

    def use_model_ensemble_prefix(self, use_prefix: bool) -> None:
        """Whether names of models and scripts get the ensemble prefix (default: no)."""
        self._set_prefix("model", lambda engine: engine.use_prefix("model", use_prefix))
