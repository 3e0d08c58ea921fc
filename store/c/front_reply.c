/* Answers: outputs of a batch scattered to its requests, errors, and the books that are closed with them. */
#include <stdio.h>
#include <string.h>

#include "allocator.h"
#include "front_chain.h"
#include "front_private.h"

#define COPY_BELOW (32u << 10) /* outputs that are cheaper copied into one buffer than sent as parts */

void ssa_front_unlist(ssa_front *front, ssa_request *request) {
    if (request->state == SSA_REQUEST_QUEUED || request->state == SSA_REQUEST_FETCHING)
        ssa_models_remove(&front->models, request);
    ssa_link_remove(&request->in_peer);
    front->unanswered--;
}

void ssa_front_forget(ssa_front *front, ssa_request *request) {
    if (atomic_fetch_sub(&request->holders, 1) != 1)
        return;
    atomic_fetch_sub(&front->held_bytes, request->held_bytes);
    if (request->peer)
        ssa_peer_release(request->peer);
    ssa_request_free(request);
}

void ssa_front_check_idle(ssa_front *front) {
    if (!front->draining || front->unanswered || front->replying)
        return;
    for (const ssa_link *link = front->peers.next; link != &front->peers; link = link->next)
        if (ssa_peer_unsent(SSA_CONTAINER(link, ssa_peer, in_front)))
            return;
    ssa_front_add_errand(front, SSA_ERRAND_IDLE, "", 0, 0, 0);
}

static void send_error(ssa_request *request, const char *code, const char *text, size_t bytes) {
    ssa_buffer reply = {0};
    if (ssa_write_array(&reply, 2) == SSA_OK && ssa_write_integer(&reply, request->id) == SSA_OK &&
        ssa_write_error(&reply, code, text, bytes) == SSA_OK) {
        struct iovec part = {reply.data, reply.bytes};
        ssa_peer_send(request->peer, &part, 1);
    }
    ssa_buffer_free(&reply);
}

void ssa_front_answer_error(ssa_request *request, const char *code, const char *text) {
    char step[SSA_STEP_NAME_BYTES];
    const char *name = ssa_chain_step_name(request, step);
    ssa_buffer whole = {0};
    if (*name && ssa_buffer_append(&whole, name, strlen(name)) == SSA_OK &&
        ssa_buffer_append(&whole, text, strlen(text)) == SSA_OK)
        send_error(request, code, (const char *)whole.data, whole.bytes);
    else
        send_error(request, code, text, strlen(text));
    ssa_buffer_free(&whole);
}

void ssa_front_answer_refusal(ssa_request *request) {
    send_error(request, request->refusal, request->refusal_text, strlen(request->refusal_text));
}

void ssa_front_answer_list(ssa_front *front, ssa_link *list, const char *code, const char *text) {
    while (!ssa_link_alone(list)) {
        ssa_request *request = SSA_CONTAINER(list->next, ssa_request, in_model);
        ssa_link_remove(&request->in_model);
        ssa_front_answer_error(request, code, text);
        ssa_front_forget(front, request);
    }
}

/* ---- parts of batches ---- */

/* The requests of the batch that are answered now leave the books, its model may run the next. */
static void close_books(ssa_front *front, ssa_batch *batch, uint64_t *retired) {
    pthread_mutex_lock(&front->lock);
    for (size_t i = 0; i < batch->requests_count; i++) {
        ssa_request *request = batch->requests[i];
        if (request->abandoned || request->goes_on)
            continue;
        front->statistics.failed += request->refusal != NULL;
        ssa_front_unlist(front, request);
    }
    *retired = ssa_models_finish(&front->models, batch);
    front->replying++; /* not idle until the replies are out */
    pthread_mutex_unlock(&front->lock);
}

static void replies_are_out(ssa_front *front) {
    pthread_mutex_lock(&front->lock);
    front->replying--;
    if (front->draining)
        ssa_front_check_idle(front);
    pthread_mutex_unlock(&front->lock);
}

/* The rows of one request: `row` on of the output of the whole batch; all of it when the batch is not joined. */
static ssa_array slice(const ssa_batch *batch, const ssa_array *output, uint64_t row, uint64_t rows) {
    ssa_array part = *output;
    if (batch->joined) {
        uint64_t row_bytes = output->header.data_bytes / batch->rows;
        part.header.shape[0] = rows;
        part.header.data_bytes = rows * row_bytes;
        part.data += row * row_bytes;
    }
    return part;
}

/* How many tensors the reply carries, and each of them. */
static size_t reply_count(const ssa_request *request, size_t count) {
    return request->chain ? request->chain->wanted_count : count;
}

static ssa_array reply_part(const ssa_batch *batch, const ssa_request *request, const ssa_array *outputs, uint64_t row,
                            size_t index) {
    const ssa_chain *chain = request->chain;
    if (!chain)
        return slice(batch, &outputs[index], row, request->rows);
    const ssa_taken *taken = &chain->taken[chain->wanted[index]];
    return taken->step == chain->step ? slice(batch, &outputs[taken->output], row, request->rows) : taken->array;
}

/* Answer one request. text holds what is not elements; parts has room for 2 a tensor and 1. */
static ssa_status answer(const ssa_batch *batch, const ssa_request *request, const ssa_array *outputs, size_t count,
                         uint64_t row, ssa_buffer *text, struct iovec *parts) {
    char steps[SSA_STEPS_TEXT_BYTES];
    const char *version = request->chain ? steps : batch->version;
    size_t version_bytes = request->chain ? ssa_chain_steps_text(request->chain, steps) : strlen(version);
    uint64_t elements = 0;
    count = reply_count(request, count);
    for (size_t i = 0; i < count; i++)
        elements += reply_part(batch, request, outputs, row, i).header.data_bytes;
    int copy = elements < COPY_BELOW;
    text->bytes = 0;
    /* All of the text is reserved first: parts point into it. */
    size_t room = 128 + version_bytes + count * (SSA_TENSOR_MAX_HEADER + 32) + (copy ? (size_t)elements : 0);
    if (ssa_buffer_reserve(text, room))
        return SSA_ENOMEM;
    ssa_write_array(text, 2 + count);
    ssa_write_integer(text, request->id);
    ssa_write_bulk(text, version, version_bytes);
    size_t parts_count = 0, from = 0;
    for (size_t i = 0; i < count; i++) {
        ssa_array part = reply_part(batch, request, outputs, row, i);
        size_t head = ssa_tensor_header_size(part.header.ndim);
        ssa_write_bulk_length(text, head + part.header.data_bytes);
        ssa_tensor_header_encode(&part.header, text->data + text->bytes);
        text->bytes += head;
        if (copy) {
            ssa_buffer_append(text, part.data, part.header.data_bytes);
        } else {
            parts[parts_count++] = (struct iovec){text->data + from, text->bytes - from};
            parts[parts_count++] = (struct iovec){(void *)(uintptr_t)part.data, part.header.data_bytes};
            from = text->bytes;
        }
        ssa_write_bulk_end(text);
    }
    parts[parts_count++] = (struct iovec){text->data + from, text->bytes - from};
    return ssa_peer_send(request->peer, parts, parts_count);
}

/* ---- chains ---- */

/* Copy what later steps and the reply take of the outputs of this step. */
static void take_for_request(ssa_front *front, const ssa_batch *batch, ssa_request *request, const ssa_array *outputs,
                             size_t count, uint64_t row) {
    char text[120];
    ssa_chain *chain = request->chain;
    memcpy(chain->steps[chain->step].version, batch->version, sizeof batch->version);
    chain->steps[chain->step].outputs_count = count;
    for (size_t i = 0; i < chain->taken_count; i++) {
        ssa_taken *taken = &chain->taken[i];
        if (taken->step != chain->step)
            continue;
        if (taken->output >= count) {
            snprintf(text, sizeof text, "it gave %zu outputs, the chain takes output %zu of it", count, taken->output);
            ssa_request_refuse(request, "BADINPUT", text);
            return;
        }
        if (ssa_chain_at_last(chain))
            continue; /* sent from where it lies */
        ssa_array part = slice(batch, &outputs[taken->output], row, request->rows);
        uint64_t bytes = part.header.data_bytes;
        int room = front->rules.reserve(front, bytes);
        if (room && ssa_chain_keep(taken, &part) == SSA_OK) {
            request->held_bytes += bytes;
            continue;
        }
        if (room)
            front->rules.give_back(front, bytes);
        snprintf(text, sizeof text, "no room for the %llu bytes of its output %zu now", (unsigned long long)bytes, taken->output);
        ssa_request_refuse(request, "BUSY", text);
        return;
    }
    request->goes_on = !ssa_chain_at_last(chain);
}

/* Whether some chain goes on. No lock: the requests of a running batch are its own. */
static int take_from_outputs(ssa_front *front, ssa_batch *batch, const ssa_array *outputs, size_t count) {
    uint64_t row = 0;
    int going_on = 0;
    for (size_t i = 0; i < batch->requests_count; i++) {
        ssa_request *request = batch->requests[i];
        if (request->chain) {
            take_for_request(front, batch, request, outputs, count, row);
            going_on |= request->goes_on;
        }
        row += request->rows;
    }
    return going_on;
}

/* The next step of each chain is queued; the thread that is here looks for work next. The batch goes on holding the request: whoever ran it may still look at inputs. */
static void go_on(ssa_front *front, ssa_batch *batch) {
    ssa_link failed;
    ssa_link_reset(&failed);
    uint64_t now = ssa_front_clock();
    pthread_mutex_lock(&front->lock);
    for (size_t i = 0; i < batch->requests_count; i++) {
        ssa_request *request = batch->requests[i];
        if (!request->goes_on || request->abandoned)
            continue;
        request->goes_on = 0;
        request->arrived = now;
        atomic_fetch_add(&request->holders, 1);
        ssa_request_begin_step(request, request->chain->step + 1);
        if (ssa_front_queue(front, request) == SSA_OK)
            continue;
        ssa_front_unlist(front, request);
        ssa_link_insert(&failed, &request->in_model);
        front->statistics.failed++;
    }
    pthread_mutex_unlock(&front->lock);
    ssa_front_answer_list(front, &failed, "BUSY", "no memory for the request");
}

/* ---- batches ---- */

/* NULL: the rows of all outputs can be told apart; else why not. */
static const char *cannot_scatter(const ssa_batch *batch, const ssa_array *outputs, size_t count, char *text, size_t room) {
    for (size_t i = 0; batch->joined && i < count; i++) {
        const ssa_tensor_header *header = &outputs[i].header;
        if (header->ndim && header->shape[0] == batch->rows && header->order == SSA_ROW_MAJOR)
            continue;
        char rows[40] = "no dimensions";
        if (header->ndim)
            snprintf(rows, sizeof rows, "%llu rows", (unsigned long long)header->shape[0]);
        snprintf(text, room, "output %zu has %s for %llu rows of input, so it cannot be parted among the %zu requests of the batch; "
                 "set the model's batch_size to 1, or make it keep the first dimension",
                 i, rows, (unsigned long long)batch->rows, batch->requests_count);
        return text;
    }
    return NULL;
}

static void answer_all_error(const ssa_batch *batch, const char *code, const char *text) {
    for (size_t i = 0; i < batch->requests_count; i++)
        if (!batch->requests[i]->abandoned)
            ssa_front_answer_error(batch->requests[i], code, text);
}

/* Room for the parts of any reply of the batch: `few` when it suffices, else allocated. */
static struct iovec *room_for_parts(const ssa_batch *batch, size_t count, struct iovec *few, size_t few_count) {
    size_t most = 0;
    for (size_t i = 0; i < batch->requests_count; i++) {
        size_t tensors = reply_count(batch->requests[i], count);
        most = tensors > most ? tensors : most;
    }
    return 2 * most + 1 > few_count ? ssa_allocate((2 * most + 1) * sizeof *few) : few;
}

static void answer_each(ssa_batch *batch, const ssa_array *outputs, size_t count) {
    ssa_buffer replies = {0};
    struct iovec few[17];
    struct iovec *parts = room_for_parts(batch, count, few, sizeof few / sizeof *few);
    uint64_t row = 0;
    for (size_t i = 0; i < batch->requests_count; i++) {
        ssa_request *request = batch->requests[i];
        uint64_t first_row = row;
        row += request->rows;
        if (request->goes_on || request->abandoned)
            continue;
        if (request->refusal)
            ssa_front_answer_refusal(request);
        else if (!parts || answer(batch, request, outputs, count, first_row, &replies, parts) == SSA_ENOMEM)
            ssa_front_answer_error(request, "BUSY", "no memory for the reply");
    }
    if (parts != few)
        ssa_release(parts);
    ssa_buffer_free(&replies);
}

void ssa_front_complete(ssa_front *front, ssa_batch *batch, const ssa_array *outputs, size_t count, uint64_t *retired) {
    char text[400];
    const char *fault = cannot_scatter(batch, outputs, count, text, sizeof text);
    int going_on = !fault && take_from_outputs(front, batch, outputs, count);
    close_books(front, batch, retired);
    if (fault)
        answer_all_error(batch, "MODELFAILED", fault);
    else
        answer_each(batch, outputs, count);
    if (going_on)
        go_on(front, batch);
    replies_are_out(front);
}

void ssa_front_fail(ssa_front *front, ssa_batch *batch, const char *code, const char *text, uint64_t *retired) {
    if (batch->joined) {
        pthread_mutex_lock(&front->lock);
        ssa_models_take_apart(&front->models, batch);
        *retired = ssa_models_finish(&front->models, batch);
        pthread_mutex_unlock(&front->lock);
        return;
    }
    close_books(front, batch, retired);
    answer_all_error(batch, code, text);
    pthread_mutex_lock(&front->lock);
    front->statistics.failed += batch->requests_count;
    pthread_mutex_unlock(&front->lock);
    replies_are_out(front);
}

void ssa_front_batch_free(ssa_front *front, ssa_batch *batch) {
    if (!batch)
        return;
    for (size_t i = 0; i < batch->requests_count; i++)
        ssa_front_forget(front, batch->requests[i]);
    ssa_batch_free(batch);
}
