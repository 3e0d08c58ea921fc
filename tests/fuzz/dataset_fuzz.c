// links: dataset dataset_wire metadata name_index tensor_header tensor_memory reply real_text resp_reader resp_writer allocator
/* Datasets from the answer to HGETALL: what is accepted can be filled, written and copied. Input: the reply. */
#include <string.h>

#include "dataset.h"
#include "fuzz.h"
#include "fuzz_reply.h"

/* Give every item that was announced something. */
static void supply(ssa_dataset *dataset) {
    ssa_tensor_header header = {.dtype = SSA_UINT8, .ndim = 1, .itemsize = 1, .shape = {5}};
    CHECK(ssa_tensor_header_complete(&header) == SSA_OK);
    for (size_t i = 0; i < ssa_dataset_item_count(dataset); i++) {
        const ssa_item *item = ssa_dataset_item_at(dataset, i);
        CHECK(!item->data && !ssa_item_name_refusal(item->name.text, item->name.bytes));
        CHECK(ssa_dataset_item_place(dataset, item->kind, item->name.text, item->name.bytes) == i);
        ssa_memory memory = ssa_memory_new(5);
        memset(memory.data, 1, 5);
        ssa_status wrong = item->kind == SSA_ITEM_TENSOR ? ssa_dataset_supply_bytes(dataset, i, &memory, 5)
                                                         : ssa_dataset_supply_tensor(dataset, i, &header, &memory);
        CHECK(wrong == SSA_EARGUMENT && memory.data && *ssa_dataset_reason(dataset));
        ssa_status right = item->kind == SSA_ITEM_TENSOR ? ssa_dataset_supply_tensor(dataset, i, &header, &memory)
                                                         : ssa_dataset_supply_bytes(dataset, i, &memory, 5);
        CHECK(right == SSA_OK);
    }
}

static void check_fields(const ssa_dataset *dataset) {
    for (size_t i = 0; i < ssa_dataset_field_count(dataset); i++) {
        ssa_field field = ssa_dataset_field_at(dataset, i);
        ssa_metadata metadata;
        CHECK(!ssa_field_name_refusal(field.name.text, field.name.bytes));
        CHECK(ssa_dataset_find_field(dataset, field.name.text, field.name.bytes, &metadata) == SSA_OK);
        CHECK(metadata.values == field.data + 1 && metadata.bytes == field.bytes - 1);
        size_t size = ssa_metadata_scalar_size(metadata.type);
        CHECK(!size || (uintptr_t)metadata.values % size == 0);
    }
}

static void write_and_copy(ssa_dataset *dataset) {
    size_t items = ssa_dataset_item_count(dataset), fields = ssa_dataset_field_count(dataset);
    ssa_dataset *copy;
    ssa_status status = ssa_dataset_encode(dataset);
    CHECK(status == (items + fields ? SSA_OK : SSA_EARGUMENT));
    for (size_t i = 0; status == SSA_OK && i < ssa_dataset_encoded_count(dataset); i++) {
        ssa_field field = ssa_dataset_encoded_at(dataset, i);
        ssa_metadata metadata;
        CHECK(ssa_metadata_decode(&metadata, field.data, field.bytes) == SSA_OK);
    }
    CHECK(ssa_dataset_dup(dataset, &copy) == SSA_OK);
    CHECK(ssa_dataset_item_count(copy) == items && ssa_dataset_field_count(copy) == fields);
    check_fields(copy);
    ssa_dataset_free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    input in = {data, bytes};
    ssa_reply reply;
    if (input_reply(&in, &reply)) {
        ssa_dataset *dataset;
        CHECK(ssa_dataset_new("d", 1, &dataset) == SSA_OK);
        ssa_status status = ssa_dataset_decode(dataset, &reply);
        ssa_reply_free(&reply); /* what it needs it has copied */
        CHECK(status == SSA_OK || status == SSA_ENOTFOUND || status == SSA_EPROTOCOL || status == SSA_ELIMIT);
        if (status == SSA_OK) {
            supply(dataset);
            check_fields(dataset);
            write_and_copy(dataset);
        } else {
            CHECK(*ssa_dataset_reason(dataset));
        }
        ssa_dataset_free(dataset);
    }
    ssa_reply_free(&reply);
    return 0;
}
