/* Every allocation of the library refused once in turn, over a day in the life of a client: each call succeeds or says
 * SSA_ENOMEM, nothing leaks, and after a refusal the next call works. Linked with the archive: it replaces the
 * allocator. */
#include "face.h"

#include "allocator.h"

static long live, until_refusal = -1, refused;

static int refuses(void) {
    if (until_refusal < 0 || until_refusal-- > 0)
        return 0;
    refused++;
    return 1;
}

static void *allocate(size_t bytes) {
    void *memory = refuses() ? NULL : malloc(bytes);
    live += memory != NULL;
    return memory;
}

static void *reallocate(void *memory, size_t bytes) {
    void *moved = refuses() ? NULL : realloc(memory, bytes);
    live += moved && !memory;
    return moved;
}

static void release(void *memory) {
    live -= memory != NULL;
    free(memory);
}

static ssa_client *client;

/* What was not put for want of memory is not there. */
static void may_fail(ssa_status status, ssa_status wanted, const char *what) {
    int for_want_of_it = status == SSA_ENOMEM || status == SSA_ENOTFOUND ||
                         (status == SSA_ECLOSED && strstr(ssa_client_error(client), "no memory for a reply"));
    if (status == wanted || (refused && for_want_of_it))
        return;
    face_state.failures++;
    printf("%s: %s (%s)\n", what, ssa_status_name(status), ssa_client_error(client));
}

#define MAY_FAIL(call) may_fail((call), SSA_OK, #call)

static void use_tensors(void) {
    double apart[4][6], *rows[4] = {apart[0], apart[1], apart[2], apart[3]};
    int64_t shape[] = {4, 3}, strides[] = {sizeof apart[0], 16};
    ssa_tensor *tensor;
    memset(apart, 0, sizeof apart);
    ssa_array array = face_array(apart, SSA_FLOAT64, shape, 2, SSA_STRIDED);
    array.strides = strides;
    MAY_FAIL(ssa_put_tensor(client, NAME("fail"), &array, OWN));
    MAY_FAIL(ssa_get_tensor(client, NAME("fail"), SSA_NESTED_POINTERS, &tensor, OWN));
    ssa_tensor_free(tensor);
    MAY_FAIL(ssa_get_tensor(client, NAME("fail"), SSA_COLUMN_MAJOR, &tensor, OWN));
    ssa_tensor_free(tensor);
    array = face_array(rows, SSA_FLOAT64, shape, 2, SSA_NESTED_POINTERS);
    MAY_FAIL(ssa_unpack_tensor(client, NAME("fail"), &array, OWN));
    may_fail(ssa_get_tensor(client, NAME("absent"), SSA_ROW_MAJOR, &tensor, OWN), SSA_ENOTFOUND, "absent");
    MAY_FAIL(ssa_copy_tensor(client, NAME("fail"), NAME("fail_copy"), OWN));
    MAY_FAIL(ssa_delete_tensor(client, NAME("fail_copy"), OWN));
    ssa_status put = ssa_put_bytes(client, NAME("fail_bytes"), "bytes", 5, OWN);
    MAY_FAIL(put);
    if (put == SSA_OK)
        MAY_FAIL(ssa_wait_for_tensor(client, NAME("fail_bytes"), OWN));
    MAY_FAIL(ssa_get_bytes(client, NAME("fail_bytes"), &tensor, OWN));
    ssa_tensor_free(tensor);
}

static void use_futures(void) {
    static double data[40000];
    int64_t elements = 40000;
    ssa_future *futures[3];
    ssa_tensor *tensor;
    size_t index;
    ssa_array array = face_array(data, SSA_FLOAT64, &elements, 1, SSA_ROW_MAJOR);
    MAY_FAIL(ssa_start_put_tensor(client, NAME("fail_long"), &array, OWN, &futures[0]));
    MAY_FAIL(ssa_start_get_tensor(client, NAME("fail_long"), SSA_NESTED_POINTERS, OWN, &futures[1]));
    MAY_FAIL(ssa_start_unpack_tensor(client, NAME("fail_long"), &array, OWN, &futures[2]));
    if (futures[0] && futures[1])
        MAY_FAIL(ssa_wait_any(futures, 2, -1, &index));
    if (futures[2])
        MAY_FAIL(ssa_future_wait(futures[2], -1));
    if (futures[0])
        MAY_FAIL(ssa_future_wait(futures[0], -1));
    if (futures[1]) {
        MAY_FAIL(ssa_future_wait(futures[1], -1));
        MAY_FAIL(ssa_future_tensor(futures[1], &tensor));
        ssa_tensor_free(tensor);
    }
    for (int i = 0; i < 3; i++)
        ssa_future_free(futures[i]);
    MAY_FAIL(ssa_start_put_tensor(client, NAME("fail_long"), &array, OWN, &futures[0]));
    ssa_future_free(futures[0]); /* cancelled */
}

static void use_batches(void) {
    static double data[20000], rows[2][6];
    int64_t elements = 20000, shape[] = {2, 3}, strides[] = {sizeof rows[0], 16};
    ssa_batch *batch;
    ssa_future *future = NULL;
    ssa_tensor *tensor = NULL, *bytes = NULL;
    ssa_array array = face_array(data, SSA_FLOAT64, &elements, 1, SSA_ROW_MAJOR);
    ssa_array apart = face_array(rows, SSA_FLOAT64, shape, 2, SSA_STRIDED);
    int found;
    apart.strides = strides;
    MAY_FAIL(ssa_batch_new(client, &batch));
    if (!batch)
        return;
    MAY_FAIL(ssa_batch_put_tensor(batch, NAME("fail_long"), &array));
    MAY_FAIL(ssa_batch_put_tensor(batch, NAME("fail_apart"), &apart));
    MAY_FAIL(ssa_batch_get_tensor(batch, NAME("fail_long"), SSA_NESTED_POINTERS, &tensor));
    MAY_FAIL(ssa_batch_unpack_tensor(batch, NAME("fail_apart"), &apart));
    MAY_FAIL(ssa_batch_tensor_exists(batch, NAME("fail_apart"), &found));
    MAY_FAIL(ssa_batch_delete_tensor(batch, NAME("fail_apart")));
    MAY_FAIL(ssa_batch_execute(batch, OWN));
    ssa_tensor_free(tensor);
    ssa_batch_free(batch);
    MAY_FAIL(ssa_batch_new(client, &batch));
    if (!batch)
        return;
    MAY_FAIL(ssa_batch_put_bytes(batch, NAME("fail_bytes"), "bytes", 5));
    MAY_FAIL(ssa_batch_get_bytes(batch, NAME("fail_bytes"), &bytes));
    MAY_FAIL(ssa_start_batch(batch, OWN, &future));
    if (future)
        MAY_FAIL(ssa_future_wait(future, -1));
    ssa_tensor_free(bytes);
    ssa_batch_free(batch);
    ssa_future_free(future);
}

static ssa_names one(const char *const *name) {
    return (ssa_names){name, NULL, 1};
}

/* Two runs in one request; where a worker is. */
static void use_chains(void) {
    static const char *const inputs[] = {"fail_in"}, *const hidden[] = {"fail_hidden"}, *const outputs[] = {"fail_out"};
    double value = 1;
    ssa_tensor *got = NULL;
    ssa_batch *batch;
    ssa_array array = face_array(&value, SSA_FLOAT64, NULL, 0, SSA_ROW_MAJOR);
    MAY_FAIL(ssa_batch_new(client, &batch));
    if (!batch)
        return;
    ssa_status status = ssa_batch_put_tensor(batch, NAME("fail_in"), &array);
    if (!status)
        status = ssa_batch_run_model(batch, NAME("closure"), one(inputs), one(hidden), 0);
    if (!status)
        status = ssa_batch_run_script(batch, NAME("s"), NAME("f"), one(hidden), one(outputs), 1);
    if (!status)
        status = ssa_batch_get_tensor(batch, NAME("fail_out"), SSA_ROW_MAJOR, &got);
    MAY_FAIL(status ? status : ssa_batch_execute(batch, OWN));
    if (got && *(const double *)ssa_tensor_data(got) != 3) {
        printf("a chain gave something else\n");
        face_state.failures++;
    }
    ssa_tensor_free(got);
    ssa_batch_free(batch);
}

/* What a poll that failed had taken comes with the next one. */
static void poll_until_it_works(void) {
    ssa_texts *texts;
    ssa_status sent = ssa_control_send(client, NAME("fail"), NAME("set"), NAME("dt"), NAME("0.5"), OWN);
    MAY_FAIL(sent);
    ssa_status polled = ssa_control_poll(client, NAME("fail"), &texts, OWN);
    MAY_FAIL(polled);
    if (polled)
        MAY_FAIL(ssa_control_poll(client, NAME("fail"), &texts, OWN)); /* one allocation is refused, not two */
    if (!sent && !texts) {
        printf("a request did not come\n");
        face_state.failures++;
    }
    ssa_texts_free(texts);
}

static void use_the_rest(void) {
    ssa_texts *texts;
    size_t bytes;
    int found;
    poll_until_it_works();
    MAY_FAIL(ssa_control_clear(client, NAME("fail"), OWN));
    MAY_FAIL(ssa_get_db_node_info(client, NULL, 0, &texts, OWN));
    ssa_texts_free(texts);
    MAY_FAIL(ssa_client_describe(client, NULL, 0, &bytes));
    MAY_FAIL(ssa_poll_tensor(client, NAME("absent"), 1, 2, &found, OWN));
    MAY_FAIL(ssa_tensor_exists(client, NAME("fail"), &found, OWN));
}

/* What was refused before does not count here: it works. */
static void use_it_afterwards(void) {
    double value = 1;
    ssa_array array = face_array(&value, SSA_FLOAT64, NULL, 0, SSA_ROW_MAJOR);
    until_refusal = -1;
    refused = 0;
    MAY_FAIL(ssa_put_tensor(client, NAME("fail"), &array, OWN));
    MAY_FAIL(ssa_unpack_tensor(client, NAME("fail"), &array, OWN));
    MAY_FAIL(ssa_delete_tensor(client, NAME("fail"), OWN));
    MAY_FAIL(ssa_delete_tensor(client, NAME("fail_long"), OWN));
    MAY_FAIL(ssa_delete_tensor(client, NAME("fail_apart"), OWN));
    MAY_FAIL(ssa_delete_bytes(client, NAME("fail_bytes"), OWN));
}

/* Returns whether an allocation was refused. */
static long live_through(long n) {
    until_refusal = n;
    refused = 0;
    MAY_FAIL(ssa_client_new(NULL, &client));
    if (client && !strstr(ssa_client_error(client), "memory")) {
        use_tensors();
        use_futures();
        use_batches();
        if (getenv("HAS_WORKER"))
            use_chains();
        use_the_rest();
    }
    long were = refused;
    if (client && !were)
        use_it_afterwards();
    else if (client && !strstr(ssa_client_error(client), "no memory for the settings") &&
             ssa_client_set_timeout(client, 20) == SSA_OK)
        use_it_afterwards();
    ssa_client_free(client);
    until_refusal = -1;
    if (live) {
        printf("with allocation %ld refused: %ld allocations are not back\n", n, live);
        face_state.failures++;
        live = 0;
    }
    return were;
}

static void test_any_allocation_may_be_refused(void) {
    static const ssa_allocator table = {allocate, reallocate, release};
    ssa_allocator_set(&table);
    long n = 0;
    while (live_through(n) && !face_state.failures)
        n++;
    face_state.checks = n;
    printf("%ld allocations refused one by one\n", n);
}

FACE_MAIN(test_any_allocation_may_be_refused)
