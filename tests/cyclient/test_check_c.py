"""The checkers of the C tests find what they are there to find; a few programs under each, the rest by `make check-c`."""

import shutil
import subprocess
import sys

import pytest

from tests.cyclient.c_builder import CBuilder
from tests.cyclient.check_c import CHECKERS, FOLDER, VALGRIND, check
from tests.cyclient.check_c_engine import PROGRAMS, check_with_engine

PLANTED = {
    "a leak": ("take(); place = NULL;", {"sanitizers", "valgrind"}),
    "a read past the end": ("printf('%d', take()[word + 9]); free(place);", {"sanitizers", "valgrind"}),
    "a choice by what was never written": ("if (take()[word]) puts('x'); free(place);", {"valgrind"}),
    "a second free": ("take(); free(place); free(place);", {"sanitizers", "valgrind"}),
    "an overflow": ("printf('%d', 2147483647 + word);", {"sanitizers"}),
    "a race": ("race();", {"threads"}),
    "a check that fails": ("return word;", {"sanitizers", "threads", "valgrind"}),
    "silence": ("return 0;", {"sanitizers", "threads", "valgrind"}),
}
PROGRAM = """// links: allocator
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
static char *volatile place; /* so that the compiler leaves nothing out */
static int shared;
static inline char *take(void) {
    return place = malloc(10);
}
static void *add(void *nothing) {
    shared++;
    return nothing;
}
static inline void race(void) {
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, add, NULL);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
}
int main(int word, char **words) {
    (void)words;
    (void)add;
    @
    puts("1 checks in 1 tests");
    return 0;
}
"""


def test_valgrind_is_there():
    assert shutil.which("valgrind"), "make test needs valgrind: install it (Debian: apt-get install valgrind)"


@pytest.mark.parametrize("checker", CHECKERS, ids=[checker.name for checker in CHECKERS])
def test_each_checker_finds_its_mistakes_and_no_others(checker, tmp_path):
    source = tmp_path / "clean.c"
    source.write_text(PROGRAM.replace("@", ""))
    assert check(checker, [source], tmp_path / "out") == []
    for number, (statement, found_by) in enumerate(PLANTED.values()):
        if checker.name in found_by:
            source = tmp_path / f"planted{number}.c"
            source.write_text(PROGRAM.replace("@", statement.replace("'", '"')))
            assert check(checker, [source], tmp_path / "out"), statement


@pytest.mark.parametrize("checker", CHECKERS, ids=[checker.name for checker in CHECKERS])
def test_a_few_programs_are_clean_under_each_checker(checker, tmp_path):
    sources = [FOLDER / "test_tensor_memory.c", FOLDER / "test_slot_map.c"]
    assert any(checker.wants(source) for source in sources)
    assert check(checker, sources, tmp_path) == []


@pytest.mark.timeout(300)  # it compiles the core
def test_a_program_that_talks_to_an_engine_is_clean_under_valgrind(tmp_path):
    assert check_with_engine(["c_face/values"], VALGRIND, tmp_path) == []


def test_every_program_that_talks_to_an_engine_is_there():
    assert all((FOLDER.parent / f"{name}.c").exists() for name in PROGRAMS)


def test_every_program_is_wanted_by_a_checker_of_memory():
    assert all(checker.wants(source) for checker in CHECKERS[::2] for source in FOLDER.glob("test_*.c"))
    assert [checker.name for checker in CHECKERS[::2]] == ["sanitizers", "valgrind"]


def test_the_command_refuses_a_program_that_is_not_there():
    command = [sys.executable, "-m", "tests.cyclient.check_c", "test_nothing"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no such program" in done.stderr


def test_a_program_that_does_not_compile_is_an_error(tmp_path):
    source = tmp_path / "broken.c"
    source.write_text("// links: allocator\nint main(void) { return nothing; }\n")
    with pytest.raises(AssertionError, match="nothing"):
        CBuilder(tmp_path, "cc", ()).program(source)
