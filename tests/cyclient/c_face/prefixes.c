/* With SSKEYOUT=own and SSKEYIN=first,own in the environment: who writes and who reads what. */
#include "face.h"

static ssa_client *client;

static int has(const char *key) {
    int found = -1;
    OK(ssa_key_exists(client, key, SSA_TEXT_ENDS, &found, OWN));
    return found;
}

static int sees(const char *name) {
    int found = -1;
    OK(ssa_tensor_exists(client, name, SSA_TEXT_ENDS, &found, OWN));
    return found;
}

static void test_prefixes(void) {
    double value = 1;
    ssa_array array = face_array(&value, SSA_FLOAT64, NULL, 0, SSA_ROW_MAJOR);
    client = face_open();
    OK(ssa_put_tensor(client, NAME("u"), &array, OWN));
    CHECK(has("own.u") == 1 && has("u") == 0);
    CHECK(sees("u") == 0); /* it reads what `first` wrote */
    OK(ssa_set_data_source(client, NAME("own")));
    CHECK(sees("u") == 1);
    CHECK_STATUS(ssa_set_data_source(client, NAME("nobody")), SSA_EARGUMENT);
    CHECK_HAS(ssa_client_error(client), "nobody");
    OK(ssa_use_tensor_ensemble_prefix(client, 0));
    CHECK(sees("u") == 0);
    OK(ssa_put_tensor(client, NAME("u"), &array, OWN));
    CHECK(has("u") == 1);
    OK(ssa_delete_tensor(client, NAME("u"), OWN));
    OK(ssa_use_tensor_ensemble_prefix(client, 1));
    OK(ssa_delete_tensor(client, NAME("u"), OWN));
    CHECK(has("own.u") == 0 && has("u") == 0);
    OK(ssa_use_dataset_ensemble_prefix(client, 0));
    OK(ssa_use_list_ensemble_prefix(client, 0));
    OK(ssa_use_model_ensemble_prefix(client, 1));
    ssa_client_free(client);
}

FACE_MAIN(test_prefixes)
