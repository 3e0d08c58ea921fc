import fcntl
import os
import subprocess
import sys
import threading

import pytest

from ssasync.wlm import RuntimeDirectory, RuntimeDirectoryError


def test_it_is_private_short_and_goes(tmp_path):
    with RuntimeDirectory.create() as runtime:
        assert runtime.path.stat().st_mode & 0o777 == 0o700
        assert len(str(runtime.path / "65535.sock")) < 100
        (runtime.path / "7.sock").touch()
    assert not runtime.path.exists()
    runtime.close()


def test_runtime_dir_of_the_user_is_preferred(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with RuntimeDirectory.create() as runtime:
        assert runtime.path.parent == tmp_path


def test_runtime_dir_that_is_too_long_or_missing_is_passed_over(tmp_path, monkeypatch):
    long = tmp_path / ("x" * 90)
    long.mkdir()
    for place in (long, tmp_path / "missing"):
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(place))
        with RuntimeDirectory.create() as runtime:
            assert runtime.path.parent != place
    assert list(long.iterdir()) == []


def test_no_place_says_what_was_tried(tmp_path):
    with pytest.raises(RuntimeDirectoryError, match=r"missing: No such file.*Set XDG_RUNTIME_DIR or TMPDIR"):
        RuntimeDirectory.create(parent=tmp_path / "missing")


def test_second_driver_is_refused(tmp_path):
    held = r"another driver holds .*driver\.lock"
    with RuntimeDirectory.create(parent=tmp_path) as runtime, pytest.raises(RuntimeDirectoryError, match=held):
        RuntimeDirectory(runtime.path)


@pytest.mark.parametrize("look", [fcntl.LOCK_SH, fcntl.LOCK_EX], ids=["looks", "cleans up"])
def test_driver_waits_for_a_launcher_that_has_the_lock(tmp_path, look):
    path = tmp_path / "r"
    path.mkdir()
    fd = os.open(path / "driver.lock", os.O_CREAT | os.O_RDWR)
    fcntl.flock(fd, look)
    release = threading.Timer(0.05, os.close, [fd])
    release.start()
    RuntimeDirectory(path).close()
    release.join()
    assert not path.exists()


def test_attempts_are_numbered_and_their_locks_held(tmp_path):
    with RuntimeDirectory.create(parent=tmp_path) as runtime:
        one, two, other = (runtime.new_attempt(name) for name in ("a", "a", "b/../c d"))
        assert [files.lock.name for files in (one, two, other)] == ["a.1.lock", "a.2.lock", "b_.._c_d.1.lock"]
        other_process = "import fcntl,sys; fcntl.flock(open(sys.argv[1]), fcntl.LOCK_EX | fcntl.LOCK_NB)"
        refused = subprocess.run([sys.executable, "-c", other_process, one.lock], capture_output=True, check=False)
        assert b"BlockingIOError" in refused.stderr
        for files in (one, two, other):
            os.close(files.lock_fd)


def test_numbers_of_an_earlier_driver_are_not_used_again(tmp_path):
    records = tmp_path / "records"
    records.mkdir()
    (records / "a.1.status").touch()
    with RuntimeDirectory.create(records=records) as runtime:
        files = runtime.new_attempt("a")
        os.close(files.lock_fd)
        assert files.record == records / "a.2.status"
    assert (records / "a.1.status").exists()


def test_directory_with_a_living_attempt_is_left_alone(tmp_path):
    runtime = RuntimeDirectory.create(parent=tmp_path)
    files = runtime.new_attempt("a")
    runtime.close()
    assert runtime.path.exists()
    os.close(files.lock_fd)
    RuntimeDirectory(runtime.path).close()
    assert not runtime.path.exists()


def test_look_of_a_launcher_is_no_living_attempt(tmp_path):
    runtime = RuntimeDirectory.create(parent=tmp_path)
    files = runtime.new_attempt("a")
    fcntl.flock(files.lock_fd, fcntl.LOCK_SH)  # the attempt is over, and a launcher that cleans up looks at its lock
    runtime.close()
    os.close(files.lock_fd)
    assert not runtime.path.exists()
