"""The demo itself, shortened: it must learn, survive the kill and prove the restart."""

from rich.console import Console

from examples.demo import VICTIM, main


async def test_the_demo_learns_and_survives_its_kill(tmp_path):
    console = Console(record=True, width=140)
    check = await main(tmp_path / "demo", 500, console)
    assert check.bitwise_equal
    assert check.attempts == 2
    text = console.export_text()
    assert f"{VICTIM} was killed" in text
    assert "networks published" in text
    assert (tmp_path / "demo" / "demo.png").read_bytes().startswith(b"\x89PNG")
