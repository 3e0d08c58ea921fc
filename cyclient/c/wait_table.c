#include "wait_table.h"

#include <string.h>

#include "engine.h"

static uint64_t hash_of(const unsigned char *key, size_t bytes) { /* FNV-1a */
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ key[i]) * UINT64_C(1099511628211);
    return hash;
}

void ssa_wait_add(ssa_wait_table *table, ssa_waiter *waiter, const void *key, size_t bytes) {
    ssa_wait_remove(waiter);
    waiter->key = key;
    waiter->bytes = bytes;
    waiter->hash = hash_of(key, bytes);
    ssa_waiter **place = &table->buckets[waiter->hash % SSA_WAIT_BUCKETS];
    waiter->next = *place;
    waiter->place = place;
    if (*place)
        (*place)->place = &waiter->next;
    *place = waiter;
}

void ssa_wait_remove(ssa_waiter *waiter) {
    if (!waiter->place)
        return;
    *waiter->place = waiter->next;
    if (waiter->next)
        waiter->next->place = waiter->place;
    waiter->next = NULL;
    waiter->place = NULL;
}

void ssa_wait_table_free(ssa_wait_table *table) {
    for (size_t i = 0; i < SSA_WAIT_BUCKETS; i++)
        while (table->buckets[i])
            ssa_wait_remove(table->buckets[i]);
}

/* Those in `list` are taken out one by one: waking one may add or remove others. */
static void wake(ssa_waiter **list) {
    while (*list) {
        ssa_waiter *waiter = *list;
        ssa_wait_remove(waiter);
        waiter->changed(waiter);
    }
}

/* Move the waiters of a bucket that match to a list of their own: whoever waits anew meanwhile is not woken again. */
static void collect(ssa_waiter **bucket, ssa_waiter **list, const void *key, size_t bytes) {
    for (ssa_waiter *waiter = *bucket, *next; waiter; waiter = next) {
        next = waiter->next;
        if (key && (waiter->bytes != bytes || memcmp(waiter->key, key, bytes)))
            continue;
        ssa_wait_remove(waiter);
        waiter->next = *list;
        waiter->place = list;
        if (*list)
            (*list)->place = &waiter->next;
        *list = waiter;
    }
}

static void wake_key(ssa_wait_table *table, const unsigned char *key, size_t bytes) {
    ssa_waiter *list = NULL;
    collect(&table->buckets[hash_of(key, bytes) % SSA_WAIT_BUCKETS], &list, key, bytes);
    wake(&list);
}

void ssa_wait_table_wake_all(ssa_engine *engine) {
    ssa_waiter *list = NULL;
    for (size_t i = 0; i < SSA_WAIT_BUCKETS; i++)
        collect(&engine->waits.buckets[i], &list, NULL, 0);
    wake(&list);
}

ssa_command *ssa_tracking_command(uint64_t arguments, const char *name) {
    ssa_command *command = ssa_command_new(3, SSA_EXPECT_REPLY);
    if (!command || ssa_command_argument(command, "CLIENT", 6) || ssa_command_argument(command, "CACHING", 7) ||
        ssa_command_argument(command, "YES", 3) || ssa_command_next(command, arguments) ||
        ssa_command_argument(command, name, strlen(name))) {
        ssa_command_free(command);
        return NULL;
    }
    return command;
}

/* >2 invalidate *n key...; a null instead of the keys: the server forgot all that it tracked (FLUSHALL). */
void ssa_wait_table_pushed(ssa_engine *engine, const ssa_reply *push) {
    const ssa_node *node = push->nodes;
    static const char word[] = "invalidate";
    if (push->count < 3 || node[1].text_bytes != sizeof word - 1 || memcmp(push->text.data + node[1].text_at, word, sizeof word - 1))
        return;
    if (node[2].kind == SSA_TOKEN_NULL) {
        ssa_wait_table_wake_all(engine);
        return;
    }
    for (size_t i = 3; i < push->count; i++)
        if (node[i].kind == SSA_TOKEN_BULK)
            wake_key(&engine->waits, push->text.data + node[i].text_at, node[i].text_bytes);
}
