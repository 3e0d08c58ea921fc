// links: settings settings_file settings_table real_text address allocator key_names log mistake resp_writer
/* Settings from an environment and a file. Input: the lines of both, each `NAME=value`; the file begins at a line of `@`.
 * The password is in no text. */
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"
#include "settings.h"

#define SECRET "Zq7.secret.of.the.fuzzer"

typedef struct environment {
    char text[8192];
    char path[40]; /* of the file */
    int with_secret;
} environment;

/* The value of the first line of this name, until its end. */
static const char *look_up(void *user, const char *name) {
    static char value[8192];
    environment *e = user;
    size_t bytes = strlen(name);
    if (!strcmp(name, "SSDB_FILE") && *e->path)
        return e->path;
    if (!strcmp(name, "SSDB_PASSWORD") && e->with_secret)
        return SECRET;
    for (const char *line = e->text; *line;) {
        size_t length = strcspn(line, "\n");
        if (length > bytes && line[bytes] == '=' && !memcmp(line, name, bytes)) {
            memcpy(value, line + bytes + 1, length - bytes - 1);
            value[length - bytes - 1] = 0;
            return value;
        }
        line += length + (line[length] == '\n');
    }
    return NULL;
}

/* Whether the secret stands there. No function of the library: libFuzzer learns from what these compare. */
static int has_secret(const void *data, size_t bytes) {
    const char *text = data;
    for (size_t at = 0; at + sizeof SECRET - 1 <= bytes; at++) {
        size_t same = 0;
        while (same < sizeof SECRET - 1 && text[at + same] == SECRET[same])
            same++;
        if (same == sizeof SECRET - 1)
            return 1;
    }
    return 0;
}

static int open_file(environment *e, const uint8_t *data, size_t bytes) {
    int file = memfd_create("settings", MFD_CLOEXEC);
    CHECK(file >= 0 && !fchmod(file, 0600) && write(file, data, bytes) == (ssize_t)bytes);
    snprintf(e->path, sizeof e->path, "/proc/self/fd/%d", file);
    return file;
}

static void check_settings(const ssa_settings *settings) {
    ssa_buffer text = {0};
    CHECK(settings->address_count && settings->user && settings->identifier && settings->sockets && settings->write_prefix);
    CHECK(settings->timeout_ns > 0 && settings->value_limit >= 0 && settings->keep_bytes >= 0);
    for (size_t i = 0; i < settings->read_prefix_count; i++)
        CHECK(*settings->read_prefixes[i]);
    CHECK(ssa_settings_describe(settings, &text) == SSA_OK && text.bytes);
    CHECK(!has_secret(text.data, text.bytes));
    ssa_buffer_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    static environment e;
    static const char *const identifiers[] = {NULL, "", "b", "a-b"};
    input in = {data, bytes};
    if (has_secret(data, bytes)) /* it may be shown as what it says it is */
        return 0;
    unsigned choice = input_byte(&in);
    const uint8_t *cut = memmem(in.at, in.left, "@\n", 2);
    size_t before = cut ? (size_t)(cut - in.at) : in.left;
    memset(&e, 0, sizeof e);
    before = before < sizeof e.text - 1 ? before : sizeof e.text - 1;
    memcpy(e.text, in.at, before);
    e.with_secret = choice & 1;
    int file = cut ? open_file(&e, cut + 2, (size_t)(in.at + in.left - cut - 2)) : -1;
    ssa_settings_given given;
    ssa_settings_given_init(&given);
    given.identifier = identifiers[choice / 2 % 4];
    given.address = choice & 64 ? "node:1" : NULL;
    given.password = choice & 128 ? SECRET : NULL;
    ssa_settings settings;
    ssa_buffer mistakes = {0};
    ssa_status status = ssa_settings_resolve(&settings, &given, look_up, &e, &mistakes);
    CHECK(status == SSA_OK || status == SSA_EARGUMENT);
    if (status == SSA_OK)
        check_settings(&settings);
    else
        CHECK(mistakes.bytes && !mistakes.data[mistakes.bytes]);
    CHECK(!has_secret(mistakes.data, mistakes.bytes));
    ssa_settings_free(&settings);
    ssa_buffer_free(&mistakes);
    if (file >= 0)
        close(file);
    return 0;
}
