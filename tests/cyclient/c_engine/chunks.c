/* Values in chunks: whole or not at all, and nothing of them left behind. */
#include "allocator.h"
#include "chunk_values.h"
#include "op_run.h"

static void test_manifests(void) {
    ssa_manifest manifest = {.head_bytes = 64, .rest_bytes = 12345, .chunk_bytes = 1000, .nonce = {1, 2, 255}}, read;
    unsigned char bytes[SSA_MANIFEST_MAX];
    size_t length = ssa_manifest_encode(&manifest, bytes);
    uint64_t last;
    CHECK_NUMBER(length, 104);
    CHECK(ssa_manifest_decode(&read, bytes, length) && read.rest_bytes == 12345 && read.chunk_bytes == 1000 && read.head_bytes == 64);
    CHECK_NUMBER(ssa_manifest_count(&read), 13);
    CHECK_NUMBER(ssa_manifest_chunk_at(&read, 12, &last), 12000);
    CHECK_NUMBER(last, 345);
    for (size_t i = 0; i < SSA_MANIFEST_FIXED_BYTES; i++)
        CHECK(!ssa_manifest_decode(&read, bytes, i));
    for (size_t i = 0; i < 8; i++) {
        bytes[i] ^= 1;
        CHECK(!ssa_manifest_decode(&read, bytes, length));
        bytes[i] ^= 1;
    }
    memset(bytes + 8, 0, 8);
    CHECK(!ssa_manifest_decode(&read, bytes, length));
    memset(bytes + 8, 255, 8);
    CHECK(!ssa_manifest_decode(&read, bytes, length));
    memcpy(bytes + 8, "\0\0\0\20\0\0\0\0", 8);
    CHECK(!ssa_manifest_decode(&read, bytes, length)); /* too many chunks */
    memset(bytes + 16, 0, 8);
    CHECK(!ssa_manifest_decode(&read, bytes, length));
    static const struct { const char *of, *key; } keys[] = {
        {"P.x", "{P.x}.0102ff00000000000000000000000000.7"}, {"P.{d}.t", "P.{d}.t.0102ff00000000000000000000000000.7"},
    };
    ssa_buffer key = {NULL, 0, 0};
    for (int i = 0; i < 2; i++) {
        CHECK(!ssa_chunk_key(&manifest, keys[i].of, strlen(keys[i].of), 7, &key));
        CHECK(key.bytes == strlen(keys[i].key) && !memcmp(key.data, keys[i].key, key.bytes));
        CHECK_NUMBER(ssa_key_slot(key.data, key.bytes), ssa_key_slot(keys[i].of, strlen(keys[i].of)));
    }
    ssa_buffer_free(&key);
}

static void test_every_length_comes_back(void) {
    static const size_t lengths[] = {0, 1, 39, 40, LIMIT - 1, LIMIT, LIMIT + 1, 2 * LIMIT, 2 * LIMIT + 1, 8191, 8192, 8193, 100000};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        fill((unsigned)i);
        SUCCEEDS(put("b", lengths[i]));
        holds("b", lengths[i]);
        keys_are(lengths[i] > LIMIT ? (int64_t)(lengths[i] + LIMIT - 1) / LIMIT + 1 : 1);
    }
    SUCCEEDS(drop("b"));
    FAILS(get("b"), SSA_ENOTFOUND);
    keys_are(0);
}

static void test_tensors(void) {
    double values[60][40], back[60][40];
    ssa_tensor_header header = {.dtype = SSA_FLOAT64, .itemsize = 8, .ndim = 2, .shape = {60, 40}}, other = header;
    ssa_tensor_header_complete(&header);
    for (int i = 0; i < 60; i++)
        for (int j = 0; j < 40; j++)
            values[i][j] = 100 * i + j;
    SUCCEEDS(ssa_op_put_tensor(E, name_of("t"), &header, values, P));
    keys_are((60 * 40 * 8 + LIMIT - 1) / LIMIT + 1);
    if (SUCCEEDS(ssa_op_get_tensor(E, name_of("t"), P)) && CHECK_NUMBER(store.last->tensor_count, 1)) {
        CHECK(store.last->tensors[0].header.ndim == 2 && store.last->tensors[0].header.shape[1] == 40);
        CHECK(!memcmp(store.last->tensors[0].memory.data, values, sizeof values));
    }
    SUCCEEDS(ssa_op_unpack_tensor(E, name_of("t"), &header, back, P));
    CHECK(!memcmp(values, back, sizeof values));
    other = header;
    other.order = SSA_COLUMN_MAJOR;
    SUCCEEDS(ssa_op_unpack_tensor(E, name_of("t"), &other, back, P));
    CHECK(((double *)back)[1] == 100 && ((double *)back)[60] == 1);
    other = header;
    other.shape[0] = 40, other.shape[1] = 60;
    FAILS(ssa_op_unpack_tensor(E, name_of("t"), &other, back, P), SSA_ESHAPE);
    CHECK(strstr(store_text(), "the array to unpack into is"));
    other = header;
    other.dtype = SSA_INT64;
    FAILS(ssa_op_unpack_tensor(E, name_of("t"), &other, back, P), SSA_EDTYPE);
    SUCCEEDS(drop("t"));
    SUCCEEDS(put("t", 5000));
    FAILS(ssa_op_get_tensor(E, name_of("t"), P), SSA_EHEADER);
    SUCCEEDS(drop("t"));
    keys_are(0);
}

static void test_a_client_without_limit_reads_them(void) {
    fill(3);
    SUCCEEDS(put("b", 12345));
    E->settings.value_limit = 0;
    holds("b", 12345);
    E->settings.value_limit = LIMIT;
    SUCCEEDS(drop("b"));
}

static void test_bytes_that_look_like_a_manifest(void) {
    ssa_manifest manifest = {.rest_bytes = 5, .chunk_bytes = 5};
    for (int limited = 0; limited < 2; limited++) {
        E->settings.value_limit = limited ? LIMIT : 0;
        size_t bytes = ssa_manifest_encode(&manifest, pattern);
        SUCCEEDS(put("b", bytes));
        holds("b", bytes);
        E->settings.value_limit = LIMIT;
        SUCCEEDS(drop("b"));
        keys_are(0);
    }
}

static void copied_and_renamed(size_t bytes, const char *target) {
    int64_t keys = bytes > LIMIT ? (int64_t)(bytes + LIMIT - 1) / LIMIT + 1 : 1;
    SUCCEEDS(put("b", bytes));
    SUCCEEDS(put(target, 5000));
    SUCCEEDS(ssa_op_copy(E, "copy_tensor", SSA_KIND_TENSOR, name_of("b"), name_of(target), P));
    SUCCEEDS(drop("b")); /* they share nothing */
    holds(target, bytes);
    keys_are(keys);
    SUCCEEDS(ssa_op_rename(E, "rename_tensor", SSA_KIND_TENSOR, name_of(target), name_of("b"), P));
    holds("b", bytes);
    keys_are(keys);
    FAILS(get(target), SSA_ENOTFOUND);
    SUCCEEDS(drop("b"));
    keys_are(0);
}

static void test_copies_and_renames(void) {
    static const size_t lengths[] = {12345, 10, 0};
    fill(9);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        copied_and_renamed(lengths[i], "target");
        copied_and_renamed(lengths[i], elsewhere("b"));
    }
}

static void test_time_to_live(void) {
    SUCCEEDS(put("b", 2500));
    value_ends(-1, -1);
    SUCCEEDS(ssa_op_set_ttl(E, SSA_KIND_TENSOR, name_of("b"), 7200000, P));
    value_ends(7000000, 7200000);
    SUCCEEDS(ssa_op_persist(E, SSA_KIND_TENSOR, name_of("b"), P));
    value_ends(-1, -1);
    SUCCEEDS(drop("b"));
}

static void test_copies_and_renames_keep_the_time_to_live(void) {
    const char *targets[] = {beside("b"), elsewhere("b")};
    for (int i = 0; i < 4; i++) {
        const char *target = targets[i % 2];
        SUCCEEDS(put("b", i < 2 ? 2500 : 10));
        SUCCEEDS(ssa_op_set_ttl(E, SSA_KIND_TENSOR, name_of("b"), 7200000, P));
        SUCCEEDS(ssa_op_copy(E, "copy_tensor", SSA_KIND_TENSOR, name_of("b"), name_of(target), P));
        ttl_is(target, strlen(target), 7000000, 7200000);
        SUCCEEDS(ssa_op_rename(E, "rename_tensor", SSA_KIND_TENSOR, name_of(target), name_of("b"), P));
        ttl_is("b", 1, 7000000, 7200000);
        if (i < 2)
            value_ends(7000000, 7200000);
        SUCCEEDS(drop("b"));
        keys_are(0);
    }
}

/* A manifest whose chunks are not there. */
static void test_a_value_without_its_chunks_is_told(void) {
    ssa_manifest manifest = {.rest_bytes = 5, .chunk_bytes = 3};
    unsigned char bytes[SSA_MANIFEST_MAX];
    ssa_text value = {(char *)bytes, ssa_manifest_encode(&manifest, bytes)};
    ssa_request *request = ssa_single_new(E, "set", SSA_KIND_KEY, name_of("b"), SSA_WRITING, P);
    SUCCEEDS(ssa_single_ready(request, ssa_command_of(SSA_EXPECT_REPLY, SSA_TEXTS(SSA_TEXT("SET"), SSA_TEXT("b"), value)), 0, P));
    FAILS(get("b"), SSA_EHEADER);
    CHECK(strstr(store_text(), "is damaged: chunks of it are missing"));
    FAILS(ssa_op_copy(E, "copy_tensor", SSA_KIND_TENSOR, name_of("b"), name_of("c"), P), SSA_EHEADER);
    FAILS(ssa_op_rename(E, "rename_tensor", SSA_KIND_TENSOR, name_of("b"), name_of("c"), P), SSA_EHEADER);
    SUCCEEDS(drop("b"));
    keys_are(0);
}

static void test_too_many_chunks_are_refused(void) {
    E->settings.value_limit = 1;
    FAILS(put("b", 70000), SSA_EARGUMENT);
    CHECK_TEXT(store.problem.text, "value_limit cannot be 1 bytes: this value needs at least 2 bytes a chunk.");
    E->settings.value_limit = LIMIT;
}

static void test_a_damaged_value_is_told(void) {
    ssa_manifest manifest = {.rest_bytes = 5, .chunk_bytes = 3};
    unsigned char bytes[SSA_MANIFEST_MAX];
    size_t length = ssa_manifest_encode(&manifest, bytes);
    static const char *const chunks[] = {"{b}.00000000000000000000000000000000.0", "{b}.00000000000000000000000000000000.1"};
    const ssa_text keys[] = {name_of("b"), name_of(chunks[0]), name_of(chunks[1])};
    const ssa_text values[] = {{(char *)bytes, length}, name_of("abc"), name_of("too long")};
    for (int i = 0; i < 3; i++) {
        ssa_request *request = ssa_single_new(E, "set", SSA_KIND_KEY, keys[i], SSA_WRITING, P);
        SUCCEEDS(ssa_single_ready(request, ssa_command_of(SSA_EXPECT_REPLY, SSA_TEXTS(SSA_TEXT("SET"), keys[i], values[i])), 0, P));
    }
    FAILS(get("b"), SSA_EHEADER);
    CHECK(strstr(store_text(), "is damaged: a chunk of it is not as long as it should be"));
    SUCCEEDS(drop("b"));
    keys_are(0);
}

/* Two clients that overwrite each other's value, both in chunks, and read. */
static void test_no_value_is_torn(void) {
    static unsigned char values[2][20000];
    ssa_engine *engines[2] = {E, store_connect()};
    ssa_request *puts[2] = {NULL, NULL}, *gets[2] = {NULL, NULL};
    ssa_problem problem;
    int64_t until = ssa_now() + 500000000;
    unsigned long reads = 0, number = 0, busy = 1;
    while (busy) {
        busy = 0;
        for (int i = 0; i < 2; i++) {
            if (gets[i] && gets[i]->complete) {
                if (gets[i]->status == SSA_OK) {
                    const ssa_tensor *came = &gets[i]->tensors[0];
                    const unsigned char *data = came->memory.data;
                    reads++;
                    CHECK(data[0] == data[came->header.data_bytes - 1] && !memcmp(data, data + 1, came->header.data_bytes - 1));
                } else {
                    CHECK_NUMBER(gets[i]->status, SSA_ENOTFOUND);
                }
                ssa_request_free(gets[i]);
                gets[i] = NULL;
            }
            if (puts[i] && puts[i]->complete) {
                CHECK_NUMBER(puts[i]->status, SSA_OK);
                ssa_request_free(puts[i]);
                puts[i] = NULL;
            }
            if (!puts[i] && ssa_now() < until) {
                size_t bytes = 3000 + 17 * (++number % 1000);
                memset(values[i], (int)number, bytes);
                puts[i] = ssa_op_put_bytes(engines[i], name_of("b"), values[i], bytes, &problem);
                ssa_request_start(puts[i], -1);
            }
            if (!gets[i] && ssa_now() < until) {
                gets[i] = ssa_op_get_bytes(engines[i], name_of("b"), &problem);
                ssa_request_start(gets[i], -1);
            }
            busy |= puts[i] || gets[i];
            ssa_poll_until(engines[i], NULL, ssa_now() + 20000);
            while (ssa_engine_next_complete(engines[i]))
                ;
        }
    }
    CHECK(reads > 20);
    ssa_engine_free(engines[1]);
    SUCCEEDS(drop("b"));
    keys_are(0);
}

/* A run as if a worker had answered it with two tensors, of `bytes` bytes and of 3. NULL: no memory. */
static ssa_request *answered_run(const char *first, const char *second, size_t bytes) {
    const ssa_text outputs[] = {name_of(first), name_of(second)};
    const ssa_run_options options = {.discard = 0};
    ssa_request *request = ssa_op_run(E, "run_model", SSA_KIND_MODEL, name_of("m"), NULL, 0, outputs, 2, &options, P);
    ssa_tensor *tensors = request ? ssa_allocate(2 * sizeof *tensors) : NULL;
    if (!tensors) {
        ssa_request_free(request);
        return NULL;
    }
    memset(tensors, 0, 2 * sizeof *tensors);
    request->tensors = tensors;
    request->tensor_count = 2;
    for (int i = 0; i < 2; i++) {
        tensors[i].header = header_of(SSA_UINT8, i ? 3 : bytes);
        tensors[i].memory = ssa_memory_take(E->memory, tensors[i].header.data_bytes);
        if (!tensors[i].memory.data) {
            ssa_request_free(request);
            return NULL;
        }
        memcpy(tensors[i].memory.data, pattern, tensors[i].header.data_bytes);
    }
    return request;
}

/* Store its outputs; store.last is it. */
static ssa_status stored(ssa_request *request) {
    ssa_request_free(store.last);
    store.last = request;
    if (!request)
        return SSA_ENOMEM;
    ssa_request_start(request, -1);
    if (!request->complete)
        ssa_run_store(request);
    store_wait(&request, 1);
    return request->status;
}

static void tensor_is(const char *name, size_t bytes) {
    if (SUCCEEDS(ssa_op_get_tensor(E, name_of(name), P)) && CHECK_NUMBER(store.last->tensors[0].header.data_bytes, bytes))
        CHECK(!memcmp(store.last->tensors[0].memory.data, pattern, bytes));
}

/* With the tensor "a" alone. NULL: no memory. */
static ssa_dataset *dataset_of_one(void) {
    ssa_dataset *dataset;
    ssa_tensor_header header = header_of(SSA_UINT8, 1);
    if (ssa_dataset_new("d", 1, &dataset) || ssa_dataset_add_tensor(dataset, "a", 1, &header, pattern)) {
        ssa_dataset_free(dataset);
        return NULL;
    }
    return dataset;
}

static void test_outputs_of_a_run(void) {
    const char *other = elsewhere("a");
    fill(5);
    CHECK_NUMBER(stored(answered_run("a", other, 5000)), SSA_OK);
    tensor_is("a", 5000);
    tensor_is(other, 3);
    keys_are(7);
    CHECK_NUMBER(stored(answered_run(other, "a", 2500)), SSA_OK);
    tensor_is(other, 2500);
    tensor_is("a", 3);
    keys_are(5);
    CHECK_NUMBER(stored(answered_run("{d}.a", "a", 500)), SSA_ENOTFOUND);
    ssa_dataset *dataset = dataset_of_one();
    if (CHECK(dataset))
        SUCCEEDS(ssa_op_put_dataset(E, dataset, P));
    CHECK_NUMBER(stored(answered_run("{d}.a", "a", 500)), SSA_OK);
    CHECK_NUMBER(stored(answered_run("a", "{d}.a", 5000)), SSA_OK);
    CHECK_NUMBER(stored(answered_run("{d}.a", "a", 5000)), SSA_EARGUMENT);
    CHECK(strstr(store_text(), "'{d}.a' has 5000 bytes, more than value_limit (1000)"));
    tensor_is("a", 5000);
    ssa_request *request = answered_run("a", other, 20000); /* nobody waits for it any more */
    ssa_request_start(request, -1);
    ssa_run_store(request);
    ssa_request_free(request);
    tensor_is("a", 5000);
    SUCCEEDS(drop("a"));
    SUCCEEDS(drop(other));
    SUCCEEDS(ssa_op_delete_dataset(E, name_of("d"), P));
    ssa_dataset_free(dataset);
    settle();
    keys_are(0);
}

static void exercise_outputs(void) {
    const char *other = elsewhere("a");
    ssa_status status = stored(answered_run("a", other, 3000));
    if (!CHECK(status == SSA_OK || (status == SSA_ENOMEM && check_state.refused)))
        printf("    %s: %s\n", ssa_status_name(status), store_text());
    bears(drop("a"));
    bears(drop(other));
}

static void exercise_outputs_into_datasets(void) {
    ssa_dataset *dataset = dataset_of_one();
    if (dataset && bears(ssa_op_put_dataset(E, dataset, P))) {
        ssa_status status = stored(answered_run("{d}.a", "a", 300));
        if (!CHECK(status == SSA_OK || (status == SSA_ENOMEM && check_state.refused)))
            printf("    %s: %s\n", ssa_status_name(status), store_text());
    }
    bears(drop("a"));
    bears(ssa_op_delete_dataset(E, name_of("d"), P));
    ssa_dataset_free(dataset);
}

static void exercise_chunks(void) {
    if (bears(put("b", 5000)))
        bears(get("b"));
    bears(put("b", 10));
    bears(drop("b"));
}

static void exercise_copies(void) {
    if (!bears(put("b", 5000)))
        return;
    bears(ssa_op_copy(E, "copy_tensor", SSA_KIND_TENSOR, name_of("b"), name_of(elsewhere("b")), P));
    bears(ssa_op_set_ttl(E, SSA_KIND_TENSOR, name_of("b"), 3600000, P));
    bears(ssa_op_persist(E, SSA_KIND_TENSOR, name_of("b"), P));
    if (bears(ssa_op_rename(E, "rename_tensor", SSA_KIND_TENSOR, name_of("b"), name_of("c"), P)))
        bears(drop("c"));
}

static const store_test exercises[] = {exercise_chunks, exercise_copies, exercise_outputs, exercise_outputs_into_datasets, NULL};

static const store_test tests[] = {
    test_manifests, test_every_length_comes_back, test_tensors, test_a_client_without_limit_reads_them,
    test_bytes_that_look_like_a_manifest, test_copies_and_renames, test_time_to_live, test_too_many_chunks_are_refused,
    test_a_damaged_value_is_told, test_no_value_is_torn, test_outputs_of_a_run,
    test_copies_and_renames_keep_the_time_to_live, test_a_value_without_its_chunks_is_told,
};

int main(int count, char **words) {
    store.value_limit = LIMIT;
    return store_main(count, words, exercises, tests, sizeof tests / sizeof *tests);
}
