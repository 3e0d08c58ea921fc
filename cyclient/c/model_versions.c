#include "model_versions.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "allocator.h"

typedef struct known {
    uint64_t hash; /* 0: a free place */
    uint64_t version;
} known;

struct ssa_model_versions {
    pthread_mutex_t lock;
    atomic_uint holders;    /* not under the lock: a child of a fork may have to let go while it is held */
    known *places;
    size_t count, capacity; /* capacity: a power of two */
};

ssa_model_versions *ssa_model_versions_new(void) {
    ssa_model_versions *versions = ssa_allocate(sizeof *versions);
    if (!versions)
        return NULL;
    memset(versions, 0, sizeof *versions);
    pthread_mutex_init(&versions->lock, NULL);
    atomic_init(&versions->holders, 1);
    return versions;
}

ssa_model_versions *ssa_model_versions_hold(ssa_model_versions *versions) {
    atomic_fetch_add(&versions->holders, 1);
    return versions;
}

void ssa_model_versions_release(ssa_model_versions *versions) {
    if (!versions || atomic_fetch_sub(&versions->holders, 1) > 1)
        return;
    pthread_mutex_destroy(&versions->lock);
    ssa_release(versions->places);
    ssa_release(versions);
}

static known *find(known *places, size_t capacity, uint64_t hash) {
    size_t place = (size_t)hash & (capacity - 1);
    while (places[place].hash && places[place].hash != hash)
        place = (place + 1) & (capacity - 1);
    return &places[place];
}

static uint64_t version_of(const ssa_model_versions *versions, uint64_t hash) {
    const known *found = versions->capacity ? find(versions->places, versions->capacity, hash) : NULL;
    return found && found->hash ? found->version : 0;
}

static int reserve(ssa_model_versions *versions) {
    if (2 * (versions->count + 1) <= versions->capacity)
        return 1;
    size_t capacity = versions->capacity ? 2 * versions->capacity : 16;
    known *grown = ssa_allocate(capacity * sizeof *grown);
    if (!grown)
        return 0;
    memset(grown, 0, capacity * sizeof *grown);
    for (size_t i = 0; i < versions->capacity; i++)
        if (versions->places[i].hash)
            *find(grown, capacity, versions->places[i].hash) = versions->places[i];
    ssa_release(versions->places);
    versions->places = grown;
    versions->capacity = capacity;
    return 1;
}

static void set_version(ssa_model_versions *versions, uint64_t hash, uint64_t version) {
    if (!reserve(versions))
        return;
    known *place = find(versions->places, versions->capacity, hash);
    versions->count += !place->hash;
    *place = (known){hash, version};
}

uint64_t ssa_model_versions_of(ssa_model_versions *versions, uint64_t hash) {
    pthread_mutex_lock(&versions->lock);
    uint64_t version = version_of(versions, hash);
    pthread_mutex_unlock(&versions->lock);
    return version;
}

void ssa_model_versions_note(ssa_model_versions *versions, uint64_t hash, uint64_t version) {
    pthread_mutex_lock(&versions->lock);
    set_version(versions, hash, version);
    pthread_mutex_unlock(&versions->lock);
}

void ssa_model_versions_ran(ssa_model_versions *versions, uint64_t hash, uint64_t least, uint64_t version) {
    pthread_mutex_lock(&versions->lock);
    if (least && version && version != least && version_of(versions, hash) == least) /* else it was set meanwhile */
        set_version(versions, hash, version);
    pthread_mutex_unlock(&versions->lock);
}
