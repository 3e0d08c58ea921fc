"""What a failed operation says and which class it is of: the operation, what happened, whether it may have been carried out,
the remedy. The same in every face, for the C core writes it.
"""

import re
import signal

import numpy as np
import pytest

from ssasync.cyclient import (
    ConnectionFailed,
    Dataset,
    DatasetNotFound,
    Disconnected,
    InvalidArgument,
    ListNotFound,
    NotADataset,
    NotPermitted,
    OperationTimeout,
    ServerError,
    StoreError,
    StoreFull,
    UnsupportedDtype,
)
from tests.cyclient.scripted_peer import ScriptedPeer
from tests.model_archive import archive_of

ONES = np.ones(3)
DOUBT = "may or may not have been carried out"
LOOK = ": look before repeating it"  # of what does something else when it is carried out twice


def dataset(name, **tensors):
    made = Dataset(name)
    for tensor, data in tensors.items():
        made.add_tensor(tensor, data)
    return made


def restricted(engine, user, rules):
    """A user of that name and these rules, with the password of the engine."""
    engine.redis.execute_command("ACL", "SETUSER", user, "on", f">{engine.password}", *rules)
    return {"user": user, "password": engine.password}


def test_a_server_of_another_kind_is_called_what_it_is(face, engine, cluster):
    client = face.open(engine.unix, password=engine.password, server_type="clustered")
    with pytest.raises(
        ConnectionFailed,
        match=r": it is one server, no cluster\. SR_DB_TYPE says Clustered: unset it, or give the address of a",
    ):
        client.ping()
    client = face.open(cluster.addresses, password=cluster.password, server_type="standalone")
    with pytest.raises(
        ConnectionFailed, match=r": it is a cluster\. SR_DB_TYPE says Standalone: unset it, or give the address"
    ):
        client.ping()


def test_old_trouble_is_not_told(face, own_engine):
    client = face.open(own_engine.unix, password=own_engine.password, timeout=20)
    client.put_tensor("t", ONES)
    own_engine.kill()
    own_engine.start()
    client.put_tensor("t", ONES)  # it was lost, and is there again
    own_engine.signal(signal.SIGSTOP)
    for operation, what in ((client.get_tensor, "get_tensor 't'"), (client.control_poll, "control_poll 't'")):
        with pytest.raises(OperationTimeout) as failure:
            operation("t", timeout=0.05)
        assert str(failure.value) == f"{what}: no answer from {own_engine.unix} within 0.05 s."
    own_engine.signal(signal.SIGCONT)


def test_what_did_not_leave_says_so_by_its_class(face, own_engine):
    client = face.open(own_engine.unix, password=own_engine.password)
    client.append_to_list("l", "d")
    client.control_poll("sim")  # whose later polls look at the socket alone, as long as it is open
    own_engine.kill()
    # Of a unix socket that is closed, the sender hears at once: the command does not leave.
    for operation in (
        lambda: client.append_to_list("l", "d", timeout=0.2),
        lambda: client.put_tensor("t", ONES, timeout=0.2),
        lambda: client.get_tensor("t", timeout=0.2),
        lambda: client.wait_for_tensor("never", timeout=0.2),
        lambda: client.control_poll("sim", timeout=0.2),
        lambda: client.control_poll("another", timeout=0.2),
    ):
        with pytest.raises(ConnectionFailed) as failure:
            operation()
        assert DOUBT not in str(failure.value)
        assert "Tried for 0.2 s, for it may be starting. Is it running, and is the address right?" in str(failure.value)


def takes_one_command(peer):
    """It dies when a command has come, and does not come back."""
    if peer.number:
        peer.request()
        return
    peer.handshake()
    peer.request()


@pytest.fixture
def lost(face, tmp_path):
    """The error of an operation whose command has left when its server dies."""

    def lose(operation):
        with ScriptedPeer(tmp_path / "s", takes_one_command) as peer:
            client = face.open(peer.address)
            with pytest.raises(StoreError) as failure:
                operation(client, 0.5)
            return failure.value

    return lose


@pytest.mark.parametrize(
    ("operation", "named"),
    [
        (lambda client, timeout: client.put_tensor("t", ONES, timeout=timeout), "put_tensor 't'"),
        (lambda client, timeout: client.append_to_list("l", "d", timeout=timeout), "append_to_list 'l'"),
        (lambda client, timeout: client.rename_tensor("t", "u", timeout=timeout), "rename_tensor 't'"),
    ],
)
def test_what_left_and_changes_something_is_in_doubt(lost, operation, named):
    error = lost(operation)
    assert type(error) is Disconnected
    assert str(error).endswith(f"{named} {DOUBT}{'' if named.startswith('put') else LOOK}.")


def test_a_deadline_over_what_left_and_changes_something_leaves_it_in_doubt(face, own_engine):
    client = face.open(own_engine.unix, password=own_engine.password)
    client.ping()

    def execute(name, *arguments):
        batch = client.batch()
        getattr(batch, name)(*arguments)
        face.execute(batch, timeout=0.05)

    own_engine.signal(signal.SIGSTOP)
    for operation, what, doubt in (
        (lambda: client.append_to_list("l", "d", timeout=0.05), "append_to_list 'l'", DOUBT + LOOK),
        (lambda: client.control_send("sim", "stop", timeout=0.05), "control_send 'sim'", DOUBT + LOOK),
        (lambda: client.rename_tensor("r", "s", timeout=0.05), "rename_tensor 'r'", DOUBT + LOOK),
        (lambda: client.put_tensor("t", ONES, timeout=0.05), "put_tensor 't'", DOUBT),
        (lambda: client.get_tensor("u", timeout=0.05), "get_tensor 'u'", None),
        (lambda: execute("append_to_list", "m", "d"), "execute 'batch'", DOUBT + LOOK),
        (lambda: execute("put_tensor", "v", ONES), "execute 'batch'", DOUBT),
        (lambda: execute("get_tensor", "w"), "execute 'batch'", None),
    ):
        with pytest.raises(OperationTimeout) as failure:
            operation()
        told = f" {what} {doubt}." if doubt else ""
        assert str(failure.value) == f"{what}: no answer from {own_engine.unix} within 0.05 s.{told}"
    own_engine.signal(signal.SIGCONT)


def test_a_deadline_over_what_did_not_leave_leaves_no_doubt(face, own_engine):
    client = face.open(own_engine.unix, password=own_engine.password)
    long = np.zeros(1 << 20)  # more than a socket takes
    client.put_tensor("t", long)  # for which the asyncio face opens a connection more
    own_engine.signal(signal.SIGSTOP)
    with pytest.raises(OperationTimeout, match=DOUBT):
        client.put_tensor("t", long, timeout=0.05)
    with pytest.raises(OperationTimeout) as failure:
        client.append_to_list("t", "d", timeout=0.05)  # which waits behind it, for it has the same key
    assert str(failure.value) == f"append_to_list 't': no answer from {own_engine.unix} within 0.05 s."
    own_engine.signal(signal.SIGCONT)
    assert client.get_tensor("t").shape == long.shape


def test_what_only_reads_is_never_in_doubt(lost):
    error = lost(lambda client, timeout: client.get_tensor("t", timeout=timeout))
    assert type(error) is ConnectionFailed
    assert DOUBT not in str(error)


def test_a_batch_that_left_is_in_doubt(face, lost):
    def execute(client, timeout):
        batch = client.batch()
        batch.put_tensor("t", ONES)
        face.execute(batch, timeout=timeout)

    error = lost(execute)
    assert type(error) is Disconnected
    assert str(error).endswith(f"execute 'batch' {DOUBT}.")


def test_a_list_that_names_a_missing_dataset(face, engine):
    client = face.open(engine.unix, password=engine.password)
    client.put_dataset(dataset("d", t=ONES))
    client.append_to_list("l", "d")
    client.append_to_list("l", "missing")
    for read in (client.get_datasets_from_list, lambda name: client.get_dataset_list_range(name, 0, -1)):
        with pytest.raises(
            DatasetNotFound, match=r"list 'l' names the dataset 'missing', which is not in .*\. Put it again"
        ):
            read("l")


def test_a_dataset_that_is_none(face, engine):
    client = face.open(engine.unix, password=engine.password)
    client.put_dataset(dataset("d", t=ONES))
    client.append_to_list("l", "d")
    engine.redis.delete("{d}.t")
    for read in (lambda: client.get_dataset("d"), lambda: client.get_datasets_from_list("l")):
        with pytest.raises(NotADataset, match=r"dataset 'd' in .* cannot be read: its item 't' is not there"):
            read()
    engine.redis.delete("{d}.meta")
    engine.redis.set("{d}.meta", "no hash")
    with pytest.raises(NotADataset, match="the key holds another kind of value"):
        client.get_dataset("d")


def test_a_role_that_may_not_is_named_with_the_operation_and_the_remedy(face, engine):
    client = face.open(engine.unix, **restricted(engine, "read_only", ("~*", "+@all", "-set", "-config")))
    with pytest.raises(NotPermitted) as failure:
        client.put_tensor("t", ONES)
    assert str(failure.value).startswith(f"user 'read_only' may not do put_tensor 't' on {engine.unix} (NOPERM ")
    assert str(failure.value).endswith("). Connect as the user 'workload': SSDB_USER and SSDB_PASSWORD.")
    with pytest.raises(NotPermitted, match=r"may not do config_set on .*Connect as the user 'admin'"):
        face.open(engine.unix, **restricted(engine, "other", ("~*", "+@all", "-config"))).config_set("hz", "10")


def test_what_a_server_refuses_is_named_by_the_operation(face, engine):
    client = face.open(engine.unix, password=engine.password)
    with pytest.raises(ServerError, match=rf"^config_set: {engine.unix} answered: ERR "):
        client.config_set("no-such-thing", "1")


def test_a_user_that_is_off_is_told_with_one_full_stop(face, engine):
    given = restricted(engine, "off", ("~*", "+@all"))
    engine.redis.execute_command("ACL", "SETUSER", "off", "off")
    with pytest.raises(ConnectionFailed) as failure:
        face.open(engine.unix, **given).ping()
    assert ".." not in str(failure.value).replace(engine.unix, "")
    assert "Check SSDB_USER and SSDB_PASSWORD." in str(failure.value)


def test_a_value_above_the_limit_of_the_server_says_which(face, own_engine):
    own_engine.redis.config_set("proto-max-bulk-len", 1 << 20)
    client = face.open(own_engine.unix, password=own_engine.password)
    with pytest.raises(ServerError) as failure:
        client.put_tensor("t", np.zeros(1 << 18))
    assert not isinstance(failure.value, StoreFull)
    assert str(failure.value).startswith(
        f"put_tensor 't': the value is longer than {own_engine.unix} takes (its setting proto-max-bulk-len"
    )
    assert "Set value_limit (SSA_VALUE_LIMIT) to that many bytes or fewer" in str(failure.value)
    within = face.open(own_engine.unix, password=own_engine.password, value_limit=1 << 20)
    within.put_tensor("t", np.zeros(1 << 18))


def test_a_closed_client_says_what_to_do(face, engine):
    client = face.open(engine.unix, password=engine.password)
    client.close()
    with pytest.raises(Disconnected, match=r"^the client is closed: open a new one$"):
        client.get_tensor("t")


# ---- the log


def test_debug_tells_every_operation(face, engine, tmp_path):
    log = tmp_path / "log"
    client = face.open(engine.unix, password=engine.password, log_level="debug", log_file=str(log))
    client.put_tensor("t", ONES)
    client.tensor_exists("u")
    with pytest.raises(KeyError):
        client.get_tensor("u")
    lines = [line.split(" ", 3)[1::2] for line in log.read_text().splitlines()]
    said = [(level, re.sub(r"\d+\.\d+ ms", "T ms", text)) for level, text in lines if "connect" not in text]
    assert said[:4] == [
        ("debug", "put_tensor 't' begins"),
        ("debug", "put_tensor 't': done in T ms"),
        ("debug", "tensor_exists 'u' begins"),
        ("debug", "tensor_exists 'u': done in T ms"),
    ]
    assert said[4] == ("debug", "get_tensor 'u' begins")
    assert said[5][0] == "error"
    assert said[5][1].startswith("get_tensor 'u' failed: no tensor 'u' in ")
    assert len(said) == 6


def test_the_level_decides_what_is_told(face, engine, tmp_path):
    levels = {}
    for level in ("error", "info"):
        log = tmp_path / level
        client = face.open(engine.unix, password=engine.password, log_level=level, log_file=str(log))
        with pytest.raises(KeyError):
            client.get_tensor("u")
        levels[level] = [line.split(" ", 3)[1] for line in log.read_text().splitlines()]
    assert levels == {"error": ["error"], "info": ["info", "error"]}


def test_a_level_without_a_file_is_told_to_the_logger_alone(face, engine, capfd, caplog):
    caplog.set_level("DEBUG", logger="ssasync.cyclient")
    face.open(engine.unix, password=engine.password, log_level="info").ping()
    assert caplog.messages == [f"connected to {engine.unix}"]
    assert capfd.readouterr() == ("", "")


# ---- what lists and multi-GPU models have like the rest


def test_a_list_has_a_time_to_live(face, engine):
    client = face.open(engine.unix, password=engine.password)
    for operation in (
        lambda: client.set_list_ttl("l", 5),
        lambda: client.get_list_ttl("l"),
        lambda: client.persist_list("l"),
    ):
        with pytest.raises(
            ListNotFound,
            match=r"no list 'l' in .*\. Check the name and its prefix, or append_to_list\('l', \.\.\.\)\.$",
        ):
            operation()
    client.append_to_list("l", "d")
    assert client.get_list_ttl("l") is None
    client.set_list_ttl("l", 100)
    client.append_to_list("l", "e")
    assert 90 < client.get_list_ttl("l") <= 100
    client.persist_list("l")
    assert client.get_list_ttl("l") is None
    client.set_list_ttl("l", 0.001)
    client.wait_for_list_length("l", 0, timeout=10)
    with pytest.raises(InvalidArgument, match="seconds cannot be 0"):
        client.set_list_ttl("l", 0)


def test_a_list_in_a_batch_has_a_time_to_live(face, engine):
    client = face.open(engine.unix, password=engine.password)
    batch = client.batch()
    batch.append_to_list("l", "d")
    batch.set_list_ttl("l", 100)
    left = batch.get_list_ttl("l")
    batch.persist_list("l")
    stays = batch.get_list_ttl("l")
    face.execute(batch)
    assert 90 < left.value <= 100
    assert stays.value is None


def test_what_was_set_for_several_gpus_is_deleted_by_the_same_arguments(face, engine):
    client = face.open(engine.unix, password=engine.password)
    client.set_model_multigpu("m", archive_of(b"m"), "TORCH", 0, 2)
    client.set_script_multigpu("s", "def f(x):\n    return x\n", 0, 2)
    for delete in (client.delete_model_multigpu, client.delete_script_multigpu):
        with pytest.raises(InvalidArgument, match="num_gpus cannot be 0: give 1 to 1024"):
            delete("m", 0, 0)
        with pytest.raises(InvalidArgument, match="first_gpu cannot be -1: it counts from 0"):
            delete("m", -1, 2)
    assert client.model_exists("m")
    client.delete_model_multigpu("m", 0, 2)
    batch = client.batch()
    batch.delete_script_multigpu("s", 0, 2)
    face.execute(batch)
    assert not client.model_exists("m")
    assert not client.script_exists("s")
    client.delete_model_multigpu("m", 0, 2)


def test_a_dtype_that_cannot_be_sent_is_named_with_its_argument(face, engine):
    client = face.open(engine.unix, password=engine.password)
    with pytest.raises(UnsupportedDtype, match=r"^the dtype of data cannot be datetime64\[s\]: convert it to one of"):
        client.put_tensor("t", np.zeros(3, "M8[s]"))
    with pytest.raises(UnsupportedDtype, match=r"^the dtype of an input cannot be "):
        client.infer("m", np.zeros(3, "M8[s]"))
