"""Names of hosts: all their addresses are tried, and a name server that does not answer holds nobody up."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cyclient.c_builder import SANITIZERS

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
NAME_SERVER = HERE / "c_names" / "name_server.c"

ON_A_LOOP = """
import asyncio, LOOPS
from ssasync.cyclient import Client, StoreError
client = Client
async def ping_it(client, timeout):
    try:
        await client.ping(timeout=timeout)
    except StoreError as error:
        return error
def ping(client, timeout):
    return runner.run(ping_it(client, timeout))
def main(run):
    global runner
    with asyncio.Runner(loop_factory=LOOPS.new_event_loop) as runner:
        run()
"""

#: `client(address)` of the face, `ping(client, timeout)`, which gives its error or None, and `ended(client)`.
FACES = {
    "blocking": """
from ssasync.blocking import Client
from ssasync.cyclient import StoreError
client = Client
def ping(client, timeout):
    try:
        client.ping(timeout=timeout)
    except StoreError as error:
        return error
def main(run):
    run()
""",
    "asyncio": ON_A_LOOP.replace("LOOPS", "asyncio"),
    "uvloop": ON_A_LOOP.replace("LOOPS", "uvloop"),
}


@pytest.fixture(scope="module")
def name_server(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = tmp_path_factory.mktemp("names") / "name_server.so"
    command = ["cc", "-std=c11", "-D_GNU_SOURCE", "-shared", "-fPIC", NAME_SERVER, "-o", library, "-ldl"]
    subprocess.run(command, check=True, timeout=60)
    return library


@pytest.fixture
def run(name_server, tmp_path):
    """Run a program that asks this name server; gives what it says. Its look-ups of slow.test may last for ever."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)

    def run(program: str, **environment: str) -> str:
        bare = {name: value for name, value in os.environ.items() if not name.startswith(("SS", "SR_"))}
        own = {"LD_PRELOAD": str(name_server), "GATE": str(gate), "PYTHONPATH": str(ROOT), **environment}
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, env=bare | own, capture_output=True, text=True, timeout=30, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    return run


def of_face(face: str, program: str) -> str:
    body = "".join(f"    {line}\n" for line in program.strip().splitlines())
    return f"import os, signal, sys, time\n{FACES[face]}\ndef run():\n{body}\nmain(run)\n"


@pytest.fixture
def closed_port():
    """Nobody listens there."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def port_of(engine) -> str:
    return engine.tcp.rpartition(":")[2]


@pytest.mark.parametrize("face", FACES)
def test_all_addresses_of_a_name_are_tried_without_a_pause(engine, run, face):
    program = """
c = client(f"two.test:{os.environ['PORT']}", password=os.environ["PASSWORD"])
assert ping(c, 20) is None
c.close()
print("connected")
"""
    assert run(of_face(face, program), PORT=port_of(engine), PASSWORD=engine.password) == "connected\n"


@pytest.mark.parametrize("face", FACES)
def test_the_error_says_what_each_address_said(run, face, closed_port):
    program = """
c = client(f"two.test:{os.environ['PORT']}")
print(ping(c, 0.2))
c.close()
"""
    said = run(of_face(face, program), PORT=str(closed_port))
    assert "127.0.0.2: Connection refused; 127.0.0.1: Connection refused" in said


@pytest.mark.parametrize("face", FACES)
def test_a_name_that_is_not_known_is_an_error_that_names_it(run, face):
    program = """
c = client("none.test:6379")
said = "no answer"
for _ in range(100):  # times; on a busy machine the first may end before the look-up
    if "no answer" in said:
        said = str(ping(c, 0.1))
print(said)
c.close()
"""
    assert "cannot connect to none.test:6379: Name or service not known. " in run(of_face(face, program))


def test_an_address_of_a_name_that_says_nothing_is_left_for_the_next_one(engine, run):
    """Its backlog is full: it takes no connection, and refuses none."""
    with socket.socket() as silent, socket.socket() as first:
        silent.bind(("127.0.0.2", int(port_of(engine))))
        silent.listen(0)
        first.connect(silent.getsockname())
        program = """
c = client(f"two.test:{os.environ['PORT']}", password=os.environ["PASSWORD"])
begun = time.monotonic()
assert ping(c, 20) is None
print(4 < time.monotonic() - begun < 10)
c.close()
"""
        assert run(of_face("blocking", program), PORT=port_of(engine), PASSWORD=engine.password) == "True\n"


@pytest.mark.parametrize("face", FACES)
def test_a_name_server_that_does_not_answer_is_not_waited_for_past_the_deadline(run, face):
    program = """
c = client("slow.test:1")
begun = time.monotonic()
print(type(ping(c, 0.3)).__name__, 0.3 <= time.monotonic() - begun < 3)
print(type(ping(c, 0.1)).__name__)
c.close()
print(type(ping(client("slow.test:1"), 0.1)).__name__)  # which is dropped
"""
    said = run(of_face(face, program).replace("def main", "import warnings; warnings.simplefilter('ignore')\ndef main"))
    assert said.splitlines() == ["ConnectionFailed True", "ConnectionFailed", "ConnectionFailed"]


@pytest.mark.parametrize("face", FACES)
def test_the_answer_of_a_slow_name_server_serves_later_operations(engine, run, face):
    program = """
c = client(f"slow.test:{os.environ['PORT']}", password=os.environ["PASSWORD"])
assert ping(c, 0.1) is not None
os.write(os.open(os.environ["GATE"], os.O_WRONLY), b"x")
assert ping(c, 20) is None
c.close()
print("connected")
"""
    assert run(of_face(face, program), PORT=port_of(engine), PASSWORD=engine.password) == "connected\n"


@pytest.mark.parametrize("face", FACES)
def test_what_a_look_up_of_a_closed_client_has_open_goes_with_its_answer(run, face):
    """The resolver's socket, and the pipe that tells of the answer. Nothing ends a look-up before that."""
    program = """
def close_while_looking_up():
    c = client("slow.test:1")
    assert ping(c, 0.1) is not None
    c.close()
def wait_until(is_so):
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        os.sched_yield()
def descriptors():
    return len(os.listdir("/proc/self/fd"))
c = client("127.0.0.1:1")
ping(c, 0.1)  # what the loop itself has open is older
c.close()
gate = os.open(os.environ["GATE"], os.O_RDWR)
before = descriptors()
close_while_looking_up()
print(descriptors() > before)
os.write(gate, b"x")
wait_until(lambda: descriptors() == before)
print("closed")
"""
    assert run(of_face(face, program)) == "True\nclosed\n"


def test_a_signal_ends_an_operation_that_waits_for_a_name_server(run):
    program = """
class Interrupt(BaseException):
    pass
def interrupt(number, frame):
    raise Interrupt
signal.signal(signal.SIGALRM, interrupt)
signal.setitimer(signal.ITIMER_REAL, 0.2)
c = client("slow.test:1")
begun = time.monotonic()
try:
    ping(c, 25)
except Interrupt:
    print(time.monotonic() - begun < 5)
c.close()
"""
    assert run(of_face("blocking", program)) == "True\n"


def test_a_fork_during_a_look_up_leaves_both_processes_whole(engine, run):
    program = """
c = client(f"slow.test:{os.environ['PORT']}", password=os.environ["PASSWORD"])
assert ping(c, 0.1) is not None
child = os.fork()
if not child:
    del c
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
os.write(os.open(os.environ["GATE"], os.O_WRONLY), b"x")
assert ping(c, 20) is None
c.close()
print("connected")
"""
    assert run(of_face("blocking", program), PORT=port_of(engine), PASSWORD=engine.password) == "connected\n"


def test_a_worker_is_forgotten_while_its_name_is_looked_up(run, tmp_path):
    program = """
import asyncio, numpy, os, pathlib
from ssasync.cyclient import Client, NoWorker
from tests.cyclient.engine_process import EngineProcess
from tests.cyclient.scripted_worker import ScriptedWorker, doubles, list_workers
x = numpy.ones(3, "f4")
async def main(engine, worker):
    async with Client(engine.unix, password=engine.password) as client:
        list_workers(engine, "a" * 32 + " 1 CPU slow.test:1", version=1)
        try:
            await client.infer("m", x, timeout=1.5)  # a worker has a second to take a connection
        except NoWorker as error:
            assert "no answer" in str(error), error
        list_workers(engine, worker, version=2)
        assert (await client.infer("m", x) == 2 * x).all()
        assert (await client.infer("m", x) == 2 * x).all()
        os.write(os.open(os.environ["GATE"], os.O_WRONLY), b"x")
        assert (await client.infer("m", x) == 2 * x).all()
    print("done")
folder = pathlib.Path(os.environ["FOLDER"])
engine = EngineProcess(folder)
try:
    with ScriptedWorker(folder / "w", engine.password, doubles) as worker:
        asyncio.run(main(engine, worker))
finally:
    engine.close()
"""
    assert run(program, FOLDER=str(tmp_path)) == "done\n"


def test_the_library_may_be_closed_while_a_name_is_looked_up(name_server, tmp_path):
    program, gate = tmp_path / "closed_library", tmp_path / "gate"
    os.mkfifo(gate)
    source = HERE / "c_names" / "closed_library.c"
    command = ["cc", "-std=c11", "-D_GNU_SOURCE", f"-I{ROOT}/cyclient/include", source, "-o", program, "-ldl"]
    subprocess.run(command, check=True, timeout=60)
    library = ROOT / "cyclient" / "lib" / "libssasync.so.0"
    environment = os.environ | {"LD_PRELOAD": str(name_server), "GATE": str(gate)}
    done = subprocess.run([program, library], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "all threads ended\n", "")


@pytest.mark.parametrize("sanitizer", SANITIZERS)
def test_a_look_up_may_be_forgotten_at_any_moment(builders, sanitizer, tmp_path):
    program = builders[sanitizer].program(HERE / "c_names" / "look_ups.c", NAME_SERVER)
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    environment = os.environ | {"GATE": str(gate), "TSAN_OPTIONS": "halt_on_error=1"}
    done = subprocess.run([program, "200"], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "200 rounds\n", "")
