"""The wheel and the sdist hold what they must, install into an empty environment and work outside the checkout."""

import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

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


def run(*command: str, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The sdist, and the wheel that is built from it."""
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", str(out), str(ROOT), cwd=out)
    return {"sdist": next(out.glob("*.tar.gz")), "wheel": next(out.glob("*.whl"))}


@pytest.mark.timeout(600)
def test_the_wheel_holds_the_package_and_nothing_else(packages):
    with zipfile.ZipFile(packages["wheel"]) as wheel:
        names = wheel.namelist()
        launcher = wheel.getinfo("ssasync/wlm/_launcher")
    top = {name.split("/")[0] for name in names}
    assert {name for name in top if not name.endswith(".dist-info")} == {"ssasync"}
    assert launcher.external_attr >> 16 & 0o111, "the launcher is not executable"
    assert not [name for name in names if name.endswith((".c", ".h", ".pyx"))]
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
