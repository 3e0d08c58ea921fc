// links: allocator
#include "check.h"
#include "fnv_hash.h"

/* Of the authors' list of test vectors for FNV-1a, 64 bits. */
static void test_published_values(void) {
    CHECK(ssa_fnv_hash("", 0) == UINT64_C(0xcbf29ce484222325));
    CHECK(ssa_fnv_hash("a", 1) == UINT64_C(0xaf63dc4c8601ec8c));
    CHECK(ssa_fnv_hash("foobar", 6) == UINT64_C(0x85944171f73967e8));
}

static void test_every_byte_counts_and_no_more(void) {
    unsigned char data[3] = {0, 0xff, 0};
    CHECK(ssa_fnv_hash(data, 1) != ssa_fnv_hash(data, 0));
    CHECK(ssa_fnv_hash(data, 3) != ssa_fnv_hash(data, 2));
    uint64_t before = ssa_fnv_hash(data, 2);
    data[2] = 1;
    CHECK(ssa_fnv_hash(data, 2) == before);
    CHECK(ssa_fnv_hash(NULL, 0) == ssa_fnv_hash("", 0));
}

CHECK_MAIN(NULL, test_published_values, test_every_byte_counts_and_no_more)
