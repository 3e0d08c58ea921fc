// links: address allocator mistake worker_list
#include "check.h"
#include "worker_list.h"

#define ID "0123456789abcdef0123456789abcdef"
#define ENTRY ID " 1 CPU unix:///run/w.sock,127.0.0.1:40112\n"

static char error[600];

static ssa_status decode(ssa_worker_list *list, const char *text) {
    return ssa_worker_list_decode(list, text, strlen(text), error, sizeof error);
}

static void test_a_list_is_read(void) {
    ssa_worker_list list;
    char second[33] = {0};
    CHECK(decode(&list, "1 42\n" ENTRY "ffffffffffffffffffffffffffffffff 7 GPU:1 node07:4000\n") == SSA_OK);
    CHECK_NUMBER(list.count, 2);
    CHECK_TEXT(list.workers[0].id, ID);
    CHECK_NUMBER(list.workers[0].incarnation, 1);
    CHECK_TEXT(list.workers[0].device, "CPU");
    CHECK_NUMBER(list.workers[0].address_count, 2);
    CHECK_TEXT(list.workers[0].addresses[0].path, "/run/w.sock");
    CHECK_TEXT(list.workers[0].addresses[1].host, "127.0.0.1");
    memset(second, 'f', 32);
    CHECK_TEXT(list.workers[1].id, second);
    CHECK_NUMBER(list.workers[1].incarnation, 7);
    CHECK_TEXT(list.workers[1].device, "GPU:1");
    CHECK_NUMBER(list.workers[1].address_count, 1);
    CHECK_NUMBER(list.workers[1].addresses[0].port, 4000);
    ssa_worker_list_free(&list);
    CHECK(!list.count && !list.workers);
    ssa_worker_list_free(&list);
}

static void test_a_list_without_workers_is_one(void) {
    ssa_worker_list list;
    CHECK(decode(&list, "1 9223372036854775807\n") == SSA_OK);
    CHECK(!list.count && !list.workers);
    ssa_worker_list_free(&list);
}

static void check_refused(const char *text, const char *says) {
    ssa_worker_list list;
    if (!CHECK(decode(&list, text) == SSA_EPROTOCOL))
        printf("    accepted: %s\n", text);
    if (!CHECK(strstr(error, says)))
        printf("    says: %s\n    not:  %s\n", error, says);
    CHECK(!strncmp(error, "not a list of workers: ", 23) && !list.count && !list.workers);
}

static void test_what_is_not_a_list_is_refused_and_quoted(void) {
    check_refused("", "its first line is '', not '1 <version>'");
    check_refused("\n", "its first line is ''");
    check_refused("2 1\n", "its first line is '2 1'");
    check_refused("1 x\n", "its first line is '1 x'");
    check_refused("1 -1\n", "its first line is '1 -1'");
    check_refused("1  1\n", "its first line is '1  1'");
    check_refused("11\n", "its first line is '11'");
    check_refused("1 9223372036854775808\n", "its first line is");
    check_refused("1 99999999999999999999999999\n", "its first line is");
    check_refused("1 1\r\n", "its first line is '1 1\\r'");
    check_refused("\xff\xfe\n", "'\\xff\\xfe'");
    check_refused("1 1\nabc 1 CPU h:1\n", "worker id 'abc' is not 32 hexadecimal digits");
    check_refused("1 1\n0123456789ABCDEF0123456789abcdef 1 CPU h:1\n", "is not 32 hexadecimal digits");
    check_refused("1 1\n" ID " 0 CPU h:1\n", "incarnation '0' of worker " ID " is less than 1");
    check_refused("1 1\n" ID " 1 TPU h:1\n", "device 'TPU' of worker " ID " is none of CPU, GPU, GPU:<n>");
    check_refused("1 1\n" ID " 1 GPU: h:1\n", "device 'GPU:'");
    check_refused("1 1\n" ID " 1 GPU:-1 h:1\n", "device 'GPU:-1'");
    check_refused("1 1\n" ID " 1 GPUx1 h:1\n", "device 'GPUx1'");
    check_refused("1 1\n" ID " 1 GPU:123456789012 h:1\n", "device 'GPU:123456789012'");
    check_refused("1 1\n" ID " 1 CPU nowhere\n",
                  "address 'nowhere' of worker " ID " is no unix:///path and no host:port");
    check_refused("1 1\n" ID " 1 CPU h:1,,h:2\n", "address ''");
    check_refused("1 1\n" ID " 1 CPU \n", "worker '" ID "' has no address");
    check_refused("1 1\n" ID " 1 CPU\n", "is not '<worker id> <incarnation> <device> <addresses>'");
    check_refused("1 1\n" ID " x CPU h:1\n", "is not '<worker id>");
    check_refused("1 1\n" ID " 99999999999999999999 CPU h:1\n", "is not '<worker id>");
    check_refused("1 1\n" ID " 1 CPU h:1 more\n", "is not '<worker id>");
    check_refused("1 1\n\n", "the line '' is not");
    check_refused("1 1\n" ENTRY "\n", "the line '' is not");
}

static void test_a_list_that_was_cut_anywhere_is_refused(void) {
    static const char whole[] = "1 42\n" ENTRY;
    ssa_worker_list list;
    for (size_t bytes = 0; bytes < sizeof whole - 1; bytes++) {
        char *exact = malloc(bytes ? bytes : 1);
        memcpy(exact, whole, bytes);
        ssa_status status = ssa_worker_list_decode(&list, exact, bytes, error, sizeof error);
        CHECK_NUMBER(status, bytes == 5 ? SSA_OK : SSA_EPROTOCOL); /* after its first line it is an empty list */
        ssa_worker_list_free(&list);
        free(exact);
    }
    check_refused("1 42\n" ID " 1 CPU h:12", "its last line is '" ID " 1 CPU h:12', without an end");
}

static void test_a_nul_is_in_no_list(void) {
    static const char whole[] = "1 42\n" ENTRY;
    ssa_worker_list list;
    for (size_t i = 0; i < sizeof whole - 1; i++) {
        char text[sizeof whole];
        memcpy(text, whole, sizeof whole);
        text[i] = 0;
        CHECK(ssa_worker_list_decode(&list, text, sizeof text - 1, error, sizeof error) == SSA_EPROTOCOL);
    }
}

static void test_a_worker_has_at_most_16_addresses(void) {
    ssa_worker_list list;
    char text[400] = "1 1\n" ID " 1 CPU h:1";
    for (int i = 1; i < SSA_WORKER_ADDRESSES_MAX; i++)
        strcat(text, ",h:1");
    char more[500];
    snprintf(more, sizeof more, "%s,h:1\n", text);
    strcat(text, "\n");
    CHECK(decode(&list, text) == SSA_OK && list.workers[0].address_count == SSA_WORKER_ADDRESSES_MAX);
    ssa_worker_list_free(&list);
    check_refused(more, "worker '" ID "' has more than 16 addresses");
}

static void test_a_list_has_at_most_65536_workers(void) {
    static const char line[] = ID " 1 GPU h:1\n";
    size_t bytes = 4 + (SSA_WORKERS_MAX + 1) * (sizeof line - 1);
    char *text = malloc(bytes);
    memcpy(text, "1 1\n", 4);
    for (size_t i = 0; i <= SSA_WORKERS_MAX; i++)
        memcpy(text + 4 + i * (sizeof line - 1), line, sizeof line - 1);
    ssa_worker_list list;
    CHECK(ssa_worker_list_decode(&list, text, bytes - (sizeof line - 1), error, sizeof error) == SSA_OK);
    CHECK_NUMBER(list.count, SSA_WORKERS_MAX);
    ssa_worker_list_free(&list);
    CHECK(ssa_worker_list_decode(&list, text, bytes, error, sizeof error) == SSA_ELIMIT && !list.workers);
    CHECK_TEXT(error, "not a list of workers: it has 65537 lines, the limit is 65536 workers.");
    free(text);
    CHECK(ssa_worker_list_decode(&list, NULL, SSA_WORKER_LIST_MAX_BYTES + 1, error, sizeof error) == SSA_ELIMIT);
    CHECK_TEXT(error, "not a list of workers: it has 67108865 bytes, the limit is 67108864.");
}

static void test_a_text_of_commas_does_not_ask_for_more_memory_than_the_limit(void) {
    size_t bytes = 4 + 2 * (size_t)SSA_WORKERS_MAX * SSA_WORKER_ADDRESSES_MAX;
    char *text = malloc(bytes);
    memset(text, ',', bytes);
    memcpy(text, "1 1\n", 4);
    text[bytes - 1] = '\n';
    ssa_worker_list list;
    CHECK(ssa_worker_list_decode(&list, text, bytes, error, sizeof error) == SSA_ELIMIT);
    CHECK(*error);
    free(text);
}

static void test_a_device_serves_its_kind(void) {
    static const struct {
        const char *wanted, *device;
        int matches;
    } cases[] = {
        {"", "CPU", 1},      {"", "GPU:3", 1},      {"CPU", "CPU", 1},      {"CPU", "CPU:0", 1}, {"GPU", "GPU:1", 1},
        {"GPU", "GPU", 1},   {"GPU:1", "GPU:1", 1}, {"GPU:1", "GPU:12", 0}, {"GPU:1", "GPU", 0}, {"GPU:0", "GPU", 0},
        {"CPU", "GPU:0", 0}, {"GPU", "CPU", 0},     {"CPU:0", "CPU", 0},    {"G", "GPU:1", 0},   {"TPU", "CPU", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (!CHECK(ssa_device_matches(cases[i].wanted, cases[i].device) == cases[i].matches))
            printf("    wanted '%s', device '%s'\n", cases[i].wanted, cases[i].device);
}

static ssa_status exercise(void) {
    ssa_worker_list list;
    ssa_status status = decode(&list, "1 42\n" ENTRY);
    ssa_worker_list_free(&list);
    return status;
}

CHECK_MAIN(exercise, test_a_list_is_read, test_a_list_without_workers_is_one,
           test_what_is_not_a_list_is_refused_and_quoted, test_a_list_that_was_cut_anywhere_is_refused,
           test_a_nul_is_in_no_list, test_a_worker_has_at_most_16_addresses, test_a_list_has_at_most_65536_workers,
           test_a_text_of_commas_does_not_ask_for_more_memory_than_the_limit, test_a_device_serves_its_kind)
