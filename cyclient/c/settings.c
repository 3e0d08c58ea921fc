#include "settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "allocator.h"
#include "settings_file.h"
#include "settings_table.h"

#define IDENTIFIER_MAX 64
#define VARIABLE_BYTES 128 /* the longest name of the table and an identifier */

typedef struct resolving {
    ssa_settings *settings;
    const ssa_settings_given *given;
    ssa_lookup lookup;
    void *user;
    const char *suffix;
    ssa_settings_file file;
    ssa_buffer *mistakes;
    int refused, file_refused;
} resolving;

void ssa_settings_given_init(ssa_settings_given *given) {
    memset(given, 0, sizeof *given);
    given->bulk_connection = given->trust_topology = given->log_level = given->tls = -1;
    given->value_limit = -1;
}

static const char *from_environment(void *user, const char *name) {
    (void)user;
    return getenv(name);
}

static ssa_status add_mistake(resolving *r, const char *text) {
    r->refused = 1;
    ssa_status status = ssa_buffer_append(r->mistakes, text, strlen(text));
    return status ? status : ssa_buffer_append(r->mistakes, "\n", 1);
}

/* Go on after a mistake, so that all are told at once; end only for want of memory. */
static ssa_status note(resolving *r, ssa_status status, const char *mistake) {
    return status == SSA_EARGUMENT ? add_mistake(r, mistake) : status;
}

/* ---- where a value is looked for */

static void name_variable(const ssa_setting *setting, const char *identifier, char name[VARIABLE_BYTES]) {
    int suffixed = *identifier && setting->flags & SSA_SETTING_SUFFIXED;
    snprintf(name, VARIABLE_BYTES, "%s%s%s", setting->variable ? setting->variable : setting->argument,
             suffixed ? "_" : "", suffixed ? identifier : "");
}

/* For some kinds an empty value says something: no prefix, an empty password. For the others it is as good as unset. */
static int counts(const ssa_setting *setting, const char *value) {
    return value && (*value || setting->kind == SSA_SET_SECRET || setting->kind == SSA_SET_PREFIX ||
                     setting->kind == SSA_SET_PREFIXES);
}

/* The text that sets it and, in `name`, what to call it; NULL: there is none. */
static const char *find_text(resolving *r, const ssa_setting *setting, char name[2 * VARIABLE_BYTES],
                             ssa_setting_source *source) {
    char variable[VARIABLE_BYTES];
    name_variable(setting, r->suffix, variable);
    snprintf(name, 2 * VARIABLE_BYTES, "%s", variable);
    if (!setting->variable || (r->given->address && setting->flags & SSA_SETTING_OF_ADDRESS))
        return NULL;
    *source = SSA_FROM_ENVIRONMENT;
    const char *value = r->lookup(r->user, variable);
    if (counts(setting, value))
        return value;
    if (setting->flags & SSA_SETTING_SHARED) {
        value = r->lookup(r->user, setting->variable);
        if (counts(setting, value)) {
            snprintf(name, 2 * VARIABLE_BYTES, "%s", setting->variable);
            return value;
        }
    }
    *source = SSA_FROM_FILE;
    value = setting->flags & SSA_SETTING_IN_FILE ? ssa_settings_file_find(&r->file, variable) : NULL;
    if (counts(setting, value)) {
        snprintf(name, 2 * VARIABLE_BYTES, "%s in %.100s", variable, r->settings->file);
        return value;
    }
    return NULL;
}

static ssa_status take_default(resolving *r, const ssa_setting *setting, const char *name, char *mistake) {
    if (setting->standard)
        return ssa_setting_read(setting, r->settings, name, setting->standard, mistake);
    /* That it is unset may be for the file alone, of which the caller is told. */
    if (setting->kind != SSA_SET_ADDRESSES || r->file_refused)
        return SSA_OK;
    ssa_mistake_word(mistake, SSA_MISTAKE_BYTES, name, "empty or unset",
                     "start the program through an Experiment, or pass the store's address "
                     "(host:port or unix:///path)");
    return SSA_EARGUMENT;
}

static ssa_status resolve(resolving *r, size_t index) {
    const ssa_setting *setting = &ssa_settings_table[index];
    char mistake[SSA_MISTAKE_BYTES], name[2 * VARIABLE_BYTES];
    ssa_setting_source source = SSA_FROM_ARGUMENT;
    ssa_status status = ssa_setting_take(setting, r->settings, r->given, mistake);
    if (status == SSA_MORE) {
        const char *text = find_text(r, setting, name, &source);
        if (!text)
            source = SSA_FROM_DEFAULT;
        status = text ? ssa_setting_read(setting, r->settings, name, text, mistake)
                      : take_default(r, setting, name, mistake);
    }
    r->settings->sources[index] = (unsigned char)source;
    return note(r, status, mistake);
}

/* ---- what must be known before the rest, and what must fit together */

/* `SSDB_USER` would be both the user of the one store and the address of a store named USER. */
static int is_taken(const char *identifier) {
    for (size_t i = 0; i < SSA_SETTINGS_COUNT; i++) {
        const char *variable = ssa_settings_table[i].variable;
        if (!variable || strncmp(variable, "SSDB_", 5))
            continue;
        size_t bytes = strlen(variable + 5);
        if (!strncmp(identifier, variable + 5, bytes) && (!identifier[bytes] || identifier[bytes] == '_'))
            return 1;
    }
    return 0;
}

static ssa_status check_identifier(resolving *r) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    const char *identifier = r->settings->identifier, *remedy = NULL;
    size_t bytes = strlen(identifier);
    if (strspn(identifier, allowed) != bytes || bytes > IDENTIFIER_MAX)
        remedy = "use at most 64 letters, digits, '_', '-' and '.'";
    else if (is_taken(identifier))
        remedy = "the variables of such a store have the names of others; choose another";
    if (!remedy)
        return SSA_OK;
    char mistake[SSA_MISTAKE_BYTES];
    ssa_mistake_value(mistake, sizeof mistake, "identifier", identifier, bytes, remedy);
    return add_mistake(r, mistake) ? SSA_ENOMEM : SSA_EARGUMENT;
}

static ssa_status read_file(resolving *r) {
    char variable[VARIABLE_BYTES];
    name_variable(&ssa_settings_table[SSA_SETTING_FILE], r->suffix, variable);
    int is_needless = r->given->address && r->given->user && r->given->password; /* nothing is left that it could say */
    if (!*r->settings->file || is_needless)
        return SSA_OK;
    ssa_status status = ssa_settings_file_read(&r->file, r->settings->file, variable, r->mistakes);
    r->file_refused = status == SSA_EARGUMENT;
    r->refused |= r->file_refused;
    return status == SSA_ENOMEM ? status : SSA_OK;
}

static const char *name_of(const resolving *r, size_t at) {
    for (size_t i = 0; i < SSA_SETTINGS_COUNT; i++)
        if (ssa_settings_table[i].at == at)
            return r->settings->sources[i] == SSA_FROM_ARGUMENT ? ssa_settings_table[i].argument : ssa_settings_table[i].variable;
    return "";
}

/* Who asks for a log that cannot be written is to know it before the day when it is looked for. */
static ssa_status check_log(resolving *r) {
    const char *path = r->settings->log_file;
    ssa_log log;
    if (!path || !*path)
        return SSA_OK;
    ssa_log_init(&log);
    if (ssa_log_open(&log, path) == SSA_OK) {
        ssa_log_close(&log);
        return SSA_OK;
    }
    char mistake[SSA_MISTAKE_BYTES], remedy[200];
    snprintf(remedy, sizeof remedy, "%s; name a file that can be appended to", strerror(errno));
    ssa_mistake_value(mistake, sizeof mistake, name_of(r, offsetof(ssa_settings, log_file)), path, strlen(path), remedy);
    return add_mistake(r, mistake);
}

static ssa_status check_together(resolving *r) {
    const ssa_settings *settings = r->settings;
    if (check_log(r))
        return SSA_ENOMEM;
    if (!settings->tls_cert || !settings->tls_key || !*settings->tls_cert == !*settings->tls_key)
        return SSA_OK;
    char mistake[SSA_MISTAKE_BYTES];
    const char *there = *settings->tls_cert ? "SSA_TLS_CERT" : "SSA_TLS_KEY";
    ssa_mistake_word(mistake, sizeof mistake, there, "set alone",
                     "a certificate and its key go together (SSA_TLS_CERT, SSA_TLS_KEY)");
    return add_mistake(r, mistake);
}

static ssa_status resolve_all(resolving *r) {
    ssa_status status = resolve(r, SSA_SETTING_IDENTIFIER);
    if (!status)
        status = check_identifier(r);
    if (status)
        return status;
    r->suffix = r->settings->identifier;
    status = resolve(r, SSA_SETTING_FILE);
    if (!status)
        status = read_file(r);
    for (size_t i = SSA_SETTING_FILE + 1; i < SSA_SETTINGS_COUNT && !status; i++)
        status = resolve(r, i);
    return status ? status : check_together(r);
}

/* The line end after the last mistake becomes the NUL behind the text. */
static void close_mistakes(ssa_buffer *mistakes) {
    if (mistakes->bytes)
        mistakes->data[--mistakes->bytes] = 0;
}

ssa_status ssa_settings_resolve(ssa_settings *settings, const ssa_settings_given *given, ssa_lookup lookup, void *user,
                                ssa_buffer *mistakes) {
    memset(settings, 0, sizeof *settings);
    mistakes->bytes = 0;
    resolving r = {.settings = settings,
                   .given = given,
                   .lookup = lookup ? lookup : from_environment,
                   .user = user,
                   .suffix = "",
                   .mistakes = mistakes};
    ssa_status status = resolve_all(&r);
    ssa_settings_file_free(&r.file);
    if (!status && r.refused)
        status = SSA_EARGUMENT;
    if (status)
        ssa_settings_free(settings);
    if (status != SSA_EARGUMENT)
        mistakes->bytes = 0;
    close_mistakes(mistakes);
    return status;
}

void ssa_settings_prefer_one_connection(ssa_settings *settings) {
    for (size_t i = 0; i < SSA_SETTINGS_COUNT; i++)
        if (ssa_settings_table[i].at == offsetof(ssa_settings, bulk_connection) && settings->sources[i] == SSA_FROM_DEFAULT)
            settings->bulk_connection = 0;
}

/* ---- telling and freeing */

static const char *const source_words[] = {"default", "argument", "environment", "file"};

/* Blanks up to the next column, two at least. */
static ssa_status pad(ssa_buffer *text, size_t filled, size_t width) {
    size_t blanks = (filled < width ? width - filled : 0) + 2;
    ssa_status status = ssa_buffer_reserve(text, blanks);
    if (status)
        return status;
    memset(text->data + text->bytes, ' ', blanks);
    text->bytes += blanks;
    return SSA_OK;
}

/* Values may come from outside: what is no printable character must not reach a terminal. */
static void make_printable(ssa_buffer *text, size_t from) {
    for (size_t i = from; i < text->bytes; i++)
        if (text->data[i] < 0x20 || text->data[i] == 0x7f)
            text->data[i] = '?';
}

static ssa_status describe_line(const ssa_settings *settings, size_t index, const size_t widths[2], ssa_buffer *text) {
    const ssa_setting *setting = &ssa_settings_table[index];
    char name[VARIABLE_BYTES];
    name_variable(setting, settings->identifier ? settings->identifier : "", name);
    const char *cells[] = {name, NULL, source_words[settings->sources[index]], setting->meaning};
    const size_t columns[] = {widths[0], widths[1], sizeof "environment" - 1};
    ssa_status status = SSA_OK;
    for (size_t i = 0; i < 4 && !status; i++) {
        size_t from = text->bytes;
        status = cells[i] ? ssa_buffer_append(text, cells[i], strlen(cells[i]))
                          : ssa_setting_show(setting, settings, text);
        make_printable(text, from);
        if (!status && i < 3)
            status = pad(text, text->bytes - from, columns[i]);
    }
    return status ? status : ssa_buffer_append(text, "\n", 1);
}

ssa_status ssa_settings_describe(const ssa_settings *settings, ssa_buffer *text) {
    enum { WIDEST_VALUE = 40 };
    size_t widths[2] = {0, 0};
    ssa_buffer value = {0};
    ssa_status status = SSA_OK;
    for (size_t i = 0; i < SSA_SETTINGS_COUNT && !status; i++) {
        char name[VARIABLE_BYTES];
        name_variable(&ssa_settings_table[i], settings->identifier ? settings->identifier : "", name);
        value.bytes = 0;
        status = ssa_setting_show(&ssa_settings_table[i], settings, &value);
        size_t found[] = {strlen(name), value.bytes};
        for (int k = 0; k < 2; k++)
            if (found[k] > widths[k] && (k == 0 || found[k] <= WIDEST_VALUE))
                widths[k] = found[k];
    }
    ssa_buffer_free(&value);
    for (size_t i = 0; i < SSA_SETTINGS_COUNT && !status; i++)
        status = describe_line(settings, i, widths, text);
    return status;
}

void ssa_settings_free(ssa_settings *settings) {
    if (settings->password)
        ssa_wipe(settings->password, strlen(settings->password));
    for (size_t i = 0; i < settings->read_prefix_count; i++)
        ssa_release(settings->read_prefixes[i]);
    ssa_release(settings->read_prefixes);
    char *texts[] = {settings->user,         settings->password, settings->identifier, settings->sockets,
                     settings->write_prefix, settings->log_file, settings->tls_ca,     settings->tls_cert,
                     settings->tls_key,      settings->tls_name, settings->file};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        ssa_release(texts[i]);
    ssa_release(settings->addresses);
    memset(settings, 0, sizeof *settings);
}
