"""Sizes as people write them."""

import pytest

from ssasync.store.memory_size import SMALLEST_MAXMEMORY, default_maxmemory, format_size, memory_of_machine, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (1234, 1234),
        ("1000000", 10**6),
        ("8 GiB", 8 << 30),
        ("8g", 8 << 30),
        ("512MiB", 512 << 20),
        ("1.5 k", 1536),
        ("2 GB", 2 * 10**9),
        ("3 kb", 3000),
        ("1T", 1 << 40),
    ],
)
def test_sizes_are_read(text: int | str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "much", "8 GX", "-1", "0", 0, -5, "1e9", True, None, 1.5])
def test_what_is_no_size_is_refused_and_quoted(text: object) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        parse_size(text)  # type: ignore[arg-type]


def test_the_default_leaves_room_for_fragmentation_and_values_in_flight() -> None:
    machine = 64 << 30
    assert default_maxmemory(machine) * 1.7 < machine / 2
    assert default_maxmemory(machine, shards=4) == default_maxmemory(machine) // 4
    assert default_maxmemory(1) == SMALLEST_MAXMEMORY
    assert memory_of_machine() > SMALLEST_MAXMEMORY


def test_sizes_are_printed_for_people() -> None:
    assert [format_size(size) for size in (12, 1536, 8 << 30, 3 << 50)] == ["12 B", "1.5 KiB", "8.0 GiB", "3072.0 TiB"]
