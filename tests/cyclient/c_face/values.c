/* Bytes, copies, times, prefixes, waits and polls, control and servers through the library. */
#include "face.h"

static ssa_client *client;

static void put_number(const char *name, double value) {
    ssa_array array = face_array(&value, SSA_FLOAT64, NULL, 0, SSA_ROW_MAJOR);
    OK(ssa_put_tensor(client, name, SSA_TEXT_ENDS, &array, OWN));
}

static double number(const char *name) {
    double value = -1;
    ssa_array array = face_array(&value, SSA_FLOAT64, NULL, 0, SSA_ROW_MAJOR);
    OK(ssa_unpack_tensor(client, name, SSA_TEXT_ENDS, &array, OWN));
    return value;
}

static int exists(const char *name) {
    int found = -1;
    OK(ssa_tensor_exists(client, name, SSA_TEXT_ENDS, &found, OWN));
    return found;
}

static void test_bytes(void) {
    ssa_tensor *data;
    int found;
    OK(ssa_put_bytes(client, NAME("bytes"), "a\0b", 3, OWN));
    OK(ssa_get_bytes(client, NAME("bytes"), &data, OWN));
    CHECK(data && ssa_tensor_bytes(data) == 3 && !memcmp(ssa_tensor_data(data), "a\0b", 3));
    ssa_tensor_free(data);
    OK(ssa_bytes_exists(client, NAME("bytes"), &found, OWN));
    CHECK(found == 1);
    OK(ssa_delete_bytes(client, NAME("bytes"), OWN));
    CHECK_STATUS(ssa_get_bytes(client, NAME("bytes"), &data, OWN), SSA_ENOTFOUND);
    CHECK(!data);
}

static void test_copy_and_rename(void) {
    put_number("source", 7);
    OK(ssa_copy_tensor(client, NAME("source"), NAME("copy"), OWN));
    CHECK(number("copy") == 7 && number("source") == 7);
    OK(ssa_rename_tensor(client, NAME("copy"), NAME("renamed"), OWN));
    CHECK(number("renamed") == 7 && !exists("copy"));
    CHECK_STATUS(ssa_rename_tensor(client, NAME("copy"), NAME("renamed"), OWN), SSA_ENOTFOUND);
    OK(ssa_delete_tensor(client, NAME("source"), OWN));
    OK(ssa_delete_tensor(client, NAME("renamed"), OWN));
}

static void test_time_to_live(void) {
    double seconds = 0;
    put_number("mortal", 1);
    OK(ssa_get_tensor_ttl(client, NAME("mortal"), &seconds, OWN));
    CHECK(isinf(seconds));
    OK(ssa_set_tensor_ttl(client, NAME("mortal"), 100, OWN));
    OK(ssa_get_tensor_ttl(client, NAME("mortal"), &seconds, OWN));
    CHECK(seconds > 50 && seconds <= 100);
    OK(ssa_persist_tensor(client, NAME("mortal"), OWN));
    OK(ssa_get_tensor_ttl(client, NAME("mortal"), &seconds, OWN));
    CHECK(isinf(seconds));
    OK(ssa_delete_tensor(client, NAME("mortal"), OWN));
    CHECK_STATUS(ssa_get_tensor_ttl(client, NAME("mortal"), &seconds, OWN), SSA_ENOTFOUND);
    CHECK_STATUS(ssa_set_tensor_ttl(client, NAME("mortal"), 1, OWN), SSA_ENOTFOUND);
}

static void test_waits_and_polls(void) {
    int found = -1;
    put_number("there", 1);
    OK(ssa_wait_for_key(client, NAME("there"), OWN));
    OK(ssa_poll_tensor(client, NAME("there"), 1000, 5, &found, OWN));
    CHECK(found == 1);
    OK(ssa_poll_key(client, NAME("not there"), 5, 2, &found, OWN));
    CHECK(found == 0);
    OK(ssa_poll_dataset(client, NAME("not there"), 5, 2, &found, OWN));
    CHECK(found == 0);
    OK(ssa_poll_model(client, NAME("not there"), 5, 2, &found, OWN));
    CHECK(found == 0);
    CHECK_STATUS(ssa_wait_for_dataset(client, NAME("not there"), 0.02), SSA_EWAIT);
    CHECK_STATUS(ssa_wait_for_model(client, NAME("not there"), 0.02), SSA_EWAIT);
    OK(ssa_wait_for_list_length(client, NAME("not there"), 0, SSA_COMPARE_EQUAL, OWN));
    OK(ssa_wait_for_list_length(client, NAME("not there"), 3, SSA_COMPARE_AT_MOST, OWN));
    CHECK_STATUS(ssa_wait_for_list_length(client, NAME("not there"), 1, SSA_COMPARE_AT_LEAST, 0.02), SSA_EWAIT);
    OK(ssa_poll_list_length(client, NAME("not there"), 0, 1000, 5, &found, OWN));
    CHECK(found == 1);
    OK(ssa_poll_list_length_gte(client, NAME("not there"), 1, 5, 2, &found, OWN));
    CHECK(found == 0);
    OK(ssa_poll_list_length_lte(client, NAME("not there"), 1, 1000, 5, &found, OWN));
    CHECK(found == 1);
    OK(ssa_model_exists(client, NAME("not there"), &found, OWN));
    CHECK(found == 0);
    OK(ssa_script_exists(client, NAME("not there"), &found, OWN));
    CHECK(found == 0);
    OK(ssa_dataset_exists(client, NAME("not there"), &found, OWN));
    CHECK(found == 0);
    OK(ssa_delete_tensor(client, NAME("there"), OWN));
}

static void test_control(void) {
    ssa_texts *asked;
    size_t bytes;
    OK(ssa_control_poll(client, NAME("rank_0"), &asked, OWN));
    CHECK(!asked);
    OK(ssa_control_send(client, NAME("rank_0"), NAME("set"), NAME("dt"), NAME("0.5"), OWN));
    OK(ssa_control_send(client, NAME("rank_0"), NAME("stop"), NULL, 0, NULL, 0, OWN));
    OK(ssa_control_poll(client, NAME("rank_0"), &asked, OWN));
    CHECK(ssa_texts_count(asked) == 6);
    if (ssa_texts_count(asked) == 6) {
        CHECK(!strcmp(ssa_texts_at(asked, 0, &bytes), "set") && bytes == 3);
        CHECK(!strcmp(ssa_texts_at(asked, 1, NULL), "dt") && !strcmp(ssa_texts_at(asked, 2, NULL), "0.5"));
        CHECK(!strcmp(ssa_texts_at(asked, 3, NULL), "stop") && !*ssa_texts_at(asked, 4, NULL));
        CHECK(!ssa_texts_at(asked, 6, &bytes));
    }
    ssa_texts_free(asked);
    CHECK_STATUS(ssa_control_send(client, NAME("rank_0"), NAME("dance"), NULL, 0, NULL, 0, OWN), SSA_EARGUMENT);
    OK(ssa_control_clear(client, NAME("rank_0"), OWN));
}

static void test_servers(void) {
    ssa_texts *info;
    OK(ssa_ping(client, NULL, 0, OWN));
    OK(ssa_get_db_node_info(client, NULL, 0, &info, OWN));
    CHECK(ssa_texts_count(info) >= 2);
    if (ssa_texts_count(info) >= 2)
        CHECK_HAS(ssa_texts_at(info, 1, NULL), "used_memory");
    ssa_texts_free(info);
    CHECK_STATUS(ssa_ping(client, NAME("127.0.0.1:1"), OWN), SSA_EARGUMENT);
    CHECK_HAS(ssa_client_error(client), "127.0.0.1:1");
    ssa_status status = ssa_get_db_cluster_info(client, NULL, 0, &info, OWN);
    CHECK(status == SSA_OK || status == SSA_EUNSUPPORTED);
    if (!status)
        CHECK_HAS(ssa_texts_at(info, 1, NULL), "cluster_state:ok");
    ssa_texts_free(info);
}

static void open_client(void) {
    client = face_open();
}

static void close_client(void) {
    ssa_client_free(client);
}

FACE_MAIN(open_client, test_bytes, test_copy_and_rename, test_time_to_live, test_waits_and_polls, test_control,
          test_servers, close_client)
