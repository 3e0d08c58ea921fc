"""Outputs of runs that go into tensors of datasets, and those that no dataset has."""

import numpy as np
import pytest

from ssasync.cyclient import Dataset, DatasetNotFound, InvalidArgument, TensorNotFound
from tests.cyclient.scripted_worker import worker_of_models

X = np.arange(6.0)
limits = pytest.mark.parametrize("limit", [0, 1000], ids=["whole", "in chunks"])


@pytest.fixture
def open_client(face, engine, tmp_path):
    """Clients of a store that has a worker, "x", and the dataset "d" with the tensor "t" and the bytes "raw"."""

    def deletes(x):
        engine.redis.unlink("{d}.meta", "{d}.t")
        return (x,)

    with worker_of_models(engine, tmp_path, split=lambda x: (x, 3 * x), deletes=deletes):

        def open_one(limit=0):
            client = face.open(engine.unix, password=engine.password, timeout=20, value_limit=limit)
            client.put_tensor("x", X)
            client.put_dataset(dataset("d"))
            return client

        yield open_one


def dataset(name):
    made = Dataset(name)
    made.add_tensor("t", np.ones(3))
    made.add_bytes("raw", b"abc")
    return made


def contents(engine):
    return {key: engine.redis.dump(key) for key in engine.redis.scan_iter()}


@limits
def test_an_output_takes_the_place_of_a_tensor(open_client, engine, limit):
    client = open_client(limit)
    client.set_dataset_ttl("d", 100)
    client.run_model("split", "x", ["{d}.t", "y"])
    np.testing.assert_array_equal(client.get_dataset("d").get_tensor("t"), X)
    np.testing.assert_array_equal(client.get_tensor("y"), 3 * X)
    assert 0 < engine.redis.ttl("{d}.t") <= 100
    client.run_model("double", "x", "{d}.t")
    np.testing.assert_array_equal(client.get_dataset("d").get_tensor("t"), 2 * X)


@limits
@pytest.mark.parametrize(
    ("output", "error", "text"),
    [
        ("{d}.new", TensorNotFound, "dataset 'd' has no tensor 'new'"),
        ("{d}.raw", TensorNotFound, "dataset 'd' has no tensor 'raw'"),
        ("{none}.t", DatasetNotFound, "dataset 'none' is not there, nor its tensor 't'"),
    ],
)
def test_what_no_dataset_has_is_refused_and_nothing_is_stored(open_client, engine, limit, output, error, text):
    client = open_client(limit)
    before = contents(engine)
    with pytest.raises(
        error, match=f"the outputs of 'split' were not stored: {text}. Put the dataset with such a tensor"
    ):
        client.run_model("split", "x", ["y", output])
    assert contents(engine) == before


def test_a_dataset_that_goes_meanwhile_leaves_nothing_behind(open_client, engine):
    client = open_client()
    with pytest.raises(DatasetNotFound):
        client.run_model("deletes", "x", "{d}.t")
    assert not engine.redis.exists("{d}.t")


def test_in_a_batch_the_dataset_may_be_put_before(face, open_client):
    client = open_client()
    batch = client.batch()
    batch.put_dataset(dataset("e"))
    batch.run_model("double", "x", "{e}.t")
    batch.run_model("double", "{e}.t", "z", keep=False)
    batch.run_model("double", "z", "{e}.none", keep=False)
    got = batch.get_dataset("e")
    face.execute(batch)
    np.testing.assert_array_equal(got.value.get_tensor("t"), 2 * X)
    batch = client.batch()
    batch.run_model("double", "x", "y", keep=False)
    batch.run_model("double", "y", "{e}.none")
    with pytest.raises(TensorNotFound, match="dataset 'e' has no tensor 'none'"):
        face.execute(batch)


@pytest.mark.parametrize("names", [["a", "a"], ["a", "b", "a"], ["{d}.t", "{d}.t"]])
def test_two_outputs_of_one_name_are_refused(open_client, engine, names):
    client = open_client()
    remedy = "an output before it has that name; give each a name of its own"
    for run in (
        lambda: client.run_model("split", "x", names),
        lambda: client.run_script("split", "f", "x", names),
        lambda: client.batch().run_model("split", "x", names, keep=False),
    ):
        with pytest.raises(InvalidArgument, match=f"an output cannot be '{names[-1]}': {remedy}"):
            run()
    assert not engine.redis.exists("a")
