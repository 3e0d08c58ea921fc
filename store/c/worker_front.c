#include "worker_front.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "allocator.h"
#include "front_chain.h"
#include "front_private.h"

static int reserve(void *context, uint64_t bytes) {
    ssa_front *front = context;
    if (atomic_fetch_add(&front->held_bytes, bytes) + bytes <= front->most_bytes)
        return 1;
    atomic_fetch_sub(&front->held_bytes, bytes);
    return 0;
}

static void give_back(void *context, uint64_t bytes) {
    ssa_front *front = context;
    atomic_fetch_sub(&front->held_bytes, bytes);
}

static void *duplicate(const void *data, size_t bytes) {
    void *copy = ssa_allocate(bytes);
    if (copy && bytes)
        memcpy(copy, data, bytes);
    return copy;
}

ssa_front *ssa_front_new(const ssa_front_options *options) {
    if (options->size != sizeof *options) {
        errno = EINVAL;
        return NULL;
    }
    ssa_front *front = ssa_allocate(sizeof *front);
    if (!front)
        return NULL;
    memset(front, 0, sizeof *front);
    front->epoll = front->wake = front->kick = front->alarm = front->errand = -1;
    pthread_mutex_init(&front->lock, NULL);
    pthread_cond_init(&front->followers_wake, NULL);
    ssa_models_init(&front->models);
    ssa_link_reset(&front->peers);
    ssa_link_reset(&front->errands);
    front->next_due = UINT64_MAX;
    front->most_requests = options->most_requests;
    front->most_bytes = options->most_bytes;
    front->spin_ns = options->spin_ns;
    front->secret = duplicate(options->secret, options->secret_bytes);
    front->worker_id = duplicate(options->worker_id, options->id_bytes);
    front->rules = (ssa_peer_rules){.secret = front->secret,
                                    .secret_bytes = options->secret_bytes,
                                    .worker_id = front->worker_id,
                                    .id_bytes = options->id_bytes,
                                    .context = front,
                                    .submit = ssa_front_submit,
                                    .reserve = reserve,
                                    .give_back = give_back};
    errno = ENOMEM;
    if (!front->secret || !front->worker_id || ssa_front_lead_start(front) != SSA_OK) {
        int reason = errno;
        ssa_front_free(front);
        errno = reason;
        return NULL;
    }
    return front;
}

ssa_status ssa_front_listen(ssa_front *front, int fd) {
    ssa_status status = SSA_EARGUMENT;
    pthread_mutex_lock(&front->lock);
    if (!front->draining && !front->closing && front->listeners_count < SSA_MAX_LISTENERS) {
        int *place = &front->listeners[front->listeners_count];
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = place};
        *place = fd;
        status = epoll_ctl(front->epoll, EPOLL_CTL_ADD, fd, &event) ? SSA_ESYSTEM : SSA_OK;
        front->listeners_count += status == SSA_OK;
    }
    pthread_mutex_unlock(&front->lock);
    return status;
}

void ssa_front_drain(ssa_front *front) {
    pthread_mutex_lock(&front->lock);
    front->draining = 1;
    ssa_front_rouse_leader(front);
    ssa_front_check_idle(front);
    pthread_mutex_unlock(&front->lock);
}

void ssa_front_close(ssa_front *front) {
    pthread_mutex_lock(&front->lock);
    int join = front->io_started && !front->closing;
    front->closing = front->draining = 1;
    pthread_cond_broadcast(&front->followers_wake);
    ssa_front_signal(front->wake);
    ssa_front_signal(front->kick);
    pthread_mutex_unlock(&front->lock);
    if (join)
        pthread_join(front->io_thread, NULL);
}

void ssa_front_free(ssa_front *front) {
    if (!front)
        return;
    if (front->io_started)
        ssa_front_close(front);
    while (!ssa_link_alone(&front->peers))
        ssa_front_close_peer(front, SSA_CONTAINER(front->peers.next, ssa_peer, in_front));
    ssa_models_free(&front->models);
    for (ssa_errand *errand; (errand = ssa_front_errand(front));)
        ssa_release(errand);
    for (size_t i = 0; i < front->listeners_count; i++)
        close(front->listeners[i]);
    int descriptors[] = {front->epoll, front->wake, front->kick, front->alarm, front->errand};
    for (size_t i = 0; i < sizeof descriptors / sizeof *descriptors; i++)
        if (descriptors[i] >= 0)
            close(descriptors[i]);
    if (front->secret)
        explicit_bzero(front->secret, front->rules.secret_bytes);
    ssa_release(front->secret);
    ssa_release(front->worker_id);
    pthread_cond_destroy(&front->followers_wake);
    pthread_mutex_destroy(&front->lock);
    ssa_release(front);
}

void ssa_front_get_statistics(ssa_front *front, ssa_front_statistics *statistics) {
    pthread_mutex_lock(&front->lock);
    *statistics = front->statistics;
    statistics->unanswered = front->unanswered;
    pthread_mutex_unlock(&front->lock);
    statistics->held_bytes = atomic_load(&front->held_bytes);
}

/* ---- errands ---- */

int ssa_front_errand_fd(const ssa_front *front) {
    return front->errand;
}

ssa_status ssa_front_add_errand(ssa_front *front, ssa_errand_kind kind, const char *name, size_t bytes, uint64_t request,
                                size_t input) {
    ssa_errand *errand = ssa_allocate(sizeof *errand + bytes + 1);
    if (!errand)
        return SSA_ENOMEM;
    *errand = (ssa_errand){.kind = kind, .request = request, .input = input, .name_bytes = bytes};
    memcpy(errand->name, name, bytes);
    errand->name[bytes] = 0;
    ssa_link_insert(&front->errands, &errand->link);
    ssa_front_signal(front->errand);
    return SSA_OK;
}

ssa_errand *ssa_front_errand(ssa_front *front) {
    ssa_errand *errand = NULL;
    uint64_t count;
    pthread_mutex_lock(&front->lock);
    if (!ssa_link_alone(&front->errands)) {
        errand = SSA_CONTAINER(front->errands.next, ssa_errand, link);
        ssa_link_remove(&errand->link);
    } else if (read(front->errand, &count, sizeof count) < 0) {
        /* nothing was signalled: nothing to clear */
    }
    pthread_mutex_unlock(&front->lock);
    return errand;
}

/* ---- what the owner brings ---- */

ssa_status ssa_front_model_ready(ssa_front *front, int script, const char *name, size_t bytes, const char *version,
                                 ssa_batching batching, uint64_t serial, uint64_t *retired) {
    *retired = 0;
    if (!serial || strlen(version) >= SSA_VERSION_BYTES)
        return SSA_EARGUMENT;
    pthread_mutex_lock(&front->lock);
    ssa_model *model = ssa_models_find(&front->models, script, name, bytes, 1);
    if (model) {
        model->wanted = 0;
        *retired = ssa_models_load(&front->models, model, version, batching, serial);
        ssa_front_rouse(front);
    }
    pthread_mutex_unlock(&front->lock);
    return model ? SSA_OK : SSA_ENOMEM;
}

/* Lock held: take the requests of the list off the books; not those for which the store is still to be asked. */
static void unlist_all(ssa_front *front, ssa_link *list, ssa_link *to) {
    for (ssa_link *link = list->next, *next; link != list; link = next) {
        ssa_request *request = SSA_CONTAINER(link, ssa_request, in_model);
        next = link->next;
        if (request->state == SSA_REQUEST_FETCHING && request->target.least_version && !request->looked)
            continue;
        ssa_front_unlist(front, request);
        ssa_link_insert(to, &request->in_model);
        front->statistics.failed++;
    }
}

/* The lock is held on entry and let go: answer what was taken off the books. */
static void answer_unlisted(ssa_front *front, ssa_link *list, const char *code, const char *text) {
    front->replying++;
    pthread_mutex_unlock(&front->lock);
    ssa_front_answer_list(front, list, code, text);
    pthread_mutex_lock(&front->lock);
    front->replying--;
    ssa_front_check_idle(front);
    pthread_mutex_unlock(&front->lock);
}

void ssa_front_model_missing(ssa_front *front, int script, const char *name, size_t bytes, const char *code,
                             const char *text, uint64_t *retired) {
    ssa_link failed;
    ssa_link_reset(&failed);
    *retired = 0;
    pthread_mutex_lock(&front->lock);
    ssa_model *model = ssa_models_find(&front->models, script, name, bytes, 0);
    if (model) {
        model->wanted = 0;
        *retired = ssa_models_unload(&front->models, model);
        unlist_all(front, &model->queue, &failed);
        unlist_all(front, &model->fetching, &failed);
        ssa_models_prune(&front->models, model);
    }
    answer_unlisted(front, &failed, code, text);
}

/* Lock held. NULL: it was answered meanwhile, or its client left. */
static ssa_request *find_fetching(ssa_front *front, uint64_t serial) {
    for (size_t i = 0; i < SSA_MODEL_BUCKETS; i++)
        for (ssa_model *model = front->models.buckets[i]; model; model = model->next)
            for (ssa_link *link = model->fetching.next; link != &model->fetching; link = link->next)
                if (SSA_CONTAINER(link, ssa_request, in_model)->serial == serial)
                    return SSA_CONTAINER(link, ssa_request, in_model);
    return NULL;
}

/* Lock held: it has what it waited for. Without memory it waits on, until it is told so. */
static ssa_status queue_again(ssa_front *front, ssa_request *request) {
    ssa_model *model = request->model;
    ssa_link_remove(&request->in_model);
    ssa_status status = ssa_front_queue(front, request);
    if (status != SSA_OK)
        ssa_link_insert(&model->fetching, &request->in_model);
    ssa_front_rouse(front);
    return status;
}

ssa_status ssa_front_input_fetched(ssa_front *front, uint64_t serial, size_t input, const ssa_array *array) {
    ssa_status status = SSA_OK;
    pthread_mutex_lock(&front->lock);
    ssa_request *request = find_fetching(front, serial);
    if (request && input < request->inputs_count && request->inputs[input].key && !request->inputs[input].array.data) {
        unsigned char *data = ssa_request_hold(request, input, &array->header);
        if (data) {
            atomic_fetch_add(&front->held_bytes, array->header.data_bytes);
            memcpy(data, array->data, array->header.data_bytes);
        } else {
            status = SSA_ENOMEM;
        }
        int complete = 1;
        for (size_t i = 0; i < request->inputs_count; i++)
            complete = complete && (!request->inputs[i].key || request->inputs[i].array.data);
        if (complete)
            status = queue_again(front, request);
    }
    pthread_mutex_unlock(&front->lock);
    return status;
}

ssa_status ssa_front_looked(ssa_front *front, uint64_t serial) {
    ssa_status status = SSA_OK;
    pthread_mutex_lock(&front->lock);
    ssa_request *request = find_fetching(front, serial);
    if (request) {
        request->looked = 1;
        status = queue_again(front, request);
    }
    pthread_mutex_unlock(&front->lock);
    return status;
}

/* The step that the input is for: the error is about it. */
static void blame_step_of(ssa_request *request, size_t input) {
    ssa_chain *chain = request->chain;
    for (size_t i = 0; chain && i < chain->steps_count; i++)
        if (input >= chain->steps[i].first_input && input - chain->steps[i].first_input < chain->steps[i].inputs_count)
            chain->step = i;
}

void ssa_front_request_failed(ssa_front *front, uint64_t serial, size_t input, const char *code, const char *text) {
    ssa_link failed;
    ssa_link_reset(&failed);
    pthread_mutex_lock(&front->lock);
    ssa_request *request = find_fetching(front, serial);
    if (request) {
        ssa_model *model = request->model;
        blame_step_of(request, input);
        ssa_front_unlist(front, request);
        ssa_link_insert(&failed, &request->in_model);
        front->statistics.failed++;
        ssa_models_prune(&front->models, model);
    }
    answer_unlisted(front, &failed, code, text);
}
