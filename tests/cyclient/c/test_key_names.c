// links: allocator key_names mistake resp_writer
#include "check.h"
#include "key_names.h"

static ssa_key_names names;

static void open_names(const char *write_prefix, const char *first, const char *second) {
    const char *prefixes[] = {first, second};
    CHECK(ssa_key_names_init(&names, write_prefix, prefixes, !first ? 0 : second ? 2 : 1) == SSA_OK);
}

/* The key that was made, as a text; "refused" and so on if it was not. */
static const char *text_of(ssa_status status, ssa_buffer *key) {
    static char text[2 * SSA_PLAIN_KEY_MAX];
    snprintf(text, sizeof text, "%.*s", (int)key->bytes, (const char *)key->data);
    if (status)
        snprintf(text, sizeof text, status == SSA_EARGUMENT ? "refused" : "status %d", status);
    CHECK(!status || !key->bytes);
    ssa_buffer_free(key);
    return text;
}

static const char *key_of(ssa_direction direction, ssa_kind kind, const char *name) {
    ssa_buffer key = {0};
    return text_of(ssa_key_make(&names, direction, kind, name, strlen(name), &key), &key);
}

static const char *written(ssa_kind kind, const char *name) {
    return key_of(SSA_WRITING, kind, name);
}

static const char *tensor_of(const char *dataset, const char *tensor) {
    ssa_buffer key = {0};
    return text_of(
        ssa_key_make_dataset_tensor(&names, SSA_WRITING, dataset, strlen(dataset), tensor, strlen(tensor), &key), &key);
}

static const char *dataset_of(const char *dataset) {
    ssa_buffer key = {0};
    return text_of(ssa_key_make_dataset(&names, SSA_READING, dataset, strlen(dataset), &key), &key);
}

static const char *part_of(ssa_kind kind, const char *name, ssa_model_part part, const char *version) {
    ssa_buffer key = {0};
    return text_of(ssa_key_make_model_part(&names, SSA_WRITING, kind, name, strlen(name), part, version,
                                           version ? strlen(version) : 0, &key),
                   &key);
}

static const char *run_key(ssa_direction direction, const char *name) {
    ssa_buffer key = {0};
    return text_of(ssa_key_make_run_tensor(&names, direction, name, strlen(name), &key), &key);
}

static const char *control_of(const char *entity) {
    ssa_buffer key = {0};
    return text_of(ssa_key_make_control(&names, entity, strlen(entity), &key), &key);
}

static void test_without_prefixes_names_are_keys(void) {
    open_names(NULL, NULL, NULL);
    CHECK_TEXT(written(SSA_KIND_TENSOR, "u"), "u");
    CHECK_TEXT(written(SSA_KIND_LIST, "l"), "l");
    CHECK_TEXT(written(SSA_KIND_DATASET, "ds"), "{ds}.meta");
    CHECK_TEXT(tensor_of("ds", "u"), "{ds}.u");
    CHECK_TEXT(written(SSA_KIND_MODEL, "m"), "{ssa:model:m}current");
    CHECK_TEXT(written(SSA_KIND_SCRIPT, "m"), "{ssa:script:m}current");
    CHECK_TEXT(control_of("ens_3"), "{ssa:control:ens_3}requests");
    CHECK_TEXT(ssa_worker_list_key, "{ssa:workers:all}list");
    ssa_key_names_free(&names);
    ssa_key_names_free(&names);
}

static void test_writing_and_reading_have_prefixes_of_their_own(void) {
    open_names("me", "a", "b");
    CHECK_TEXT(written(SSA_KIND_TENSOR, "u"), "me.u");
    CHECK_TEXT(key_of(SSA_READING, SSA_KIND_TENSOR, "u"), "a.u");
    CHECK_TEXT(key_of(SSA_READING, SSA_KIND_DATASET, "ds"), "a.{ds}.meta");
    CHECK_TEXT(dataset_of("ds"), "a.{ds}");
    CHECK_TEXT(dataset_of("d}"), "refused");
    CHECK(ssa_key_names_set_source(&names, "b", 1) == SSA_OK);
    CHECK_TEXT(key_of(SSA_READING, SSA_KIND_LIST, "l"), "b.l");
    CHECK(ssa_key_names_set_source(&names, "me", 2) == SSA_OK);
    CHECK_TEXT(key_of(SSA_READING, SSA_KIND_TENSOR, "u"), "me.u");
    CHECK_TEXT(written(SSA_KIND_TENSOR, "u"), "me.u");
    ssa_key_names_free(&names);
}

static void test_an_unknown_source_is_refused(void) {
    open_names("me", "a", "b");
    CHECK(ssa_key_names_set_source(&names, "c", 1) == SSA_EARGUMENT);
    CHECK_TEXT(names.error, "data source cannot be 'c': known ones are: a, b, me (SSKEYIN, SSKEYOUT).");
    CHECK(ssa_key_names_set_source(&names, "ab", 1) == SSA_OK); /* the length counts */
    CHECK(ssa_key_names_set_source(&names, "", 0) == SSA_EARGUMENT);
    CHECK(ssa_key_names_set_source(&names, "me\0", 3) == SSA_EARGUMENT);
    ssa_key_names_free(&names);

    open_names("", NULL, NULL);
    CHECK(ssa_key_names_set_source(&names, NULL, 0) == SSA_OK);
    CHECK(ssa_key_names_set_source(&names, "a", 1) == SSA_EARGUMENT);
    CHECK_TEXT(names.error, "data source cannot be 'a': known ones are: none (SSKEYIN, SSKEYOUT).");
    ssa_key_names_free(&names);

    open_names("a", "a", "a");
    CHECK(ssa_key_names_set_source(&names, "x", 1) == SSA_EARGUMENT);
    CHECK_TEXT(names.error, "data source cannot be 'x': known ones are: a (SSKEYIN, SSKEYOUT).");
    ssa_key_names_free(&names);
}

static void test_very_many_sources_do_not_fit_the_text(void) {
    const char *prefixes[200];
    char text[200][12];
    for (int i = 0; i < 200; i++) {
        snprintf(text[i], sizeof text[i], "member_%d", i);
        prefixes[i] = text[i];
    }
    CHECK(ssa_key_names_init(&names, "me", prefixes, 200) == SSA_OK);
    CHECK(ssa_key_names_set_source(&names, "x", 1) == SSA_EARGUMENT);
    CHECK(strstr(names.error, "known ones are: member_0, member_1, ") && strstr(names.error, ", ... (SSKEYIN"));
    CHECK(ssa_key_names_set_source(&names, "member_199", 10) == SSA_OK);
    ssa_key_names_free(&names);
}

static void test_each_kind_has_a_switch(void) {
    open_names("P", NULL, NULL);
    CHECK_TEXT(written(SSA_KIND_TENSOR, "u"), "P.u");
    CHECK_TEXT(written(SSA_KIND_LIST, "l"), "P.l");
    CHECK_TEXT(written(SSA_KIND_DATASET, "ds"), "P.{ds}.meta");
    CHECK_TEXT(tensor_of("ds", "u"), "P.{ds}.u");
    CHECK_TEXT(written(SSA_KIND_MODEL, "m"), "{ssa:model:m}current");
    CHECK_TEXT(written(SSA_KIND_KEY, "any{thing}"), "any{thing}");
    for (int kind = SSA_KIND_TENSOR; kind <= SSA_KIND_MODEL; kind++)
        CHECK(ssa_key_names_set_prefixed(&names, (ssa_kind)kind, kind == SSA_KIND_MODEL) == SSA_OK);
    CHECK_TEXT(written(SSA_KIND_TENSOR, "u"), "u");
    CHECK_TEXT(written(SSA_KIND_LIST, "l"), "l");
    CHECK_TEXT(written(SSA_KIND_DATASET, "ds"), "{ds}.meta");
    CHECK_TEXT(tensor_of("ds", "u"), "{ds}.u");
    CHECK_TEXT(written(SSA_KIND_MODEL, "m"), "{ssa:model:P.m}current");
    CHECK_TEXT(written(SSA_KIND_SCRIPT, "m"), "{ssa:script:P.m}current");
    CHECK(ssa_key_names_set_prefixed(&names, SSA_KIND_KEY, 1) == SSA_EARGUMENT);
    CHECK(ssa_key_names_set_prefixed(&names, (ssa_kind)99, 1) == SSA_EARGUMENT);
    CHECK_TEXT(names.error, "the prefix of keys cannot be switched: only tensors, datasets, lists, models and scripts "
                            "have prefixes.");
    ssa_key_names_free(&names);
}

static void test_the_parts_of_a_model(void) {
    open_names(NULL, NULL, NULL);
    CHECK_TEXT(part_of(SSA_KIND_MODEL, "m", SSA_PART_CURRENT, "7"), "{ssa:model:m}current");
    CHECK_TEXT(part_of(SSA_KIND_MODEL, "m", SSA_PART_COUNTER, NULL), "{ssa:model:m}counter");
    CHECK_TEXT(part_of(SSA_KIND_MODEL, "m", SSA_PART_BLOB, "12"), "{ssa:model:m}12.blob");
    CHECK_TEXT(part_of(SSA_KIND_SCRIPT, "s", SSA_PART_METADATA, "12345678901234567890"),
               "{ssa:script:s}12345678901234567890.meta");
    const char *const versions[] = {NULL, "", "x", "-1", "1 ", "123456789012345678901", "1}a{"};
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++)
        CHECK_TEXT(part_of(SSA_KIND_MODEL, "m", SSA_PART_BLOB, versions[i]), "refused");
    CHECK_TEXT(names.error, "version cannot be '1}a{': a version is a decimal number.");
    ssa_key_names_free(&names);
}

static void test_a_run_may_name_tensors_of_datasets(void) {
    open_names("me", "a", NULL);
    CHECK_TEXT(run_key(SSA_WRITING, "u"), "me.u");
    CHECK_TEXT(run_key(SSA_READING, "{ds}.u"), "a.{ds}.u");
    CHECK_TEXT(run_key(SSA_READING, "{ds}.u.v"), "a.{ds}.u.v");
    const char *const bad[] = {"",      "{",        "{}",      "{ds}",    "{ds}.",   "{}.u",     "{ds}u",
                               "{ds.u", "{ds}.{u}", "{d{s}.u", "{ds}}.u", "x{ds}.u", "{ds}.meta"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (!CHECK_TEXT(run_key(SSA_WRITING, bad[i]), "refused"))
            printf("    of: %s\n", bad[i]);
    CHECK_TEXT(run_key(SSA_WRITING, "{ds}u"), "refused");
    CHECK_TEXT(names.error, "tensor cannot be '{ds}u': a tensor of a dataset is written {dataset}.tensor.");
    CHECK_TEXT(run_key(SSA_WRITING, "{}.u"), "refused");
    CHECK_TEXT(names.error, "dataset cannot be empty: give it a name.");
    ssa_key_names_free(&names);
}

static void test_a_tensor_must_not_take_the_place_of_the_metadata(void) {
    open_names(NULL, NULL, NULL);
    CHECK_TEXT(tensor_of("ds", "meta"), "refused");
    CHECK_TEXT(names.error, "tensor cannot be 'meta': a dataset keeps its metadata under this name; use another.");
    CHECK_TEXT(tensor_of("ds", "metadata"), "{ds}.metadata");
    ssa_key_names_free(&names);
}

static void check_name(const void *name, size_t bytes, const char *says) {
    char error[SSA_MISTAKE_BYTES] = "";
    CHECK_NUMBER(ssa_name_check("dataset", name, bytes, error, sizeof error), *says ? SSA_EARGUMENT : SSA_OK);
    CHECK_TEXT(error, says);
}

static void test_what_can_be_no_name_is_refused(void) {
    char longest[SSA_NAME_MAX + 1], text[300];
    memset(longest, 'n', sizeof longest);
    check_name("rank 0.u:\xff", 10, "");
    check_name(longest, SSA_NAME_MAX, "");
    check_name("", 0, "dataset cannot be empty: give it a name.");
    check_name(NULL, 0, "dataset cannot be empty: give it a name.");
    check_name(NULL, 5, "dataset cannot be empty: give it a name.");
    check_name("a{b", 3, "dataset cannot be 'a{b': braces decide which shard holds a key; leave them out.");
    check_name("}", 1, "dataset cannot be '}': braces decide which shard holds a key; leave them out.");
    check_name("a\0", 2,
               "dataset cannot be 'a\\x00': a name has no NUL in it; give its length without the NUL at its end.");
    snprintf(text, sizeof text, "dataset cannot be '%.120s'...: a name has at most 1024 bytes.", longest);
    check_name(longest, SSA_NAME_MAX + 1, text);
}

static void test_every_function_checks_its_names(void) {
    open_names("P", NULL, NULL);
    for (int kind = SSA_KIND_TENSOR; kind <= SSA_KIND_KEY; kind++)
        CHECK_TEXT(written((ssa_kind)kind, ""), "refused");
    for (int kind = SSA_KIND_TENSOR; kind < SSA_KIND_KEY; kind++)
        CHECK_TEXT(written((ssa_kind)kind, "a}"), "refused");
    CHECK_TEXT(names.error, "script cannot be 'a}': braces decide which shard holds a key; leave them out.");
    CHECK_TEXT(tensor_of("", "u"), "refused");
    CHECK_TEXT(tensor_of("d{", "u"), "refused");
    CHECK_TEXT(tensor_of("d", "u{"), "refused");
    CHECK_TEXT(control_of(""), "refused");
    CHECK_TEXT(control_of("a}requests"), "refused");
    char key[SSA_PLAIN_KEY_MAX + 2];
    memset(key, 'k', sizeof key);
    key[SSA_PLAIN_KEY_MAX] = 0;
    CHECK_NUMBER(strlen(written(SSA_KIND_KEY, key)), SSA_PLAIN_KEY_MAX);
    key[SSA_PLAIN_KEY_MAX] = 'k';
    key[SSA_PLAIN_KEY_MAX + 1] = 0;
    CHECK_TEXT(written(SSA_KIND_KEY, key), "refused");
    ssa_key_names_free(&names);
}

static void test_a_prefix_is_a_name_too(void) {
    const char *good = "a", *bad = "a{b";
    CHECK(ssa_key_names_init(&names, bad, NULL, 0) == SSA_EARGUMENT);
    CHECK_TEXT(names.error, "prefix cannot be 'a{b': braces decide which shard holds a key; leave them out.");
    CHECK(!names.write_prefix);
    const char *prefixes[] = {good, bad};
    CHECK(ssa_key_names_init(&names, good, prefixes, 2) == SSA_EARGUMENT && !names.read_prefixes);
    CHECK(ssa_key_names_init(&names, good, prefixes, SIZE_MAX) == SSA_ENOMEM);
    ssa_key_names_free(&names);
}

static void test_a_key_is_appended_behind_what_is_there(void) {
    ssa_buffer key = {0};
    open_names(NULL, NULL, NULL);
    CHECK(ssa_buffer_append(&key, "before ", 7) == SSA_OK);
    CHECK(ssa_key_make(&names, SSA_WRITING, SSA_KIND_TENSOR, "u", 1, &key) == SSA_OK);
    CHECK(ssa_key_make(&names, SSA_WRITING, SSA_KIND_TENSOR, "{", 1, &key) == SSA_EARGUMENT);
    CHECK(key.bytes == 8 && !memcmp(key.data, "before u", 8));
    ssa_buffer_free(&key);
    ssa_key_names_free(&names);
}

/* ---- the vectors */

/* The fields of a line, parted by tabs; the line is cut up. */
static int split_fields(char *line, char *fields[5]) {
    line[strcspn(line, "\n")] = 0;
    for (int i = 0; i < 5; i++) {
        fields[i] = line;
        line = line ? strchr(line, '\t') : NULL;
        if (line)
            *line++ = 0;
    }
    return fields[4] != NULL && line == NULL;
}

static const char *key_of_vector(char *const fields[5]) {
    static const char *const model_parts[] = {"current", "counter", "blob", "metadata"};
    const char *kind = fields[0], *name = fields[2], *part_name = fields[3];
    if (!strcmp(kind, "tensor") || !strcmp(kind, "bytes"))
        return written(SSA_KIND_TENSOR, name);
    if (!strcmp(kind, "dataset"))
        return written(SSA_KIND_DATASET, name);
    if (!strcmp(kind, "dataset_tensor"))
        return tensor_of(name, part_name);
    if (!strcmp(kind, "run_tensor"))
        return run_key(SSA_WRITING, name);
    if (!strcmp(kind, "list"))
        return written(SSA_KIND_LIST, name);
    if (!strcmp(kind, "control"))
        return control_of(name);
    if (!strcmp(kind, "worker_list"))
        return ssa_worker_list_key;
    for (int part = 0; part < 4; part++)
        for (int script = 0; script < 2; script++) {
            char word[40];
            snprintf(word, sizeof word, "%s_%s", script ? "script" : "model", model_parts[part]);
            if (!strcmp(kind, word))
                return part_of(script ? SSA_KIND_SCRIPT : SSA_KIND_MODEL, name, (ssa_model_part)part, part_name);
        }
    return "unknown kind";
}

/* Make the keys of the lines of keys.tsv on standard input. */
static void test_vectors(void) {
    char line[8192], *fields[5];
    while (fgets(line, sizeof line, stdin)) {
        if (*line == '#')
            continue;
        if (!CHECK(split_fields(line, fields)))
            return;
        open_names(fields[1], NULL, NULL);
        CHECK(ssa_key_names_set_prefixed(&names, SSA_KIND_MODEL, 1) == SSA_OK);
        CHECK_TEXT(key_of_vector(fields), fields[4]);
        ssa_key_names_free(&names);
    }
}

static ssa_status exercise(void) {
    const char *prefixes[] = {"a", "b"};
    ssa_buffer key = {0};
    ssa_status status = ssa_key_names_init(&names, "me", prefixes, 2);
    if (!status)
        status = ssa_key_make(&names, SSA_WRITING, SSA_KIND_DATASET, "ds", 2, &key);
    ssa_buffer_free(&key);
    ssa_key_names_free(&names);
    return status;
}

int main(int count, char **words) {
    static void (*const tests[])(void) = {
        test_without_prefixes_names_are_keys,
        test_writing_and_reading_have_prefixes_of_their_own,
        test_an_unknown_source_is_refused,
        test_very_many_sources_do_not_fit_the_text,
        test_each_kind_has_a_switch,
        test_the_parts_of_a_model,
        test_a_run_may_name_tensors_of_datasets,
        test_a_tensor_must_not_take_the_place_of_the_metadata,
        test_what_can_be_no_name_is_refused,
        test_every_function_checks_its_names,
        test_a_prefix_is_a_name_too,
        test_a_key_is_appended_behind_what_is_there,
    };
    static void (*const vectors[])(void) = {test_vectors};
    if (count > 1 && !strcmp(words[1], "--vectors"))
        return check_run(1, words, NULL, vectors, 1);
    return check_run(count, words, exercise, tests, sizeof tests / sizeof *tests);
}
