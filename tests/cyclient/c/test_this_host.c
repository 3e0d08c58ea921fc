// links: this_host allocator
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "this_host.h"

static void test_numbers(void) {
    CHECK(ssa_is_this_host("127.0.0.1"));
    CHECK(ssa_is_this_host("127.255.255.254"));
    CHECK(!ssa_is_this_host("192.0.2.1")); /* kept for documents: RFC 5737, RFC 3849 */
    CHECK(!ssa_is_this_host("2001:db8::1"));
    CHECK(!ssa_is_this_host("256.0.0.1"));
    CHECK(!ssa_is_this_host(""));
}

static void test_names(void) {
    char own[300] = "", text[400];
    CHECK(!gethostname(own, sizeof own - 1));
    CHECK(ssa_is_this_host("localhost"));
    CHECK(ssa_is_this_host("LocalHost"));
    CHECK(ssa_is_this_host(own));
    int has_domain = strchr(own, '.') != NULL;
    own[strcspn(own, ".")] = 0;
    CHECK(ssa_is_this_host(own));
    snprintf(text, sizeof text, "%s.of.another.domain.invalid", own);
    CHECK(ssa_is_this_host(text) == !has_domain); /* without one it may be any */
    snprintf(text, sizeof text, "%s2", own);
    CHECK(!ssa_is_this_host(text));
    CHECK(!ssa_is_this_host("another.invalid"));
}

CHECK_MAIN(NULL, test_numbers, test_names)
