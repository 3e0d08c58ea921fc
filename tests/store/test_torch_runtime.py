import io
import threading
from collections.abc import Callable

import numpy as np
import pytest

from ssasync.store.model_runtime import BFLOAT16, runtime_for
from ssasync.store.worker_errors import InputRefused, ModelRaised, UnknownBackend, UnloadableModel

torch = pytest.importorskip("torch")
from ssasync.store.torch_runtime import TorchModel, TorchRuntime, telling_lines  # noqa: E402


class Network(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(3, 2)
        self.dropout = torch.nn.Dropout(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.dropout(self.layer(x))

    @torch.jit.export
    def norm(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x + y, x - y


class Complaint(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if bool(x.sum() > 10.0):
            raise ValueError("more than the model was trained for")
        return x


class Number(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> int:
        return x.shape[0]


class Identity(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


class Transposed(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.t()


def archive(module: torch.nn.Module) -> bytes:
    stream = io.BytesIO()
    torch.jit.save(torch.jit.script(module), stream)
    return stream.getvalue()


def loaded(module: torch.nn.Module) -> TorchModel:
    return TorchRuntime().load("net", "1", archive(module), "CPU", 1)


def test_outputs_are_those_of_torch_in_evaluation_mode() -> None:
    network = Network()
    x = np.random.default_rng(1).random((5, 3), dtype=np.float32)
    (output,) = loaded(network).run("", [x])
    assert np.array_equal(output, network.eval()(torch.from_numpy(x)).detach().numpy())


def test_column_major_inputs_mean_the_same_as_row_major_ones() -> None:
    x = np.asfortranarray(np.arange(12, dtype=np.float32).reshape(4, 3))
    model = loaded(Network())
    np.testing.assert_allclose(model.run("", [x])[0], model.run("", [np.ascontiguousarray(x)])[0], rtol=1e-6)


def test_exported_functions_run_by_name() -> None:
    outputs = loaded(Network()).run("norm", [np.ones(2), np.ones(2)])
    assert [list(each) for each in outputs] == [[2, 2], [0, 0]]
    with pytest.raises(InputRefused, match="no function 'nrom'; it has forward, norm"):
        loaded(Network()).run("nrom", [np.ones(2)])


@pytest.mark.parametrize("dtype", ["?", "i1", "i8", "u1", "u4", "f2", "f4", "f8", "c8", "c16"])
def test_arrays_pass_without_change_of_dtype(dtype: str) -> None:
    x = np.array([[0, 1], [1, 0]], dtype)
    (output,) = loaded(Identity()).run("", [x])
    assert output.dtype == x.dtype
    assert np.array_equal(output, x)


def test_bfloat16_passes_as_its_bits() -> None:
    x = np.array([0x3F80, 0x4000], "<u2").view(BFLOAT16)
    (output,) = loaded(Identity()).run("", [x])
    assert output.dtype == BFLOAT16
    assert output.tobytes() == x.tobytes()


def test_outputs_can_be_sent_as_they_lie() -> None:
    (output,) = loaded(Transposed()).run("", [np.arange(6.0).reshape(2, 3)])
    assert output.flags.c_contiguous
    assert output.tolist() == [[0, 3], [1, 4], [2, 5]]


def test_inputs_are_not_copied() -> None:
    x = np.ones((2, 2))
    (output,) = loaded(Identity()).run("", [x])
    assert np.shares_memory(output, x)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([np.ones((2, 4), "f4")], r"mat1 and mat2 shapes cannot be multiplied \(2x4 and 3x2\).*float32\[2, 4\]"),
        ([np.ones((2, 3), "f8")], r"must have the same dtype.*float64\[2, 3\]"),
        ([np.ones((2, 3), "f4")] * 2, r"expected at most 2 argument\(s\) but received 3"),
        ([], r"missing value for argument 'x'.*inputs were none"),
        ([np.array([b"text"])], r"input 0 has dtype \|S4, which torch does not take"),
    ],
    ids=["shape", "dtype", "too many", "none", "strings"],
)
def test_an_input_that_the_model_refuses_is_told_in_a_few_lines(inputs: list[np.ndarray], message: str) -> None:
    with pytest.raises(InputRefused, match=message) as raised:
        loaded(Network()).run("", inputs)
    assert "Traceback" not in str(raised.value)
    assert len(str(raised.value)) < 700


def test_an_error_that_the_model_raises_is_its_own() -> None:
    with pytest.raises(ModelRaised, match="more than the model was trained for"):
        loaded(Complaint()).run("", [np.full(3, 100.0)])


def test_an_output_that_is_no_tensor_is_an_error() -> None:
    with pytest.raises(ModelRaised, match="output 0 of the model is a int, not a tensor"):
        loaded(Number()).run("", [np.ones(3)])


@pytest.mark.parametrize(
    "damage",
    [lambda _: b"", lambda _: b"not a model", lambda blob: blob[: len(blob) // 2]],
    ids=["nothing", "text", "half"],
)
def test_bytes_that_are_no_model_are_named_with_their_beginning(damage: Callable[[bytes], bytes]) -> None:
    blob = damage(archive(Network()))
    with pytest.raises(
        UnloadableModel, match=f"model 'net' version 7 cannot be loaded as TORCH.*{len(blob)} bytes begin with"
    ):
        TorchRuntime().load("net", "7", blob, "CPU", 1)


def test_a_model_runs_in_any_thread_with_the_threads_it_was_given() -> None:
    model = TorchRuntime().load("net", "1", archive(Network()), "CPU", 1)
    seen = []

    def compute() -> None:
        model.run("", [np.ones((2, 3), "f4")])
        seen.append(torch.get_num_threads())

    for _ in range(2):
        thread = threading.Thread(target=compute)
        thread.start()
        thread.join(10)
    assert seen == [1, 1]


def test_backends_are_found_by_name_and_unknown_ones_named() -> None:
    assert isinstance(runtime_for("TORCH"), TorchRuntime)
    with pytest.raises(UnknownBackend, match="backend 'ONNX' cannot run here: known ones are TORCH"):
        runtime_for("ONNX")


def test_the_reason_is_found_in_messages_of_every_form() -> None:
    assert telling_lines("one line") == "one line"
    assert (
        telling_lines("Traceback\n  a\n  b\n    ~~~ <--- HERE\nRuntimeError: the reason\nand more\n")
        == "the reason and more"
    )
    assert telling_lines("") == "no reason given"
