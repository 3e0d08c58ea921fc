import pytest

from ssasync.store.device import may_run, wanted_devices


@pytest.mark.parametrize(
    ("own", "metadata", "expected"),
    [
        ("CPU", {}, True),
        ("CPU", {"device": "CPU"}, True),
        ("CPU", {"device": "GPU"}, False),
        ("CPU", {"device": "GPU:0", "devices": "GPU:0,GPU:1"}, False),
        ("GPU:1", {"device": "GPU"}, True),
        ("GPU:1", {"device": "GPU:1"}, True),
        ("GPU:1", {"device": "GPU:0"}, False),
        ("GPU:1", {"device": "GPU:0", "devices": "GPU:0,GPU:1"}, True),
        ("GPU:11", {"device": "GPU:0", "devices": "GPU:0,GPU:1"}, False),
        ("GPU", {"device": "GPU:0"}, False),
        ("GPU", {"device": "GPU"}, True),
        ("GPU:1", {"device": "CPU"}, False),
    ],
)
def test_a_worker_serves_what_is_meant_for_its_device(own: str, metadata: dict[str, str], expected: bool) -> None:
    assert may_run(own, wanted_devices(metadata)) is expected
