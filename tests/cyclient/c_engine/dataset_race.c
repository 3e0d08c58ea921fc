/* Writers with different schemas against each other and a reader: `dataset_race write|read ADDRESSES PASSWORD SECONDS WRITER
 * LIMIT` (of values, in bytes; 0: none).
 *
 * Every item of a dataset that a writer puts holds the same number, which no other put has. A writer has three puts under way:
 * two of the dataset of the race, and one of a dataset of its own whose schema changes every time. The reader says what it saw. */
#include "store.h"

#define ITEMS 4
#define LONG 20000 /* elements of the last item: not copied into the command */

static const char *const schemas[2][ITEMS] = {{"a0", "a1", "both", "long"}, {"b0", "b1", "both", "long"}};

static uint64_t long_values[3][LONG];

static ssa_dataset *make(const char *name, int schema, uint64_t number, uint64_t *buffer) {
    ssa_dataset *dataset;
    ssa_dataset_new(name, strlen(name), &dataset);
    for (int i = 0; i < ITEMS; i++) {
        ssa_tensor_header header = header_of(SSA_UINT64, i == ITEMS - 1 ? LONG : 1);
        for (uint64_t k = 0; k < header.shape[0]; k++)
            buffer[k] = number;
        if (i == ITEMS - 1)
            ssa_dataset_lend_tensor(dataset, schemas[schema][i], strlen(schemas[schema][i]), &header, buffer);
        else
            ssa_dataset_add_tensor(dataset, schemas[schema][i], strlen(schemas[schema][i]), &header, buffer);
    }
    ssa_dataset_add_scalars(dataset, schema ? "of_b" : "of_a", 4, SSA_UINT64, &number, 1);
    return dataset;
}

static int write_for(int64_t until, unsigned writer) {
    ssa_request *requests[3] = {NULL, NULL, NULL};
    ssa_dataset *datasets[3] = {NULL, NULL, NULL};
    uint64_t puts = 0;
    char own[32];
    snprintf(own, sizeof own, "own%u", writer);
    for (;;) {
        int idle = 0;
        for (int i = 0; i < 3; i++) {
            if (requests[i] && !requests[i]->complete)
                continue;
            if (requests[i] && requests[i]->status) {
                printf("put: %s: %s\n", ssa_status_name(requests[i]->status), (char *)requests[i]->error.data);
                return 1;
            }
            ssa_request_free(requests[i]);
            ssa_dataset_free(datasets[i]);
            requests[i] = NULL;
            datasets[i] = NULL;
            idle++;
            if (ssa_now() >= until)
                continue;
            int schema = i == 2 ? (int)(puts & 1) : (int)(writer + (unsigned)i) & 1;
            datasets[i] = make(i == 2 ? own : "race", schema, ((uint64_t)writer << 32) + ++puts, long_values[i]);
            requests[i] = ssa_op_put_dataset(store.engine, datasets[i], &store.problem);
            ssa_request_start(requests[i], -1);
            idle--;
        }
        if (idle == 3)
            break;
        while (ssa_poll_until(store.engine, NULL, SSA_NEVER) == SSA_MORE)
            ;
        while (ssa_engine_next_complete(store.engine))
            ;
    }
    printf("%llu puts\n", (unsigned long long)puts);
    return 0;
}

/* Whether all of it is of one put. */
static int is_whole(const ssa_dataset *dataset) {
    ssa_metadata metadata;
    int schema = ssa_dataset_find_item(dataset, SSA_ITEM_TENSOR, "b0", 2) != NULL;
    uint64_t number;
    if (ssa_dataset_item_count(dataset) != ITEMS || ssa_dataset_field_count(dataset) != 1 ||
        ssa_dataset_find_field(dataset, schema ? "of_b" : "of_a", 4, &metadata) || metadata.count != 1)
        return 0;
    memcpy(&number, metadata.values, sizeof number);
    for (int i = 0; i < ITEMS; i++) {
        const ssa_item *item = ssa_dataset_find_item(dataset, SSA_ITEM_TENSOR, schemas[schema][i], strlen(schemas[schema][i]));
        if (!item)
            return 0;
        for (uint64_t k = 0; k < item->header.shape[0]; k++)
            if (((const uint64_t *)item->data)[k] != number)
                return 0;
    }
    return 1;
}

static int read_for(int64_t until) {
    uint64_t reads = 0, missing = 0, mixtures = 0;
    while (ssa_now() < until) {
        ssa_status status = go(ssa_op_get_dataset(store.engine, name_of("race"), &store.problem));
        if (status == SSA_ENOTFOUND) {
            missing++;
            continue;
        }
        if (status) {
            printf("get: %s: %s\n", ssa_status_name(status), store_text());
            return 1;
        }
        reads++;
        mixtures += !is_whole(store.last->datasets[0]);
    }
    printf("%llu reads, %llu missing, %llu mixtures\n", (unsigned long long)reads, (unsigned long long)missing,
           (unsigned long long)mixtures);
    return 0;
}

int main(int count, char **words) {
    if (count < 7)
        return 2;
    store.addresses = words[2];
    store.password = words[3];
    store.value_limit = atol(words[6]);
    store_open();
    int64_t until = ssa_now() + (int64_t)(atof(words[4]) * 1e9);
    int failed = !strcmp(words[1], "write") ? write_for(until, (unsigned)atoi(words[5])) : read_for(until);
    store_close();
    return failed;
}
