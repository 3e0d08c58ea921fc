/* What a client must know: addresses, credentials, prefixes, deadlines. From what is given, else from the
 * environment, else from the file that SSDB_FILE names, else by default; one table in settings_table.c says for
 * each where it may come from.
 *
 * With an identifier the variables of the store (SSDB*, SSKEYIN, SSKEYOUT, SR_DB_TYPE) end in `_<identifier>`;
 * SSKEYIN, SSKEYOUT and SSDB_FILE without it hold for all stores that have none of their own. The names in the file
 * are those of the environment, suffix included. Each setting is looked for by itself: an address that is given takes
 * nothing from the others, but for SSDB_SOCKETS and SSDB_OWNED, which say something of the store in SSDB. */
#ifndef SSA_SETTINGS_H
#define SSA_SETTINGS_H

#include "address.h"
#include "log.h"
#include "resp_writer.h"

#define SSA_NO_TIMEOUT INT64_MAX /* timeout_ns of a client that waits as long as it takes */

typedef enum ssa_server_mode {
    SSA_MODE_ANY,        /* not said: ask the server */
    SSA_MODE_STANDALONE, /* what the server must be */
    SSA_MODE_CLUSTER
} ssa_server_mode;

/* What a caller gives. ssa_settings_given_init sets everything to "not given". Borrowed during ssa_settings_resolve
 * only. */
typedef struct ssa_settings_given {
    const char *address, *user, *password, *identifier; /* NULL: not given; `address` is a comma list */
    const double *timeout;  /* seconds, > 0, infinity for none; NULL: not given */
    int bulk_connection;    /* 0 or 1; negative: not given, here and below */
    int64_t value_limit;    /* bytes; 0: values are never cut into chunks */
    int trust_topology;
    int log_level;          /* ssa_log_level */
    const char *log_file;
    int tls;
    const char *tls_ca, *tls_cert, *tls_key, *tls_name;
    const char *write_prefix, *read_prefixes; /* "": none; the latter a comma list */
    const char *server_type; /* "any", "standalone" or "clustered" */
} ssa_settings_given;

void ssa_settings_given_init(ssa_settings_given *given);

typedef enum ssa_setting_source {
    SSA_FROM_DEFAULT,
    SSA_FROM_ARGUMENT,
    SSA_FROM_ENVIRONMENT,
    SSA_FROM_FILE
} ssa_setting_source;

#define SSA_SETTINGS_COUNT 22

/* All resolved. Owns its memory; read it, do not change it. Strings are never NULL unless that is said. */
typedef struct ssa_settings {
    ssa_address *addresses;  /* at least one */
    size_t address_count;
    char *user;
    char *password;          /* NULL: none. Zeroed before its memory is released */
    char *identifier;        /* "" for the store without one */
    char *sockets;           /* directory of the `<port>.sock` of shards on this host; "" */
    char *write_prefix;      /* "" */
    char **read_prefixes;    /* none of them empty; the first is the data source to begin with */
    size_t read_prefix_count;
    ssa_server_mode expected_mode;
    int64_t timeout_ns;      /* SSA_NO_TIMEOUT: none */
    int64_t value_limit;     /* bytes; 0: never chunks */
    int64_t keep_bytes;      /* memory kept for the next tensor */
    int trust_topology, bulk_connection;
    int owned;               /* the experiment of this program started the store: it may be emptied. Comes with the address from who
                              * started it, never by argument: a program that brings an address of its own may empty that as "admin" */
    ssa_log_level log_level;
    char *log_file;          /* "" */
    int tls;
    char *tls_ca, *tls_cert, *tls_key, *tls_name; /* "" */

    char *file;              /* what SSDB_FILE named, for ssa_settings_describe; "" */
    unsigned char sources[SSA_SETTINGS_COUNT]; /* ssa_setting_source, in the order of the table */
} ssa_settings;

/* The value of an environment variable, or NULL. Borrowed until the next look-up. */
typedef const char *(*ssa_lookup)(void *user, const char *name);

/* Resolve all settings; lookup NULL: getenv. SSA_EARGUMENT: all mistakes at once, one a line joined by "\n", in
 * *mistakes (a NUL that is not counted stands behind them); passwords are never in it. SSA_ENOMEM. After an error
 * *settings is empty. */
ssa_status ssa_settings_resolve(ssa_settings *settings, const ssa_settings_given *given, ssa_lookup lookup, void *user,
                                ssa_buffer *mistakes);

/* For a blocking client, after they were resolved: one connection a shard unless somebody asked for more. Thousands of ranks would
 * have twice as many. */
void ssa_settings_prefer_one_connection(ssa_settings *settings);

/* Append one aligned line for each setting: name, value, where it came from, meaning. A password is "(set)" or
 * "(unset)". */
ssa_status ssa_settings_describe(const ssa_settings *settings, ssa_buffer *text);

/* Leaves it empty; an empty (all zero) one is allowed. */
void ssa_settings_free(ssa_settings *settings);

#endif
