"""The soak's own judgement: it must see a leak, or its verdict is worth nothing."""

from dataclasses import replace

import pytest

from tests.soak.samples import MIB, Sample, growth


def soaked(*, leak: int = 0, objects_per_crash: float = 0.0, seconds: int = 600) -> list[Sample]:
    """Ten minutes with a crash every 10 ms, that take 20 MiB in the first quarter and `leak` bytes a crash for ever."""
    first = Sample(at=0, crashes=0, rss=80 * MIB, objects=80_000, tasks=40, descriptors=9)
    return [
        replace(
            first,
            at=at,
            crashes=100 * at,
            rss=first.rss + min(at, 150) * 20 * MIB // 150 + leak * 100 * at,
            objects=first.objects + int(objects_per_crash * 100 * at) + at % 7 * 100,
        )
        for at in range(1, seconds + 1)
    ]


def not_flat(samples: list[Sample]) -> list[str]:
    return [line.series for line in growth(samples) if not line.flat]


def test_growth_while_warming_up_is_no_leak() -> None:
    assert not_flat(soaked()) == []


def test_a_hundred_bytes_a_crash_are_a_leak() -> None:
    assert not_flat(soaked(leak=100)) == ["rss"]


def test_an_object_every_fourth_crash_is_a_leak() -> None:
    assert not_flat(soaked(objects_per_crash=0.25)) == ["objects"]


def test_a_descriptor_more_is_a_leak() -> None:
    samples = soaked()
    samples[400:] = [replace(sample, descriptors=10) for sample in samples[400:]]
    assert not_flat(samples) == ["descriptors"]


def test_shrinking_is_no_leak() -> None:
    samples = soaked()
    samples[400:] = [replace(sample, rss=MIB, tasks=1) for sample in samples[400:]]
    assert not_flat(samples) == []


def test_too_short_a_soak_is_no_soak() -> None:
    with pytest.raises(ValueError, match="10 samples are too few"):
        growth(soaked(seconds=10))
