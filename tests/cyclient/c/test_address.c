// links: address allocator
#include "address.h"
#include "check.h"

static ssa_status parse(ssa_address *address, const char *text) {
    return ssa_address_parse(address, text, strlen(text), NULL);
}

static void check_tcp(const char *text, const char *host, unsigned port, const char *written) {
    ssa_address address, again;
    char out[SSA_ADDRESS_TEXT_BYTES];
    if (!CHECK(parse(&address, text) == SSA_OK))
        return;
    CHECK_TEXT(address.host, host);
    CHECK_TEXT(address.path, "");
    CHECK_NUMBER(address.port, port);
    CHECK_NUMBER(ssa_address_format(&address, out, sizeof out), strlen(written));
    CHECK_TEXT(out, written);
    CHECK(parse(&again, out) == SSA_OK && ssa_address_equal(&address, &again));
}

static void test_addresses_are_read_and_written(void) {
    check_tcp("127.0.0.1:6379", "127.0.0.1", 6379, "127.0.0.1:6379");
    check_tcp("node-07.cluster:1", "node-07.cluster", 1, "node-07.cluster:1");
    check_tcp("tcp://a:65535", "a", 65535, "a:65535");
    check_tcp("[::1]:6379", "::1", 6379, "[::1]:6379");
    check_tcp("tcp://[fe80::1%eth0]:00080", "fe80::1%eth0", 80, "[fe80::1%eth0]:80");
    check_tcp("gr\xc3\xb6\xc3\x9f"
              "e:7",
              "gr\xc3\xb6\xc3\x9f"
              "e",
              7,
              "gr\xc3\xb6\xc3\x9f"
              "e:7");
}

static void test_a_unix_socket_is_a_path(void) {
    ssa_address address;
    char out[SSA_ADDRESS_TEXT_BYTES];
    CHECK(parse(&address, "unix:///tmp/s x:1.sock") == SSA_OK);
    CHECK_TEXT(address.path, "/tmp/s x:1.sock");
    CHECK_TEXT(address.host, "");
    CHECK_NUMBER(address.port, 0);
    ssa_address_format(&address, out, sizeof out);
    CHECK_TEXT(out, "unix:///tmp/s x:1.sock");
}

static void test_what_is_no_address_is_refused_and_left_alone(void) {
    static const char *const texts[] = {
        "",           "localhost", ":6379",  "a:",     "a:b",     "::1:6379", "unix://", "http://a:1", "a b:1",
        "a:1/0",      "a:+1",      "a:1 ",   " a:1",   "[]:1",    "[::1]",    "[::1]:",  "[::1:1",     "::1]:1",
        "[a b]:1",    "[::1]x:1",  "a/b:1",  "a,b:1",  "tcp://",  "tcp://:1", "UNIX:///a", "a:0x10",   "a:1\n",
        "\t:1",       ":",         "::",     "a:-",    "a b:0",
        /* Of these the port is wrong. */
        "a:0",        "a:65536",   "a:000080", "a:-1", "a:99999", "a:4294967297", "[::1]:0",
    };
    const size_t of_port = sizeof texts / sizeof *texts - 7;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        ssa_address address = {.host = "untouched", .port = 9};
        ssa_address_refusal why = {0};
        if (!CHECK(ssa_address_parse(&address, texts[i], strlen(texts[i]), &why) == SSA_EARGUMENT))
            printf("    accepted: %s\n", texts[i]);
        CHECK_TEXT(address.host, "untouched");
        CHECK_TEXT(why.remedy, i < of_port ? "write host:port, [ipv6]:port or unix:///path" : "a port is a number from 1 to 65535");
        CHECK(why.text == texts[i] && why.bytes == strlen(texts[i]));
    }
}

static void test_only_the_bytes_that_are_named_are_read(void) {
    ssa_address address;
    CHECK(ssa_address_parse(&address, NULL, 0, NULL) == SSA_EARGUMENT);
    CHECK(ssa_address_parse(&address, "a:12345", 5, NULL) == SSA_OK);
    CHECK_NUMBER(address.port, 123);
    const char whole[] = "tcp://[fe80::1%eth0]:6379";
    for (size_t bytes = 0; bytes < sizeof whole; bytes++) {
        char *exact = malloc(bytes ? bytes : 1); /* so that the sanitizer sees a byte too many */
        memcpy(exact, whole, bytes);
        CHECK_NUMBER(ssa_address_parse(&address, exact, bytes, NULL),
                     bytes > 21 && bytes < 26 ? SSA_OK : SSA_EARGUMENT);
        free(exact);
    }
}

static void test_a_nul_is_in_no_address(void) {
    ssa_address address;
    CHECK(ssa_address_parse(&address, "a\0b:1", 5, NULL) == SSA_EARGUMENT);
    CHECK(ssa_address_parse(&address, "[:\0:]:1", 7, NULL) == SSA_EARGUMENT);
    CHECK(ssa_address_parse(&address, "unix:///a\0b", 11, NULL) == SSA_EARGUMENT);
    CHECK(ssa_address_parse(&address, "a:1\0", 4, NULL) == SSA_EARGUMENT);
    ssa_address_refusal why;
    CHECK(ssa_address_parse(&address, "unix://run/a", 12, &why) == SSA_EARGUMENT);
    CHECK_TEXT(why.remedy, "the path of a unix socket begins at the root: unix:///path");
}

static void test_names_and_paths_have_a_longest_length(void) {
    ssa_address address;
    ssa_address_refusal why;
    char text[400];
    memset(text, 'x', sizeof text);
    memcpy(text, "unix:///", 8);
    CHECK(ssa_address_parse(&address, text, 7 + 107, NULL) == SSA_OK);
    CHECK_NUMBER(strlen(address.path), 107);
    CHECK(ssa_address_parse(&address, text, 7 + 108, &why) == SSA_EARGUMENT);
    CHECK_TEXT(why.remedy, "the path of a unix socket has at most 107 bytes; use a shorter directory");
    memset(text, 'x', sizeof text);
    memcpy(text + 255, ":1", 2);
    CHECK(ssa_address_parse(&address, text, 257, NULL) == SSA_OK);
    CHECK_NUMBER(strlen(address.host), 255);
    memcpy(text + 255, "x:1", 3);
    CHECK(ssa_address_parse(&address, text, 258, &why) == SSA_EARGUMENT);
    CHECK_TEXT(why.remedy, "the name of a host has at most 255 bytes");
}

static void test_the_longest_address_has_room_as_text(void) {
    ssa_address address = {.port = 65535};
    char out[SSA_ADDRESS_TEXT_BYTES], little[8];
    memset(address.host, ':', 255);
    CHECK_NUMBER(ssa_address_format(&address, out, sizeof out), 255 + 8);
    CHECK_NUMBER(ssa_address_format(&address, little, sizeof little), 7);
    CHECK_TEXT(little, "[::::::");
    CHECK_NUMBER(ssa_address_format(&address, NULL, 0), 0);
}

static void test_a_list_is_parted_by_commas(void) {
    ssa_address *list;
    size_t count;
    const char text[] = " a:1, unix:///b c ,,\t[::1]:3";
    CHECK(ssa_address_parse_list(&list, &count, text, strlen(text), NULL) == SSA_OK);
    CHECK_NUMBER(count, 3);
    CHECK_TEXT(list[0].host, "a");
    CHECK_TEXT(list[1].path, "/b c");
    CHECK_TEXT(list[2].host, "::1");
    ssa_release(list);
    CHECK(ssa_address_parse_list(&list, &count, " ,, ", 4, NULL) == SSA_OK && !list && !count);
    CHECK(ssa_address_parse_list(&list, &count, NULL, 0, NULL) == SSA_OK && !list && !count);
}

static void test_a_list_says_which_address_is_wrong(void) {
    ssa_address *list;
    ssa_address_refusal why;
    size_t count;
    const char text[] = "a:1, nowhere ,b:2";
    CHECK(ssa_address_parse_list(&list, &count, text, strlen(text), &why) == SSA_EARGUMENT);
    CHECK(!list && !count && why.bytes == 7 && !memcmp(why.text, "nowhere", 7));
}

static void test_a_list_has_a_limit(void) {
    ssa_address *list;
    ssa_address_refusal why;
    size_t count, bytes = 4 * (SSA_ADDRESSES_MAX + 1);
    char *text = malloc(bytes);
    for (size_t i = 0; i < bytes; i += 4)
        memcpy(text + i, "a:1,", 4);
    CHECK(ssa_address_parse_list(&list, &count, text, bytes - 4, NULL) == SSA_OK && count == SSA_ADDRESSES_MAX);
    ssa_release(list);
    CHECK(ssa_address_parse_list(&list, &count, text, bytes, &why) == SSA_EARGUMENT && !list);
    CHECK_TEXT(why.remedy, "give at most 4096 addresses");
    free(text);
}

static void test_hosts_come_bare_from_servers(void) {
    ssa_address address;
    CHECK(ssa_address_from_host(&address, "::1", 3, 6379) == SSA_OK);
    CHECK_TEXT(address.host, "::1");
    CHECK(ssa_address_from_host(&address, "node.cluster", 12, 1) == SSA_OK);
    static const int64_t ports[] = {0, -1, 65536, INT64_MAX, INT64_MIN, 6379 + (1LL << 32)};
    for (size_t i = 0; i < sizeof ports / sizeof *ports; i++)
        CHECK(ssa_address_from_host(&address, "a", 1, ports[i]) == SSA_EARGUMENT);
    CHECK(ssa_address_from_host(&address, "", 0, 1) == SSA_EARGUMENT);
    CHECK(ssa_address_from_host(&address, "a b", 3, 1) == SSA_EARGUMENT);
    CHECK(ssa_address_from_host(&address, "a\0b", 3, 1) == SSA_EARGUMENT);
    CHECK(ssa_address_from_host(&address, "[::1]", 5, 1) == SSA_EARGUMENT);
}

static void test_addresses_are_compared_by_what_they_name(void) {
    ssa_address a, b;
    const char *const pairs[][3] = {{"Node:1", "nODE:1", "="},
                                    {"a:1", "a:2", ""},
                                    {"a:1", "b:1", ""},
                                    {"unix:///a", "unix:///a", "="},
                                    {"unix:///a", "unix:///A", ""},
                                    {"[FE80::1]:1", "[fe80::1]:1", "="}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        CHECK(!parse(&a, pairs[i][0]) && !parse(&b, pairs[i][1]));
        CHECK_NUMBER(ssa_address_equal(&a, &b), *pairs[i][2] == '=');
    }
}

static ssa_status exercise(void) {
    ssa_address *list;
    size_t count;
    ssa_status status = ssa_address_parse_list(&list, &count, "a:1,b:2", 7, NULL);
    ssa_release(list);
    return status;
}

CHECK_MAIN(exercise, test_addresses_are_read_and_written, test_a_unix_socket_is_a_path,
           test_what_is_no_address_is_refused_and_left_alone, test_only_the_bytes_that_are_named_are_read,
           test_a_nul_is_in_no_address, test_names_and_paths_have_a_longest_length,
           test_the_longest_address_has_room_as_text, test_a_list_is_parted_by_commas,
           test_a_list_says_which_address_is_wrong, test_a_list_has_a_limit, test_hosts_come_bare_from_servers,
           test_addresses_are_compared_by_what_they_name)
