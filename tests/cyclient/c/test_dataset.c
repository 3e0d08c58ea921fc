// links: dataset dataset_wire metadata name_index tensor_header tensor_memory reply resp_writer allocator
#include "check.h"
#include "dataset.h"

#define VERSION "00112233445566778899aabbccddeeff"

static ssa_dataset *new_dataset(void) {
    ssa_dataset *dataset;
    CHECK(!ssa_dataset_new("ds", 2, &dataset));
    return dataset;
}

static ssa_tensor_header float64_header(uint64_t extent) {
    ssa_tensor_header header = {.dtype = SSA_FLOAT64, .itemsize = 8, .ndim = 1, .shape = {extent}};
    CHECK(!ssa_tensor_header_complete(&header));
    return header;
}

static ssa_status add_tensor(ssa_dataset *dataset, const char *name, double value) {
    ssa_tensor_header header = float64_header(1);
    return ssa_dataset_add_tensor(dataset, name, strlen(name), &header, &value);
}

static ssa_status add_bytes(ssa_dataset *dataset, const char *name, const char *data) {
    return ssa_dataset_add_bytes(dataset, name, strlen(name), data, strlen(data));
}

static ssa_status add_int64(ssa_dataset *dataset, const char *name, int64_t value) {
    return ssa_dataset_add_scalars(dataset, name, strlen(name), SSA_INT64, &value, 1);
}

static ssa_status add_string(ssa_dataset *dataset, const char *name, const char *text) {
    return ssa_dataset_add_string(dataset, name, strlen(name), text, strlen(text));
}

static const ssa_item *find(const ssa_dataset *dataset, ssa_item_kind kind, const char *name) {
    return ssa_dataset_find_item(dataset, kind, name, strlen(name));
}

static int is(ssa_name name, const char *text) {
    return name.bytes == strlen(text) && !memcmp(name.text, text, name.bytes);
}

/* ---- names */

static void test_names_are_refused_for_a_reason(void) {
    static char longest[1025];
    memset(longest, 'n', sizeof longest);
    CHECK_TEXT(ssa_dataset_name_refusal("", 0), "give it a name");
    CHECK_TEXT(ssa_dataset_name_refusal("a}", 2), "braces decide which shard holds a key; leave them out");
    CHECK_TEXT(ssa_dataset_name_refusal(longest, 1025), "a name has at most 1024 bytes");
    CHECK_TEXT(ssa_dataset_name_refusal("a", 2), "a name has no NUL in it; give its length without the NUL at its end");
    CHECK(!ssa_dataset_name_refusal(longest, 1024) && !ssa_item_name_refusal(longest, 1024));
    CHECK(!ssa_dataset_name_refusal(".hidden", 7) && !ssa_dataset_name_refusal("meta", 4));
    CHECK_TEXT(ssa_item_name_refusal("meta", 4), "the key of that name holds the metadata; choose another");
    CHECK(!ssa_item_name_refusal("metal", 5) && !ssa_field_name_refusal("meta", 4));
    CHECK(ssa_item_name_refusal(".u", 2) && ssa_field_name_refusal(".version", 8) && ssa_field_name_refusal("", 0));
    ssa_dataset *dataset = (ssa_dataset *)longest;
    CHECK_NUMBER(ssa_dataset_new("{", 1, &dataset), SSA_EARGUMENT);
    CHECK(!dataset);
    ssa_dataset_free(NULL);
}

static void test_a_dataset_can_be_renamed(void) {
    ssa_dataset *dataset = new_dataset();
    CHECK(is(ssa_dataset_name(dataset), "ds"));
    CHECK(!ssa_dataset_rename(dataset, "other", 5));
    CHECK_NUMBER(ssa_dataset_rename(dataset, "", 0), SSA_EARGUMENT);
    CHECK_TEXT(ssa_dataset_reason(dataset), "give it a name");
    CHECK(is(ssa_dataset_name(dataset), "other"));
    ssa_dataset_free(dataset);
}

/* ---- items */

static void test_items_stand_in_the_order_of_their_coming(void) {
    ssa_dataset *dataset = new_dataset();
    CHECK(!add_tensor(dataset, "u", 1.5) && !add_bytes(dataset, "b", "abc") && !add_tensor(dataset, "v", 2.5));
    CHECK_NUMBER(ssa_dataset_item_count(dataset), 3);
    CHECK(is(ssa_dataset_item_at(dataset, 0)->name, "u") && is(ssa_dataset_item_at(dataset, 1)->name, "b"));
    const ssa_item *v = find(dataset, SSA_ITEM_TENSOR, "v"), *b = find(dataset, SSA_ITEM_BYTES, "b");
    CHECK(v == ssa_dataset_item_at(dataset, 2) && *(const double *)v->data == 2.5 && v->owned);
    CHECK(b && b->header.data_bytes == 3 && !memcmp(b->data, "abc", 3));
    CHECK(!find(dataset, SSA_ITEM_TENSOR, "b") && !find(dataset, SSA_ITEM_BYTES, "u"));
    CHECK(!find(dataset, SSA_ITEM_TENSOR, "w"));
    CHECK(ssa_dataset_has_item(dataset, "b", 1) && !ssa_dataset_has_item(dataset, "w", 1));
    ssa_dataset_free(dataset);
}

static void test_a_name_serves_once(void) {
    ssa_dataset *dataset = new_dataset();
    CHECK(!add_tensor(dataset, "u", 1));
    CHECK_NUMBER(add_tensor(dataset, "u", 2), SSA_EARGUMENT);
    CHECK_NUMBER(add_bytes(dataset, "u", "x"), SSA_EARGUMENT);
    CHECK(strstr(ssa_dataset_reason(dataset), "has a tensor or bytes of this name"));
    CHECK_NUMBER(*(const double *)find(dataset, SSA_ITEM_TENSOR, "u")->data, 1);
    CHECK(!add_int64(dataset, "u", 7)); /* a field is no item */
    CHECK_NUMBER(ssa_dataset_remove_item(dataset, SSA_ITEM_BYTES, "u", 1), SSA_ENOTFOUND);
    CHECK(!ssa_dataset_remove_item(dataset, SSA_ITEM_TENSOR, "u", 1));
    CHECK(!add_bytes(dataset, "u", "x") && find(dataset, SSA_ITEM_BYTES, "u"));
    CHECK_NUMBER(ssa_dataset_item_count(dataset), 1);
    ssa_dataset_free(dataset);
}

static void test_what_is_lent_is_neither_copied_nor_freed(void) {
    double value = 1;
    ssa_tensor_header header = float64_header(1), empty = float64_header(0);
    ssa_dataset *dataset = new_dataset();
    CHECK(!ssa_dataset_lend_tensor(dataset, "u", 1, &header, &value));
    CHECK(!ssa_dataset_lend_tensor(dataset, "e", 1, &empty, NULL));
    CHECK(!ssa_dataset_lend_bytes(dataset, "b", 1, &value, 8));
    CHECK(find(dataset, SSA_ITEM_TENSOR, "u")->data == &value && find(dataset, SSA_ITEM_BYTES, "b")->data == &value);
    CHECK(!find(dataset, SSA_ITEM_TENSOR, "u")->owned && find(dataset, SSA_ITEM_TENSOR, "e")->data);
    CHECK_NUMBER(ssa_dataset_lend_tensor(dataset, "n", 1, &header, NULL), SSA_EARGUMENT);
    CHECK_NUMBER(ssa_dataset_add_bytes(dataset, "n", 1, NULL, 1), SSA_EARGUMENT);
    CHECK(!ssa_dataset_add_bytes(dataset, "n", 1, NULL, 0));
    ssa_dataset_free(dataset);
}

static void test_memory_goes_over_in_both_directions(void) {
    ssa_tensor_header header = float64_header(4);
    ssa_memory memory = ssa_memory_new(32), taken;
    void *data = memory.data;
    ssa_dataset *dataset = new_dataset();
    CHECK_NUMBER(ssa_dataset_own_tensor(dataset, "meta", 4, &header, &memory), SSA_EARGUMENT);
    CHECK(memory.data == data);
    CHECK(!ssa_dataset_own_tensor(dataset, "u", 1, &header, &memory));
    CHECK(!memory.data && find(dataset, SSA_ITEM_TENSOR, "u")->data == data);
    taken = ssa_dataset_take_memory(dataset, 0);
    CHECK(taken.data == data && find(dataset, SSA_ITEM_TENSOR, "u")->data == data);
    CHECK(!ssa_dataset_item_at(dataset, 0)->owned);
    CHECK(!ssa_dataset_take_memory(dataset, 0).data);
    ssa_dataset_free(dataset);
    ssa_memory_free(&taken);
}

/* ---- fields */

static void test_a_field_takes_values_of_one_type(void) {
    double real = 0.5;
    ssa_metadata metadata;
    ssa_dataset *dataset = new_dataset();
    CHECK(!add_int64(dataset, "step", 1) && !add_int64(dataset, "step", -2) && !add_string(dataset, "note", "x"));
    CHECK_NUMBER(ssa_dataset_add_scalars(dataset, "step", 4, SSA_FLOAT64, &real, 1), SSA_EDTYPE);
    CHECK_NUMBER(add_string(dataset, "step", "x"), SSA_EDTYPE);
    CHECK_NUMBER(add_int64(dataset, "note", 1), SSA_EDTYPE);
    CHECK(!ssa_dataset_find_field(dataset, "step", 4, &metadata));
    CHECK(metadata.type == SSA_INT64 && metadata.count == 2);
    CHECK((uintptr_t)metadata.values % 8 == 0 && ((const int64_t *)(const void *)metadata.values)[1] == -2);
    CHECK_NUMBER(ssa_dataset_find_field(dataset, "none", 4, &metadata), SSA_ENOTFOUND);
    CHECK_NUMBER(ssa_dataset_field_count(dataset), 2);
    CHECK(!ssa_dataset_remove_field(dataset, "step", 4));
    CHECK_NUMBER(ssa_dataset_remove_field(dataset, "step", 4), SSA_ENOTFOUND);
    CHECK(!ssa_dataset_add_scalars(dataset, "step", 4, SSA_FLOAT64, &real, 1));
    CHECK(is(ssa_dataset_field_at(dataset, 0).name, "note") && is(ssa_dataset_field_at(dataset, 1).name, "step"));
    ssa_dataset_free(dataset);
}

static void test_a_field_of_nothing_is_refused(void) {
    double real = 0.5;
    ssa_dataset *dataset = new_dataset();
    CHECK_NUMBER(ssa_dataset_add_scalars(dataset, "f", 1, SSA_FLOAT64, &real, 0), SSA_EARGUMENT);
    CHECK_NUMBER(ssa_dataset_add_scalars(dataset, "f", 1, SSA_FLOAT64, NULL, 1), SSA_EARGUMENT);
    CHECK_NUMBER(ssa_dataset_add_scalars(dataset, "f", 1, SSA_INT8, &real, 1), SSA_EARGUMENT);
    CHECK_NUMBER(ssa_dataset_add_scalars(dataset, "f", 1, SSA_STRING, &real, 1), SSA_EARGUMENT);
    CHECK_NUMBER(ssa_dataset_add_string(dataset, "f", 1, NULL, 1), SSA_EARGUMENT);
    CHECK_NUMBER(ssa_dataset_add_string(dataset, ".f", 2, "x", 1), SSA_EARGUMENT);
    CHECK_NUMBER(ssa_dataset_add_scalars(dataset, "f", 1, SSA_FLOAT64, &real, SIZE_MAX / 4), SSA_ENOMEM);
    CHECK_NUMBER(ssa_dataset_field_count(dataset), 0);
    CHECK(!ssa_dataset_add_string(dataset, "f", 1, NULL, 0));
    ssa_dataset_free(dataset);
}

static void test_nothing_changes_while_it_is_pinned(void) {
    ssa_dataset *dataset = new_dataset();
    CHECK(!add_tensor(dataset, "u", 1) && !add_int64(dataset, "i", 1));
    ssa_dataset_pin(dataset);
    ssa_dataset_pin(dataset);
    ssa_dataset_unpin(dataset);
    CHECK_NUMBER(add_tensor(dataset, "v", 1), SSA_EARGUMENT);
    CHECK_TEXT(ssa_dataset_reason(dataset), "a put of the dataset is under way; wait until it is done");
    CHECK_NUMBER(add_int64(dataset, "i", 1), SSA_EARGUMENT);
    CHECK_NUMBER(ssa_dataset_remove_item(dataset, SSA_ITEM_TENSOR, "u", 1), SSA_EARGUMENT);
    CHECK_NUMBER(ssa_dataset_remove_field(dataset, "i", 1), SSA_EARGUMENT);
    CHECK_NUMBER(ssa_dataset_rename(dataset, "n", 1), SSA_EARGUMENT);
    ssa_dataset_unpin(dataset);
    CHECK(!add_tensor(dataset, "v", 1) && !add_int64(dataset, "i", 1));
    ssa_dataset_free(dataset);
}

/* ---- to the store and back */

static void add_token(ssa_reply *reply, ssa_token_kind kind, int64_t number) {
    ssa_token token = {.kind = kind, .number = number};
    CHECK(ssa_reply_add(reply, &token) >= 0);
}

static void add_text(ssa_reply *reply, const void *text, size_t bytes) {
    add_token(reply, SSA_TOKEN_BULK, (int64_t)bytes);
    void *space = ssa_reply_body_space(reply, bytes);
    if (bytes)
        memcpy(space, text, bytes);
    ssa_reply_body_came(reply, bytes);
}

static void add_pair(ssa_reply *reply, const char *name, const void *value, size_t bytes) {
    add_text(reply, name, strlen(name));
    add_text(reply, value, bytes);
}

/* What HGETALL answers after a put. */
static ssa_reply reply_for(const ssa_dataset *dataset, ssa_token_kind kind) {
    ssa_reply reply = {0};
    size_t count = ssa_dataset_encoded_count(dataset);
    add_token(&reply, kind, 2 * ((int64_t)count + 2));
    for (size_t i = 0; i < count; i++) {
        ssa_field field = ssa_dataset_encoded_at(dataset, i);
        add_text(&reply, field.name.text, field.name.bytes);
        add_text(&reply, field.data, field.bytes);
    }
    add_pair(&reply, SSA_FIELD_VERSION, VERSION, 32);
    add_pair(&reply, SSA_FIELD_COMPLETE, "1", 1);
    return reply;
}

static ssa_dataset *full_dataset(void) {
    ssa_dataset *dataset = new_dataset();
    CHECK(!add_tensor(dataset, "u", 1.5) && !add_bytes(dataset, "b", "abc") && !add_tensor(dataset, "v", 2.5));
    CHECK(!add_int64(dataset, "step", 1) && !add_int64(dataset, "step", -2) && !add_string(dataset, "note", "x"));
    return dataset;
}

static void check_same_fields(const ssa_dataset *one, const ssa_dataset *other) {
    CHECK_NUMBER(ssa_dataset_field_count(one), ssa_dataset_field_count(other));
    for (size_t i = 0; i < ssa_dataset_field_count(one); i++) {
        ssa_field a = ssa_dataset_field_at(one, i), b = ssa_dataset_field_at(other, i);
        CHECK(a.bytes == b.bytes && !memcmp(a.data, b.data, a.bytes));
        CHECK(a.name.bytes == b.name.bytes && !memcmp(a.name.text, b.name.text, a.name.bytes));
        CHECK((uintptr_t)(a.data + 1) % 8 == 0);
    }
}

static void test_what_is_encoded_is_read_again(void) {
    ssa_dataset *dataset = full_dataset();
    CHECK(!ssa_dataset_encode(dataset));
    CHECK_NUMBER(ssa_dataset_encoded_count(dataset), 4);
    CHECK(is(ssa_dataset_encoded_at(dataset, 0).name, ".tensor_names"));
    CHECK(is(ssa_dataset_encoded_at(dataset, 1).name, ".bytes_names"));
    for (int map = 0; map < 2; map++) {
        ssa_reply reply = reply_for(dataset, map ? SSA_TOKEN_MAP : SSA_TOKEN_ARRAY);
        ssa_dataset *read = new_dataset();
        CHECK(!ssa_dataset_decode(read, &reply));
        ssa_reply_free(&reply);
        check_same_fields(dataset, read);
        CHECK(is(ssa_dataset_version(read), VERSION) && is(ssa_dataset_version(dataset), ""));
        CHECK_NUMBER(ssa_dataset_item_count(read), 3);
        CHECK(is(ssa_dataset_item_at(read, 0)->name, "u") && is(ssa_dataset_item_at(read, 1)->name, "v"));
        CHECK(ssa_dataset_item_at(read, 2)->kind == SSA_ITEM_BYTES && !ssa_dataset_item_at(read, 2)->data);
        ssa_dataset_free(read);
    }
    ssa_dataset_free(dataset);
}

static void test_items_come_one_by_one(void) {
    ssa_tensor_header header = float64_header(2);
    ssa_dataset *dataset = full_dataset(), *read = new_dataset();
    CHECK(!ssa_dataset_encode(dataset));
    ssa_reply reply = reply_for(dataset, SSA_TOKEN_MAP);
    CHECK(!ssa_dataset_decode(read, &reply));
    ssa_memory memory = ssa_memory_new(16);
    CHECK_NUMBER(ssa_dataset_supply_bytes(read, 0, &memory, 16), SSA_EARGUMENT);
    CHECK(!ssa_dataset_supply_tensor(read, 0, &header, &memory) && !memory.data);
    CHECK_NUMBER(ssa_dataset_encode(read), SSA_EARGUMENT);
    CHECK_TEXT(ssa_dataset_reason(read), "not all of it has come from the store");
    memory = ssa_memory_new(16);
    CHECK_NUMBER(ssa_dataset_supply_tensor(read, 0, &header, &memory), SSA_EARGUMENT);
    CHECK(!ssa_dataset_supply_tensor(read, 1, &header, &memory));
    memory = ssa_memory_new(0);
    CHECK(!ssa_dataset_supply_bytes(read, 2, &memory, 0));
    CHECK(!ssa_dataset_encode(read) && ssa_dataset_item_at(read, 2)->owned);
    ssa_reply_free(&reply);
    ssa_dataset_free(read);
    ssa_dataset_free(dataset);
}

static void test_an_empty_dataset_cannot_be_put(void) {
    ssa_dataset *dataset = new_dataset();
    CHECK_NUMBER(ssa_dataset_encode(dataset), SSA_EARGUMENT);
    CHECK_TEXT(ssa_dataset_reason(dataset), "it is empty; add a tensor, bytes or metadata first");
    CHECK(!add_string(dataset, "note", "") && !ssa_dataset_encode(dataset));
    ssa_dataset_free(dataset);
}

static void test_encoding_again_moves_nothing_until_something_changes(void) {
    ssa_dataset *dataset = full_dataset();
    CHECK(!ssa_dataset_encode(dataset));
    ssa_dataset_pin(dataset);
    const unsigned char *names = ssa_dataset_encoded_at(dataset, 0).data;
    CHECK(!ssa_dataset_encode(dataset) && ssa_dataset_encoded_at(dataset, 0).data == names);
    ssa_dataset_unpin(dataset);
    CHECK(!add_tensor(dataset, "w", 1) && !ssa_dataset_encode(dataset));
    CHECK_NUMBER(ssa_dataset_encoded_at(dataset, 0).bytes, 1 + 3 * 9);
    ssa_dataset_free(dataset);
}

static void test_a_copy_is_its_own(void) {
    double value = 4.5;
    ssa_tensor_header header = float64_header(1);
    ssa_dataset *dataset = full_dataset(), *copy;
    CHECK(!ssa_dataset_lend_tensor(dataset, "lent", 4, &header, &value));
    CHECK(!ssa_dataset_dup(dataset, &copy));
    check_same_fields(dataset, copy);
    ssa_dataset_free(dataset);
    value = 0;
    CHECK(is(ssa_dataset_name(copy), "ds") && ssa_dataset_item_count(copy) == 4);
    CHECK(*(const double *)find(copy, SSA_ITEM_TENSOR, "lent")->data == 4.5);
    CHECK(find(copy, SSA_ITEM_TENSOR, "lent")->owned);
    CHECK(!memcmp(find(copy, SSA_ITEM_BYTES, "b")->data, "abc", 3));
    ssa_dataset_free(copy);
}

/* A reply of these fields beside the hidden ones: what becomes of it, and why. */
typedef struct stored {
    const char *tensor_names, *bytes_names, *version, *complete, *name, *value;
    size_t tensor_names_bytes, value_bytes;
} stored;

static ssa_status decode(const stored *stored, const char **reason) {
    ssa_reply reply = {0};
    ssa_dataset *dataset = new_dataset();
    int64_t pairs = !!stored->tensor_names + !!stored->bytes_names + !!stored->version + !!stored->complete +
                    !!stored->name;
    add_token(&reply, SSA_TOKEN_MAP, 2 * pairs);
    if (stored->tensor_names)
        add_pair(&reply, SSA_FIELD_TENSOR_NAMES, stored->tensor_names, stored->tensor_names_bytes);
    if (stored->bytes_names)
        add_pair(&reply, SSA_FIELD_BYTES_NAMES, stored->bytes_names, strlen(stored->bytes_names));
    if (stored->version)
        add_pair(&reply, SSA_FIELD_VERSION, stored->version, strlen(stored->version));
    if (stored->complete)
        add_pair(&reply, SSA_FIELD_COMPLETE, stored->complete, strlen(stored->complete));
    if (stored->name)
        add_pair(&reply, stored->name, stored->value, stored->value_bytes);
    ssa_status status = ssa_dataset_decode(dataset, &reply);
    *reason = ssa_dataset_reason(dataset);
    ssa_reply_free(&reply);
    ssa_dataset_free(dataset);
    return status;
}

#define NAME(c) "\1\0\0\0\0\0\0\0" c

static void test_what_contradicts_itself_is_refused(void) {
    static const char no_list[] = "the list of its tensors or that of its bytes is missing or contradicts itself";
    static const char bad_name[] = "a tensor or bytes have a name that none can have, or that comes twice";
    static const char bad_version[] = "its version is missing or is not 32 hexadecimal digits";
    static const struct {
        stored stored;
        ssa_status status;
        const char *reason;
    } cases[] = {
        {{"\x10", "\x10", VERSION, "1", "f", "\4\1\2\3\4", 1, 5}, SSA_OK, "nothing has failed"},
        {{"\x10", "\x10", VERSION, "1", ".later", "", 1, 0}, SSA_OK, "nothing has failed"},
        {{0}, SSA_ENOTFOUND, "nothing is stored under its name"},
        {{"\x10", "\x10", VERSION, NULL, NULL, NULL, 1, 0}, SSA_ENOTFOUND, "it was not stored to the end"},
        {{"\x10", "\x10", VERSION, "0", NULL, NULL, 1, 0}, SSA_ENOTFOUND, "it was not stored to the end"},
        {{"\x10", "\x10", NULL, "1", NULL, NULL, 1, 0}, SSA_EPROTOCOL, bad_version},
        {{"\x10", "\x10", "00112233445566778899AABBCCDDEEFF", "1", NULL, NULL, 1, 0}, SSA_EPROTOCOL, bad_version},
        {{"\x10", "\x10", "0011", "1", NULL, NULL, 1, 0}, SSA_EPROTOCOL, bad_version},
        {{NULL, "\x10", VERSION, "1", NULL, NULL, 1, 0}, SSA_EPROTOCOL, no_list},
        {{"\x10", NULL, VERSION, "1", NULL, NULL, 1, 0}, SSA_EPROTOCOL, no_list},
        {{"\4", "\x10", VERSION, "1", NULL, NULL, 1, 0}, SSA_EPROTOCOL, no_list},
        {{"", "\x10", VERSION, "1", NULL, NULL, 0, 0}, SSA_EPROTOCOL, no_list},
        {{"\x10" NAME("u"), "\x10", VERSION, "1", NULL, NULL, 9, 0}, SSA_EPROTOCOL, no_list},
        {{"\x10" NAME("u") NAME("u"), "\x10", VERSION, "1", NULL, NULL, 19, 0}, SSA_EPROTOCOL, bad_name},
        {{"\x10" NAME("{"), "\x10", VERSION, "1", NULL, NULL, 10, 0}, SSA_EPROTOCOL, bad_name},
        {{"\x10" NAME("."), "\x10", VERSION, "1", NULL, NULL, 10, 0}, SSA_EPROTOCOL, bad_name},
        {{"\x10\0\0\0\0\0\0\0\0", "\x10", VERSION, "1", NULL, NULL, 9, 0}, SSA_EPROTOCOL, bad_name},
        {{"\x10", "\x10", VERSION, "1", "f", "\4\1\2\3", 1, 4}, SSA_EPROTOCOL, "a field is no metadata entry"},
        {{"\x10", "\x10", VERSION, "1", "f", "", 1, 0}, SSA_EPROTOCOL, "a field is no metadata entry"},
        {{"\x10", "\x10", VERSION, "1", "f}", "\4", 1, 1}, SSA_EPROTOCOL, "a field has a name that none can have"},
        {{"\x10", "\x10", VERSION, "1", "", "\4", 1, 1}, SSA_EPROTOCOL, "a field has a name that none can have"},
        {{"\x10", "\x10", VERSION, "1", ".COMPLETE", "1", 1, 1}, SSA_EPROTOCOL, "a field comes twice"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *reason;
        if (!CHECK_NUMBER(decode(&cases[i].stored, &reason), cases[i].status) || !CHECK_TEXT(reason, cases[i].reason))
            printf("    case %zu\n", i);
    }
}

static void test_an_answer_of_another_shape_is_refused(void) {
    ssa_dataset *dataset = new_dataset();
    ssa_reply reply = {0};
    CHECK_NUMBER(ssa_dataset_decode(dataset, &reply), SSA_EPROTOCOL);
    add_token(&reply, SSA_TOKEN_INTEGER, 4);
    CHECK_NUMBER(ssa_dataset_decode(dataset, &reply), SSA_EPROTOCOL);
    ssa_reply_free(&reply);
    add_token(&reply, SSA_TOKEN_ARRAY, 1);
    add_text(&reply, "x", 1);
    CHECK_NUMBER(ssa_dataset_decode(dataset, &reply), SSA_EPROTOCOL);
    ssa_reply_free(&reply);
    add_token(&reply, SSA_TOKEN_MAP, 2);
    add_text(&reply, "x", 1);
    CHECK_NUMBER(ssa_dataset_decode(dataset, &reply), SSA_EPROTOCOL);
    add_token(&reply, SSA_TOKEN_INTEGER, 4);
    CHECK_NUMBER(ssa_dataset_decode(dataset, &reply), SSA_EPROTOCOL);
    CHECK_TEXT(ssa_dataset_reason(dataset), "its fields are not strings");
    ssa_reply_free(&reply);
    add_token(&reply, SSA_TOKEN_ARRAY, 2);
    add_token(&reply, SSA_TOKEN_ARRAY, 1);
    add_text(&reply, "x", 1);
    add_text(&reply, "y", 1);
    CHECK_NUMBER(ssa_dataset_decode(dataset, &reply), SSA_EPROTOCOL);
    ssa_reply_free(&reply);
    add_token(&reply, SSA_TOKEN_MAP, 4);
    add_pair(&reply, "f", "\4", 1);
    add_pair(&reply, "f", "\4", 1);
    CHECK_NUMBER(ssa_dataset_decode(dataset, &reply), SSA_EPROTOCOL);
    CHECK_TEXT(ssa_dataset_reason(dataset), "a field comes twice");
    ssa_reply_free(&reply);
    ssa_dataset_free(dataset);
}

static void test_there_may_be_very_many_entries(void) {
    enum { count = 20000 };
    ssa_dataset *dataset = new_dataset();
    char name[16];
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof name, "n%d", i);
        CHECK(!add_tensor(dataset, name, i) && !add_int64(dataset, name, i));
    }
    CHECK(!ssa_dataset_encode(dataset));
    ssa_reply reply = reply_for(dataset, SSA_TOKEN_MAP);
    ssa_dataset *read = new_dataset();
    CHECK(!ssa_dataset_decode(read, &reply));
    check_same_fields(dataset, read);
    CHECK_NUMBER(ssa_dataset_item_count(read), count);
    ssa_reply_free(&reply);
    ssa_dataset_free(read);
    ssa_dataset_free(dataset);
}

/* ---- without memory */

static ssa_status fill(ssa_dataset *dataset) {
    char name[] = "a";
    ssa_status status = SSA_OK;
    for (int i = 0; i < 20 && !status; i++, name[0]++) {
        size_t items = ssa_dataset_item_count(dataset), fields = ssa_dataset_field_count(dataset);
        status = i % 2 ? add_tensor(dataset, name, i) : add_bytes(dataset, name, "text");
        CHECK_NUMBER(ssa_dataset_item_count(dataset), items + !status);
        CHECK_NUMBER(ssa_dataset_has_item(dataset, name, 1), !status);
        if (!status && (status = i % 2 ? add_int64(dataset, name, i) : add_string(dataset, name, "text")))
            CHECK_NUMBER(ssa_dataset_field_count(dataset), fields);
        if (status)
            CHECK_TEXT(ssa_dataset_reason(dataset), "there is no memory for it");
    }
    return status ? status : ssa_dataset_rename(dataset, "renamed", 7);
}

static ssa_status copy_and_read(ssa_dataset *dataset) {
    ssa_dataset *copy = NULL, *read = NULL;
    ssa_status status = ssa_dataset_encode(dataset);
    if (!status)
        status = ssa_dataset_dup(dataset, &copy);
    if (!status)
        status = ssa_dataset_new("read", 4, &read);
    if (!status) {
        long refusal = check_state.until_refusal; /* what only prepares the check has all the memory */
        check_state.until_refusal = -1;
        ssa_reply reply = reply_for(dataset, SSA_TOKEN_MAP);
        check_state.until_refusal = refusal;
        status = ssa_dataset_decode(read, &reply);
        ssa_reply_free(&reply);
    }
    ssa_dataset_free(copy);
    ssa_dataset_free(read);
    return status;
}

static ssa_status exercise(void) {
    ssa_dataset *dataset;
    ssa_status status = ssa_dataset_new("ds", 2, &dataset);
    if (!status)
        status = fill(dataset);
    if (!status)
        status = copy_and_read(dataset);
    ssa_dataset_free(dataset);
    return status;
}

CHECK_MAIN(exercise, test_names_are_refused_for_a_reason, test_a_dataset_can_be_renamed,
           test_items_stand_in_the_order_of_their_coming, test_a_name_serves_once,
           test_what_is_lent_is_neither_copied_nor_freed, test_memory_goes_over_in_both_directions,
           test_a_field_takes_values_of_one_type, test_a_field_of_nothing_is_refused,
           test_nothing_changes_while_it_is_pinned,
           test_what_is_encoded_is_read_again, test_items_come_one_by_one, test_an_empty_dataset_cannot_be_put,
           test_encoding_again_moves_nothing_until_something_changes, test_a_copy_is_its_own,
           test_what_contradicts_itself_is_refused, test_an_answer_of_another_shape_is_refused,
           test_there_may_be_very_many_entries)
