/* From names to keys (WIRE.md, "Keys"): the prefixes of one client, and the keys of what is ours. No I/O. */
#ifndef SSA_KEY_NAMES_H
#define SSA_KEY_NAMES_H

#include "mistake.h"
#include "resp_writer.h"

#define SSA_NAME_MAX 1024      /* bytes of a name or of a prefix */
#define SSA_PLAIN_KEY_MAX 4096 /* bytes of a whole key that a caller names */

typedef enum ssa_kind {
    SSA_KIND_TENSOR,  /* also bytes */
    SSA_KIND_DATASET,
    SSA_KIND_LIST,
    SSA_KIND_MODEL,
    SSA_KIND_SCRIPT,
    SSA_KIND_KEY      /* a whole key: no prefix, braces allowed */
} ssa_kind;

/* Whose prefix: writing uses the client's own, reading that of its data source. */
typedef enum ssa_direction { SSA_WRITING, SSA_READING } ssa_direction;

/* The parts of a model or script, all in one slot. */
typedef enum ssa_model_part {
    SSA_PART_CURRENT,
    SSA_PART_COUNTER,
    SSA_PART_BLOB,    /* of one version */
    SSA_PART_METADATA /* of one version */
} ssa_model_part;

extern const char ssa_worker_list_key[]; /* "{ssa:workers:all}list" */

typedef struct ssa_key_names {
    char *write_prefix;   /* "" for none */
    char **read_prefixes;
    size_t read_prefix_count;
    const char *source;   /* the prefix of the data source: one of the above, or "" */
    /* By ssa_kind; at first tensors, datasets and lists are, models and scripts are not; keys never. */
    int prefixed[SSA_KIND_KEY + 1];
    char error[SSA_MISTAKE_BYTES];  /* why the last call said SSA_EARGUMENT */
} ssa_key_names;

/* Copy the prefixes ("" or NULL: none) and check them. The data source is the first to read from. SSA_EARGUMENT:
 * *names holds the text and nothing else. SSA_ENOMEM. */
ssa_status ssa_key_names_init(ssa_key_names *names, const char *write_prefix, const char *const *read_prefixes,
                              size_t read_prefix_count);
void ssa_key_names_free(ssa_key_names *names); /* leaves it empty; an empty (all zero) one is allowed */

/* Read from this producer from now on: one of the prefixes to read from, or the client's own. SSA_EARGUMENT:
 * unknown. */
ssa_status ssa_key_names_set_source(ssa_key_names *names, const char *source, size_t bytes);

/* Do names of this kind get a prefix? SSA_KIND_MODEL switches scripts as well. SSA_EARGUMENT for SSA_KIND_KEY. */
ssa_status ssa_key_names_set_prefixed(ssa_key_names *names, ssa_kind kind, int on);

/* Is this a name? Not empty, no braces, no NUL, at most SSA_NAME_MAX bytes. SSA_EARGUMENT: the text is in `error`,
 * in which the name is called `what` ("dataset"). */
ssa_status ssa_name_check(const char *what, const void *name, size_t bytes, char *error, size_t room);

/* Each of these checks the name and appends a key to *key. SSA_EARGUMENT: names->error has the text, SSA_ENOMEM;
 * nothing is appended then. */

/* The key of a thing by name; of a dataset its hash, of a model or script its `current`. */
ssa_status ssa_key_make(ssa_key_names *names, ssa_direction direction, ssa_kind kind, const void *name, size_t bytes,
                        ssa_buffer *key);

/* What the keys of a dataset begin with: `<P>.{<dataset>}`, which is also its entry in a list. */
ssa_status ssa_key_make_dataset(ssa_key_names *names, ssa_direction direction, const void *dataset, size_t bytes,
                                ssa_buffer *key);

ssa_status ssa_key_make_dataset_tensor(ssa_key_names *names, ssa_direction direction, const void *dataset,
                                       size_t dataset_bytes, const void *tensor, size_t tensor_bytes, ssa_buffer *key);

/* An input or output of a run: the name of a tensor, or `{<dataset>}.<tensor>`. */
ssa_status ssa_key_make_run_tensor(ssa_key_names *names, ssa_direction direction, const void *name, size_t bytes,
                                   ssa_buffer *key);

/* kind: SSA_KIND_MODEL or SSA_KIND_SCRIPT; version: decimal digits, only for the parts of one version. */
ssa_status ssa_key_make_model_part(ssa_key_names *names, ssa_direction direction, ssa_kind kind, const void *name,
                                   size_t bytes, ssa_model_part part, const void *version, size_t version_bytes,
                                   ssa_buffer *key);

/* `{ssa:control:<entity>}requests` */
ssa_status ssa_key_make_control(ssa_key_names *names, const void *entity, size_t bytes, ssa_buffer *key);

#endif
