import numpy as np
import pytest

from ssasync.store.model_runtime import runtime_for
from ssasync.store.worker_errors import InputRefused, ModelRaised, UncompilableScript

torch = pytest.importorskip("torch")
from ssasync.store.torch_script import TorchScript, TorchScriptRuntime  # noqa: E402

SOURCE = """
def scaled(x: Tensor, factor: float) -> Tensor:
    return x * factor

def normalise(x, mean, deviation):
    return scaled(x - mean, 1.0) / deviation

def minimum_and_maximum(x) -> Tuple[Tensor, Tensor]:
    return x.min(), x.max()

def stacked(xs: List[Tensor]):
    return torch.stack(xs)

def reversed_list(xs: List[Tensor]) -> List[Tensor]:
    return xs[::-1]

def spectrum(x: torch.Tensor):
    y = torch.fft.fft(x).abs().to(torch.float64) + torch.linalg.norm(x) * 0 + math.pi * 0
    return F.relu(torch.nn.functional.relu(y)) + torch.zeros([1], dtype=torch.float64, device=x.device)

def complaint(x):
    if bool(x.sum() > 10.0):
        raise ValueError("more than the script was written for")
    return x

def python(xs: List[Tensor]):
    sizes = torch.jit.annotate(List[int], [])
    for i, x in enumerate(xs):
        assert x.dim() == 1, "one dimension"
        sizes.append(min(len(x), 5) + i)
    return torch.tensor([max(sizes), sum(sizes)])

def number(x) -> int:
    return x.shape[0]"""


def loaded(source: str | bytes) -> TorchScript:
    blob = source if isinstance(source, bytes) else source.encode()
    return TorchScriptRuntime().load("tools", "3", blob, "CPU", 1)


def test_the_backend_is_found_by_name() -> None:
    assert isinstance(runtime_for("TORCHSCRIPT"), TorchScriptRuntime)


def test_functions_run_by_name_and_may_call_each_other() -> None:
    x = np.arange(6.0).reshape(2, 3)
    (output,) = loaded(SOURCE).run("normalise", [x, np.array(2.5), np.array(2.0)])
    assert output.tolist() == ((x - 2.5) / 2.0).tolist()


def test_a_tuple_or_a_list_is_several_outputs() -> None:
    script = loaded(SOURCE)
    x, y = np.arange(3.0), np.ones(2)
    assert [float(each) for each in script.run("minimum_and_maximum", [x])] == [0.0, 2.0]
    assert [each.tolist() for each in script.run("reversed_list", [x, y])] == [[1, 1], [0, 1, 2]]


def test_a_function_of_one_list_gets_all_inputs_in_it() -> None:
    (output,) = loaded(SOURCE).run("stacked", [np.zeros(2), np.ones(2), np.zeros(2)])
    assert output.tolist() == [[0, 0], [1, 1], [0, 0]]


def test_operations_of_torch_and_math_are_there() -> None:
    x = np.array([1.0, -2.0, 3.0])
    (output,) = loaded(SOURCE).run("spectrum", [x])
    np.testing.assert_allclose(output, np.abs(np.fft.fft(x)))


def test_the_usual_words_of_python_are_there() -> None:
    assert loaded(SOURCE).run("python", [np.ones(3), np.ones(9)])[0].tolist() == [6, 9]


def test_an_unknown_function_is_told_with_those_there_are() -> None:
    with pytest.raises(
        InputRefused, match="no function 'normalize'; it has complaint, minimum_and_maximum, normalise,"
    ):
        loaded(SOURCE).run("normalize", [np.ones(1)])
    with pytest.raises(InputRefused, match="no function 'f'; it has none"):
        loaded("# nothing but a comment").run("f", [])


@pytest.mark.parametrize(
    ("function", "inputs", "message"),
    [
        ("normalise", [np.ones(2)], "missing value for argument 'mean'.*the inputs were float64"),
        ("minimum_and_maximum", [np.ones(2)] * 2, r"expected at most 1 argument\(s\) but received 2"),
        ("scaled", [np.ones(2), np.ones(2)], "only (one element tensors|0-dim|tensors)|float"),
        ("stacked", [np.ones(2), np.ones(3)], "each tensor to be equal size"),
        ("spectrum", [np.array([b"text"])], "input 0 has dtype .S4, which torch does not take"),
    ],
)
def test_inputs_that_do_not_fit_are_told(function: str, inputs: list[np.ndarray], message: str) -> None:
    with pytest.raises(InputRefused, match=message) as raised:
        loaded(SOURCE).run(function, inputs)
    assert len(str(raised.value)) < 700


def test_errors_of_the_script_and_outputs_that_are_no_tensors_are_its_own() -> None:
    with pytest.raises(ModelRaised, match="more than the script was written for"):
        loaded(SOURCE).run("complaint", [np.full(3, 100.0)])
    with pytest.raises(ModelRaised, match="output 0 of the model is a int, not a tensor"):
        loaded(SOURCE).run("number", [np.ones(3)])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = 1", "expected def but found 'ident' here"),
        ("def f(x:", "expected ident but found"),
        ("import os\ndef f(x):\n    return x", "expected def but found 'import'"),
        ("def f(x):\n    import os\n    return x", "found 'import' here"),
        ("class A:\n    pass", "expected def but found 'class'"),
        ("def f(x):\n    return open('/etc/passwd')", "undefined value open"),
        ("def f(x):\n    return eval('1')", "undefined value eval"),
        ("def f(x):\n    return __import__('os')", "undefined value __import__"),
        ("def f(x):\n    return torch.os.system('true')", "object has no attribute os"),
        ("def f(x):\n    return torch.ops.aten.from_file('/etc/passwd', True, 10)", "object has no attribute ops"),
        ("def f(x):\n    return torch.hub.load('x')", "object has no attribute hub"),
        ("def f(x):\n    return torch.load('x')", "Unknown builtin op: aten::load"),
        ("def f(x):\n    return np.ones(2)", "undefined value np"),
        ("def f(x):\n    return F.handle_torch_function(x)", "no attribute handle_torch_function"),
        ("def f(x):\n    torch.save(x, '/tmp/f')\n    return x", "f uses aten::save, which touches files"),
        ("def f(x):\n    x.save('/tmp/f')\n    return x", "no attribute or method 'save'"),
        ("def f(x):\n    return torch.jit.load('x')", "no attribute load"),
        ("def f(x):\n    if bool(x):\n        torch.save(x, '/tmp/f')\n    return x", "f uses aten::save"),
        (
            "def f(x):\n    return torch.from_file('/etc/passwd', True, 10)",
            "f uses aten::from_file, which touches files",
        ),
        (b"\x80\x02}", "can't decode byte 0x80"),
        (b"def f(x):\0\n    return x", "expected a valid token"),
    ],
)
def test_what_is_no_torchscript_is_refused_with_the_words_of_the_compiler(source: str | bytes, message: str) -> None:
    with pytest.raises(UncompilableScript, match=f"script 'tools' version 3 is not TorchScript: .*{message}") as raised:
        loaded(source)
    assert len(str(raised.value)) < 800
    assert "\n" not in str(raised.value)
