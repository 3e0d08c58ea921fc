"""Ports that shards may take."""

import random

from ssasync.store.ports import BUS_OFFSET, automatic_port, highest_automatic_port


def test_automatic_ports_keep_their_bus_port_below_those_of_clients() -> None:
    highest = highest_automatic_port()
    assert highest + BUS_OFFSET < 32768
    ports = {automatic_port(random.Random(seed)) for seed in range(200)}
    assert len(ports) > 150
    assert all(1024 < port <= highest for port in ports)
