"""Experiments: opening, starting, waiting, failing, leaving."""

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TypeVar

import pytest

import ssasync
from ssasync.actors import ChildGaveUp, Event, FailedToStart, Subscription
from ssasync.wlm import ExecutableNotFound, WorkloadRunning

E = TypeVar("E", bound=Event)

AT_ONCE = ssasync.RestartPolicy(application=ssasync.Intensity(restarts=2, seconds=60), backoff=ssasync.Backoff(0.0))


async def next_event(events: Subscription, kind: type[E]) -> E:
    """The next event of a kind; what comes before it is gone."""
    async with asyncio.timeout(20):
        async for event in events:
            if isinstance(event, kind):
                return event
    raise AssertionError(f"no {kind.__name__}")


async def test_opened_in_one_task_and_closed_in_another(tmp_path):
    exp = ssasync.Experiment("test", tmp_path)
    await asyncio.create_task(exp.open())
    model = exp.create_model("sleeper", ssasync.RunSettings("sleep", ["60"]))
    await asyncio.create_task(exp.start(model))
    assert "sleeper" in exp.render_tree()
    await asyncio.create_task(exp.close())


async def test_start_returns_when_programs_run_and_wait_when_they_ended(exp, python):
    model = exp.create_model("hello", python("print('hello')"))
    await exp.start(model)
    await exp.wait(model)
    assert (exp.exp_path / "hello" / "hello.out").read_text() == "hello\n"


async def test_programs_run_in_directories_of_their_own(exp, python):
    ensemble = exp.create_ensemble("m", python("import os; print(os.getcwd())"), replicas=2)
    await exp.start(ensemble, wait=True)
    for member in ensemble:
        directory = exp.exp_path / "m" / member.name
        assert (directory / f"{member.name}.out").read_text().strip() == str(directory)


async def test_parameters_become_arguments(exp, python):
    ensemble = exp.create_ensemble(
        "m",
        python("import sys; print(sys.argv[1:])"),
        params={"seed": [1, 2], "x": "a b"},
        params_as_args=["seed", "x"],
    )
    await exp.start(ensemble, wait=True)
    assert [(exp.exp_path / "m" / m.name / f"{m.name}.out").read_text() for m in ensemble] == [
        "['--seed=1', '-x', 'a b']\n",
        "['--seed=2', '-x', 'a b']\n",
    ]


async def test_a_failed_member_is_restarted_and_goes_on(exp, python):
    text = "import os, sys; sys.exit(0 if os.path.exists('second') else open('second', 'w').close() or 3)"
    ensemble = exp.create_ensemble("m", python(text), replicas=1, restart_policy=AT_ONCE)
    async with exp.events() as events:
        await exp.start(ensemble, wait=True)
        attempts = [(await next_event(events, WorkloadRunning)).attempt for _ in range(2)]
    assert attempts == [1, 2]


async def test_a_member_that_always_fails_gives_one_error_with_its_last_words_and_spares_its_siblings(exp, python):
    text = """
import sys
if 'm_0' in __import__('os').getcwd():
    print('cannot read grid.nc', file=sys.stderr)
    sys.exit(7)
print('fine')
"""
    ensemble = exp.create_ensemble("m", python(text), replicas=2, restart_policy=AT_ONCE)
    async with exp.events() as events:
        with pytest.raises(ExceptionGroup) as caught:
            await exp.start(ensemble, wait=True)
        gave_up = await next_event(events, ChildGaveUp)
    (error,) = caught.value.exceptions
    assert isinstance(error, ssasync.JobFailed)
    assert "member 'm_0' of 'm'" in str(error)
    assert error.exit_code == 7
    assert "cannot read grid.nc" in str(error)
    assert "3 attempts" in "".join(error.__notes__)
    assert gave_up.path == "/test/m/m_0"
    assert (exp.exp_path / "m" / "m_1" / "m_1.out").read_text() == "fine\n"


async def test_a_missing_executable_is_named_before_anything_starts(exp):
    good = exp.create_model("good", ssasync.RunSettings("sleep", ["60"]))
    bad = exp.create_model("bad", ssasync.RunSettings("no-such-program"))
    with pytest.raises(ssasync.InvalidExperiment, match=r"no-such-program.*PATH"):
        await exp.start(good, bad)
    assert exp.tree().children == ()


async def test_a_missing_path_fails_to_start_at_once_with_the_path(exp, tmp_path):
    bad = exp.create_model("bad", ssasync.RunSettings(tmp_path / "nothing-here"))
    with pytest.raises(ExecutableNotFound, match="nothing-here") as caught:
        await exp.start(bad)
    assert isinstance(caught.value.__cause__, FailedToStart)
    assert exp.reference(bad).story()[-1].attempt == 1  # another attempt would end the same way


async def test_all_mistakes_come_at_once(exp):
    models = [
        exp.create_model("../evil", ssasync.RunSettings("sleep")),
        exp.create_model("twice", ssasync.RunSettings("sleep")),
        exp.create_model("twice", ssasync.RunSettings("sleep")),
        exp.create_model("lost", ssasync.RunSettings("sleep"), params={"a": 1}),
        exp.create_model("endless", ssasync.RunSettings("sleep"), grace=float("inf")),
    ]
    with pytest.raises(ssasync.InvalidExperiment) as caught:
        await exp.start(*models)
    text = str(caught.value)
    assert len(caught.value.mistakes) == 4
    assert "grace=inf" in text
    assert "'../evil'" in text
    assert "'twice' is taken" in text
    assert "params ['a']" in text


async def test_a_taken_port_is_one_clear_error(exp):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ssasync.InvalidExperiment, match=f"{port}"):
            await exp.start(exp.create_database(port=port))
    assert exp.tree().children == ()


@pytest.mark.parametrize(
    ("options", "text"),
    [({"shards": 3}, "clusters are not yet"), ({"engine": "no-engine"}, "no-engine"), ({"workers": -1}, "workers=-1")],
)
async def test_a_store_that_cannot_work_is_refused(exp, options, text):
    with pytest.raises(ssasync.InvalidExperiment, match=text):
        await exp.start(exp.create_database(**options))


async def test_a_renamed_argument_says_its_new_name(exp):
    with pytest.raises(ssasync.InvalidExperiment, match="write shards=3"):
        exp.create_database(db_nodes=3)


async def test_nothing_is_started_when_a_later_store_cannot_work(exp):
    bad = exp.create_model("bad", ssasync.RunSettings("no-such-program"))
    with pytest.raises(ssasync.InvalidExperiment) as caught:
        await exp.start(exp.create_database(workers=0), exp.create_database("b-b", shards=3), bad)
    assert len(caught.value.mistakes) == 3
    assert exp.tree().children == ()


async def test_a_cancelled_start_leaves_an_ensemble_that_can_be_waited_for_and_stopped(exp):
    ensemble = exp.create_ensemble("e", ssasync.RunSettings("sleep", ["60"]), replicas=2)
    start = asyncio.create_task(exp.start(ensemble))
    await asyncio.sleep(0)
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    with pytest.raises(TimeoutError, match="e_0"):
        await exp.wait(ensemble, timeout=0.5)
    with pytest.raises(ssasync.InvalidExperiment, match="'e' is running"):
        await exp.start(ensemble)
    await exp.stop(ensemble)
    await exp.wait(ensemble)


def test_a_loop_that_ends_with_an_open_experiment_leaves_nothing(tmp_path):
    driver = """
import asyncio, sys, ssasync
async def main():
    exp = ssasync.Experiment("test", sys.argv[1])
    await exp.open()
    await exp.start(exp.create_model("sleeper", ssasync.RunSettings("sleep", ["60"])))
asyncio.run(main())
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run([sys.executable, "-c", driver, str(tmp_path)], env=environment, timeout=30, check=False)
    assert done.returncode == 0  # the fixture sees that neither process nor directory is left


async def test_stop_ends_one_and_leaves_the_others(exp):
    stays = exp.create_model("stays", ssasync.RunSettings("sleep", ["60"]))
    goes = exp.create_model("goes", ssasync.RunSettings("sleep", ["60"]))
    await exp.start(stays, goes)
    await exp.stop(goes)
    await exp.wait(goes)
    states = {child.name: child.state for child in exp.tree().children}
    assert states["stays"] == "running"
    assert states.get("goes", "stopped") == "stopped"


async def test_what_is_over_can_be_started_again_and_what_runs_cannot(exp, python):
    ensemble = exp.create_ensemble("m", python("print('once more')"), replicas=2)
    sleeper = exp.create_model("sleeper", ssasync.RunSettings("sleep", ["60"]))
    await exp.start(sleeper)
    await exp.start(ensemble, wait=True)
    await exp.start(ensemble, wait=True)
    assert len(list((exp.exp_path / "m" / "m_1").glob("m_1.*.out"))) == 2
    with pytest.raises(ssasync.InvalidExperiment, match="'sleeper' is running"):
        await exp.start(sleeper)
    await exp.stop(sleeper)
    await exp.start(sleeper)
    assert "running" in [child.state for child in exp.tree().children if child.name == "sleeper"]


async def test_a_host_that_is_not_this_machine_is_refused(exp):
    with pytest.raises(ssasync.InvalidExperiment, match="node0042"):
        await exp.start(exp.create_database(hosts=["node0042"]))
    await exp.start(exp.create_database(hosts=["localhost"], workers=0))


async def test_ranks_of_mpirun_share_the_store(exp, python):
    """MPICH of the PyPI package: four ranks, each with a client of its own."""
    text = """
import os, numpy
from ssasync.blocking import Client
with Client() as client:
    client.put_tensor('rank_' + os.environ['PMI_RANK'], numpy.array([int(os.environ['PMI_SIZE'])]))
"""
    settings = ssasync.MpirunSettings(
        sys.executable, ["-c", text], run_command=str(Path(sys.executable).parent / "mpirun")
    )
    settings.set_tasks(4)
    settings.update_env({"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)})
    store = exp.create_database(workers=0)
    ranks = exp.create_model("ranks", settings)
    await exp.start(store, ranks)
    await exp.wait(ranks)
    client = exp.client(store)
    assert [int((await client.get_tensor(f"rank_{rank}"))[0]) for rank in range(4)] == [4] * 4


async def test_wait_gives_up_and_leaves_it_running(exp):
    model = exp.create_model("sleeper", ssasync.RunSettings("sleep", ["60"]))
    await exp.start(model)
    with pytest.raises(TimeoutError, match="sleeper"):
        await exp.wait(model, timeout=0.05)
    assert exp.tree().children[0].state == "running"


async def test_what_was_not_started_is_an_error(exp):
    model = exp.create_model("m", ssasync.RunSettings("sleep"))
    with pytest.raises(ssasync.NotStarted, match="model 'm'"):
        await exp.wait(model)
    with pytest.raises(ssasync.NotStarted, match="model 'm'"):
        await exp.stop(model)
    with pytest.raises(ssasync.NotStarted, match="orchestrator"):
        exp.client(exp.create_database())


async def test_a_closed_experiment_says_so(tmp_path):
    exp = ssasync.Experiment("shut", tmp_path)
    model = exp.create_model("m", ssasync.RunSettings("sleep"))
    with pytest.raises(ssasync.ExperimentClosed, match="shut"):
        await exp.start(model)
    async with exp:
        pass
    with pytest.raises(ssasync.ExperimentClosed, match="shut"):
        await exp.start(model)


async def test_an_error_in_the_body_stops_everything_and_comes_out(tmp_path):
    with pytest.raises(ZeroDivisionError):
        async with ssasync.Experiment("test", tmp_path) as exp:
            await exp.start(exp.create_model("sleeper", ssasync.RunSettings("sleep", ["60"])))
            raise ZeroDivisionError


async def test_members_find_store_and_prefix_in_their_environment(exp, python):
    text = """
import os, numpy
from ssasync.blocking import Client
with Client() as client:
    client.put_tensor('x', numpy.array([os.getpid()]))
print(os.environ['SSDB'].startswith('unix://'), os.environ['SR_DB_TYPE'], os.environ['SSKEYOUT'])
"""
    store = exp.create_database(workers=0)
    ensemble = exp.create_ensemble("m", python(text), replicas=2)
    for member in ensemble:
        member.run_settings.update_env({"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)})
    await exp.start(ensemble, store)  # the store comes first whatever the order
    await exp.wait(ensemble)
    client = exp.client(store)
    pids = {int((await client.get_tensor(f"{member.name}.x"))[0]) for member in ensemble}
    assert len(pids) == 2
    assert (exp.exp_path / "m" / "m_1" / "m_1.out").read_text() == "True Standalone m_1\n"


async def test_an_incoming_entity_is_the_data_source(exp, python):
    producer = exp.create_model("producer", python("import os; print(os.environ['SSKEYOUT'])"))
    producer.enable_key_prefixing()
    consumer = exp.create_model("consumer", python("import os; print(os.environ['SSKEYIN'], 'SSKEYOUT' in os.environ)"))
    consumer.register_incoming_entity(producer)
    await exp.start(producer, consumer, wait=True)
    assert (exp.exp_path / "producer" / "producer.out").read_text() == "producer\n"
    assert (exp.exp_path / "consumer" / "consumer.out").read_text() == "producer False\n"


def test_what_the_constructor_cannot_take():
    with pytest.raises(ssasync.InvalidExperiment, match="launcher 'dragon'"):
        ssasync.Experiment("x", launcher="dragon")
    for name in ("a/b", "..", ""):
        with pytest.raises(ssasync.InvalidExperiment, match="use letters"):
            ssasync.Experiment(name)
    settings = ssasync.RunSettings("true")
    with pytest.raises(ssasync.InvalidExperiment, match="either params or replicas"):
        ssasync.Ensemble("e", settings)
    with pytest.raises(ssasync.InvalidExperiment, match="replicas=0"):
        ssasync.Ensemble("e", settings, replicas=0)


def test_exp_path_defaults_to_the_name_in_the_working_directory(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert ssasync.Experiment("run").exp_path == Path(tmp_path, "run")
