#include <stdio.h>

#include "client_ask.h"
#include "client_texts.h"

/* ---- getting */

static ssa_status give_texts(const ssa_reply *reply, ssa_texts **to, char *text) {
    ssa_status status;
    *to = ssa_texts_of(reply, &status);
    if (status)
        snprintf(text, SSA_MISTAKE_BYTES, "no memory for the answer");
    return status;
}

static ssa_status give_blob(const ssa_result *result, ssa_request *request, char *text) {
    return give_texts(&request->reply, result->to, text);
}

static ssa_status give_metadata(const ssa_result *result, ssa_request *request, char *text) {
    return give_texts(&request->second_reply, result->to, text);
}

static ssa_status get(ssa_ask *ask, ssa_kind kind, const char *name, size_t name_bytes, int metadata,
                      ssa_texts **texts) {
    ssa_text text;
    if (texts)
        *texts = NULL;
    ssa_ask_result(ask, "the result", texts, metadata ? give_metadata : give_blob);
    ssa_ask_text(ask, "name", name, name_bytes, &text);
    if (!ssa_ask_open(ask))
        ask->request = ssa_op_get_model(ask->entry.engine, kind, text, &ask->entry.problem);
    return ssa_ask_end(ask);
}

ssa_status ssa_get_model(ssa_client *client, const char *name, size_t name_bytes, ssa_texts **model, double timeout) {
    ssa_ask ask;
    return get(ssa_ask_now(&ask, client, timeout), SSA_KIND_MODEL, name, name_bytes, 0, model);
}

ssa_status ssa_batch_get_model(ssa_batch *batch, const char *name, size_t name_bytes, ssa_texts **model) {
    ssa_ask ask;
    return get(ssa_ask_batch(&ask, batch), SSA_KIND_MODEL, name, name_bytes, 0, model);
}

ssa_status ssa_get_script(ssa_client *client, const char *name, size_t name_bytes, ssa_texts **script, double timeout) {
    ssa_ask ask;
    return get(ssa_ask_now(&ask, client, timeout), SSA_KIND_SCRIPT, name, name_bytes, 0, script);
}

ssa_status ssa_batch_get_script(ssa_batch *batch, const char *name, size_t name_bytes, ssa_texts **script) {
    ssa_ask ask;
    return get(ssa_ask_batch(&ask, batch), SSA_KIND_SCRIPT, name, name_bytes, 0, script);
}

ssa_status ssa_get_model_metadata(ssa_client *client, const char *name, size_t name_bytes, ssa_texts **metadata,
                                  double timeout) {
    ssa_ask ask;
    return get(ssa_ask_now(&ask, client, timeout), SSA_KIND_MODEL, name, name_bytes, 1, metadata);
}

ssa_status ssa_batch_get_model_metadata(ssa_batch *batch, const char *name, size_t name_bytes, ssa_texts **metadata) {
    ssa_ask ask;
    return get(ssa_ask_batch(&ask, batch), SSA_KIND_MODEL, name, name_bytes, 1, metadata);
}

ssa_status ssa_get_script_metadata(ssa_client *client, const char *name, size_t name_bytes, ssa_texts **metadata,
                                   double timeout) {
    ssa_ask ask;
    return get(ssa_ask_now(&ask, client, timeout), SSA_KIND_SCRIPT, name, name_bytes, 1, metadata);
}

ssa_status ssa_batch_get_script_metadata(ssa_batch *batch, const char *name, size_t name_bytes, ssa_texts **metadata) {
    ssa_ask ask;
    return get(ssa_ask_batch(&ask, batch), SSA_KIND_SCRIPT, name, name_bytes, 1, metadata);
}

/* ---- deleting */

static ssa_status delete(ssa_ask *ask, ssa_kind kind, const char *name, size_t name_bytes) {
    ssa_text text;
    ssa_ask_text(ask, "name", name, name_bytes, &text);
    if (!ssa_ask_open(ask))
        ask->request = ssa_op_delete_model(ask->entry.engine, kind, text, &ask->entry.problem);
    return ssa_ask_end(ask);
}

static ssa_status delete_multigpu(ssa_ask *ask, ssa_kind kind, const char *name, size_t name_bytes, int first_gpu,
                                  int num_gpus) {
    ssa_text text;
    ssa_ask_text(ask, "name", name, name_bytes, &text);
    if (!ssa_ask_open(ask))
        ask->request =
            ssa_op_delete_model_multigpu(ask->entry.engine, kind, text, first_gpu, num_gpus, &ask->entry.problem);
    return ssa_ask_end(ask);
}

ssa_status ssa_delete_model(ssa_client *client, const char *name, size_t name_bytes, double timeout) {
    ssa_ask ask;
    return delete(ssa_ask_now(&ask, client, timeout), SSA_KIND_MODEL, name, name_bytes);
}

ssa_status ssa_batch_delete_model(ssa_batch *batch, const char *name, size_t name_bytes) {
    ssa_ask ask;
    return delete(ssa_ask_batch(&ask, batch), SSA_KIND_MODEL, name, name_bytes);
}

ssa_status ssa_delete_script(ssa_client *client, const char *name, size_t name_bytes, double timeout) {
    ssa_ask ask;
    return delete(ssa_ask_now(&ask, client, timeout), SSA_KIND_SCRIPT, name, name_bytes);
}

ssa_status ssa_batch_delete_script(ssa_batch *batch, const char *name, size_t name_bytes) {
    ssa_ask ask;
    return delete(ssa_ask_batch(&ask, batch), SSA_KIND_SCRIPT, name, name_bytes);
}

ssa_status ssa_delete_model_multigpu(ssa_client *client, const char *name, size_t name_bytes, int first_gpu,
                                     int num_gpus, double timeout) {
    ssa_ask ask;
    return delete_multigpu(ssa_ask_now(&ask, client, timeout), SSA_KIND_MODEL, name, name_bytes, first_gpu, num_gpus);
}

ssa_status ssa_batch_delete_model_multigpu(ssa_batch *batch, const char *name, size_t name_bytes, int first_gpu,
                                           int num_gpus) {
    ssa_ask ask;
    return delete_multigpu(ssa_ask_batch(&ask, batch), SSA_KIND_MODEL, name, name_bytes, first_gpu, num_gpus);
}

ssa_status ssa_delete_script_multigpu(ssa_client *client, const char *name, size_t name_bytes, int first_gpu,
                                      int num_gpus, double timeout) {
    ssa_ask ask;
    return delete_multigpu(ssa_ask_now(&ask, client, timeout), SSA_KIND_SCRIPT, name, name_bytes, first_gpu, num_gpus);
}

ssa_status ssa_batch_delete_script_multigpu(ssa_batch *batch, const char *name, size_t name_bytes, int first_gpu,
                                            int num_gpus) {
    ssa_ask ask;
    return delete_multigpu(ssa_ask_batch(&ask, batch), SSA_KIND_SCRIPT, name, name_bytes, first_gpu, num_gpus);
}
