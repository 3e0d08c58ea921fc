/* Datasets whose items are longer than value_limit: one moment as ever, and no chunk outlives its dataset. */
#include "chunks.h"

#include "dataset.h"
#include "store.h"

#define E store.engine
#define P &store.problem
#define LIMIT 1000

static unsigned char pattern[20000];

static void fill(unsigned seed) {
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (unsigned char)((i * 2654435761u + seed * 977u) >> 13);
}

static ssa_dataset *empty(const char *name) {
    ssa_dataset *dataset;
    ssa_dataset_new(name, strlen(name), &dataset);
    return dataset;
}

/* Elements of the pattern. */
static ssa_status add_tensor(ssa_dataset *dataset, const char *name, uint64_t elements) {
    ssa_tensor_header header = header_of(SSA_FLOAT64, elements);
    return ssa_dataset_add_tensor(dataset, name, strlen(name), &header, pattern);
}

static ssa_status add_bytes(ssa_dataset *dataset, const char *name, size_t bytes) {
    return ssa_dataset_add_bytes(dataset, name, strlen(name), pattern, bytes);
}

/* A tensor of so many elements and so many bytes; 0: none. NULL: no memory. */
static ssa_dataset *sample(const char *name, uint64_t elements, size_t bytes) {
    ssa_dataset *dataset = empty(name);
    if (dataset && ((elements && add_tensor(dataset, "u", elements)) || (bytes && add_bytes(dataset, "raw", bytes)) ||
                    ssa_dataset_add_string(dataset, "unit", 4, "m/s", 3))) {
        ssa_dataset_free(dataset);
        return NULL;
    }
    return dataset;
}

static ssa_request *get(const char *name) {
    return ssa_op_get_dataset(E, name_of(name), P);
}

static ssa_request *drop(const char *name) {
    return ssa_op_delete_dataset(E, name_of(name), P);
}

static void stored(ssa_dataset *dataset) {
    SUCCEEDS(ssa_op_put_dataset(E, dataset, P));
    ssa_request_free(store.last); /* with its pin */
    store.last = NULL;
    ssa_dataset_free(dataset);
}

static void item_is(const ssa_dataset *dataset, ssa_item_kind kind, const char *name, size_t bytes) {
    const ssa_item *item = ssa_dataset_find_item(dataset, kind, name, strlen(name));
    CHECK(!item == !bytes);
    if (item && CHECK_NUMBER(item->header.data_bytes, bytes))
        CHECK(!memcmp(item->data, pattern, bytes));
}

static void holds(const char *name, uint64_t elements, size_t bytes) {
    if (!SUCCEEDS(get(name)) || !CHECK_NUMBER(store.last->dataset_count, 1))
        return;
    const ssa_dataset *dataset = store.last->datasets[0];
    item_is(dataset, SSA_ITEM_TENSOR, "u", elements * 8);
    item_is(dataset, SSA_ITEM_BYTES, "raw", bytes);
    CHECK_NUMBER(ssa_dataset_field_count(dataset), 1);
}

static size_t chunks_of(size_t head, size_t bytes) {
    return head + bytes > LIMIT ? (bytes + LIMIT - 1) / LIMIT : 0;
}

/* meta, the names that have keys, the items and their chunks. */
static int64_t keys_of(uint64_t elements, size_t bytes) {
    return 2 + !!elements + !!bytes + (int64_t)(chunks_of(64, elements * 8) + chunks_of(0, bytes));
}

static ssa_request *raw(const char *key, const ssa_text *words) {
    ssa_request *request = ssa_single_new(E, "raw", SSA_KIND_KEY, name_of(key), SSA_WRITING, P);
    return ssa_single_ready(request, ssa_command_of(SSA_EXPECT_REPLY, words), 0, P);
}

/* Of standalone stores; on a cluster nothing is checked here. */
static void keys_are(int64_t count) {
    if (E->mode != SSA_MODE_STANDALONE)
        return;
    SUCCEEDS(raw("x", SSA_TEXTS(SSA_TEXT("DBSIZE"))));
    CHECK_NUMBER(ssa_request_answer(store.last, 0)->reply.nodes[0].number, count);
}

static const struct { uint64_t elements; size_t bytes; } sizes[] = {
    {1, 1}, {117, 1000}, {118, 1001}, {2500, 20000}, {0, 2000}, {2000, 0}, {125, 0}, {126, 5}, {5, 3000}, {1000, 3000},
};

#define SIZES (sizeof sizes / sizeof *sizes)

static void test_every_length_comes_back_whatever_was_there(void) {
    for (size_t i = 0; i < SIZES; i++)
        for (size_t k = 0; k < SIZES; k++) {
            fill((unsigned)(i * SIZES + k));
            stored(sample("d", sizes[i].elements, sizes[i].bytes));
            keys_are(keys_of(sizes[i].elements, sizes[i].bytes));
            stored(sample("d", sizes[k].elements, sizes[k].bytes));
            keys_are(keys_of(sizes[k].elements, sizes[k].bytes));
            holds("d", sizes[k].elements, sizes[k].bytes);
        }
    SUCCEEDS(drop("d"));
    FAILS(get("d"), SSA_ENOTFOUND);
    keys_are(0);
}

static void test_bytes_that_look_like_a_manifest(void) {
    ssa_manifest manifest = {.rest_bytes = 5, .chunk_bytes = 5};
    for (int limited = 0; limited < 2; limited++) {
        E->settings.value_limit = limited ? LIMIT : 0;
        size_t bytes = ssa_manifest_encode(&manifest, pattern);
        stored(sample("d", 0, bytes));
        keys_are(4);
        holds("d", 0, bytes);
        SUCCEEDS(ssa_op_copy_dataset(E, name_of("d"), name_of("e"), P));
        SUCCEEDS(drop("d"));
        holds("e", 0, bytes);
        SUCCEEDS(drop("e"));
        keys_are(0);
    }
    E->settings.value_limit = LIMIT;
}

static void test_a_client_without_limit_keeps_house_too(void) {
    fill(4);
    for (int i = 0; i < 2; i++) {
        stored(sample("d", 1000, 3000));
        E->settings.value_limit = 0;
        holds("d", 1000, 3000);
        SUCCEEDS(ssa_op_copy_dataset(E, name_of("d"), name_of("e"), P)); /* in chunks of the same length */
        holds("e", 1000, 3000);
        keys_are(2 * keys_of(1000, 3000));
        SUCCEEDS(drop("e"));
        if (i)
            SUCCEEDS(drop("d"));
        else
            stored(sample("d", 3, 3));
        keys_are(i ? 0 : 4);
        E->settings.value_limit = LIMIT;
    }
    SUCCEEDS(drop("d"));
}

static void test_copies_and_renames(void) {
    const char *targets[] = {"target", elsewhere("d")};
    fill(9);
    for (int i = 0; i < 2; i++) {
        stored(sample("d", 1000, 3000));
        stored(sample(targets[i], 0, 5000));
        SUCCEEDS(ssa_op_copy_dataset(E, name_of("d"), name_of(targets[i]), P));
        SUCCEEDS(drop("d")); /* they share nothing */
        holds(targets[i], 1000, 3000);
        keys_are(keys_of(1000, 3000));
        stored(sample("d", 7, 0));
        SUCCEEDS(ssa_op_rename_dataset(E, name_of(targets[i]), name_of("d"), P));
        holds("d", 1000, 3000);
        keys_are(keys_of(1000, 3000));
        FAILS(get(targets[i]), SSA_ENOTFOUND);
        SUCCEEDS(drop("d"));
        keys_are(0);
    }
}

/* The first chunk of the item of the dataset "d". 0: it is not in chunks. */
static int chunk_of(const char *item, ssa_buffer *chunk) {
    char key[64];
    ssa_manifest manifest;
    snprintf(key, sizeof key, "{d}.%s", item);
    SUCCEEDS(raw(key, SSA_TEXTS(SSA_TEXT("GET"), name_of(key))));
    const ssa_reply *reply = &ssa_request_answer(store.last, 0)->reply;
    return CHECK(ssa_manifest_decode(&manifest, reply->text.data + reply->nodes[0].text_at, reply->nodes[0].text_bytes)) &&
           !ssa_chunk_key(&manifest, key, strlen(key), 0, chunk);
}

static void ttl_is(ssa_text key, int64_t least, int64_t most) {
    if (SUCCEEDS(ssa_op_get_ttl(E, SSA_KIND_KEY, key, P)))
        CHECK(store.last->number >= least && store.last->number <= most);
}

static void test_time_to_live(void) {
    ssa_buffer chunk = {NULL, 0, 0};
    fill(1);
    stored(sample("d", 1000, 3000));
    if (!chunk_of("raw", &chunk))
        return;
    ttl_is(SSA_KEY_TEXT(chunk), -1, -1);
    SUCCEEDS(ssa_op_set_ttl(E, SSA_KIND_DATASET, name_of("d"), 7200000, P));
    ttl_is(SSA_KEY_TEXT(chunk), 7000000, 7200000);
    ttl_is(name_of("{d}.raw"), 7000000, 7200000);
    SUCCEEDS(ssa_op_persist(E, SSA_KIND_DATASET, name_of("d"), P));
    ttl_is(SSA_KEY_TEXT(chunk), -1, -1);
    SUCCEEDS(ssa_op_set_ttl(E, SSA_KIND_DATASET, name_of("d"), 7200000, P));
    stored(sample("d", 1000, 3000)); /* what is put anew stays */
    if (chunk_of("u", &chunk))
        ttl_is(SSA_KEY_TEXT(chunk), -1, -1);
    ssa_buffer_free(&chunk);
    SUCCEEDS(drop("d"));
    keys_are(0);
}

/* As a writer leaves it that died between its transaction and what it left to do. */
static void test_stale_chunks_go_with_the_next_put(void) {
    static const char name[] = ".00112233445566778899aabbccddeeff.2.u";
    static const char *const chunks[] = {"{d}.u.00112233445566778899aabbccddeeff.0", "{d}.u.00112233445566778899aabbccddeeff.1"};
    for (int deleted = 0; deleted < 2; deleted++) {
        stored(sample("d", 1000, 0));
        for (int i = 0; i < 2; i++)
            SUCCEEDS(raw(chunks[i], SSA_TEXTS(SSA_TEXT("SET"), name_of(chunks[i]), SSA_TEXT("old"))));
        SUCCEEDS(raw("{d}..names", SSA_TEXTS(SSA_TEXT("HSET"), SSA_TEXT("{d}..names"), name_of(name), {"", 0})));
        keys_are(keys_of(1000, 0) + 2);
        if (deleted) {
            SUCCEEDS(drop("d"));
            keys_are(0);
            continue;
        }
        stored(sample("d", 1000, 0));
        keys_are(keys_of(1000, 0));
        holds("d", 1000, 0);
    }
}

static void test_a_damaged_one_is_told(void) {
    ssa_buffer chunk = {NULL, 0, 0};
    stored(sample("d", 1000, 3000));
    if (!chunk_of("raw", &chunk))
        return;
    SUCCEEDS(raw("{d}", SSA_TEXTS(SSA_TEXT("SET"), SSA_KEY_TEXT(chunk), SSA_TEXT("short"))));
    FAILS(get("d"), SSA_EDATASET);
    CHECK(strstr(store_text(), "its item 'raw' is damaged: a chunk of it is not as long as it should be"));
    SUCCEEDS(raw("{d}", SSA_TEXTS(SSA_TEXT("UNLINK"), SSA_KEY_TEXT(chunk))));
    FAILS(get("d"), SSA_EDATASET);
    CHECK(strstr(store_text(), "its item 'raw' is damaged: chunks of it are missing"));
    ssa_buffer_free(&chunk);
    SUCCEEDS(drop("d"));
    keys_are(0);
}

/* Until all that was sent is answered, also what nobody waits for. */
static void settle(void) {
    while (ssa_engine_unanswered(E)) {
        while (ssa_engine_next_complete(E))
            ;
        ssa_poll_until(E, NULL, ssa_now() + 1000000);
    }
}

static void test_a_cancelled_put_leaves_the_old_one(void) {
    fill(1);
    for (int polls = 0; polls < 12; polls++) {
        stored(sample("d", 2000, 9000));
        ssa_dataset *dataset = sample("d", 1000, 5000);
        ssa_request *request = ssa_op_put_dataset(E, dataset, P);
        ssa_request_start(request, -1);
        for (int i = 0; i < polls && !request->complete; i++)
            ssa_poll_until(E, request, ssa_now() + 5000);
        int done = request->complete;
        ssa_request_free(request);
        ssa_dataset_free(dataset);
        if (SUCCEEDS(get("d"))) {
            const ssa_item *item = ssa_dataset_find_item(store.last->datasets[0], SSA_ITEM_TENSOR, "u", 1);
            int is_new = item && item->header.data_bytes == 8000;
            CHECK(is_new || !done);
            holds("d", is_new ? 1000 : 2000, is_new ? 5000 : 9000);
        }
        SUCCEEDS(drop("d"));
        settle();
        keys_are(0);
    }
}

static void test_too_many_chunks_are_refused(void) {
    static unsigned char long_bytes[70000];
    ssa_dataset *dataset = empty("d");
    ssa_dataset_lend_bytes(dataset, "raw", 3, long_bytes, sizeof long_bytes);
    E->settings.value_limit = 1;
    FAILS(ssa_op_put_dataset(E, dataset, P), SSA_EARGUMENT);
    CHECK_TEXT(store_text(), "value_limit cannot be 1 bytes: this value needs at least 2 bytes a chunk.");
    E->settings.value_limit = LIMIT;
    ssa_request_free(store.last);
    store.last = NULL;
    ssa_dataset_free(dataset);
    keys_are(0);
}

static void test_a_flush_of_a_prefix_takes_its_chunks(void) {
    static const char *const keys[] = {"p.b", "q.b"};
    E->settings.owned = 1;
    for (int i = 0; i < 2; i++)
        SUCCEEDS(ssa_op_put_tensor_by_key(E, "put", name_of(keys[i]), &(ssa_tensor_header){SSA_UINT8, SSA_ROW_MAJOR, 1, 1, 5000, {5000}},
                                          pattern, P));
    stored(sample("p.d", 1000, 0)); /* of no prefix: braces come first */
    keys_are(12 + keys_of(1000, 0));
    SUCCEEDS(ssa_op_flush(E, name_of("p"), P));
    CHECK_NUMBER(store.last->number, 6);
    holds("p.d", 1000, 0);
    SUCCEEDS(ssa_op_flush(E, name_of(""), P));
    CHECK_NUMBER(store.last->number, 6 + keys_of(1000, 0));
    keys_are(0);
}

static void test_names_of_chunks(void) {
    ssa_manifest manifest = {.rest_bytes = 12345, .chunk_bytes = 1000, .nonce = {1, 2, 255}};
    ssa_buffer name = {NULL, 0, 0};
    ssa_pieces_name read;
    static const char written[] = ".0102ff00000000000000000000000000.13.a.7.b";
    CHECK(!ssa_pieces_name_encode(&manifest, "a.7.b", 5, &name));
    CHECK(name.bytes == sizeof written - 1 && !memcmp(name.data, written, name.bytes));
    CHECK(ssa_pieces_name_decode(&read, written, sizeof written - 1) && read.count == 13 && read.item_bytes == 5);
    ssa_buffer_free(&name);
    static const char *const refused[] = {
        "", "a", ".0102ff00000000000000000000000000.13.", ".0102ff00000000000000000000000000.13", ".0102ff00000000000000000000000000..a",
        ".0102ff00000000000000000000000000.0.a", ".0102ff00000000000000000000000000.65537.a", ".0102ff0000000000000000000000000.13.a",
        ".0102FF00000000000000000000000000.13.a", ".0102ff00000000000000000000000000.1x.a",
        ".0102ff00000000000000000000000000.99999999999999999999999.a", "0102ff00000000000000000000000000.13.a.",
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        CHECK(!ssa_pieces_name_decode(&read, refused[i], strlen(refused[i])));
    static const struct { const char *key; size_t end; } ends[] = {
        {"{p.b}.0102ff00000000000000000000000000.0", 4}, {"{p.b}.0102ff00000000000000000000000000.", 0},
        {"{p.b}.0102ff00000000000000000000000000.x", 0}, {"{p.b}.u.0102ff00000000000000000000000000.0", 0}, {"{p.b}", 0}, {"", 0},
        {"{p.b}.0102FF00000000000000000000000000.0", 0}, {"p.{b}.0102ff00000000000000000000000000.0", 0}, {"{p.b", 0},
    };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        CHECK_NUMBER(ssa_chunk_key_end(ends[i].key, strlen(ends[i].key)), ends[i].end);
}

/* ---- with an allocation refused */

static int put_borne(const char *name, uint64_t elements, size_t bytes) {
    ssa_dataset *dataset = sample(name, elements, bytes);
    int done = dataset && bears(ssa_op_put_dataset(E, dataset, P));
    ssa_request_free(store.last);
    store.last = NULL;
    ssa_dataset_free(dataset);
    return done;
}

static void exercise_put_and_get(void) {
    if (put_borne("d", 300, 1500) && bears(get("d")))
        item_is(store.last->datasets[0], SSA_ITEM_BYTES, "raw", 1500);
    put_borne("d", 200, 2);
    bears(drop("d"));
}

static void exercise_copies(void) {
    if (!put_borne("d", 300, 0))
        return;
    bears(ssa_op_copy_dataset(E, name_of("d"), name_of(elsewhere("d")), P));
    bears(ssa_op_set_ttl(E, SSA_KIND_DATASET, name_of("d"), 100000, P));
    bears(ssa_op_persist(E, SSA_KIND_DATASET, name_of("d"), P));
    bears(drop("d"));
    bears(drop(elsewhere("d")));
}

static const store_test exercises[] = {exercise_put_and_get, exercise_copies, NULL};

static const store_test tests[] = {
    test_names_of_chunks, test_every_length_comes_back_whatever_was_there, test_bytes_that_look_like_a_manifest,
    test_a_client_without_limit_keeps_house_too, test_copies_and_renames, test_time_to_live, test_stale_chunks_go_with_the_next_put,
    test_a_damaged_one_is_told, test_a_cancelled_put_leaves_the_old_one,
    test_too_many_chunks_are_refused, test_a_flush_of_a_prefix_takes_its_chunks,
};

int main(int count, char **words) {
    store.value_limit = LIMIT;
    return store_main(count, words, exercises, tests, sizeof tests / sizeof *tests);
}
