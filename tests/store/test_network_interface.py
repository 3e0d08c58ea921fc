"""Interfaces of this machine."""

import pytest

from ssasync.store.errors import InterfaceUnknown
from ssasync.store.network_interface import address_of_interface


def test_the_loopback_interface_has_its_address() -> None:
    assert address_of_interface("lo") == "127.0.0.1"


@pytest.mark.parametrize("name", ["", "ib77", "a name that is far too long for an interface"])
def test_an_unknown_interface_is_refused_and_the_known_ones_are_named(name: str) -> None:
    with pytest.raises(InterfaceUnknown, match=r"there are: .*lo \(127.0.0.1\)"):
        address_of_interface(name)
