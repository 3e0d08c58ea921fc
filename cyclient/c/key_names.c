#include "key_names.h"

#include <stdio.h>
#include <string.h>

#include "allocator.h"

const char ssa_worker_list_key[] = "{ssa:workers:all}list";

static const char *const kind_words[] = {"tensor", "dataset", "list", "model", "script", "key"};

/* What is appended to a key; a piece without bytes adds nothing. */
typedef struct piece {
    const void *data;
    size_t bytes;
} piece;

static piece word(const char *text) {
    return (piece){text, strlen(text)};
}

static ssa_status append(ssa_buffer *key, const piece *pieces, size_t count) {
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += pieces[i].bytes; /* each is limited: no overflow */
    if (ssa_buffer_reserve(key, total))
        return SSA_ENOMEM;
    for (size_t i = 0; i < count; i++)
        ssa_buffer_append(key, pieces[i].data, pieces[i].bytes);
    return SSA_OK;
}

#define APPEND(key, ...) \
    append(key, (const piece[]){__VA_ARGS__}, sizeof((const piece[]){__VA_ARGS__}) / sizeof(piece))

ssa_status ssa_name_check(const char *what, const void *name, size_t bytes, char *error, size_t room) {
    if (!name || !bytes)
        ssa_mistake_word(error, room, what, "empty", "give it a name");
    else if (bytes > SSA_NAME_MAX)
        ssa_mistake_value(error, room, what, name, bytes, "a name has at most 1024 bytes");
    else if (memchr(name, '{', bytes) || memchr(name, '}', bytes))
        ssa_mistake_value(error, room, what, name, bytes, "braces decide which shard holds a key; leave them out");
    else if (memchr(name, 0, bytes))
        ssa_mistake_value(error, room, what, name, bytes,
                          "a name has no NUL in it; give its length without the NUL at its end");
    else
        return SSA_OK;
    return SSA_EARGUMENT;
}

static ssa_status check(ssa_key_names *names, const char *what, const void *name, size_t bytes) {
    return ssa_name_check(what, name, bytes, names->error, sizeof names->error);
}

/* ---- prefixes */

static ssa_status copy_prefix(ssa_key_names *names, char **copy, const char *prefix) {
    size_t bytes = prefix ? strlen(prefix) : 0;
    if (bytes && check(names, "prefix", prefix, bytes))
        return SSA_EARGUMENT;
    *copy = ssa_allocate(bytes + 1);
    if (!*copy)
        return SSA_ENOMEM;
    memcpy(*copy, prefix ? prefix : "", bytes + 1);
    return SSA_OK;
}

static ssa_status copy_prefixes(ssa_key_names *names, const char *write_prefix, const char *const *read_prefixes,
                                size_t count) {
    ssa_status status = copy_prefix(names, &names->write_prefix, write_prefix);
    if (status || !count)
        return status;
    names->read_prefixes = count <= SIZE_MAX / sizeof(char *) ? ssa_allocate(count * sizeof(char *)) : NULL;
    if (!names->read_prefixes)
        return SSA_ENOMEM;
    while (!status && names->read_prefix_count < count) {
        char *copy;
        status = copy_prefix(names, &copy, read_prefixes[names->read_prefix_count]);
        if (!status)
            names->read_prefixes[names->read_prefix_count++] = copy;
    }
    return status;
}

ssa_status ssa_key_names_init(ssa_key_names *names, const char *write_prefix, const char *const *read_prefixes,
                              size_t read_prefix_count) {
    memset(names, 0, sizeof *names);
    ssa_status status = copy_prefixes(names, write_prefix, read_prefixes, read_prefix_count);
    if (status) {
        char error[SSA_MISTAKE_BYTES];
        memcpy(error, names->error, sizeof error);
        ssa_key_names_free(names);
        memcpy(names->error, error, sizeof error);
        return status;
    }
    names->source = read_prefix_count ? names->read_prefixes[0] : "";
    names->prefixed[SSA_KIND_TENSOR] = names->prefixed[SSA_KIND_DATASET] = names->prefixed[SSA_KIND_LIST] = 1;
    return SSA_OK;
}

void ssa_key_names_free(ssa_key_names *names) {
    for (size_t i = 0; i < names->read_prefix_count; i++)
        ssa_release(names->read_prefixes[i]);
    ssa_release(names->read_prefixes);
    ssa_release(names->write_prefix);
    memset(names, 0, sizeof *names);
}

static int is_prefix(const char *prefix, const char *source, size_t bytes) {
    return strlen(prefix) == bytes && (!bytes || !memcmp(prefix, source, bytes));
}

/* "a, b, me", each once; the list is cut where the text would not fit. */
static void list_known(const ssa_key_names *names, char *text, size_t room) {
    static const char and_more[] = ", ...";
    size_t length = 0;
    room -= sizeof and_more;
    *text = 0;
    for (size_t i = 0; i <= names->read_prefix_count; i++) {
        const char *prefix = i < names->read_prefix_count ? names->read_prefixes[i] : names->write_prefix;
        size_t earlier = 0;
        while (earlier < i && strcmp(names->read_prefixes[earlier], prefix))
            earlier++;
        if (earlier < i || !*prefix)
            continue;
        int added = snprintf(text + length, room - length, "%s%s", length ? ", " : "", prefix);
        if (added < 0 || (size_t)added >= room - length) {
            memcpy(text + length, and_more, sizeof and_more);
            return;
        }
        length += (size_t)added;
    }
    if (!length)
        snprintf(text, room, "none");
}

ssa_status ssa_key_names_set_source(ssa_key_names *names, const char *source, size_t bytes) {
    for (size_t i = 0; i < names->read_prefix_count; i++)
        if (is_prefix(names->read_prefixes[i], source, bytes)) {
            names->source = names->read_prefixes[i];
            return SSA_OK;
        }
    if (is_prefix(names->write_prefix, source, bytes)) {
        names->source = names->write_prefix;
        return SSA_OK;
    }
    char known[200], remedy[260];
    list_known(names, known, sizeof known);
    snprintf(remedy, sizeof remedy, "known ones are: %s (SSKEYIN, SSKEYOUT)", known);
    ssa_mistake_value(names->error, sizeof names->error, "data source", source, bytes, remedy);
    return SSA_EARGUMENT;
}

ssa_status ssa_key_names_set_prefixed(ssa_key_names *names, ssa_kind kind, int on) {
    if ((int)kind < 0 || kind >= SSA_KIND_KEY) {
        ssa_mistake_word(names->error, sizeof names->error, "the prefix of keys", "switched",
                         "only tensors, datasets, lists, models and scripts have prefixes");
        return SSA_EARGUMENT;
    }
    names->prefixed[kind] = on != 0;
    if (kind == SSA_KIND_MODEL)
        names->prefixed[SSA_KIND_SCRIPT] = on != 0;
    return SSA_OK;
}

/* ---- keys */

/* The prefix that names of this kind get, and its dot; without one both are empty. */
static void find_prefix(const ssa_key_names *names, ssa_direction direction, ssa_kind kind, piece prefix[2]) {
    const char *text = direction == SSA_WRITING ? names->write_prefix : names->source;
    if (!names->prefixed[kind] || !text)
        text = "";
    prefix[0] = word(text);
    prefix[1] = word(*text ? "." : "");
}

static ssa_status check_plain_key(ssa_key_names *names, const void *key, size_t bytes) {
    if (key && bytes && bytes <= SSA_PLAIN_KEY_MAX)
        return SSA_OK;
    if (!key || !bytes)
        ssa_mistake_word(names->error, sizeof names->error, "key", "empty", "give it a name");
    else
        ssa_mistake_value(names->error, sizeof names->error, "key", key, bytes, "a key has at most 4096 bytes here");
    return SSA_EARGUMENT;
}

ssa_status ssa_key_make(ssa_key_names *names, ssa_direction direction, ssa_kind kind, const void *name, size_t bytes,
                        ssa_buffer *key) {
    if (kind == SSA_KIND_KEY)
        return check_plain_key(names, name, bytes) ? SSA_EARGUMENT : APPEND(key, {name, bytes});
    if (kind == SSA_KIND_MODEL || kind == SSA_KIND_SCRIPT)
        return ssa_key_make_model_part(names, direction, kind, name, bytes, SSA_PART_CURRENT, NULL, 0, key);
    piece prefix[2];
    find_prefix(names, direction, kind, prefix);
    if (check(names, kind_words[kind], name, bytes))
        return SSA_EARGUMENT;
    if (kind == SSA_KIND_DATASET)
        return APPEND(key, prefix[0], prefix[1], word("{"), {name, bytes}, word("}.meta"));
    return APPEND(key, prefix[0], prefix[1], {name, bytes});
}

ssa_status ssa_key_make_dataset(ssa_key_names *names, ssa_direction direction, const void *dataset, size_t bytes,
                                ssa_buffer *key) {
    piece prefix[2];
    find_prefix(names, direction, SSA_KIND_DATASET, prefix);
    if (check(names, "dataset", dataset, bytes))
        return SSA_EARGUMENT;
    return APPEND(key, prefix[0], prefix[1], word("{"), {dataset, bytes}, word("}"));
}

ssa_status ssa_key_make_dataset_tensor(ssa_key_names *names, ssa_direction direction, const void *dataset,
                                       size_t dataset_bytes, const void *tensor, size_t tensor_bytes,
                                       ssa_buffer *key) {
    piece prefix[2];
    find_prefix(names, direction, SSA_KIND_DATASET, prefix);
    if (check(names, "dataset", dataset, dataset_bytes) || check(names, "tensor", tensor, tensor_bytes))
        return SSA_EARGUMENT;
    /* It would be the hash itself. */
    if (tensor_bytes == 4 && !memcmp(tensor, "meta", 4)) {
        ssa_mistake_value(names->error, sizeof names->error, "tensor", tensor, tensor_bytes,
                          "a dataset keeps its metadata under this name; use another");
        return SSA_EARGUMENT;
    }
    return APPEND(key, prefix[0], prefix[1], word("{"), {dataset, dataset_bytes}, word("}."), {tensor, tensor_bytes});
}

ssa_status ssa_key_make_run_tensor(ssa_key_names *names, ssa_direction direction, const void *name, size_t bytes,
                                   ssa_buffer *key) {
    const char *text = name;
    if (!name || !bytes || *text != '{')
        return ssa_key_make(names, direction, SSA_KIND_TENSOR, name, bytes, key);
    const char *close = memchr(text, '}', bytes);
    if (!close || close + 1 == text + bytes || close[1] != '.') {
        ssa_mistake_value(names->error, sizeof names->error, "tensor", name, bytes,
                          "a tensor of a dataset is written {dataset}.tensor");
        return SSA_EARGUMENT;
    }
    return ssa_key_make_dataset_tensor(names, direction, text + 1, (size_t)(close - text - 1), close + 2,
                                       (size_t)(text + bytes - close - 2), key);
}

static ssa_status check_version(ssa_key_names *names, const char *version, size_t bytes) {
    size_t digits = 0;
    while (version && digits < bytes && version[digits] >= '0' && version[digits] <= '9')
        digits++;
    if (bytes && bytes <= 20 && digits == bytes)
        return SSA_OK;
    ssa_mistake_value(names->error, sizeof names->error, "version", version, version ? bytes : 0,
                      "a version is a decimal number");
    return SSA_EARGUMENT;
}

ssa_status ssa_key_make_model_part(ssa_key_names *names, ssa_direction direction, ssa_kind kind, const void *name,
                                   size_t bytes, ssa_model_part part, const void *version, size_t version_bytes,
                                   ssa_buffer *key) {
    static const char *const parts[] = {"current", "counter", ".blob", ".meta"};
    int of_one_version = part == SSA_PART_BLOB || part == SSA_PART_METADATA;
    piece prefix[2];
    find_prefix(names, direction, kind, prefix);
    if (check(names, kind_words[kind], name, bytes) ||
        (of_one_version && check_version(names, version, version_bytes)))
        return SSA_EARGUMENT;
    return APPEND(key, word("{ssa:"), word(kind_words[kind]), word(":"), prefix[0], prefix[1], {name, bytes}, word("}"),
                  {version, of_one_version ? version_bytes : 0}, word(parts[part]));
}

ssa_status ssa_key_make_control(ssa_key_names *names, const void *entity, size_t bytes, ssa_buffer *key) {
    if (check(names, "entity", entity, bytes))
        return SSA_EARGUMENT;
    return APPEND(key, word("{ssa:control:"), {entity, bytes}, word("}requests"));
}
