#include "wait_table.h"

#include <string.h>

#include "allocator.h"
#include "engine.h"
#include "fnv_hash.h"

/* An invalidation is lost with its connection, and then everybody looks again; but slots also move without a word to
 * those who wait for a key that is not there. */
#define RECHECK_STANDALONE INT64_C(5000000000)
#define RECHECK_CLUSTER INT64_C(1000000000)
#define RECHECK_EACH INT64_C(100000) /* more, for each waiter of this client: at most 10,000 questions a second */

static ssa_waiter **bucket_of(ssa_wait_table *table, uint64_t hash) {
    return table->grown ? &table->grown[hash & (table->buckets - 1)] : &table->first[hash & (SSA_WAIT_BUCKETS - 1)];
}

static void link_in(ssa_waiter **list, ssa_waiter *waiter) {
    waiter->next = *list;
    waiter->place = list;
    if (*list)
        (*list)->place = &waiter->next;
    *list = waiter;
}

static void unlink_from(ssa_waiter *waiter) {
    *waiter->place = waiter->next;
    if (waiter->next)
        waiter->next->place = waiter->place;
    waiter->next = NULL;
    waiter->place = NULL;
}

static ssa_waiter **buckets_of(ssa_wait_table *table, size_t *count) {
    *count = table->grown ? table->buckets : SSA_WAIT_BUCKETS;
    return table->grown ? table->grown : table->first;
}

static void grow(ssa_wait_table *table) {
    size_t count;
    ssa_waiter **old = buckets_of(table, &count), **given_back = table->grown;
    ssa_waiter **grown = ssa_allocate(4 * count * sizeof *grown);
    if (!grown)
        return;
    memset(grown, 0, 4 * count * sizeof *grown);
    table->grown = grown;
    table->buckets = 4 * count;
    for (size_t i = 0; i < count; i++)
        for (ssa_waiter *waiter; (waiter = old[i]);) {
            unlink_from(waiter);
            link_in(bucket_of(table, waiter->hash), waiter);
        }
    ssa_release(given_back);
}

void ssa_wait_add(ssa_wait_table *table, ssa_waiter *waiter, const void *key, size_t bytes) {
    ssa_wait_remove(waiter);
    size_t count;
    buckets_of(table, &count);
    if (table->count >= 2 * count)
        grow(table);
    waiter->key = key;
    waiter->bytes = bytes;
    waiter->hash = ssa_fnv_hash(key, bytes);
    waiter->table = table;
    table->count++;
    link_in(bucket_of(table, waiter->hash), waiter);
}

void ssa_wait_remove(ssa_waiter *waiter) {
    if (!waiter->place)
        return;
    unlink_from(waiter);
    if (waiter->table)
        waiter->table->count--;
    waiter->table = NULL;
}

void ssa_wait_table_free(ssa_wait_table *table) {
    size_t count;
    ssa_waiter **buckets = buckets_of(table, &count);
    for (size_t i = 0; i < count; i++)
        while (buckets[i])
            ssa_wait_remove(buckets[i]);
    ssa_release(table->grown);
    table->grown = NULL;
}

/* Those in `list` are taken out one by one: waking one may add or remove others. */
static void wake(ssa_waiter **list) {
    while (*list) {
        ssa_waiter *waiter = *list;
        ssa_wait_remove(waiter);
        waiter->changed(waiter);
    }
}

/* Move the waiters of a bucket that match to a list of their own: whoever waits anew meanwhile is not woken again.
 * key NULL: all. */
static void collect(ssa_waiter **bucket, ssa_waiter **list, uint64_t hash, const void *key, size_t bytes) {
    for (ssa_waiter *waiter = *bucket, *next; waiter; waiter = next) {
        next = waiter->next;
        if (key && (waiter->hash != hash || waiter->bytes != bytes || memcmp(waiter->key, key, bytes)))
            continue;
        ssa_wait_remove(waiter);
        link_in(list, waiter);
    }
}

static void wake_key(ssa_wait_table *table, const unsigned char *key, size_t bytes) {
    ssa_waiter *list = NULL;
    uint64_t hash = ssa_fnv_hash(key, bytes);
    collect(bucket_of(table, hash), &list, hash, key, bytes);
    wake(&list);
}

void ssa_wait_table_wake_all(ssa_engine *engine) {
    ssa_waiter *list = NULL;
    size_t count;
    ssa_waiter **buckets = buckets_of(&engine->waits, &count);
    for (size_t i = 0; i < count; i++)
        collect(&buckets[i], &list, 0, NULL, 0);
    wake(&list);
}

/* ---- asking, and being told */

static ssa_status add_words(ssa_command *command, const char *const *words) {
    ssa_status status = SSA_OK;
    for (; *words && status == SSA_OK; words++)
        status = ssa_command_argument(command, *words, strlen(*words));
    return status;
}

/* CLIENT CACHING YES holds for the next command, as ASKING does; before a transaction both hold to its end. Where a
 * slot may be on the move the two are needed together, and neither stands the other in between: so ASKING, MULTI,
 * CLIENT CACHING YES ... */
ssa_command *ssa_tracking_command(const ssa_engine *engine, uint64_t arguments, const char *name) {
    static const char *const multi[] = {"MULTI", NULL}, *const caching[] = {"CLIENT", "CACHING", "YES", NULL};
    int whole = engine->mode != SSA_MODE_STANDALONE;
    const char *const names[] = {name, NULL};
    ssa_command *command = ssa_command_new(whole ? 1 : 3, SSA_EXPECT_REPLY);
    if (!command || (whole && (add_words(command, multi) || ssa_command_next(command, 3))) ||
        add_words(command, caching) || ssa_command_next(command, arguments) || add_words(command, names)) {
        ssa_command_free(command);
        return NULL;
    }
    return command;
}

static int is_transaction(const ssa_command *command) {
    return command->commands > 2;
}

ssa_status ssa_tracking_close(ssa_command *command) {
    static const char *const exec[] = {"EXEC", NULL};
    if (command->commands == 2)
        return SSA_OK;
    ssa_status status = ssa_command_next(command, 1);
    return status ? status : add_words(command, exec);
}

const ssa_node *ssa_tracking_answer(ssa_command *command) {
    const ssa_reply *reply = &command->reply;
    if (command->status != SSA_OK)
        return NULL;
    if (!is_transaction(command))
        return reply->nodes;
    const ssa_node *answer = reply->count >= 3 ? &reply->nodes[2] : NULL;
    if (answer && answer->kind != SSA_TOKEN_ERROR)
        return answer;
    command->status = SSA_ESERVER;
    static const char odd[] = "a transaction without its answers";
    const void *text = answer ? (const void *)(reply->text.data + answer->text_at) : odd;
    if (ssa_buffer_append(&command->error, text, answer ? answer->text_bytes : sizeof odd - 1))
        command->status = SSA_ENOMEM;
    return NULL;
}

int64_t ssa_wait_recheck(const ssa_engine *engine) {
    int64_t time = engine->mode == SSA_MODE_CLUSTER ? RECHECK_CLUSTER : RECHECK_STANDALONE;
    return time + (int64_t)engine->waits.count * RECHECK_EACH;
}

/* >2 invalidate *n key...; a null instead of the keys: the server forgot all that it tracked (FLUSHALL). */
void ssa_wait_table_pushed(ssa_engine *engine, const ssa_reply *push) {
    const ssa_node *node = push->nodes;
    static const char word[] = "invalidate";
    if (push->count < 3 || node[1].text_bytes != sizeof word - 1 ||
        memcmp(push->text.data + node[1].text_at, word, sizeof word - 1))
        return;
    if (node[2].kind == SSA_TOKEN_NULL) {
        ssa_wait_table_wake_all(engine);
        return;
    }
    for (size_t i = 3; i < push->count; i++)
        if (node[i].kind == SSA_TOKEN_BULK)
            wake_key(&engine->waits, push->text.data + node[i].text_at, node[i].text_bytes);
}
