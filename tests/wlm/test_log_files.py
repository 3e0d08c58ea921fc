import pytest

from ssasync.wlm import Job, OutputFileError, WorkingDirectoryError, next_log_files, tail


@pytest.fixture
def job(tmp_path):
    return Job("member_0", ("true",), cwd=tmp_path)


def test_attempts_have_files_of_their_own_and_the_link_leads_to_the_latest(job, tmp_path):
    for number in (1, 2, 3):
        logs = next_log_files(job)
        assert (logs.output.name, logs.error.name) == (f"member_0.{number}.out", f"member_0.{number}.err")
        logs.output.write_text(f"attempt {number}")
        assert (tmp_path / "member_0.out").read_text() == f"attempt {number}"
    assert (tmp_path / "member_0.1.out").read_text() == "attempt 1"
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_links_survive_a_move_of_the_directory(job, tmp_path):
    next_log_files(job).output.write_text("here")
    moved = tmp_path.rename(tmp_path.with_name(tmp_path.name + "_moved"))
    assert (moved / "member_0.out").read_text() == "here"
    moved.rename(tmp_path)


def test_plain_file_in_the_way_is_kept(job, tmp_path):
    (tmp_path / "member_0.out").write_text("mine")
    next_log_files(job)
    assert (tmp_path / "member_0.0.out").read_text() == "mine"
    assert (tmp_path / "member_0.out").is_symlink()


def test_folder_that_is_missing_is_told_from_a_missing_working_directory(tmp_path):
    with pytest.raises(OutputFileError, match=r"stdout cannot go to .*/logs/a\.1\.log"):
        next_log_files(Job("a", ("true",), cwd=tmp_path, stdout=tmp_path / "logs" / "a.log"))
    with pytest.raises(WorkingDirectoryError):
        next_log_files(Job("a", ("true",), cwd=tmp_path / "gone"))


def test_tail_gives_the_last_lines_of_any_file(tmp_path):
    file = tmp_path / "x.err"
    assert tail(file) == []
    file.write_text("".join(f"line {n}\n" for n in range(100_000)))
    assert tail(file) == [f"line {n}" for n in range(99_980, 100_000)]
    file.write_bytes(b"\xff\xfe no text\n" + b"y" * 100_000)
    assert len(tail(file)[-1]) <= 16 * 1024
