"""The wheel and the sdist hold what they must, install into an empty environment and work outside the checkout."""

import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from tests.commands import run

ROOT = Path(__file__).resolve().parent.parent

LIBRARY = {
    "ssasync/cyclient/lib/libssasync.a",
    "ssasync/cyclient/lib/libssasync.so",
    "ssasync/cyclient/lib/libssasync.so.0",
    "ssasync/cyclient/lib/pkgconfig/ssasync.pc",
    "ssasync/cyclient/lib/cmake/ssasync/ssasync-config.cmake",
    "ssasync/cyclient/lib/cmake/ssasync/ssasync-config-version.cmake",
}

SMOKE = """
import asyncio, pathlib, sys
import numpy as np
import ssasync
assert "site-packages" in ssasync.__file__, ssasync.__file__

async def main():
    async with ssasync.Experiment("smoke", pathlib.Path("smoke")) as exp:
        store = exp.create_database(workers=0)
        await exp.start(store)
        model = exp.create_model("hello", exp.create_run_settings(sys.executable, ["-c", "print('hello')"]))
        await exp.start(model, wait=True)
        client = exp.client(store)
        await client.put_tensor("x", np.arange(3.0))
        print((await client.get_tensor("x")).sum())

ssasync.run(main())
print(pathlib.Path("smoke/hello/hello.out").read_text(), end="")
"""


@pytest.mark.timeout(600)
def test_the_wheel_holds_the_package_and_nothing_else(packages):
    with zipfile.ZipFile(packages["wheel"]) as wheel:
        names = wheel.namelist()
        launcher = wheel.getinfo("ssasync/wlm/_launcher")
    top = {name.split("/")[0] for name in names}
    assert {name for name in top if not name.endswith(".dist-info")} == {"ssasync"}
    assert launcher.external_attr >> 16 & 0o111, "the launcher is not executable"
    assert not [name for name in names if name.endswith((".c", ".pyx", ".in", ".map"))]
    headers = {name for name in names if name.endswith((".h", ".hpp"))}
    public = ("ssasync.h", "ssasync.hpp", "ssasync_batch.hpp", "ssasync_data.hpp", "ssasync_types.h")
    assert headers == {f"ssasync/cyclient/include/{name}" for name in public}
    assert {name for name in names if name.startswith("ssasync/cyclient/lib/")} == LIBRARY
    for wanted in ("ssasync/py.typed", "ssasync/cyclient/WIRE.md", "ssasync/cyclient/_core.pyi"):
        assert wanted in names
    assert [name for name in names if name.startswith("ssasync/cyclient/_core.") and name.endswith(".so")]


@pytest.mark.timeout(600)
def test_the_sdist_holds_every_source_once(packages):
    with tarfile.open(packages["sdist"]) as sdist:
        names = [name.split("/", 1)[1] for name in sdist.getnames() if "/" in name]
    assert len(names) == len(set(names))
    assert not [name for name in names if name.startswith(("ssasync/actors/", "ssasync/wlm/", "ssasync/store/"))]
    tracked = run("git", "ls-files", "actors", "cyclient", "wlm", "store", "ssasync", cwd=ROOT).split()
    links = {f"ssasync/{folder}" for folder in ("actors", "wlm", "store", "cyclient")}
    assert not {name for name in tracked if name not in links} - set(names)


@pytest.mark.timeout(600)
def test_the_wheel_works_in_an_empty_environment(packages, tmp_path):
    environment = tmp_path / "venv"
    venv.create(environment, with_pip=True)
    python = str(environment / "bin" / "python")
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(packages["wheel"]), cwd=tmp_path)
    output = run(python, "-W", "error::ResourceWarning", "-c", SMOKE, cwd=tmp_path)
    assert output.splitlines() == ["3.0", "hello"]
