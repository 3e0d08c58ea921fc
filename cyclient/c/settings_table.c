#include "settings_table.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "allocator.h"
#include "key_names.h"
#include "real_text.h"

#define GIVEN(field) offsetof(ssa_settings_given, field)
#define AT(field) offsetof(ssa_settings, field)

#define NAMED SSA_SETTING_SUFFIXED
#define FILED (NAMED | SSA_SETTING_IN_FILE)
#define SHARED (NAMED | SSA_SETTING_SHARED)
#define PLACED SSA_SETTING_OF_ADDRESS

const ssa_setting ssa_settings_table[SSA_SETTINGS_COUNT] = {
    {NULL, "identifier", SSA_SET_TEXT, 0, "", GIVEN(identifier), AT(identifier),
     "which of several stores"},
    {"SSDB_FILE", NULL, SSA_SET_TEXT, SHARED, "", 0, AT(file),
     "file with what is unset of SSDB, SSDB_USER, SSDB_PASSWORD, SSDB_SOCKETS"},
    {"SSDB", "address", SSA_SET_ADDRESSES, FILED, NULL, GIVEN(address), AT(addresses),
     "where the shards listen"},
    {"SSDB_USER", "user", SSA_SET_TEXT, FILED, "workload", GIVEN(user), AT(user),
     "user of the store"},
    {"SSDB_PASSWORD", "password", SSA_SET_SECRET, FILED, NULL, GIVEN(password), AT(password),
     "its password"},
    {"SSDB_SOCKETS", NULL, SSA_SET_TEXT, FILED | PLACED, "", 0, AT(sockets),
     "directory of the <port>.sock of shards on this host"},
    {"SSDB_OWNED", NULL, SSA_SET_SWITCH, NAMED | PLACED, "0", 0, AT(owned),
     "the experiment of this program started the store, flush_db may empty it"},
    {"SSKEYIN", "read_prefixes", SSA_SET_PREFIXES, SHARED, "", GIVEN(read_prefixes), AT(read_prefixes),
     "prefixes of the producers to read from"},
    {"SSKEYOUT", "write_prefix", SSA_SET_PREFIX, SHARED, "", GIVEN(write_prefix), AT(write_prefix),
     "prefix of what is written"},
    {"SR_DB_TYPE", "server_type", SSA_SET_MODE, NAMED, "", GIVEN(server_type), AT(expected_mode),
     "Clustered or Standalone; any: ask the server"},
    {"SSA_TIMEOUT", "timeout", SSA_SET_SECONDS, 0, "60", GIVEN(timeout), AT(timeout_ns),
     "how long an operation may take"},
    {"SSA_VALUE_LIMIT", "value_limit", SSA_SET_BYTES, 0, "0", GIVEN(value_limit), AT(value_limit),
     "longest value of the server in bytes; longer ones are chunked; 0: never"},
    {"SSA_TRUST_TOPOLOGY", "trust_topology", SSA_SET_SWITCH, 0, "0", GIVEN(trust_topology), AT(trust_topology),
     "follow redirections to addresses that were not announced"},
    {"SSA_BULK_CONNECTION", "bulk_connection", SSA_SET_SWITCH, 0, "1", GIVEN(bulk_connection), AT(bulk_connection),
     "a connection of its own for large values"},
    {"SSA_KEEP_BYTES", NULL, SSA_SET_BYTES, 0, "134217728", 0, AT(keep_bytes),
     "memory kept for the next tensor"},
    {"SSA_LOG_LEVEL", "log_level", SSA_SET_LEVEL, 0, "quiet", GIVEN(log_level), AT(log_level),
     "quiet, error, info or debug"},
    {"SSA_LOG_FILE", "log_file", SSA_SET_TEXT, 0, "", GIVEN(log_file), AT(log_file),
     "file that the log is appended to; none: standard error"},
    {"SSA_TLS", "tls", SSA_SET_SWITCH, 0, "0", GIVEN(tls), AT(tls),
     "encrypt the connections over TCP"},
    {"SSA_TLS_CA", "tls_ca", SSA_SET_TEXT, 0, "", GIVEN(tls_ca), AT(tls_ca),
     "file of the certificates to trust"},
    {"SSA_TLS_CERT", "tls_cert", SSA_SET_TEXT, 0, "", GIVEN(tls_cert), AT(tls_cert),
     "file of the client's certificate"},
    {"SSA_TLS_KEY", "tls_key", SSA_SET_TEXT, 0, "", GIVEN(tls_key), AT(tls_key),
     "file of its key"},
    {"SSA_TLS_NAME", "tls_name", SSA_SET_TEXT, 0, "", GIVEN(tls_name), AT(tls_name),
     "name that the server's certificate must have"},
};

static const char *const mode_words[] = {"any", "standalone", "clustered"};

static void *field(const ssa_setting *setting, const ssa_settings *settings) {
    return (char *)settings + setting->at;
}

static ssa_status refuse(char *mistake, const char *name, const char *text, size_t bytes, const char *remedy) {
    if (bytes)
        ssa_mistake_value(mistake, SSA_MISTAKE_BYTES, name, text, bytes, remedy);
    else
        ssa_mistake_word(mistake, SSA_MISTAKE_BYTES, name, "empty", remedy);
    return SSA_EARGUMENT;
}

/* ---- each kind from text */

static ssa_status copy_text(char **copy, const char *text, size_t bytes) {
    *copy = ssa_allocate(bytes + 1);
    if (!*copy)
        return SSA_ENOMEM;
    memcpy(*copy, text, bytes);
    (*copy)[bytes] = 0;
    return SSA_OK;
}

static ssa_status read_addresses(ssa_settings *settings, const char *name, const char *text, char *mistake) {
    ssa_address_refusal why;
    ssa_status status =
        ssa_address_parse_list(&settings->addresses, &settings->address_count, text, strlen(text), &why);
    if (status == SSA_EARGUMENT)
        return refuse(mistake, name, why.text, why.bytes, why.remedy);
    if (!status && !settings->address_count)
        return refuse(mistake, name, "", 0, "name at least one shard (host:port, [ipv6]:port or unix:///path)");
    return status;
}

static ssa_status read_prefix(char **prefix, const char *name, const char *text, size_t bytes, char *mistake) {
    if (bytes && ssa_name_check(name, text, bytes, mistake, SSA_MISTAKE_BYTES))
        return SSA_EARGUMENT;
    return copy_text(prefix, text, bytes);
}

static ssa_status read_prefixes(ssa_settings *settings, const char *name, const char *text, char *mistake) {
    size_t most = 1;
    for (const char *at = text; *at; at++)
        most += *at == ',';
    if (most > SSA_ADDRESSES_MAX)
        return refuse(mistake, name, text, strlen(text), "name at most 4096 producers");
    settings->read_prefixes = ssa_allocate(most * sizeof(char *));
    if (!settings->read_prefixes)
        return SSA_ENOMEM;
    while (*text) {
        size_t bytes = strcspn(text, ",");
        ssa_status status = bytes ? read_prefix(&settings->read_prefixes[settings->read_prefix_count], name, text,
                                                bytes, mistake)
                                  : SSA_OK;
        if (status)
            return status;
        settings->read_prefix_count += bytes > 0;
        text += bytes + (text[bytes] == ',');
    }
    return SSA_OK;
}

static ssa_status read_mode(ssa_server_mode *mode, const char *name, const char *text, char *mistake) {
    *mode = SSA_MODE_ANY;
    if (!*text || !strcasecmp(text, "any"))
        return SSA_OK;
    *mode = !strcasecmp(text, "clustered") ? SSA_MODE_CLUSTER : SSA_MODE_STANDALONE;
    if (*mode == SSA_MODE_CLUSTER || !strcasecmp(text, "standalone"))
        return SSA_OK;
    return refuse(mistake, name, text, strlen(text), "write Clustered or Standalone, or unset it to ask the server");
}

/* 0: no time that can be waited. */
static int set_seconds(int64_t *nanoseconds, double seconds) {
    if (!(seconds > 0))
        return 0;
    /* 292 years and more are for ever. */
    *nanoseconds = seconds < 9.2e9 ? (int64_t)(seconds * 1e9 + 0.5) : SSA_NO_TIMEOUT;
    *nanoseconds += *nanoseconds == 0;
    return 1;
}

static const char a_positive_number[] = "give a positive number of seconds";

static ssa_status read_seconds(int64_t *nanoseconds, const char *name, const char *text, char *mistake) {
    double seconds;
    if (!ssa_real_parse(text, strlen(text), &seconds) || seconds != seconds)
        return refuse(mistake, name, text, strlen(text), "give seconds as a number");
    if (!set_seconds(nanoseconds, seconds))
        return refuse(mistake, name, text, strlen(text), a_positive_number);
    return SSA_OK;
}

static ssa_status read_bytes(int64_t *number, const char *name, const char *text, char *mistake) {
    size_t digits = strspn(text, "0123456789");
    *number = 0;
    for (size_t i = 0; i < digits && digits <= 18; i++)
        *number = 10 * *number + (text[i] - '0');
    if (!digits || digits > 18 || text[digits])
        return refuse(mistake, name, text, strlen(text), "give bytes as a whole number, 0 or more");
    return SSA_OK;
}

static ssa_status read_switch(int *on, const char *name, const char *text, char *mistake) {
    *on = *text == '1';
    if ((*text == '0' || *text == '1') && !text[1])
        return SSA_OK;
    return refuse(mistake, name, text, strlen(text), "write 0 or 1");
}

static const char the_levels[] = "write quiet, error, info or debug";

static ssa_status read_level(ssa_log_level *level, const char *name, const char *text, char *mistake) {
    int found = ssa_log_level_parse(text, strlen(text));
    if (found < 0)
        return refuse(mistake, name, text, strlen(text), the_levels);
    *level = (ssa_log_level)found;
    return SSA_OK;
}

ssa_status ssa_setting_read(const ssa_setting *setting, ssa_settings *settings, const char *name, const char *text,
                            char *mistake) {
    void *at = field(setting, settings);
    switch (setting->kind) {
    case SSA_SET_TEXT:
    case SSA_SET_SECRET:
        return copy_text(at, text, strlen(text));
    case SSA_SET_ADDRESSES:
        return read_addresses(settings, name, text, mistake);
    case SSA_SET_PREFIX:
        return read_prefix(at, name, text, strlen(text), mistake);
    case SSA_SET_PREFIXES:
        return read_prefixes(settings, name, text, mistake);
    case SSA_SET_MODE:
        return read_mode(at, name, text, mistake);
    case SSA_SET_SECONDS:
        return read_seconds(at, name, text, mistake);
    case SSA_SET_BYTES:
        return read_bytes(at, name, text, mistake);
    case SSA_SET_SWITCH:
        return read_switch(at, name, text, mistake);
    case SSA_SET_LEVEL:
        return read_level(at, name, text, mistake);
    }
    return SSA_EARGUMENT;
}

/* ---- each kind from an argument */

static ssa_status take_seconds(int64_t *nanoseconds, const char *name, const double *seconds, char *mistake) {
    char word[40];
    if (set_seconds(nanoseconds, *seconds))
        return SSA_OK;
    snprintf(word, sizeof word, "%g", *seconds);
    ssa_mistake_word(mistake, SSA_MISTAKE_BYTES, name, word, a_positive_number);
    return SSA_EARGUMENT;
}

static ssa_status take_number(int *field, int most, const char *name, int number, const char *remedy, char *mistake) {
    char word[16];
    *field = number;
    if (number <= most)
        return SSA_OK;
    snprintf(word, sizeof word, "%d", number);
    ssa_mistake_word(mistake, SSA_MISTAKE_BYTES, name, word, remedy);
    return SSA_EARGUMENT;
}

static ssa_status take_level(ssa_log_level *level, const char *name, int number, char *mistake) {
    int checked;
    ssa_status status = take_number(&checked, SSA_LOG_DEBUG, name, number, the_levels, mistake);
    if (!status)
        *level = (ssa_log_level)checked;
    return status;
}

ssa_status ssa_setting_take(const ssa_setting *setting, ssa_settings *settings, const ssa_settings_given *given,
                            char *mistake) {
    const void *from = (const char *)given + setting->given_at;
    const char *name = setting->argument;
    void *at = field(setting, settings);
    if (!name)
        return SSA_MORE;
    switch (setting->kind) {
    case SSA_SET_SECONDS: {
        const double *seconds = *(const double *const *)from;
        return seconds ? take_seconds(at, name, seconds, mistake) : SSA_MORE;
    }
    case SSA_SET_BYTES:
        if (*(const int64_t *)from < 0)
            return SSA_MORE;
        *(int64_t *)at = *(const int64_t *)from;
        return SSA_OK;
    case SSA_SET_SWITCH:
        return *(const int *)from < 0 ? SSA_MORE : take_number(at, 1, name, *(const int *)from, "give 0 or 1", mistake);
    case SSA_SET_LEVEL:
        return *(const int *)from < 0 ? SSA_MORE : take_level(at, name, *(const int *)from, mistake);
    default: {
        const char *text = *(const char *const *)from;
        return text ? ssa_setting_read(setting, settings, name, text, mistake) : SSA_MORE;
    }
    }
}

/* ---- each kind as text */

static ssa_status append(ssa_buffer *text, const char *word) {
    return ssa_buffer_append(text, word, strlen(word));
}

static ssa_status show_text(ssa_buffer *text, const char *value) {
    return append(text, *value ? value : "(none)");
}

static ssa_status show_addresses(ssa_buffer *text, const ssa_settings *settings) {
    char one[SSA_ADDRESS_TEXT_BYTES];
    ssa_status status = SSA_OK;
    for (size_t i = 0; i < settings->address_count && !status; i++) {
        status = append(text, i ? "," : "");
        ssa_address_format(&settings->addresses[i], one, sizeof one);
        status = status ? status : append(text, one);
    }
    return status;
}

static ssa_status show_prefixes(ssa_buffer *text, const ssa_settings *settings) {
    ssa_status status = settings->read_prefix_count ? SSA_OK : append(text, "(none)");
    for (size_t i = 0; i < settings->read_prefix_count && !status; i++) {
        status = append(text, i ? "," : "");
        status = status ? status : append(text, settings->read_prefixes[i]);
    }
    return status;
}

/* "2.5 s": without the locale's idea of a point. */
static ssa_status show_seconds(ssa_buffer *text, int64_t nanoseconds) {
    char number[40];
    if (nanoseconds == SSA_NO_TIMEOUT)
        return append(text, "(none)");
    int bytes = snprintf(number, sizeof number, "%lld.%09lld", (long long)(nanoseconds / 1000000000),
                         (long long)(nanoseconds % 1000000000));
    while (number[bytes - 1] == '0')
        bytes--;
    bytes -= number[bytes - 1] == '.';
    snprintf(number + bytes, sizeof number - (size_t)bytes, " s");
    return append(text, number);
}

static ssa_status show_number(ssa_buffer *text, long long number) {
    char digits[24];
    snprintf(digits, sizeof digits, "%lld", number);
    return append(text, digits);
}

ssa_status ssa_setting_show(const ssa_setting *setting, const ssa_settings *settings, ssa_buffer *text) {
    const void *at = field(setting, settings);
    switch (setting->kind) {
    case SSA_SET_SECRET:
        return append(text, *(char *const *)at ? "(set)" : "(unset)");
    case SSA_SET_TEXT:
    case SSA_SET_PREFIX:
        return show_text(text, *(char *const *)at);
    case SSA_SET_ADDRESSES:
        return show_addresses(text, settings);
    case SSA_SET_PREFIXES:
        return show_prefixes(text, settings);
    case SSA_SET_MODE:
        return append(text, mode_words[*(const ssa_server_mode *)at]);
    case SSA_SET_SECONDS:
        return show_seconds(text, *(const int64_t *)at);
    case SSA_SET_BYTES:
        return show_number(text, *(const int64_t *)at);
    case SSA_SET_SWITCH:
        return show_number(text, *(const int *)at);
    case SSA_SET_LEVEL:
        return append(text, ssa_log_level_name(*(const ssa_log_level *)at));
    }
    return SSA_EARGUMENT;
}
