/* Outputs of a run that go into datasets, each in the place of a tensor that its dataset has: one that the hash of the dataset
 * does not name nobody would find again. So all of them are looked for there before any output is stored; SET takes XX for
 * what somebody deletes after that, and KEEPTTL since a tensor ends together with its dataset. */
#include <inttypes.h>
#include <string.h>

#include "engine.h"
#include "op_dataset.h"
#include "op_run.h"

int ssa_run_is_in_dataset(const ssa_run_output *output) {
    return memchr(output->key.data, '}', output->key.bytes) != NULL;
}

/* The next one from `place` on; their number: there is none. */
static size_t next_in_dataset(const ssa_run_state *state, size_t place) {
    while (place < state->output_count && !ssa_run_is_in_dataset(&state->outputs[place]))
        place++;
    return place;
}

size_t ssa_run_dataset_outputs(const ssa_run_state *state) {
    size_t count = 0;
    for (size_t i = next_in_dataset(state, 0); i < state->output_count; i = next_in_dataset(state, i + 1))
        count++;
    return count;
}

/* What `<P>.{<dataset>}.<tensor>` is made of. */
typedef struct item_names {
    ssa_buffer base; /* borrowed, as the rest */
    ssa_text dataset, tensor;
} item_names;

static item_names names_of(const ssa_run_output *output) {
    const char *key = (const char *)output->key.data;
    const char *open = memchr(key, '{', output->key.bytes), *close = memchr(key, '}', output->key.bytes);
    size_t base = (size_t)(close + 1 - key);
    return (item_names){{output->key.data, base, base},
                        {open + 1, (size_t)(close - open - 1)},
                        {close + 2, output->key.bytes - base - 1}};
}

int ssa_run_refuse_long(ssa_request *request) {
    const ssa_run_state *state = request->state;
    int64_t limit = request->engine->settings.value_limit;
    for (size_t i = next_in_dataset(state, 0); limit && i < state->output_count; i = next_in_dataset(state, i + 1)) {
        const ssa_buffer *key = &state->outputs[i].key;
        const ssa_tensor_header *header = &request->tensors[i].header;
        if (header->data_bytes + ssa_tensor_header_size(header->ndim) <= (uint64_t)limit)
            continue;
        ssa_request_fail(request, SSA_EARGUMENT, "the outputs of '%s' were not stored: '%.*s' has %" PRIu64 " bytes, more than "
                         "value_limit (%" PRId64 "), and is a tensor of a dataset. Give it a name of its own, or put the dataset with "
                         "it.", (char *)request->subject.data, (int)key->bytes, (char *)key->data, header->data_bytes, limit);
        return 1;
    }
    return 0;
}

typedef ssa_command *command_for(const ssa_request *request, size_t output);

/* One for each output that goes into a dataset. */
static void send_each(ssa_request *request, command_for *make) {
    const ssa_run_state *state = request->state;
    size_t call = 0;
    if (ssa_request_calls(request, ssa_run_dataset_outputs(state))) {
        ssa_request_fail_memory(request);
        return;
    }
    for (size_t i = next_in_dataset(state, 0); i < state->output_count; i = next_in_dataset(state, i + 1)) {
        const ssa_buffer *key = &state->outputs[i].key;
        ssa_request_send(request, call++, make(request, i), key->data, key->bytes, SSA_CALL_IDEMPOTENT);
    }
}

/* ---- the look */

static ssa_command *look_command(const ssa_request *request, size_t output) {
    item_names names = names_of(&((const ssa_run_state *)request->state)->outputs[output]);
    ssa_command *command = ssa_command_new(3, SSA_EXPECT_REPLY);
    if (command && !ssa_command_argument(command, "HGET", 4) && !ssa_command_item_key(command, &names.base, "meta", 4) &&
        !ssa_command_argument(command, SSA_FIELD_TENSOR_NAMES, sizeof SSA_FIELD_TENSOR_NAMES - 1))
        return command;
    ssa_command_free(command);
    return NULL;
}

void ssa_run_look_at_datasets(ssa_request *request) {
    send_each(request, look_command);
}

static void fail_missing(ssa_request *request, const item_names *names, int has_dataset) {
    request->kind = has_dataset ? SSA_KIND_TENSOR : SSA_KIND_DATASET; /* what is not there: not the model */
    ssa_request_fail(request, SSA_ENOTFOUND, "the outputs of '%s' were not stored: dataset '%.*s' %s '%.*s'. Put the dataset with such "
                     "a tensor, which the output replaces, or give the output a name of its own.", (char *)request->subject.data,
                     (int)names->dataset.bytes, names->dataset.data, has_dataset ? "has no tensor" : "is not there, nor its tensor",
                     (int)names->tensor.bytes, names->tensor.data);
}

static int has_tensor(const ssa_reply *reply, ssa_text tensor) {
    const ssa_node *node = &reply->nodes[0];
    ssa_metadata entry;
    ssa_name name;
    if (ssa_metadata_decode(&entry, reply->text.data + node->text_at, node->text_bytes) || entry.type != SSA_STRING)
        return 0;
    for (size_t next = 0; ssa_metadata_next(&entry, &next, &name.text, &name.bytes);)
        if (name.bytes == tensor.bytes && !memcmp(name.text, tensor.data, name.bytes))
            return 1;
    return 0;
}

int ssa_run_datasets_have_them(ssa_request *request) {
    const ssa_run_state *state = request->state;
    size_t call = 0;
    if (ssa_request_failed(request))
        return 0;
    for (size_t i = next_in_dataset(state, 0); i < state->output_count; i = next_in_dataset(state, i + 1)) {
        item_names names = names_of(&state->outputs[i]);
        const ssa_reply *reply = &ssa_request_answer(request, call++)->reply;
        int has_dataset = reply->nodes[0].kind == SSA_TOKEN_BULK && reply->nodes[0].text_bytes;
        if (has_dataset && has_tensor(reply, names.tensor))
            continue;
        fail_missing(request, &names, has_dataset);
        return 0;
    }
    return 1;
}

/* ---- the tensors */

static ssa_command *replace_command(const ssa_request *request, size_t output) {
    const ssa_buffer *key = &((const ssa_run_state *)request->state)->outputs[output].key;
    const ssa_tensor *tensor = &request->tensors[output];
    ssa_command *command = ssa_command_new(5, SSA_EXPECT_REPLY);
    if (command && !ssa_command_argument(command, "SET", 3) && !ssa_command_argument(command, key->data, key->bytes) &&
        !ssa_command_tensor(command, &tensor->header, tensor->memory.data) && !ssa_command_argument(command, "XX", 2) &&
        !ssa_command_argument(command, "KEEPTTL", 7))
        return command;
    ssa_command_free(command);
    return NULL;
}

void ssa_run_replace_tensors(ssa_request *request) {
    send_each(request, replace_command);
}

int ssa_run_tensors_replaced(ssa_request *request) {
    const ssa_run_state *state = request->state;
    size_t call = 0;
    if (ssa_request_failed(request))
        return 0;
    for (size_t i = next_in_dataset(state, 0); i < state->output_count; i = next_in_dataset(state, i + 1)) {
        if (ssa_request_answer(request, call++)->reply.nodes[0].kind != SSA_TOKEN_NULL)
            continue;
        item_names names = names_of(&state->outputs[i]);
        fail_missing(request, &names, 1);
        return 0;
    }
    return 1;
}
