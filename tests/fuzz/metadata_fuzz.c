// links: metadata resp_writer tensor_header allocator
/* Entries of metadata: what is accepted is, written again value by value, the same bytes. Input: the entry. */
#include <string.h>

#include "fuzz.h"
#include "metadata.h"

static void write_strings(ssa_buffer *entry, const ssa_metadata *metadata) {
    size_t at = 0, bytes, count = 0;
    const char *text;
    for (; ssa_metadata_next(metadata, &at, &text, &bytes); count++) {
        CHECK((const unsigned char *)text >= metadata->values && at <= metadata->bytes);
        CHECK(ssa_metadata_add_string(entry, text, bytes) == SSA_OK);
    }
    CHECK(count == metadata->count && at == metadata->bytes);
    CHECK(!ssa_metadata_next(metadata, &at, &text, &bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    ssa_metadata metadata;
    ssa_buffer entry = {0};
    ssa_status status = ssa_metadata_decode(&metadata, data, bytes);
    CHECK(status == SSA_OK || status == SSA_EPROTOCOL);
    if (status != SSA_OK)
        return 0;
    CHECK(ssa_metadata_type_exists(metadata.type) && metadata.values == data + 1 && metadata.bytes == bytes - 1);
    CHECK(ssa_metadata_begin(&entry, metadata.type) == SSA_OK);
    if (metadata.type == SSA_STRING)
        write_strings(&entry, &metadata);
    else
        CHECK(ssa_metadata_add_scalars(&entry, metadata.type, metadata.values, metadata.count) == SSA_OK);
    CHECK(entry.bytes == bytes && !memcmp(entry.data, data, bytes));
    ssa_buffer_free(&entry);
    return 0;
}
