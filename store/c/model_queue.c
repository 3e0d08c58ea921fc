#include "model_queue.h"

#include <stdlib.h>
#include <string.h>

#include "allocator.h"

#define REQUEST_OF(link) SSA_CONTAINER(link, ssa_request, in_model)

void ssa_models_init(ssa_models *models) {
    memset(models->buckets, 0, sizeof models->buckets);
    ssa_link_reset(&models->waiting);
}

static void free_requests(ssa_link *list) {
    while (!ssa_link_alone(list)) {
        ssa_request *request = REQUEST_OF(list->next);
        ssa_link_remove(&request->in_model);
        ssa_link_remove(&request->in_peer);
        ssa_request_free(request);
    }
}

void ssa_models_free(ssa_models *models) {
    for (size_t i = 0; i < SSA_MODEL_BUCKETS; i++) {
        while (models->buckets[i]) {
            ssa_model *model = models->buckets[i];
            models->buckets[i] = model->next;
            free_requests(&model->queue);
            free_requests(&model->fetching);
            ssa_release(model);
        }
    }
    ssa_models_init(models);
}

static size_t bucket_of(int script, const char *name, size_t bytes) {
    uint32_t hash = 2166136261u ^ (uint32_t)script; /* FNV-1a */
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ (unsigned char)name[i]) * 16777619u;
    return hash % SSA_MODEL_BUCKETS;
}

ssa_model *ssa_models_find(ssa_models *models, int script, const char *name, size_t bytes, int create) {
    ssa_model **bucket = &models->buckets[bucket_of(script, name, bytes)];
    for (ssa_model *model = *bucket; model; model = model->next)
        if (model->script == script && model->name_bytes == bytes && !memcmp(model->name, name, bytes))
            return model;
    ssa_model *model = create ? ssa_allocate(sizeof *model + bytes + 1) : NULL;
    if (!model)
        return NULL;
    memset(model, 0, sizeof *model);
    ssa_link_reset(&model->in_waiting);
    ssa_link_reset(&model->queue);
    ssa_link_reset(&model->fetching);
    memcpy(model->name, name, bytes);
    model->name[bytes] = 0;
    model->name_bytes = bytes;
    model->script = script;
    model->next = *bucket;
    *bucket = model;
    return model;
}

void ssa_models_prune(ssa_models *models, ssa_model *model) {
    if (model->ready || model->running || !ssa_link_alone(&model->queue) || !ssa_link_alone(&model->fetching))
        return;
    ssa_model **place = &models->buckets[bucket_of(model->script, model->name, model->name_bytes)];
    while (*place != model)
        place = &(*place)->next;
    *place = model->next;
    ssa_link_remove(&model->in_waiting);
    ssa_release(model);
}

/* Whether the model stands in the list of those that could run follows from its state alone. */
static void settle(ssa_models *models, ssa_model *model) {
    int could_run = model->ready && !model->running && !ssa_link_alone(&model->queue);
    if (could_run && ssa_link_alone(&model->in_waiting))
        ssa_link_insert(&models->waiting, &model->in_waiting);
    else if (!could_run)
        ssa_link_remove(&model->in_waiting);
}

void ssa_models_queue(ssa_models *models, ssa_model *model, ssa_request *request) {
    request->state = SSA_REQUEST_QUEUED;
    request->model = model;
    ssa_link_insert(&model->queue, &request->in_model);
    settle(models, model);
}

void ssa_models_remove(ssa_models *models, ssa_request *request) {
    ssa_link_remove(&request->in_model);
    settle(models, request->model);
}

uint64_t ssa_models_load(ssa_models *models, ssa_model *model, const char *version, ssa_batching batching, uint64_t serial) {
    uint64_t retired = model->serial && !(model->running && model->running->serial == model->serial) ? model->serial : 0;
    size_t bytes = strlen(version);
    if (bytes >= SSA_VERSION_BYTES)
        bytes = SSA_VERSION_BYTES - 1;
    memcpy(model->version, version, bytes);
    model->version[bytes] = 0;
    model->version_number = strtoull(model->version, NULL, 10);
    model->batching = batching;
    model->serial = serial;
    model->ready = 1;
    settle(models, model);
    return retired;
}

uint64_t ssa_models_unload(ssa_models *models, ssa_model *model) {
    uint64_t retired = model->serial && !(model->running && model->running->serial == model->serial) ? model->serial : 0;
    model->serial = 0;
    model->version_number = 0;
    model->ready = 0;
    settle(models, model);
    return retired;
}

/* How many requests from the head of the queue on run together; 0: better wait until *again_at. With `chosen`, which. */
static size_t choose(const ssa_model *model, uint64_t now, uint64_t *again_at, ssa_request **chosen, uint64_t *rows) {
    ssa_request *head = REQUEST_OF(model->queue.next);
    size_t count = 1;
    int full = 0;
    *rows = head->rows;
    if (chosen)
        chosen[0] = head;
    if (model->batching.size <= 1 || !head->joinable || head->rows >= model->batching.size)
        return 1;
    for (const ssa_link *link = head->in_model.next; link != &model->queue && !full; link = link->next) {
        ssa_request *request = REQUEST_OF(link);
        if (!request->joinable || !ssa_requests_alike(head, request))
            continue;
        /* One that does not fit closes the batch: a smaller one behind it must not overtake it. */
        full = *rows + request->rows > model->batching.size;
        if (full)
            break;
        if (chosen)
            chosen[count] = request;
        count++;
        *rows += request->rows;
        full = *rows == model->batching.size;
    }
    uint64_t until = head->arrived + model->batching.wait_ns;
    if (full || *rows >= model->batching.minimum || now >= until)
        return count;
    if (until < *again_at)
        *again_at = until;
    return 0;
}

ssa_status ssa_models_take(ssa_models *models, uint64_t now, ssa_batch **batch, uint64_t *again_at) {
    *again_at = UINT64_MAX;
    for (ssa_link *link = models->waiting.next; link != &models->waiting; link = link->next) {
        ssa_model *model = SSA_CONTAINER(link, ssa_model, in_waiting);
        uint64_t rows;
        size_t count = choose(model, now, again_at, NULL, &rows);
        if (!count)
            continue;
        ssa_batch *taken = ssa_allocate(sizeof *taken + count * sizeof(ssa_request *));
        if (!taken)
            return SSA_ENOMEM;
        memset(taken, 0, sizeof *taken);
        taken->requests_count = choose(model, now, again_at, taken->requests, &taken->rows);
        for (size_t i = 0; i < count; i++) {
            ssa_link_remove(&taken->requests[i]->in_model);
            taken->requests[i]->state = SSA_REQUEST_RUNNING;
        }
        taken->model = model;
        taken->serial = model->serial;
        memcpy(taken->version, model->version, sizeof taken->version);
        taken->joined = count > 1;
        taken->inputs_count = taken->requests[0]->step_inputs;
        if (!taken->joined)
            taken->inputs = taken->requests[0]->inputs + taken->requests[0]->first_input;
        model->running = taken;
        settle(models, model);
        *batch = taken;
        return SSA_OK;
    }
    return SSA_MORE;
}

int ssa_models_peek(ssa_models *models, uint64_t now, uint64_t *again_at) {
    uint64_t rows;
    *again_at = UINT64_MAX;
    for (ssa_link *link = models->waiting.next; link != &models->waiting; link = link->next)
        if (choose(SSA_CONTAINER(link, ssa_model, in_waiting), now, again_at, NULL, &rows))
            return 1;
    return 0;
}

uint64_t ssa_models_finish(ssa_models *models, ssa_batch *batch) {
    ssa_model *model = batch->model;
    uint64_t retired = batch->serial != model->serial ? batch->serial : 0;
    batch->model = NULL;
    model->running = NULL;
    settle(models, model);
    ssa_models_prune(models, model);
    return retired;
}

void ssa_models_take_apart(ssa_models *models, ssa_batch *batch) {
    ssa_model *model = batch->model;
    ssa_link *first = model->queue.next;
    size_t kept = 0;
    for (size_t i = 0; i < batch->requests_count; i++) {
        ssa_request *request = batch->requests[i];
        if (request->abandoned) {
            batch->requests[kept++] = request;
            continue;
        }
        request->joinable = 0;
        request->state = SSA_REQUEST_QUEUED;
        ssa_link_insert(first, &request->in_model);
    }
    batch->requests_count = kept;
    settle(models, model);
}

ssa_status ssa_batch_gather(ssa_batch *batch) {
    if (!batch->joined)
        return SSA_OK;
    size_t bytes = batch->inputs_count * sizeof(ssa_input);
    batch->inputs = ssa_allocate(bytes);
    if (!batch->inputs)
        return SSA_ENOMEM;
    memset(batch->inputs, 0, bytes);
    for (size_t i = 0; i < batch->inputs_count; i++) {
        ssa_input *input = &batch->inputs[i];
        const ssa_request *first = batch->requests[0];
        input->array.header = first->inputs[first->first_input + i].array.header;
        input->array.header.order = SSA_ROW_MAJOR;
        input->array.header.shape[0] = batch->rows;
        if (ssa_tensor_header_complete(&input->array.header) != SSA_OK)
            return SSA_ENOMEM;
        input->memory = ssa_memory_new(input->array.header.data_bytes);
        unsigned char *to = input->memory.data;
        if (!to)
            return SSA_ENOMEM;
        input->array.data = to;
        for (size_t r = 0; r < batch->requests_count; r++) {
            const ssa_request *request = batch->requests[r];
            const ssa_array *from = &request->inputs[request->first_input + i].array;
            ssa_array_copy_row_major(from, to);
            to += from->header.data_bytes;
        }
    }
    return SSA_OK;
}

void ssa_batch_free(ssa_batch *batch) {
    if (!batch)
        return;
    if (batch->joined && batch->inputs) {
        for (size_t i = 0; i < batch->inputs_count; i++)
            ssa_memory_free(&batch->inputs[i].memory);
        ssa_release(batch->inputs);
    }
    ssa_release(batch);
}
