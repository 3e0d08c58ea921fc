/* ssasync.h: the ssasync client for C, and the base of the C++ and Fortran clients.
 *
 * Compile against the installed Python package:
 *
 *     cc program.c $(ssasync config --cflags --libs)
 *
 * Every function that can fail returns an ssa_status; the text of the error lies in the handle (ssa_client_error). The
 * library never exits or aborts, prints nothing but a log that was asked for (log_level), and keeps no global state. C99
 * or later, C++11 or later.
 *
 * Names and other texts are a pointer and a length in bytes; SSA_TEXT_ENDS as the length: up to the NUL.
 *
 * timeout, in seconds, is the last argument that goes into a function: negative (SSA_CLIENT_TIMEOUT) is the client's
 * own (option `timeout`, 60 s if nothing is said), INFINITY none. When it is over the function returns SSA_ETIMEOUT; a
 * write may then be carried out later, but in its order with later ones of the same client on the same name. Or
 * SSA_ECONNECT: there was no connection all that time (a store that does not listen may be starting), and nothing was
 * carried out; or SSA_ECLOSED: the connection was lost, and what changes the store may or may not have been carried
 * out. Besides what is named at a function every one of them can end with SSA_EARGUMENT, SSA_ETIMEOUT, SSA_ECONNECT,
 * SSA_ECLOSED, SSA_ESERVER, SSA_EPERMISSION, SSA_ETOPOLOGY, SSA_ENOMEM and SSA_EFORK.
 *
 * Threads may share a client: they take turns for an instant, and wait side by side. Datasets, tensors, futures and
 * batches are used by one thread at a time. A client belongs to the process that opened it: after a fork the child's
 * calls return SSA_EFORK, and it may only free it. */
#ifndef SSASYNC_H
#define SSASYNC_H

#define SSA_VERSION_MAJOR 0
#define SSA_VERSION_MINOR 1
#define SSA_VERSION_PATCH 0
#define SSA_VERSION_TEXT "0.1.0.dev0"

#include "ssasync_types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Library ---------------------------------------------------------------------------------------------------- */

/* The version of the library that runs, such as "0.1.0"; SSA_VERSION_TEXT is that of the header of the program. */
SSA_API const char *ssa_version(void);

/* What was chosen when the library was built, as words with blanks between: "tls" or "". */
SSA_API const char *ssa_features(void);

/* ---- Client ----------------------------------------------------------------------------------------------------- */

#define SSA_CLIENT_TIMEOUT (-1.0)    /* as a timeout: the client's own */

/* A client of one store: its connections, prefixes, and what failed last. */
typedef struct ssa_client ssa_client;

/* What a client is to know. Each that is not given here is read from the environment (SSDB, SSDB_USER, SSDB_PASSWORD,
 * SSDB_FILE, SSKEYIN, SSKEYOUT, SSA_TIMEOUT ..., with _<identifier> behind the name for a further store), as an
 * Experiment sets it for what it starts; else there are defaults. So an address that is given is used with the user,
 * password and prefixes of the environment, unless these are given too. ssa_client_describe tells them all. Set by
 * ssa_options_init to "not given"; texts end in NUL and are borrowed by ssa_client_new only. */
typedef struct ssa_options {
    size_t size;            /* of this struct, as the caller was compiled */
    const char *address;    /* "host:port" or "unix:///path", several with commas between. NULL: not given; so below */
    const char *user;
    const char *password;
    const char *identifier; /* of a further store */
    double timeout;         /* seconds; INFINITY: none; negative: not given */
    int bulk_connection;    /* 1: long values go over a second connection, past which short ones are quicker, which
                               is of use to threads; 0: they do not; negative: not given, also below */
    int trust_topology;     /* 1: follow a cluster to addresses that were not announced */
    int64_t value_limit;    /* bytes above which values are stored in pieces; 0: never */
    int log_level;          /* ssa_log_level */
    const char *log_file;   /* lines are appended to it */
    ssa_log_sink log_sink;  /* lines are given to it; NULL: none. With neither, to standard error */
    void *log_user;         /* its first argument */
    int tls;                /* 1: connections over TCP are encrypted, with TLS (ssa_features); unix sockets never are */
    const char *tls_ca, *tls_cert, *tls_key; /* files in PEM: who is trusted (not given: whom the system trusts); the
                               client's own certificate and key, which has no password */
    const char *tls_name;   /* the name in the server's certificate, if not its host */
    const char *write_prefix;  /* of the names that are written (SSKEYOUT); "": none */
    const char *read_prefixes; /* of the producers to read from (SSKEYIN), with commas between; "": none */
    const char *server_type;   /* "standalone" or "clustered": what the server must be; "any": it is asked */
} ssa_options;

/* size: sizeof(ssa_options). Fields behind it are not touched. */
SSA_API void ssa_options_init(ssa_options *options, size_t size);

/* Open a client. options NULL: everything from the environment. It connects at the first operation.
 * After a failure *client is a handle too, whose ssa_client_error tells all that is wrong, and which is to be freed;
 * NULL when there was no memory for that. */
SSA_API ssa_status ssa_client_new(const ssa_options *options, ssa_client **client);

/* Close it. NULL is allowed. Futures and batches that are left end with SSA_ECLOSED and are still to be freed, in any
 * order; so do calls that other threads are in. */
SSA_API void ssa_client_free(ssa_client *client);

/* Why the last call that failed in this thread on this client did: the thing, the value, the remedy; "" if none has.
 * Never NULL, also without a client. Borrowed until the next such call of this thread, or ssa_client_free. */
SSA_API const char *ssa_client_error(ssa_client *client);

/* All settings, a line for each: name, value, where it comes from, meaning; no passwords. Into the buffer, which ends
 * in NUL if it has room; *bytes: how long the text is without that, whatever the room. */
SSA_API ssa_status ssa_client_describe(ssa_client *client, char *buffer, size_t room, size_t *bytes);

/* The timeout of calls that give none. Seconds; INFINITY: none. */
SSA_API ssa_status ssa_client_set_timeout(ssa_client *client, double timeout);

/* What a client has done since it was opened, whichever thread asked for it. */
typedef struct ssa_statistics {
    size_t size;             /* of this struct, as the caller was compiled */
    uint64_t requests;       /* operations that were begun; a batch is one more than it has operations */
    uint64_t commands;       /* given to connections; again when they are repeated */
    uint64_t retries;        /* commands that were repeated: a connection was lost, or a server said "not now" */
    uint64_t redirections;   /* MOVED and ASK that were followed */
    uint64_t refreshes;      /* of the topology of a cluster */
    uint64_t connections;    /* that were opened */
} ssa_statistics;

/* size: sizeof(ssa_statistics). Fields that this library does not know are 0, and all after a failure. */
SSA_API ssa_status ssa_client_statistics(ssa_client *client, ssa_statistics *statistics, size_t size);

/* ---- Prefixes: which names get the one of the ensemble member --------------------------------------------------- */

/* Read from this producer from now on: one of those in SSKEYIN, or the client's own prefix. */
SSA_API ssa_status ssa_set_data_source(ssa_client *client, const char *source, size_t source_bytes);
/* 1: the names of this kind get the prefix; 0: they do not. At first tensors, datasets and lists do, models (and
 * scripts) do not. */
SSA_API ssa_status ssa_use_tensor_ensemble_prefix(ssa_client *client, int use);
SSA_API ssa_status ssa_use_dataset_ensemble_prefix(ssa_client *client, int use);
SSA_API ssa_status ssa_use_list_ensemble_prefix(ssa_client *client, int use);
SSA_API ssa_status ssa_use_model_ensemble_prefix(ssa_client *client, int use);

/* ---- Arrays of the caller, and tensors -------------------------------------------------------------------------- */

/* An array of the caller: where and how it lies. */
typedef struct ssa_array {
    size_t size;            /* of this struct, as the caller was compiled */
    void *data;             /* element [0, ..., 0], or the pointers; NULL only where there are no elements */
    const int64_t *shape;   /* of ndim dimensions; NULL where ndim is 0 */
    const int64_t *strides; /* SSA_STRIDED: bytes between neighbours along each dimension; otherwise not looked at */
    int ndim;               /* 0 to 32 */
    int dtype;              /* ssa_dtype */
    int layout;             /* ssa_layout */
    size_t itemsize;        /* bytes of an element of SSA_STRING and SSA_UNICODE; for others 0 or the right one */
} ssa_array;

/* Describe a row-major array; change the fields for others. size: sizeof(ssa_array). What `data` points to is written
 * only by functions that unpack. */
SSA_API void ssa_array_init(ssa_array *array, size_t size, const void *data, ssa_dtype dtype, const int64_t *shape,
                            int ndim);

/* A tensor that came from the store, in memory of the library's. It needs no client, and may outlive it. NULL is
 * allowed everywhere here: nothing is freed, and what is asked is 0 or NULL. */
typedef struct ssa_tensor ssa_tensor;

SSA_API void ssa_tensor_free(ssa_tensor *tensor);
SSA_API ssa_dtype ssa_tensor_dtype(const ssa_tensor *tensor);
SSA_API size_t ssa_tensor_itemsize(const ssa_tensor *tensor);
SSA_API int ssa_tensor_ndim(const ssa_tensor *tensor);
SSA_API const int64_t *ssa_tensor_shape(const ssa_tensor *tensor); /* ndim numbers, the tensor's */
SSA_API ssa_layout ssa_tensor_layout(const ssa_tensor *tensor);    /* SSA_ROW_MAJOR or SSA_COLUMN_MAJOR */
SSA_API size_t ssa_tensor_bytes(const ssa_tensor *tensor);
/* The elements, in one piece, at a multiple of 64 bytes; they may be changed. */
SSA_API void *ssa_tensor_data(const ssa_tensor *tensor);
/* What a T** or T*** variable takes, if it was asked for as SSA_NESTED_POINTERS; else NULL. With fewer than two
 * dimensions the elements. */
SSA_API void *ssa_tensor_nested(const ssa_tensor *tensor);

/* Store an array under a name. Arrays in one piece are sent from where they lie, others are packed once; either way the
 * array is the caller's again when this returns. SSA_EFULL. */
SSA_API ssa_status ssa_put_tensor(ssa_client *client, const char *name, size_t name_bytes, const ssa_array *array,
                                  double timeout);
/* *tensor: freed by ssa_tensor_free; NULL after a failure. layout: as it is wanted, SSA_AS_STORED or any but
 * SSA_STRIDED. SSA_ENOTFOUND, SSA_EHEADER (other bytes), SSA_EVERSION, SSA_ETYPE (another kind of value). */
SSA_API ssa_status ssa_get_tensor(ssa_client *client, const char *name, size_t name_bytes, ssa_layout layout,
                                  ssa_tensor **tensor, double timeout);
/* Into the caller's array, of any layout; undefined unless it succeeds. As ssa_get_tensor, and SSA_EDTYPE, SSA_ESHAPE:
 * the stored one is not of the array's dtype and shape. */
SSA_API ssa_status ssa_unpack_tensor(ssa_client *client, const char *name, size_t name_bytes, const ssa_array *into,
                                     double timeout);
/* Tensors, bytes and lists share one space of names: what deletes one, asks whether it is there, waits for it, or says how
 * long it stays is about whichever of the three is called so.
 *
 * No error if there is none. */
SSA_API ssa_status ssa_delete_tensor(ssa_client *client, const char *name, size_t name_bytes, double timeout);
/* *exists: 1 or 0. */
SSA_API ssa_status ssa_tensor_exists(ssa_client *client, const char *name, size_t name_bytes, int *exists,
                                     double timeout);
/* Until there is one; the store tells, nothing polls. SSA_EWAIT: there was none in that time. */
SSA_API ssa_status ssa_wait_for_tensor(ssa_client *client, const char *name, size_t name_bytes, double timeout);

/* The same tensor under another name; what was there goes. The source has the prefix to read from, the target the one
 * to write with. The time that it has left goes along. SSA_ENOTFOUND, SSA_EFULL. */
SSA_API ssa_status ssa_copy_tensor(ssa_client *client, const char *source, size_t source_bytes, const char *target,
                                   size_t target_bytes, double timeout);
SSA_API ssa_status ssa_rename_tensor(ssa_client *client, const char *source, size_t source_bytes, const char *target,
                                     size_t target_bytes, double timeout);

/* How long it stays from now on, in seconds above 0; a put starts anew, without an end. SSA_ENOTFOUND, here and below. */
SSA_API ssa_status ssa_set_tensor_ttl(ssa_client *client, const char *name, size_t name_bytes, double seconds,
                                      double timeout);
/* *seconds: INFINITY: until it is deleted. */
SSA_API ssa_status ssa_get_tensor_ttl(ssa_client *client, const char *name, size_t name_bytes, double *seconds,
                                      double timeout);
/* It stays until it is deleted. */
SSA_API ssa_status ssa_persist_tensor(ssa_client *client, const char *name, size_t name_bytes, double timeout);

/* ---- Bytes: under the same names as tensors --------------------------------------------------------------------- */

/* data is borrowed until this returns; NULL for no bytes. SSA_EFULL. */
SSA_API ssa_status ssa_put_bytes(ssa_client *client, const char *name, size_t name_bytes, const void *data,
                                 size_t bytes, double timeout);
/* *data: a row of SSA_UINT8 (ssa_tensor_data, ssa_tensor_bytes), freed by ssa_tensor_free; NULL after a failure.
 * SSA_ENOTFOUND, SSA_ETYPE. */
SSA_API ssa_status ssa_get_bytes(ssa_client *client, const char *name, size_t name_bytes, ssa_tensor **data,
                                 double timeout);
SSA_API ssa_status ssa_delete_bytes(ssa_client *client, const char *name, size_t name_bytes, double timeout);
SSA_API ssa_status ssa_bytes_exists(ssa_client *client, const char *name, size_t name_bytes, int *exists,
                                    double timeout);

/* ---- Keys, and what every kind of thing has --------------------------------------------------------------------- */

/* key: a whole one, without prefix. */
SSA_API ssa_status ssa_key_exists(ssa_client *client, const char *key, size_t key_bytes, int *exists, double timeout);
SSA_API ssa_status ssa_dataset_exists(ssa_client *client, const char *name, size_t name_bytes, int *exists,
                                      double timeout);
SSA_API ssa_status ssa_model_exists(ssa_client *client, const char *name, size_t name_bytes, int *exists,
                                    double timeout);
SSA_API ssa_status ssa_script_exists(ssa_client *client, const char *name, size_t name_bytes, int *exists,
                                     double timeout);
SSA_API ssa_status ssa_wait_for_key(ssa_client *client, const char *key, size_t key_bytes, double timeout);
SSA_API ssa_status ssa_wait_for_dataset(ssa_client *client, const char *name, size_t name_bytes, double timeout);
SSA_API ssa_status ssa_wait_for_model(ssa_client *client, const char *name, size_t name_bytes, double timeout);

/* Until a list is so long; one that does not exist has length 0. SSA_EWAIT. */
SSA_API ssa_status ssa_wait_for_list_length(ssa_client *client, const char *list, size_t list_bytes, int64_t length,
                                            ssa_comparison comparison, double timeout);

/* As the waits, for frequency_ms * tries milliseconds: *found is 1, or 0 when that time is over, which is no error. The
 * timeout is for the last answer alone. */
SSA_API ssa_status ssa_poll_key(ssa_client *client, const char *key, size_t key_bytes, int64_t frequency_ms,
                                int64_t tries, int *found, double timeout);
SSA_API ssa_status ssa_poll_tensor(ssa_client *client, const char *name, size_t name_bytes, int64_t frequency_ms,
                                   int64_t tries, int *found, double timeout);
SSA_API ssa_status ssa_poll_dataset(ssa_client *client, const char *name, size_t name_bytes, int64_t frequency_ms,
                                    int64_t tries, int *found, double timeout);
SSA_API ssa_status ssa_poll_model(ssa_client *client, const char *name, size_t name_bytes, int64_t frequency_ms,
                                  int64_t tries, int *found, double timeout);
SSA_API ssa_status ssa_poll_list_length(ssa_client *client, const char *list, size_t list_bytes, int64_t length,
                                        int64_t frequency_ms, int64_t tries, int *found, double timeout);
SSA_API ssa_status ssa_poll_list_length_gte(ssa_client *client, const char *list, size_t list_bytes, int64_t length,
                                            int64_t frequency_ms, int64_t tries, int *found, double timeout);
SSA_API ssa_status ssa_poll_list_length_lte(ssa_client *client, const char *list, size_t list_bytes, int64_t length,
                                            int64_t frequency_ms, int64_t tries, int *found, double timeout);

/* ---- Lists of texts, as some functions give them ---------------------------------------------------------------- */

typedef struct ssa_texts ssa_texts;

SSA_API void ssa_texts_free(ssa_texts *texts);         /* NULL is allowed */
SSA_API size_t ssa_texts_count(const ssa_texts *texts); /* NULL: none */
/* The text at a place from 0 on, with a NUL behind it, borrowed from the list; *bytes (NULL: not wanted): its length.
 * NULL: there is none at that place. */
SSA_API const char *ssa_texts_at(const ssa_texts *texts, size_t place, size_t *bytes);

/* ---- Datasets: tensors, bytes and metadata under one name ------------------------------------------------------- */

/* A dataset in memory. One thread at a time. Names of datasets, items and fields have 1 to 1,024 bytes without braces;
 * those of items and fields do not begin with ".", and no item is called "meta". */
typedef struct ssa_dataset ssa_dataset;

/* An empty one; NULL after a failure. SSA_EARGUMENT: the name cannot be one. */
SSA_API ssa_status ssa_dataset_new(const char *name, size_t name_bytes, ssa_dataset **dataset);
SSA_API void ssa_dataset_free(ssa_dataset *dataset); /* NULL is allowed */
/* Why the last call that failed on it did, besides those of a client. Borrowed until the next call. Never NULL. */
SSA_API const char *ssa_dataset_error(const ssa_dataset *dataset);
/* Borrowed from the dataset, without a NUL; *bytes: its length. */
SSA_API const char *ssa_dataset_get_name(const ssa_dataset *dataset, size_t *bytes);

/* Add copies. An item (tensors and bytes) has a name of its own; scalars and strings are added to a field, which holds
 * values of one type: SSA_BOOL, SSA_INT32, SSA_INT64, SSA_UINT32, SSA_UINT64, SSA_FLOAT32, SSA_FLOAT64, or strings.
 * SSA_EARGUMENT: the name is taken, or cannot be one; SSA_EDTYPE: the field has another type. */
SSA_API ssa_status ssa_add_tensor(ssa_dataset *dataset, const char *name, size_t name_bytes, const ssa_array *array);
SSA_API ssa_status ssa_add_bytes(ssa_dataset *dataset, const char *name, size_t name_bytes, const void *data,
                                 size_t bytes);
SSA_API ssa_status ssa_add_meta_scalar(ssa_dataset *dataset, const char *name, size_t name_bytes, const void *value,
                                       ssa_dtype type);
SSA_API ssa_status ssa_add_meta_string(ssa_dataset *dataset, const char *name, size_t name_bytes, const char *text,
                                       size_t text_bytes);

/* What is in it. SSA_ENOTFOUND: no such item or field. */
SSA_API ssa_status ssa_get_dataset_tensor(ssa_dataset *dataset, const char *name, size_t name_bytes, ssa_layout layout,
                                          ssa_tensor **tensor);
SSA_API ssa_status ssa_unpack_dataset_tensor(ssa_dataset *dataset, const char *name, size_t name_bytes,
                                             const ssa_array *into);
/* Borrowed from the dataset until it is changed or freed, here and below. */
SSA_API ssa_status ssa_get_dataset_bytes(ssa_dataset *dataset, const char *name, size_t name_bytes, const void **data,
                                         size_t *bytes);
SSA_API ssa_status ssa_get_meta_scalars(ssa_dataset *dataset, const char *name, size_t name_bytes, const void **values,
                                        size_t *count, ssa_dtype *type);
/* Freed by ssa_texts_free. */
SSA_API ssa_status ssa_get_meta_strings(ssa_dataset *dataset, const char *name, size_t name_bytes, ssa_texts **texts);
SSA_API ssa_status ssa_get_tensor_names(ssa_dataset *dataset, ssa_texts **names);
SSA_API ssa_status ssa_get_bytes_names(ssa_dataset *dataset, ssa_texts **names);
SSA_API ssa_status ssa_get_metadata_field_names(ssa_dataset *dataset, ssa_texts **names);
SSA_API ssa_status ssa_get_tensor_type(ssa_dataset *dataset, const char *name, size_t name_bytes, ssa_dtype *type);
SSA_API ssa_status ssa_get_tensor_dims(ssa_dataset *dataset, const char *name, size_t name_bytes, const int64_t **shape,
                                       int *ndim);
/* SSA_STRING: strings. */
SSA_API ssa_status ssa_get_metadata_field_type(ssa_dataset *dataset, const char *name, size_t name_bytes,
                                               ssa_dtype *type);
/* *has: 1 or 0. */
SSA_API ssa_status ssa_has_field(ssa_dataset *dataset, const char *name, size_t name_bytes, int *has);

/* Take a tensor, bytes or a field out of the dataset, not out of the store. SSA_ENOTFOUND; SSA_EARGUMENT: a put of the
 * dataset is under way. */
SSA_API ssa_status ssa_remove_tensor(ssa_dataset *dataset, const char *name, size_t name_bytes);
SSA_API ssa_status ssa_remove_bytes(ssa_dataset *dataset, const char *name, size_t name_bytes);
SSA_API ssa_status ssa_clear_field(ssa_dataset *dataset, const char *name, size_t name_bytes);

/* Store it, in place of what was there: who reads sees the old or the new one, never a mixture. It must not be changed
 * before this returns. SSA_EARGUMENT: it is empty; SSA_EFULL. */
SSA_API ssa_status ssa_put_dataset(ssa_client *client, ssa_dataset *dataset, double timeout);
/* *dataset: freed by ssa_dataset_free; NULL after a failure. SSA_ENOTFOUND, SSA_EDATASET (what is stored is no
 * dataset). */
SSA_API ssa_status ssa_get_dataset(ssa_client *client, const char *name, size_t name_bytes, ssa_dataset **dataset,
                                   double timeout);
/* No error if there is none. */
SSA_API ssa_status ssa_delete_dataset(ssa_client *client, const char *name, size_t name_bytes, double timeout);
/* Here too the time that it has left goes along. */
SSA_API ssa_status ssa_copy_dataset(ssa_client *client, const char *source, size_t source_bytes, const char *target,
                                    size_t target_bytes, double timeout);
SSA_API ssa_status ssa_rename_dataset(ssa_client *client, const char *source, size_t source_bytes, const char *target,
                                      size_t target_bytes, double timeout);
/* As those of tensors, for all of it at one moment. */
SSA_API ssa_status ssa_set_dataset_ttl(ssa_client *client, const char *name, size_t name_bytes, double seconds,
                                       double timeout);
SSA_API ssa_status ssa_get_dataset_ttl(ssa_client *client, const char *name, size_t name_bytes, double *seconds,
                                       double timeout);
SSA_API ssa_status ssa_persist_dataset(ssa_client *client, const char *name, size_t name_bytes, double timeout);

/* ---- Lists of datasets: they hold names, not copies ------------------------------------------------------------- */

/* Not repeated when the connection was lost before the answer (SSA_ECLOSED): it might append twice. */
SSA_API ssa_status ssa_append_to_list(ssa_client *client, const char *list, size_t list_bytes, const char *dataset,
                                      size_t dataset_bytes, double timeout);
SSA_API ssa_status ssa_get_list_length(ssa_client *client, const char *list, size_t list_bytes, int64_t *length,
                                       double timeout);
SSA_API ssa_status ssa_delete_list(ssa_client *client, const char *list, size_t list_bytes, double timeout);
/* As those of tensors, for the list alone: its datasets stay. What is appended changes nothing about its end. */
SSA_API ssa_status ssa_set_list_ttl(ssa_client *client, const char *list, size_t list_bytes, double seconds,
                                    double timeout);
SSA_API ssa_status ssa_get_list_ttl(ssa_client *client, const char *list, size_t list_bytes, double *seconds,
                                    double timeout);
SSA_API ssa_status ssa_persist_list(ssa_client *client, const char *list, size_t list_bytes, double timeout);
SSA_API ssa_status ssa_copy_list(ssa_client *client, const char *source, size_t source_bytes, const char *target,
                                 size_t target_bytes, double timeout);
SSA_API ssa_status ssa_rename_list(ssa_client *client, const char *source, size_t source_bytes, const char *target,
                                   size_t target_bytes, double timeout);

/* Datasets in the order of their list. */
typedef struct ssa_datasets ssa_datasets;

/* All that the list names, in few round trips; *datasets: freed by ssa_datasets_free. SSA_ENOTFOUND: the text says
 * which is not there. */
SSA_API ssa_status ssa_get_datasets_from_list(ssa_client *client, const char *list, size_t list_bytes,
                                              ssa_datasets **datasets, double timeout);
/* Those from one place to another, both included; negative ones count from the end. */
SSA_API ssa_status ssa_get_dataset_list_range(ssa_client *client, const char *list, size_t list_bytes, int64_t from,
                                              int64_t to, ssa_datasets **datasets, double timeout);
SSA_API void ssa_datasets_free(ssa_datasets *datasets);         /* NULL is allowed */
SSA_API size_t ssa_datasets_count(const ssa_datasets *datasets); /* NULL: none */
/* The one at a place becomes the caller's, once: freed by ssa_dataset_free. NULL: it was taken, or there is none. */
SSA_API ssa_dataset *ssa_datasets_take(ssa_datasets *datasets, size_t place);

/* ---- Models and scripts ----------------------------------------------------------------------------------------- */

/* How a model is to be served. Texts end in NUL; NULL: as ssa_model_description_init says. */
typedef struct ssa_model_description {
    size_t size;            /* of this struct, as the caller was compiled */
    const char *backend;    /* "TORCH"; not looked at for a script */
    const char *device;     /* "CPU", "GPU", "GPU:<n>"; not looked at with num_gpus */
    int first_gpu;          /* with num_gpus: one copy for each of GPU:<first_gpu>, GPU:<first_gpu + 1> ... */
    int num_gpus;           /* 0: one device */
    int64_t batch_size;     /* rows that are run together at most; 0: requests are run one by one */
    int64_t min_batch_size; /* rows to wait for, */
    int64_t min_batch_timeout; /* so many milliseconds at most */
    const char *tag;        /* kept with the model, as the next two: names with commas between */
    const char *inputs;
    const char *outputs;
} ssa_model_description;

/* By TORCH on the CPU, one by one, without tag and names. size: sizeof(ssa_model_description). */
SSA_API void ssa_model_description_init(ssa_model_description *description, size_t size);

/* Store a new version and make it the current one. The bytes are borrowed until this returns. description NULL: as
 * ssa_model_description_init says. SSA_EARGUMENT: a device, a backend or a number that cannot be; SSA_EFULL.
 * _from_file: SSA_ESYSTEM: it cannot be read. */
SSA_API ssa_status ssa_set_model(ssa_client *client, const char *name, size_t name_bytes, const void *model,
                                 size_t model_bytes, const ssa_model_description *description, double timeout);
SSA_API ssa_status ssa_set_model_from_file(ssa_client *client, const char *name, size_t name_bytes, const char *file,
                                           size_t file_bytes, const ssa_model_description *description, double timeout);
/* script: the source text. */
SSA_API ssa_status ssa_set_script(ssa_client *client, const char *name, size_t name_bytes, const char *script,
                                  size_t script_bytes, const ssa_model_description *description, double timeout);
SSA_API ssa_status ssa_set_script_from_file(ssa_client *client, const char *name, size_t name_bytes, const char *file,
                                            size_t file_bytes, const ssa_model_description *description,
                                            double timeout);
/* One version, a copy for each of GPU:<first_gpu>, GPU:<first_gpu + 1> ...: see ssa_run_model_multigpu. num_gpus: 1 to
 * 1,024. The description's device and GPUs are not looked at. */
SSA_API ssa_status ssa_set_model_multigpu(ssa_client *client, const char *name, size_t name_bytes, const void *model,
                                          size_t model_bytes, int first_gpu, int num_gpus,
                                          const ssa_model_description *description, double timeout);
SSA_API ssa_status ssa_set_model_from_file_multigpu(ssa_client *client, const char *name, size_t name_bytes,
                                                    const char *file, size_t file_bytes, int first_gpu, int num_gpus,
                                                    const ssa_model_description *description, double timeout);
SSA_API ssa_status ssa_set_script_multigpu(ssa_client *client, const char *name, size_t name_bytes, const char *script,
                                           size_t script_bytes, int first_gpu, int num_gpus, double timeout);
SSA_API ssa_status ssa_set_script_from_file_multigpu(ssa_client *client, const char *name, size_t name_bytes,
                                                     const char *file, size_t file_bytes, int first_gpu, int num_gpus,
                                                     double timeout);
/* *model: one text, the bytes of the current version. SSA_ENOTFOUND. */
SSA_API ssa_status ssa_get_model(ssa_client *client, const char *name, size_t name_bytes, ssa_texts **model,
                                 double timeout);
SSA_API ssa_status ssa_get_script(ssa_client *client, const char *name, size_t name_bytes, ssa_texts **script,
                                  double timeout);
/* *metadata: two texts for each field, its name and its value. */
SSA_API ssa_status ssa_get_model_metadata(ssa_client *client, const char *name, size_t name_bytes, ssa_texts **metadata,
                                          double timeout);
SSA_API ssa_status ssa_get_script_metadata(ssa_client *client, const char *name, size_t name_bytes,
                                           ssa_texts **metadata, double timeout);
/* All versions. No error if there is none. */
SSA_API ssa_status ssa_delete_model(ssa_client *client, const char *name, size_t name_bytes, double timeout);
SSA_API ssa_status ssa_delete_script(ssa_client *client, const char *name, size_t name_bytes, double timeout);
/* The same: one version serves all devices. For programs that name their GPUs in every call. */
SSA_API ssa_status ssa_delete_model_multigpu(ssa_client *client, const char *name, size_t name_bytes, int first_gpu,
                                             int num_gpus, double timeout);
SSA_API ssa_status ssa_delete_script_multigpu(ssa_client *client, const char *name, size_t name_bytes, int first_gpu,
                                              int num_gpus, double timeout);

/* Names of tensors, or {dataset}.tensor. */
typedef struct ssa_names {
    const char *const *names;
    const size_t *bytes; /* of each; NULL: all end in NUL */
    size_t count;
} ssa_names;

/* Run it on tensors of the store; its outputs are stored by this client, and are when this returns. One that is
 * {dataset}.tensor takes the place of a tensor that the dataset has; else no output is stored, SSA_ENOTFOUND. No two
 * outputs have the same name. SSA_ENOTFOUND, SSA_EARGUMENT, SSA_EMODEL, SSA_EINPUT, SSA_ERUN, SSA_ENOWORKER,
 * SSA_EWORKERLIST. */
SSA_API ssa_status ssa_run_model(ssa_client *client, const char *name, size_t name_bytes, ssa_names inputs,
                                 ssa_names outputs, double timeout);
SSA_API ssa_status ssa_run_script(ssa_client *client, const char *name, size_t name_bytes, const char *function,
                                  size_t function_bytes, ssa_names inputs, ssa_names outputs, double timeout);
/* On the worker of GPU:<first_gpu + offset % num_gpus>. offset: the caller's number, a rank for instance: callers take
 * turns on the GPUs. Below 0 it counts from the last GPU. */
SSA_API ssa_status ssa_run_model_multigpu(ssa_client *client, const char *name, size_t name_bytes, ssa_names inputs,
                                          ssa_names outputs, int64_t offset, int first_gpu, int num_gpus,
                                          double timeout);
SSA_API ssa_status ssa_run_script_multigpu(ssa_client *client, const char *name, size_t name_bytes,
                                           const char *function, size_t function_bytes, ssa_names inputs,
                                           ssa_names outputs, int64_t offset, int first_gpu, int num_gpus,
                                           double timeout);

/* Run a model on the caller's arrays; nothing is left in the store. outputs: room for *output_count tensors (508 at most,
 * as for inputs), row-major; NULLs after a failure. *output_count: how many the model gave. SSA_ELIMIT: more than there
 * is room for. Otherwise as ssa_run_model. */
SSA_API ssa_status ssa_infer(ssa_client *client, const char *model, size_t model_bytes, const ssa_array *inputs,
                             size_t input_count, ssa_tensor **outputs, size_t *output_count, double timeout);

/* ---- What a simulation is asked for ----------------------------------------------------------------------------- */

/* The safe point of a simulation: what was asked of it since the last one. Costs no round trip as long as nothing was.
 * entity: NULL for the prefix of this client. *requests: three texts for each, kind ("set", "checkpoint", "stop"), name
 * and value; NULL: none. Freed by ssa_texts_free. A client gives each request once, whichever thread polls; a poll that
 * fails has taken none, they come with the next one. SSA_EPROTOCOL: one that cannot be read, once; those behind it come
 * with the next poll. */
SSA_API ssa_status ssa_control_poll(ssa_client *client, const char *entity, size_t entity_bytes, ssa_texts **requests,
                                    double timeout);
/* Ask an entity: kind "set" with a name and a value, "checkpoint" or "stop" without (NULL). */
SSA_API ssa_status ssa_control_send(ssa_client *client, const char *entity, size_t entity_bytes, const char *kind,
                                    size_t kind_bytes, const char *name, size_t name_bytes, const char *value,
                                    size_t value_bytes, double timeout);
/* Forget all that it was asked for: before it starts anew, and at its end. */
SSA_API ssa_status ssa_control_clear(ssa_client *client, const char *entity, size_t entity_bytes, double timeout);

/* ---- Servers. address: of one of the store's, NULL for all of them ---------------------------------------------- */

/* *info: two texts for each server, its address and what it says (INFO, CLUSTER INFO). SSA_EUNSUPPORTED: it is no
 * cluster. */
SSA_API ssa_status ssa_get_db_node_info(ssa_client *client, const char *address, size_t address_bytes, ssa_texts **info,
                                        double timeout);
SSA_API ssa_status ssa_get_db_cluster_info(ssa_client *client, const char *address, size_t address_bytes,
                                           ssa_texts **info, double timeout);
/* Whether they answer. */
SSA_API ssa_status ssa_ping(ssa_client *client, const char *address, size_t address_bytes, double timeout);
/* *settings: two texts for each that fits the pattern, name and value. address NULL: only where there is one server; so
 * below. SSA_ENOTFOUND. For the admin role, as the next two: SSA_EPERMISSION. */
SSA_API ssa_status ssa_config_get(ssa_client *client, const char *pattern, size_t pattern_bytes, const char *address,
                                  size_t address_bytes, ssa_texts **settings, double timeout);
SSA_API ssa_status ssa_config_set(ssa_client *client, const char *parameter, size_t parameter_bytes, const char *value,
                                  size_t value_bytes, const char *address, size_t address_bytes, double timeout);
/* A snapshot on disk, begun after the call; the servers go on answering. */
SSA_API ssa_status ssa_save(ssa_client *client, const char *address, size_t address_bytes, double timeout);
/* Delete all keys of users, or those of one prefix (NULL: all). *deleted (NULL: not wanted): how many. SSA_EPERMISSION:
 * the store is not this experiment's. */
SSA_API ssa_status ssa_flush_db(ssa_client *client, const char *prefix, size_t prefix_bytes, int64_t *deleted,
                                double timeout);

/* ---- Futures: operations that go on while the program computes -------------------------------------------------- */

/* An operation that was started. The caller's arrays are borrowed until it is done: a put must not change its own, an
 * unpack's is undefined. It moves on inside calls on its client, of any thread: who computes for long between them may
 * look with ssa_future_test. Freed by ssa_future_free. */
typedef struct ssa_future ssa_future;

/* As the functions without start_. timeout: of the operation, from now. *future: NULL after a failure. */
SSA_API ssa_status ssa_start_put_tensor(ssa_client *client, const char *name, size_t name_bytes, const ssa_array *array,
                                        double timeout, ssa_future **future);
SSA_API ssa_status ssa_start_get_tensor(ssa_client *client, const char *name, size_t name_bytes, ssa_layout layout,
                                        double timeout, ssa_future **future);
SSA_API ssa_status ssa_start_unpack_tensor(ssa_client *client, const char *name, size_t name_bytes,
                                           const ssa_array *into, double timeout, ssa_future **future);

SSA_API ssa_status ssa_start_infer(ssa_client *client, const char *model, size_t model_bytes, const ssa_array *inputs,
                                   size_t input_count, double timeout, ssa_future **future);
/* A run waits for what was started before it and changes its inputs. Until it is done they must not be overwritten, nor its
 * outputs asked for: the worker reads and computes at its own time. So too for the other forms. */
SSA_API ssa_status ssa_start_run_model(ssa_client *client, const char *name, size_t name_bytes, ssa_names inputs,
                                       ssa_names outputs, double timeout, ssa_future **future);
SSA_API ssa_status ssa_start_run_model_multigpu(ssa_client *client, const char *name, size_t name_bytes,
                                                ssa_names inputs, ssa_names outputs, int64_t offset, int first_gpu,
                                                int num_gpus, double timeout, ssa_future **future);
SSA_API ssa_status ssa_start_run_script(ssa_client *client, const char *name, size_t name_bytes, const char *function,
                                        size_t function_bytes, ssa_names inputs, ssa_names outputs, double timeout,
                                        ssa_future **future);
SSA_API ssa_status ssa_start_run_script_multigpu(ssa_client *client, const char *name, size_t name_bytes,
                                                 const char *function, size_t function_bytes, ssa_names inputs,
                                                 ssa_names outputs, int64_t offset, int first_gpu, int num_gpus,
                                                 double timeout, ssa_future **future);

/* Whether it is done, without waiting. SSA_MORE: it is not; else how it ended. */
SSA_API ssa_status ssa_future_test(ssa_future *future);
/* Wait until it is done, timeout seconds at most; negative: as long as the operation may take. As ssa_future_test. */
SSA_API ssa_status ssa_future_wait(ssa_future *future, double timeout);
/* Wait until one of them is done, all of one client; NULLs among them are passed over. *index: the first that is.
 * SSA_OK, however that one ended; SSA_MORE: none is after timeout seconds (negative: wait as long as they may take);
 * SSA_EARGUMENT: there is none, or they are of several clients. */
SSA_API ssa_status ssa_wait_any(ssa_future *const *futures, size_t count, double timeout, size_t *index);
/* Nobody waits for it any more: it is done, with SSA_ECANCELLED, and the caller's arrays are the caller's again, at
 * once. What has left may be carried out. Done already: nothing. */
SSA_API ssa_status ssa_future_cancel(ssa_future *future);
/* NULL is allowed. Cancels it if it is not done. */
SSA_API void ssa_future_free(ssa_future *future);
/* Why the last call on it failed, or the operation did; "" if neither has. Borrowed until the next call on it, or on its
 * client by this thread. Never NULL, also without a future. */
SSA_API const char *ssa_future_error(const ssa_future *future);
/* What ssa_start_get_tensor got, once: freed by ssa_tensor_free. SSA_MORE: not done; SSA_EARGUMENT: it gets none, or it
 * was taken; else how it ended. */
SSA_API ssa_status ssa_future_tensor(ssa_future *future, ssa_tensor **tensor);
/* What ssa_start_infer got, once; as ssa_infer gives it, and SSA_MORE: not done. */
SSA_API ssa_status ssa_future_outputs(ssa_future *future, ssa_tensor **outputs, size_t *output_count);

/* ---- Batches: operations gathered, then carried out in as few round trips as their order allows ------------------ */

/* Operations of one client that are carried out together. They leave at once, but for what needs something of the same
 * batch: on a name the order in which they were added holds, and a run is given what was put before it in the batch.
 *
 * Between adding and the end the caller's arrays, bytes and datasets are borrowed: a put must not change its own, an
 * unpack's is undefined. Names are copied. Where results go (`tensor`, `exists`, `outputs` and `*output_count` ...) is
 * borrowed too: set to NULL or 0 when the operation is added (`*output_count` stays what there is room for), filled at
 * the end if it succeeded, also when another one did not.
 *
 * After a failure nothing more is begun, and no run behind it stores its outputs; what had been begun may be carried
 * out.
 *
 * Freed by ssa_batch_free. */
typedef struct ssa_batch ssa_batch;

/* An empty one; NULL after a failure. */
SSA_API ssa_status ssa_batch_new(ssa_client *client, ssa_batch **batch);
/* NULL is allowed. What is under way is cancelled; its future then says SSA_ECANCELLED, and is still to be freed.
 * Results that were given stay the caller's. */
SSA_API void ssa_batch_free(ssa_batch *batch);

/* Carry it out, once. timeout: of all of it, from now. Ends with the status and text of the operation that failed, the
 * first in the order of adding. SSA_EARGUMENT: it was executed or started before. Empty: SSA_OK. */
SSA_API ssa_status ssa_batch_execute(ssa_batch *batch, double timeout);
/* The same without waiting. Results are filled by the call on the future that finds it done (ssa_future_test, _wait,
 * _cancel, ssa_wait_any); none if it was cancelled or freed before that. The batch is still to be freed; one thread at
 * a time uses it or its future. */
SSA_API ssa_status ssa_start_batch(ssa_batch *batch, double timeout, ssa_future **future);

/* How many operations were added; NULL: none. */
SSA_API size_t ssa_batch_count(const ssa_batch *batch);
/* How the operation at a place, from 0 on, ended. SSA_MORE: it has not yet; SSA_ECANCELLED: it was not carried out, or
 * not to its end, since another one failed, the time was over, or it was cancelled; SSA_EARGUMENT: there is none. */
SSA_API ssa_status ssa_batch_status(const ssa_batch *batch, size_t place);
/* Why it failed; "" if it did not, or is not done. Never NULL. Borrowed from the batch. */
SSA_API const char *ssa_batch_error(const ssa_batch *batch, size_t place);

/* Add one: as the functions without batch_. What they refuse without asking the store (SSA_EARGUMENT, SSA_ESYSTEM ...;
 * text by ssa_client_error) is refused here, and the batch is as before; also SSA_EARGUMENT: it was executed. After
 * SSA_ENOMEM it may be that it cannot be executed any more, and says so. */
SSA_API ssa_status ssa_batch_put_tensor(ssa_batch *batch, const char *name, size_t name_bytes, const ssa_array *array);
SSA_API ssa_status ssa_batch_get_tensor(ssa_batch *batch, const char *name, size_t name_bytes, ssa_layout layout,
                                        ssa_tensor **tensor);
SSA_API ssa_status ssa_batch_unpack_tensor(ssa_batch *batch, const char *name, size_t name_bytes,
                                           const ssa_array *into);
SSA_API ssa_status ssa_batch_delete_tensor(ssa_batch *batch, const char *name, size_t name_bytes);
SSA_API ssa_status ssa_batch_tensor_exists(ssa_batch *batch, const char *name, size_t name_bytes, int *exists);
SSA_API ssa_status ssa_batch_copy_tensor(ssa_batch *batch, const char *source, size_t source_bytes, const char *target,
                                         size_t target_bytes);
SSA_API ssa_status ssa_batch_rename_tensor(ssa_batch *batch, const char *source, size_t source_bytes,
                                           const char *target, size_t target_bytes);
SSA_API ssa_status ssa_batch_set_tensor_ttl(ssa_batch *batch, const char *name, size_t name_bytes, double seconds);
SSA_API ssa_status ssa_batch_get_tensor_ttl(ssa_batch *batch, const char *name, size_t name_bytes, double *seconds);
SSA_API ssa_status ssa_batch_persist_tensor(ssa_batch *batch, const char *name, size_t name_bytes);

SSA_API ssa_status ssa_batch_put_bytes(ssa_batch *batch, const char *name, size_t name_bytes, const void *data,
                                       size_t bytes);
SSA_API ssa_status ssa_batch_get_bytes(ssa_batch *batch, const char *name, size_t name_bytes, ssa_tensor **data);
SSA_API ssa_status ssa_batch_delete_bytes(ssa_batch *batch, const char *name, size_t name_bytes);
SSA_API ssa_status ssa_batch_bytes_exists(ssa_batch *batch, const char *name, size_t name_bytes, int *exists);
SSA_API ssa_status ssa_batch_key_exists(ssa_batch *batch, const char *key, size_t key_bytes, int *exists);

SSA_API ssa_status ssa_batch_put_dataset(ssa_batch *batch, ssa_dataset *dataset);
SSA_API ssa_status ssa_batch_get_dataset(ssa_batch *batch, const char *name, size_t name_bytes, ssa_dataset **dataset);
SSA_API ssa_status ssa_batch_delete_dataset(ssa_batch *batch, const char *name, size_t name_bytes);
SSA_API ssa_status ssa_batch_dataset_exists(ssa_batch *batch, const char *name, size_t name_bytes, int *exists);
SSA_API ssa_status ssa_batch_copy_dataset(ssa_batch *batch, const char *source, size_t source_bytes, const char *target,
                                          size_t target_bytes);
SSA_API ssa_status ssa_batch_rename_dataset(ssa_batch *batch, const char *source, size_t source_bytes,
                                            const char *target, size_t target_bytes);
SSA_API ssa_status ssa_batch_set_dataset_ttl(ssa_batch *batch, const char *name, size_t name_bytes, double seconds);
SSA_API ssa_status ssa_batch_get_dataset_ttl(ssa_batch *batch, const char *name, size_t name_bytes, double *seconds);
SSA_API ssa_status ssa_batch_persist_dataset(ssa_batch *batch, const char *name, size_t name_bytes);

SSA_API ssa_status ssa_batch_append_to_list(ssa_batch *batch, const char *list, size_t list_bytes, const char *dataset,
                                            size_t dataset_bytes);
SSA_API ssa_status ssa_batch_get_list_length(ssa_batch *batch, const char *list, size_t list_bytes, int64_t *length);
SSA_API ssa_status ssa_batch_delete_list(ssa_batch *batch, const char *list, size_t list_bytes);
SSA_API ssa_status ssa_batch_set_list_ttl(ssa_batch *batch, const char *list, size_t list_bytes, double seconds);
SSA_API ssa_status ssa_batch_get_list_ttl(ssa_batch *batch, const char *list, size_t list_bytes, double *seconds);
SSA_API ssa_status ssa_batch_persist_list(ssa_batch *batch, const char *list, size_t list_bytes);
SSA_API ssa_status ssa_batch_copy_list(ssa_batch *batch, const char *source, size_t source_bytes, const char *target,
                                       size_t target_bytes);
SSA_API ssa_status ssa_batch_rename_list(ssa_batch *batch, const char *source, size_t source_bytes, const char *target,
                                         size_t target_bytes);
SSA_API ssa_status ssa_batch_get_datasets_from_list(ssa_batch *batch, const char *list, size_t list_bytes,
                                                    ssa_datasets **datasets);
SSA_API ssa_status ssa_batch_get_dataset_list_range(ssa_batch *batch, const char *list, size_t list_bytes, int64_t from,
                                                    int64_t to, ssa_datasets **datasets);

/* The bytes are borrowed as arrays are, files are read when they are added. */
SSA_API ssa_status ssa_batch_set_model(ssa_batch *batch, const char *name, size_t name_bytes, const void *model,
                                       size_t model_bytes, const ssa_model_description *description);
SSA_API ssa_status ssa_batch_set_model_multigpu(ssa_batch *batch, const char *name, size_t name_bytes,
                                                const void *model, size_t model_bytes, int first_gpu, int num_gpus,
                                                const ssa_model_description *description);
SSA_API ssa_status ssa_batch_set_model_from_file(ssa_batch *batch, const char *name, size_t name_bytes,
                                                 const char *file, size_t file_bytes,
                                                 const ssa_model_description *description);
SSA_API ssa_status ssa_batch_set_model_from_file_multigpu(ssa_batch *batch, const char *name, size_t name_bytes,
                                                          const char *file, size_t file_bytes, int first_gpu,
                                                          int num_gpus, const ssa_model_description *description);
SSA_API ssa_status ssa_batch_get_model(ssa_batch *batch, const char *name, size_t name_bytes, ssa_texts **model);
SSA_API ssa_status ssa_batch_get_model_metadata(ssa_batch *batch, const char *name, size_t name_bytes,
                                                ssa_texts **metadata);
SSA_API ssa_status ssa_batch_delete_model(ssa_batch *batch, const char *name, size_t name_bytes);
SSA_API ssa_status ssa_batch_delete_model_multigpu(ssa_batch *batch, const char *name, size_t name_bytes, int first_gpu,
                                                   int num_gpus);
SSA_API ssa_status ssa_batch_model_exists(ssa_batch *batch, const char *name, size_t name_bytes, int *exists);

SSA_API ssa_status ssa_batch_set_script(ssa_batch *batch, const char *name, size_t name_bytes, const char *script,
                                        size_t script_bytes, const ssa_model_description *description);
SSA_API ssa_status ssa_batch_set_script_multigpu(ssa_batch *batch, const char *name, size_t name_bytes,
                                                 const char *script, size_t script_bytes, int first_gpu, int num_gpus);
SSA_API ssa_status ssa_batch_set_script_from_file(ssa_batch *batch, const char *name, size_t name_bytes,
                                                  const char *file, size_t file_bytes,
                                                  const ssa_model_description *description);
SSA_API ssa_status ssa_batch_set_script_from_file_multigpu(ssa_batch *batch, const char *name, size_t name_bytes,
                                                           const char *file, size_t file_bytes, int first_gpu,
                                                           int num_gpus);
SSA_API ssa_status ssa_batch_get_script(ssa_batch *batch, const char *name, size_t name_bytes, ssa_texts **script);
SSA_API ssa_status ssa_batch_get_script_metadata(ssa_batch *batch, const char *name, size_t name_bytes,
                                                 ssa_texts **metadata);
SSA_API ssa_status ssa_batch_delete_script(ssa_batch *batch, const char *name, size_t name_bytes);
SSA_API ssa_status ssa_batch_delete_script_multigpu(ssa_batch *batch, const char *name, size_t name_bytes,
                                                    int first_gpu, int num_gpus);
SSA_API ssa_status ssa_batch_script_exists(ssa_batch *batch, const char *name, size_t name_bytes, int *exists);

/* keep: 0: the outputs are not stored, only what comes later in the batch sees them. */
SSA_API ssa_status ssa_batch_run_model(ssa_batch *batch, const char *name, size_t name_bytes, ssa_names inputs,
                                       ssa_names outputs, int keep);
SSA_API ssa_status ssa_batch_run_model_multigpu(ssa_batch *batch, const char *name, size_t name_bytes, ssa_names inputs,
                                                ssa_names outputs, int64_t offset, int first_gpu, int num_gpus,
                                                int keep);
SSA_API ssa_status ssa_batch_run_script(ssa_batch *batch, const char *name, size_t name_bytes, const char *function,
                                        size_t function_bytes, ssa_names inputs, ssa_names outputs, int keep);
SSA_API ssa_status ssa_batch_run_script_multigpu(ssa_batch *batch, const char *name, size_t name_bytes,
                                                 const char *function, size_t function_bytes, ssa_names inputs,
                                                 ssa_names outputs, int64_t offset, int first_gpu, int num_gpus,
                                                 int keep);
SSA_API ssa_status ssa_batch_infer(ssa_batch *batch, const char *model, size_t model_bytes, const ssa_array *inputs,
                                   size_t input_count, ssa_tensor **outputs, size_t *output_count);

#ifdef __cplusplus
}
#endif

#endif
