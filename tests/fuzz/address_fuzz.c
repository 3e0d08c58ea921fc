// links: address allocator
/* Addresses: what is accepted is written as text that is accepted again and means the same. Input: how, the text. */
#include <string.h>

#include "address.h"
#include "allocator.h"
#include "fuzz.h"

static void check_accepted(const ssa_address *address) {
    char text[SSA_ADDRESS_TEXT_BYTES], cut[7];
    ssa_address again;
    CHECK(!*address->path != !*address->host);
    CHECK(memchr(address->path, 0, sizeof address->path) && memchr(address->host, 0, sizeof address->host));
    CHECK(*address->path || address->port);
    size_t bytes = ssa_address_format(address, text, sizeof text);
    CHECK(bytes < sizeof text && strlen(text) == bytes);
    CHECK(ssa_address_parse(&again, text, bytes, NULL) == SSA_OK);
    CHECK(ssa_address_equal(address, &again) && !strcmp(address->host, again.host) && !strcmp(address->path, again.path));
    CHECK(ssa_address_format(address, cut, sizeof cut) < sizeof cut && !memcmp(cut, text, strlen(cut)));
}

static void check_refused(const ssa_address_refusal *refusal, const char *text, size_t bytes) {
    CHECK(refusal->remedy && *refusal->remedy);
    CHECK(refusal->text >= text && refusal->text + refusal->bytes <= text + bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    input in = {data, bytes};
    unsigned way = input_byte(&in);
    int64_t port = (int64_t)input_word(&in) - 100;
    const char *text = (const char *)in.at;
    ssa_address_refusal refusal = {0};
    if (way % 3 == 0) {
        ssa_address address;
        ssa_status status = ssa_address_parse(&address, text, in.left, &refusal);
        CHECK(status == SSA_OK || status == SSA_EARGUMENT);
        status == SSA_OK ? check_accepted(&address) : check_refused(&refusal, text, in.left);
    } else if (way % 3 == 1) {
        ssa_address *addresses = NULL;
        size_t count = 0;
        ssa_status status = ssa_address_parse_list(&addresses, &count, text, in.left, &refusal);
        CHECK(status == SSA_OK || status == SSA_EARGUMENT);
        for (size_t i = 0; status == SSA_OK && i < count; i++)
            check_accepted(&addresses[i]);
        if (status == SSA_OK) {
            CHECK(count <= SSA_ADDRESSES_MAX && !addresses == !count);
            ssa_release(addresses);
        }
    } else {
        ssa_address address;
        ssa_status status = ssa_address_from_host(&address, text, in.left, port);
        CHECK(status == SSA_OK || status == SSA_EARGUMENT);
        if (status == SSA_OK)
            check_accepted(&address);
    }
    return 0;
}
