/* Answers: outputs of a batch scattered to its requests, errors, and the books that are closed with them. */
#include <stdio.h>
#include <string.h>

#include "allocator.h"
#include "front_private.h"

#define COPY_BELOW (32u << 10) /* outputs that are cheaper copied into one buffer than sent as parts */

void ssa_front_unlist(ssa_front *front, ssa_request *request) {
    if (request->state == SSA_REQUEST_QUEUED || request->state == SSA_REQUEST_FETCHING)
        ssa_models_remove(&front->models, request);
    ssa_link_remove(&request->in_peer);
    front->unanswered--;
}

void ssa_front_forget(ssa_front *front, ssa_request *request) {
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

void ssa_front_answer_error(ssa_request *request, const char *code, const char *text) {
    ssa_buffer reply = {0};
    if (ssa_write_array(&reply, 2) == SSA_OK && ssa_write_integer(&reply, request->id) == SSA_OK &&
        ssa_write_error(&reply, code, text, strlen(text)) == SSA_OK) {
        struct iovec part = {reply.data, reply.bytes};
        ssa_peer_send(request->peer, &part, 1);
    }
    ssa_buffer_free(&reply);
}

void ssa_front_answer_list(ssa_front *front, ssa_link *list, const char *code, const char *text) {
    while (!ssa_link_alone(list)) {
        ssa_request *request = SSA_CONTAINER(list->next, ssa_request, in_model);
        ssa_link_remove(&request->in_model);
        ssa_front_answer_error(request, code, text);
        ssa_front_forget(front, request);
    }
}

/* ---- batches ---- */

/* The requests of the batch leave the books, its model may run the next. */
static void close_books(ssa_front *front, ssa_batch *batch, uint64_t *retired) {
    pthread_mutex_lock(&front->lock);
    for (size_t i = 0; i < batch->requests_count; i++) {
        if (!batch->requests[i]->abandoned)
            ssa_front_unlist(front, batch->requests[i]);
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

/* Answer one request. text holds what is not elements; parts has room for 2 an output and 1. */
static ssa_status answer(const ssa_batch *batch, const ssa_request *request, const ssa_array *outputs, size_t count,
                         uint64_t row, ssa_buffer *text, struct iovec *parts) {
    uint64_t elements = 0;
    for (size_t i = 0; i < count; i++)
        elements += slice(batch, &outputs[i], row, request->rows).header.data_bytes;
    int copy = elements < COPY_BELOW;
    text->bytes = 0;
    /* All of the text is reserved first: parts point into it. */
    size_t room = 128 + count * (SSA_TENSOR_MAX_HEADER + 32) + (copy ? (size_t)elements : 0);
    if (ssa_buffer_reserve(text, room))
        return SSA_ENOMEM;
    ssa_write_array(text, 2 + count);
    ssa_write_integer(text, request->id);
    ssa_write_bulk(text, batch->version, strlen(batch->version));
    size_t parts_count = 0, from = 0;
    for (size_t i = 0; i < count; i++) {
        ssa_array part = slice(batch, &outputs[i], row, request->rows);
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

void ssa_front_complete(ssa_front *front, ssa_batch *batch, const ssa_array *outputs, size_t count, uint64_t *retired) {
    char text[400];
    const char *fault = cannot_scatter(batch, outputs, count, text, sizeof text);
    close_books(front, batch, retired);
    ssa_buffer replies = {0};
    struct iovec few[17], *parts = few;
    if (2 * count + 1 > sizeof few / sizeof *few)
        parts = ssa_allocate((2 * count + 1) * sizeof *parts);
    if (fault)
        answer_all_error(batch, "MODELFAILED", fault);
    else if (!parts)
        answer_all_error(batch, "BUSY", "no memory for the reply");
    uint64_t row = 0;
    for (size_t i = 0; !fault && parts && i < batch->requests_count; i++) {
        const ssa_request *request = batch->requests[i];
        if (!request->abandoned && answer(batch, request, outputs, count, row, &replies, parts) == SSA_ENOMEM)
            ssa_front_answer_error(batch->requests[i], "BUSY", "no memory for the reply");
        row += request->rows;
    }
    if (parts != few)
        ssa_release(parts);
    ssa_buffer_free(&replies);
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
    for (size_t i = 0; i < batch->requests_count; i++) {
        atomic_fetch_sub(&front->held_bytes, batch->requests[i]->held_bytes);
        ssa_peer_release(batch->requests[i]->peer);
    }
    ssa_batch_free(batch);
}
