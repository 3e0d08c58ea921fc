// links: address allocator key_slot mistake reply real_text resp_reader resp_writer slot_map
#include "check.h"
#include "slot_map.h"

static char error[600];
static const ssa_address asked = {.host = "10.0.0.7", .port = 6379};

/* What the reader has of the body of a string. SSA_MORE: there is more of it to come. */
static ssa_status take_body(ssa_reader *reader, ssa_reply *reply) {
    size_t buffered;
    const unsigned char *body = ssa_reader_body(reader, &buffered);
    void *into = ssa_reply_body_space(reply, buffered);
    if (!into)
        return SSA_ENOMEM;
    memcpy(into, body, buffered);
    ssa_reply_body_came(reply, buffered);
    ssa_reader_take(reader, buffered);
    return ssa_reader_body_left(reader) ? SSA_MORE : SSA_OK;
}

/* Take what the reader has. SSA_OK: the reply is whole. */
static ssa_status take_tokens(ssa_reader *reader, ssa_reply *reply) {
    ssa_token token;
    for (;;) {
        ssa_status status = ssa_reader_body_left(reader) ? take_body(reader, reply) : SSA_OK;
        if (status)
            return status;
        if (reply->count && !reply->depth)
            return SSA_OK;
        status = ssa_reader_next(reader, &token);
        if (!status)
            status = ssa_reply_add(reply, &token) < 0 ? SSA_ENOMEM : SSA_OK;
        if (status)
            return status;
    }
}

/* A whole reply from its bytes on the wire. SSA_MORE: it is cut. */
static ssa_status read_reply(ssa_reply *reply, const char *text, size_t bytes) {
    ssa_reader *reader = ssa_reader_new(1 << 16, (ssa_reader_limits){1 << 16, 1 << 16});
    ssa_status status = reader ? SSA_MORE : SSA_ENOMEM;
    memset(reply, 0, sizeof *reply);
    while (status == SSA_MORE && bytes) {
        size_t room;
        void *space = ssa_reader_space(reader, &room);
        room = room < bytes ? room : bytes;
        memcpy(space, text, room);
        ssa_reader_fed(reader, room);
        text += room;
        bytes -= room;
        status = take_tokens(reader, reply);
    }
    ssa_reader_free(reader);
    if (status)
        ssa_reply_free(reply);
    return status;
}

static ssa_status decode_bytes(ssa_slot_map *map, const char *text, size_t bytes, const ssa_address *whom) {
    ssa_reply reply;
    ssa_status status = read_reply(&reply, text, bytes);
    ssa_slot_map_init(map);
    if (status)
        return status;
    status = ssa_slot_map_decode(map, &reply, whom, error, sizeof error);
    ssa_reply_free(&reply);
    return status;
}

static ssa_status decode(ssa_slot_map *map, const char *text) {
    return decode_bytes(map, text, strlen(text), &asked);
}

#define IP "$9\r\n127.0.0.1\r\n"
#define NODE(host, port, id) "*4\r\n" host ":" port "\r\n$2\r\n" id "\r\n*0\r\n"
#define RANGE(count, first, last) "*" count "\r\n:" first "\r\n:" last "\r\n"

static void check_whole(const char *text) {
    ssa_slot_map map;
    if (!CHECK(decode(&map, text) == SSA_OK)) {
        printf("    %s\n", error);
        return;
    }
    CHECK_NUMBER(map.count, 2);
    CHECK_TEXT(ssa_slot_map_find(&map, 0)->primary.host, "127.0.0.1");
    CHECK_NUMBER(ssa_slot_map_find(&map, 0)->primary.port, 7000);
    CHECK_TEXT(ssa_slot_map_find(&map, 0)->node_id, "aa");
    CHECK_NUMBER(ssa_slot_map_find(&map, 0)->replica_count, 1);
    CHECK_NUMBER(ssa_slot_map_find(&map, 0)->replicas[0].port, 7003);
    CHECK_NUMBER(ssa_slot_map_find(&map, 5460)->primary.port, 7000);
    CHECK_NUMBER(ssa_slot_map_find(&map, 5461)->primary.port, 7001);
    CHECK_NUMBER(ssa_slot_map_find(&map, 5461)->replica_count, 0);
    CHECK(!ssa_slot_map_find(&map, 10000) && !ssa_slot_map_find(&map, 16384) && !ssa_slot_map_find(&map, 65535));
    CHECK(ssa_slot_map_find(&map, 16383) == ssa_slot_map_find(&map, 0)); /* two ranges, one shard */
    ssa_slot_map_free(&map);
    CHECK(!ssa_slot_map_find(&map, 0));
}

static void test_ranges_are_read_in_either_protocol(void) {
    check_whole("*3\r\n" RANGE("4", "0", "5460") NODE(IP, "7000", "aa") NODE(IP, "7003", "dd")
                RANGE("3", "5461", "9999") NODE(IP, "7001", "bb")
                RANGE("4", "16383", "16383") NODE(IP, "7000", "aa") NODE(IP, "7003", "dd"));
    /* Names of hosts among the metadata: a flat array in RESP2, a map in RESP3; what follows is for later versions. */
    check_whole("*3\r\n" RANGE("4", "0", "5460")
                "*4\r\n" IP ":7000\r\n$2\r\naa\r\n%1\r\n$8\r\nhostname\r\n$1\r\nh\r\n" NODE(IP, "7003", "dd")
                RANGE("3", "5461", "9999")
                "*4\r\n" IP ":7001\r\n$2\r\nbb\r\n*2\r\n$8\r\nhostname\r\n$1\r\nh\r\n"
                RANGE("3", "16383", "16383")
                "*6\r\n" IP ":7000\r\n$2\r\naa\r\n%1\r\n+x\r\n*1\r\n%1\r\n+y\r\n:1\r\n_\r\n*1\r\n*1\r\n:5\r\n");
    /* Servers of old say neither id nor metadata. */
    ssa_slot_map map;
    CHECK(decode(&map, "*1\r\n" RANGE("3", "0", "16383") "*2\r\n" IP ":7000\r\n") == SSA_OK);
    CHECK_TEXT(map.shards[0].node_id, "");
    ssa_slot_map_free(&map);
}

static void test_slots_without_a_server_are_allowed(void) {
    ssa_slot_map map;
    CHECK(decode(&map, "*0\r\n") == SSA_OK && !map.count);
    for (unsigned slot = 0; slot < SSA_SLOTS; slot++)
        CHECK(map.shard_of[slot] == SSA_NO_SHARD);
    ssa_slot_map_free(&map);
}

static void check_host(const char *endpoint, const char *metadata, const ssa_address *whom, const char *host) {
    char text[400];
    ssa_slot_map map;
    int bytes =
        snprintf(text, sizeof text, "*1\r\n" RANGE("3", "0", "1") "*4\r\n%s:7000\r\n$1\r\na\r\n%s", endpoint, metadata);
    if (!CHECK(decode_bytes(&map, text, (size_t)bytes, whom) == SSA_OK)) {
        printf("    %s\n", error);
        return;
    }
    CHECK_TEXT(map.shards[0].primary.host, host);
    CHECK_NUMBER(map.shards[0].primary.port, 7000);
    ssa_slot_map_free(&map);
}

static void test_a_node_without_an_endpoint_is_where_we_asked(void) {
    const ssa_address unix_socket = {.path = "/run/7000.sock"}, v6 = {.host = "::1", .port = 1};
    const char *none = "*0\r\n", *ip = "%1\r\n$2\r\nip\r\n$8\r\n10.0.0.9\r\n",
               *array = "*2\r\n$2\r\nip\r\n$8\r\n10.0.0.9\r\n";
    check_host("$-1\r\n", none, &asked, "10.0.0.7");
    check_host("_\r\n", none, &asked, "10.0.0.7");
    check_host("$0\r\n\r\n", none, &asked, "10.0.0.7");
    check_host("$0\r\n\r\n", none, &v6, "::1");
    check_host("$0\r\n\r\n", none, &unix_socket, "127.0.0.1");
    check_host("$0\r\n\r\n", "_\r\n", &asked, "10.0.0.7");
    check_host("$1\r\n?\r\n", none, &asked, "10.0.0.7"); /* its name is wanted, and it has none */
    check_host("$1\r\n?\r\n", ip, &asked, "10.0.0.9");
    check_host("$1\r\n?\r\n", array, &asked, "10.0.0.9");
    check_host("$1\r\n?\r\n", "%1\r\n$2\r\nip\r\n_\r\n", &asked, "10.0.0.7");
    check_host("$3\r\nfe:\r\n", none, &asked, "fe:");
}

static void check_refused(const char *text, const char *says) {
    ssa_slot_map map;
    if (!CHECK(decode(&map, text) == SSA_EPROTOCOL))
        printf("    accepted: %s\n", text);
    else if (!CHECK(strstr(error, says)))
        printf("    says: %s\n    not:  %s\n", error, says);
    CHECK(!map.count && !map.shards);
    ssa_slot_map_free(&map);
}

static void test_ranges_that_cannot_be_are_refused(void) {
    const char *ranges = "not within 0 to 16383, or reversed";
    check_refused("*1\r\n" RANGE("3", "5", "4") NODE(IP, "7000", "aa"), ranges);
    check_refused("*1\r\n" RANGE("3", "-1", "4") NODE(IP, "7000", "aa"), ranges);
    check_refused("*1\r\n" RANGE("3", "0", "16384") NODE(IP, "7000", "aa"), ranges);
    check_refused("*1\r\n" RANGE("3", "0", "9223372036854775807") NODE(IP, "7000", "aa"), ranges);
    check_refused("*1\r\n" RANGE("3", "-9223372036854775808", "0") NODE(IP, "7000", "aa"), ranges);
    check_refused("*2\r\n" RANGE("3", "0", "9") NODE(IP, "7000", "aa") RANGE("3", "9", "9") NODE(IP, "7001", "bb"),
                  "slot 9 is in two ranges");
    check_refused("*2\r\n" RANGE("3", "0", "9") NODE(IP, "7000", "aa") RANGE("3", "3", "4") NODE(IP, "7000", "aa"),
                  "slot 3 is in two ranges");
}

static void test_replies_of_another_form_are_refused(void) {
    check_refused("+OK\r\n", "it is no array");
    check_refused("_\r\n", "it is no array");
    check_refused("-ERR This instance has cluster support disabled\r\n", "it is no array");
    check_refused("%1\r\n:1\r\n:2\r\n", "it is no array");
    check_refused("*1\r\n:1\r\n", "a range is no array");
    check_refused("*1\r\n*2\r\n:0\r\n:1\r\n", "a range is no array");
    check_refused("*1\r\n*3\r\n$1\r\n0\r\n:1\r\n" NODE(IP, "7000", "aa"), "a range is no array");
    check_refused("*1\r\n" RANGE("3", "0", "1") ":1\r\n", "a node is no array");
    check_refused("*1\r\n" RANGE("3", "0", "1") "*1\r\n" IP, "a node is no array");
    check_refused("*1\r\n" RANGE("3", "0", "1") "*2\r\n:1\r\n:7000\r\n", "the host of a node is no string");
    check_refused("*1\r\n" RANGE("3", "0", "1") "*2\r\n" IP "$4\r\n7000\r\n", "the port of a node is no number");
    check_refused("*1\r\n" RANGE("3", "0", "1") "*3\r\n" IP ":7000\r\n:1\r\n", "the id of a node");
    check_refused("*1\r\n" RANGE("3", "0", "1") "*4\r\n" IP ":7000\r\n$1\r\na\r\n:1\r\n",
                  "the metadata of a node are no map");
    check_refused("*1\r\n" RANGE("3", "0", "1") "*4\r\n" IP ":7000\r\n$1\r\na\r\n*1\r\n+ip\r\n",
                  "not names and values");
    check_refused("*1\r\n" RANGE("3", "0", "1") "*4\r\n" IP ":7000\r\n$1\r\na\r\n%1\r\n:1\r\n:1\r\n",
                  "not names and values");
    const char *ports[] = {"0", "-1", "65536", "9223372036854775807"};
    for (size_t i = 0; i < sizeof ports / sizeof *ports; i++) {
        char text[200];
        snprintf(text, sizeof text, "*1\r\n" RANGE("3", "0", "1") "*2\r\n" IP ":%s\r\n", ports[i]);
        check_refused(text, "are no address");
    }
    check_refused("*1\r\n" RANGE("3", "0", "1") "*2\r\n$3\r\na b\r\n:7000\r\n", "are no address");
    check_refused("*1\r\n" RANGE("4", "0", "1") NODE(IP, "7000", "aa") "*2\r\n$3\r\na b\r\n:7000\r\n",
                  "are no address");
}

static void test_a_long_id_and_one_with_a_nul_are_refused(void) {
    static const char with_nul[] = "*1\r\n" RANGE("3", "0", "1") "*3\r\n" IP ":7000\r\n$3\r\na\0b\r\n";
    char text[300], id[64];
    ssa_slot_map map;
    CHECK(decode_bytes(&map, with_nul, sizeof with_nul - 1, &asked) == SSA_EPROTOCOL &&
          strstr(error, "the id of a node"));
    for (size_t bytes = 46; bytes <= 49; bytes++) {
        memset(id, 'e', bytes);
        id[bytes] = 0;
        snprintf(text, sizeof text, "*1\r\n" RANGE("3", "0", "1") "*3\r\n" IP ":7000\r\n$%zu\r\n%s\r\n", bytes, id);
        CHECK_NUMBER(decode(&map, text), bytes < 48 ? SSA_OK : SSA_EPROTOCOL);
        ssa_slot_map_free(&map);
    }
}

/* The nodes of a reply that is cut, as it never is when it comes from the connection. */
static void test_a_reply_that_ends_too_early_is_refused(void) {
    static const char whole[] =
        "*1\r\n" RANGE("4", "0", "5460") "*4\r\n" IP ":7000\r\n$2\r\naa\r\n%1\r\n+ip\r\n" IP NODE(IP, "7003", "dd");
    ssa_reply reply;
    ssa_slot_map map;
    CHECK(read_reply(&reply, whole, sizeof whole - 1) == SSA_OK);
    size_t count = reply.count;
    for (reply.count = 0; reply.count < count; reply.count++)
        CHECK(ssa_slot_map_decode(&map, &reply, &asked, error, sizeof error) == SSA_EPROTOCOL);
    CHECK(ssa_slot_map_decode(&map, &reply, &asked, error, sizeof error) == SSA_OK);
    ssa_slot_map_free(&map);
    ssa_reply_free(&reply);
}

/* A reply of one slot a shard. */
static ssa_status decode_shards(ssa_slot_map *map, size_t ranges, size_t replicas) {
    size_t room = 64 + ranges * (64 + 40 * (1 + replicas));
    char *text = malloc(room);
    size_t bytes = (size_t)snprintf(text, room, "*%zu\r\n", ranges);
    for (size_t i = 0; i < ranges; i++) {
        bytes += (size_t)snprintf(text + bytes, room - bytes, "*%zu\r\n:%zu\r\n:%zu\r\n", 3 + replicas, i, i);
        for (size_t k = 0; k <= replicas; k++)
            bytes += (size_t)snprintf(text + bytes, room - bytes, "*2\r\n$1\r\nh\r\n:%zu\r\n", 1 + i);
    }
    ssa_status status = decode_bytes(map, text, bytes, &asked);
    free(text);
    return status;
}

static void test_shards_replicas_and_ranges_are_limited(void) {
    ssa_slot_map map;
    CHECK(decode_shards(&map, SSA_SHARDS_MAX, 0) == SSA_OK && map.count == SSA_SHARDS_MAX);
    ssa_address one_more = {.host = "h", .port = 65535};
    CHECK(ssa_slot_map_move(&map, 0, &one_more) == SSA_ELIMIT && map.count == SSA_SHARDS_MAX);
    ssa_slot_map_free(&map);
    CHECK(decode_shards(&map, SSA_SHARDS_MAX + 1, 0) == SSA_EPROTOCOL && strstr(error, "more than 4096 shards"));
    CHECK(decode_shards(&map, 1, SSA_REPLICAS_MAX) == SSA_OK && map.shards[0].replica_count == SSA_REPLICAS_MAX);
    ssa_slot_map_free(&map);
    CHECK(decode_shards(&map, 1, SSA_REPLICAS_MAX + 1) == SSA_EPROTOCOL && strstr(error, "more than 1024 replicas"));
    CHECK(decode_shards(&map, SSA_SLOTS + 1, 0) == SSA_EPROTOCOL && strstr(error, "more than 16384 ranges"));
}

static void test_one_slot_moves(void) {
    ssa_slot_map map;
    ssa_address there = {.host = "127.0.0.1", .port = 7001}, fresh = {.host = "127.0.0.1", .port = 7009};
    CHECK(decode(&map, "*2\r\n" RANGE("3", "0", "9") NODE(IP, "7000", "aa") RANGE("3", "10", "19")
                           NODE(IP, "7001", "bb")) == SSA_OK);
    CHECK(ssa_slot_map_move(&map, 3, &there) == SSA_OK && map.count == 2);
    CHECK_NUMBER(ssa_slot_map_find(&map, 3)->primary.port, 7001);
    CHECK_NUMBER(ssa_slot_map_find(&map, 2)->primary.port, 7000);
    CHECK_NUMBER(ssa_slot_map_find(&map, 4)->primary.port, 7000);
    CHECK(ssa_slot_map_move(&map, 9999, &fresh) == SSA_OK && map.count == 3);
    CHECK_NUMBER(ssa_slot_map_find(&map, 9999)->primary.port, 7009);
    CHECK(!ssa_slot_map_find(&map, 9998));
    CHECK(ssa_slot_map_move(&map, 16384, &fresh) == SSA_EARGUMENT);
    ssa_slot_map_free(&map);
    CHECK(ssa_slot_map_move(&map, 0, &fresh) == SSA_OK && ssa_slot_map_find(&map, 0)->primary.port == 7009);
    ssa_slot_map_free(&map);
}

/* ---- redirections */

static void check_redirected(const char *text, ssa_redirection_kind kind, unsigned slot, const char *host,
                             unsigned port) {
    ssa_redirection found;
    if (!CHECK(ssa_redirection_parse(&found, text, strlen(text), &asked) == SSA_OK))
        printf("    refused: %s\n", text);
    CHECK_NUMBER(found.kind, kind);
    CHECK_NUMBER(found.slot, slot);
    CHECK_TEXT(found.address.host, host);
    CHECK_NUMBER(found.address.port, port);
}

static void test_redirections_are_read(void) {
    check_redirected("MOVED 3999 127.0.0.1:6381", SSA_MOVED, 3999, "127.0.0.1", 6381);
    check_redirected("ASK 16383 node-7.cluster:1", SSA_ASK, 16383, "node-7.cluster", 1);
    check_redirected("MOVED 0 ::1:6381", SSA_MOVED, 0, "::1", 6381);
    check_redirected("MOVED 0 [::1]:6381", SSA_MOVED, 0, "::1", 6381);
    check_redirected("MOVED 1 :6381", SSA_MOVED, 1, "10.0.0.7", 6381);
    check_redirected("MOVED 1 ?:6381", SSA_MOVED, 1, "10.0.0.7", 6381);
    check_redirected("MOVED 1 a:6381 hostname=b", SSA_MOVED, 1, "a", 6381);
    check_redirected("", SSA_NOT_REDIRECTED, 0, "", 0);
    check_redirected("ERR MOVED 1 a:1", SSA_NOT_REDIRECTED, 0, "", 0);
    check_redirected("MOVEDED 1 a:1", SSA_NOT_REDIRECTED, 0, "", 0);
    check_redirected("MOVED", SSA_NOT_REDIRECTED, 0, "", 0);
    check_redirected("CLUSTERDOWN The cluster is down", SSA_NOT_REDIRECTED, 0, "", 0);
    ssa_redirection found;
    const ssa_address socket = {.path = "/run/7000.sock"};
    CHECK(ssa_redirection_parse(&found, "ASK 1 :7001", 11, &socket) == SSA_OK);
    CHECK_TEXT(found.address.host, "127.0.0.1");
    CHECK_TEXT(found.address.path, "");
}

static void test_redirections_to_nowhere_are_refused(void) {
    static const char *const texts[] = {
        "MOVED ",
        "MOVED 1",
        "MOVED 1 ",
        "MOVED 1 a",
        "MOVED 1 a:",
        "MOVED 1 a:0",
        "MOVED -1 a:1",
        "MOVED 16384 a:1",
        "MOVED x a:1",
        "MOVED  1 a:1",
        "MOVED 1  a:1",
        "MOVED 1 a:65536",
        "MOVED 99999999999999999999 a:1",
        "MOVED 1 a:99999999999999999999",
        "MOVED 1 a:-1",
        "MOVED 1 a:1x",
        "MOVED 1 a/b:1",
        "MOVED 1 []:1",
        "MOVED 1 a\tb:1",
        "ASK 1",
        "ASK 1 :",
        "MOVED 1 a,b:1",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        ssa_redirection found;
        if (!CHECK(ssa_redirection_parse(&found, texts[i], strlen(texts[i]), &asked) == SSA_EPROTOCOL))
            printf("    accepted: %s\n", texts[i]);
        CHECK(found.kind == SSA_NOT_REDIRECTED);
    }
    ssa_redirection found;
    CHECK(ssa_redirection_parse(&found, "MOVED 1 a\0b:1", 13, &asked) == SSA_EPROTOCOL);
    CHECK(ssa_redirection_parse(&found, "MOVED 1 a:1\0", 12, &asked) == SSA_EPROTOCOL);
    char text[400] = "MOVED 1 ";
    memset(text + 8, 'h', 256);
    memcpy(text + 264, ":1", 2);
    CHECK(ssa_redirection_parse(&found, text, 266, &asked) == SSA_EPROTOCOL);
    CHECK(ssa_redirection_parse(&found, NULL, 0, &asked) == SSA_OK);
}

static void test_a_redirection_that_was_cut_is_refused(void) {
    static const char whole[] = "MOVED 3999 a:6381";
    ssa_redirection found;
    for (size_t bytes = 0; bytes < sizeof whole; bytes++) {
        char *exact = malloc(bytes ? bytes : 1);
        memcpy(exact, whole, bytes);
        /* "MOVED" without its blank is another error; from "a:6" on it names a port. */
        ssa_status expected = bytes < 6 || (bytes > 13 && bytes < sizeof whole) ? SSA_OK : SSA_EPROTOCOL;
        expected = bytes == sizeof whole ? SSA_EPROTOCOL : expected; /* with the NUL */
        CHECK_NUMBER(ssa_redirection_parse(&found, exact, bytes, &asked), expected);
        free(exact);
    }
}

static ssa_status exercise(void) {
    ssa_slot_map map;
    ssa_address fresh = {.host = "127.0.0.1", .port = 7009};
    ssa_status status = decode(&map, "*2\r\n" RANGE("4", "0", "5460") NODE(IP, "7000", "aa") NODE(IP, "7003", "dd")
                                         RANGE("3", "5461", "9999") NODE(IP, "7001", "bb"));
    for (unsigned slot = 0; slot < 20 && !status; slot++) {
        fresh.port++;
        status = ssa_slot_map_move(&map, (uint16_t)slot, &fresh);
    }
    ssa_slot_map_free(&map);
    return status;
}

/* Read the reply on standard input, of whom a server on a unix socket was asked, and say what it holds. */
static int answer_shards(void) {
    static char text[1 << 16];
    const ssa_address whom = {.path = "/run/x.sock"};
    ssa_slot_map map;
    size_t bytes = fread(text, 1, sizeof text, stdin), slots;
    if (decode_bytes(&map, text, bytes, &whom)) {
        printf("%s\n", error);
        return 1;
    }
    for (size_t i = 0; i < map.count; i++) {
        char address[SSA_ADDRESS_TEXT_BYTES];
        slots = 0;
        for (size_t slot = 0; slot < SSA_SLOTS; slot++)
            slots += map.shard_of[slot] == i;
        ssa_address_format(&map.shards[i].primary, address, sizeof address);
        printf("%s %s %zu", address, map.shards[i].node_id, slots);
        for (size_t k = 0; k < map.shards[i].replica_count; k++) {
            ssa_address_format(&map.shards[i].replicas[k], address, sizeof address);
            printf(" %s", address);
        }
        printf("\n");
    }
    ssa_slot_map_free(&map);
    return 0;
}

int main(int count, char **words) {
    static void (*const tests[])(void) = {
        test_ranges_are_read_in_either_protocol,
        test_slots_without_a_server_are_allowed,
        test_a_node_without_an_endpoint_is_where_we_asked,
        test_ranges_that_cannot_be_are_refused,
        test_replies_of_another_form_are_refused,
        test_a_long_id_and_one_with_a_nul_are_refused,
        test_a_reply_that_ends_too_early_is_refused,
        test_shards_replicas_and_ranges_are_limited,
        test_one_slot_moves,
        test_redirections_are_read,
        test_redirections_to_nowhere_are_refused,
        test_a_redirection_that_was_cut_is_refused,
    };
    if (count > 1 && !strcmp(words[1], "--reply"))
        return answer_shards();
    return check_run(count, words, exercise, tests, sizeof tests / sizeof *tests);
}
