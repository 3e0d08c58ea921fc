// links: address allocator key_names log mistake resp_writer settings settings_file settings_table real_text
#include <fcntl.h>
#include <locale.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "settings.h"
#include "settings_file.h"

static const char path[] = "store.conf"; /* in the folder that the test was started in */

/* An environment: names and values in turn, then NULL. */
static const char *look_up(void *user, const char *name) {
    for (const char *const *at = user; at && *at; at += 2)
        if (!strcmp(at[0], name))
            return at[1];
    return NULL;
}

static char mistakes[8192];

static ssa_status resolve(ssa_settings *settings, const ssa_settings_given *given, const char *const *environment) {
    ssa_buffer text = {0};
    ssa_status status = ssa_settings_resolve(settings, given, look_up, (void *)environment, &text);
    snprintf(mistakes, sizeof mistakes, "%.*s", (int)text.bytes, text.bytes ? (const char *)text.data : "");
    CHECK(!text.bytes || text.data[text.bytes] == 0);
    ssa_buffer_free(&text);
    return status;
}

#define ENVIRONMENT(...) ((const char *const[]){__VA_ARGS__, NULL})

static ssa_settings_given nothing(void) {
    ssa_settings_given given;
    ssa_settings_given_init(&given);
    return given;
}

static void check_resolved(ssa_settings *settings, const ssa_settings_given *given, const char *const *environment) {
    ssa_settings_given none = nothing();
    if (!CHECK(resolve(settings, given ? given : &none, environment) == SSA_OK))
        printf("    %s\n", mistakes);
    CHECK_TEXT(mistakes, "");
}

static void check_refused(const ssa_settings_given *given, const char *const *environment, const char *says) {
    ssa_settings settings;
    ssa_settings_given none = nothing();
    static const ssa_settings empty;
    CHECK(resolve(&settings, given ? given : &none, environment) == SSA_EARGUMENT);
    CHECK_TEXT(mistakes, says);
    CHECK(!memcmp(&settings, &empty, sizeof empty));
}

static void test_defaults(void) {
    ssa_settings settings;
    check_resolved(&settings, NULL, ENVIRONMENT("SSDB", "a:1"));
    CHECK_NUMBER(settings.address_count, 1);
    CHECK_TEXT(settings.user, "workload");
    CHECK(!settings.password);
    CHECK_TEXT(settings.identifier, "");
    CHECK_TEXT(settings.sockets, "");
    CHECK_TEXT(settings.write_prefix, "");
    CHECK_NUMBER(settings.read_prefix_count, 0);
    CHECK_NUMBER(settings.expected_mode, SSA_MODE_ANY);
    CHECK_NUMBER(settings.timeout_ns, 60000000000);
    CHECK_NUMBER(settings.value_limit, 0);
    CHECK_NUMBER(settings.keep_bytes, 134217728);
    CHECK_NUMBER(settings.trust_topology, 0);
    CHECK_NUMBER(settings.bulk_connection, 1);
    CHECK_NUMBER(settings.log_level, SSA_LOG_QUIET);
    CHECK_TEXT(settings.log_file, "");
    CHECK_NUMBER(settings.tls, 0);
    CHECK_TEXT(settings.tls_name, "");
    ssa_settings_free(&settings);
    ssa_settings_free(&settings);
}

static void test_everything_comes_from_the_environment(void) {
    ssa_settings settings;
    check_resolved(&settings, NULL,
                   ENVIRONMENT("SSDB", "unix:///run/1.sock,node:6379", "SSDB_USER", "reader", "SSDB_PASSWORD", "hush",
                               "SSDB_SOCKETS", "/run/s", "SSKEYOUT", "ens_3", "SSKEYIN", "ens_3,ens_4,", "SR_DB_TYPE",
                               "CLUSTERED", "SSA_TIMEOUT", "2.5", "SSA_VALUE_LIMIT", "536870912", "SSA_TRUST_TOPOLOGY",
                               "1", "SSA_BULK_CONNECTION", "0", "SSA_KEEP_BYTES", "0", "SSA_LOG_LEVEL", "Debug",
                               "SSA_LOG_FILE", "x.log", "SSA_TLS", "1", "SSA_TLS_CA", "ca", "SSA_TLS_CERT", "cert",
                               "SSA_TLS_KEY", "key", "SSA_TLS_NAME", "name"));
    CHECK_NUMBER(settings.address_count, 2);
    CHECK_TEXT(settings.addresses[0].path, "/run/1.sock");
    CHECK_TEXT(settings.addresses[1].host, "node");
    CHECK_TEXT(settings.user, "reader");
    CHECK_TEXT(settings.password, "hush");
    CHECK_TEXT(settings.sockets, "/run/s");
    CHECK_TEXT(settings.write_prefix, "ens_3");
    CHECK_NUMBER(settings.read_prefix_count, 2);
    CHECK_TEXT(settings.read_prefixes[0], "ens_3");
    CHECK_TEXT(settings.read_prefixes[1], "ens_4");
    CHECK_NUMBER(settings.expected_mode, SSA_MODE_CLUSTER);
    CHECK_NUMBER(settings.timeout_ns, 2500000000);
    CHECK_NUMBER(settings.value_limit, 536870912);
    CHECK_NUMBER(settings.keep_bytes, 0);
    CHECK_NUMBER(settings.trust_topology, 1);
    CHECK_NUMBER(settings.bulk_connection, 0);
    CHECK_NUMBER(settings.log_level, SSA_LOG_DEBUG);
    CHECK_TEXT(settings.log_file, "x.log");
    CHECK(unlink("x.log") == 0); /* tried, and found to be writable */
    CHECK_NUMBER(settings.tls, 1);
    CHECK_TEXT(settings.tls_ca, "ca");
    CHECK_TEXT(settings.tls_cert, "cert");
    CHECK_TEXT(settings.tls_key, "key");
    CHECK_TEXT(settings.tls_name, "name");
    ssa_settings_free(&settings);
}

static void test_arguments_come_before_the_environment(void) {
    ssa_settings settings;
    ssa_settings_given given = nothing();
    double timeout = 0.25;
    given.user = "admin";
    given.password = "other";
    given.timeout = &timeout;
    given.value_limit = 0;
    given.bulk_connection = 0;
    given.trust_topology = 1;
    given.log_level = SSA_LOG_INFO;
    given.tls = 0;
    check_resolved(&settings, &given,
                   ENVIRONMENT("SSDB", "a:1", "SSDB_USER", "reader", "SSDB_PASSWORD", "hush", "SSA_TIMEOUT", "soon",
                               "SSA_VALUE_LIMIT", "5", "SSA_BULK_CONNECTION", "1", "SSKEYOUT", "ens_3", "SSA_TLS",
                               "1"));
    CHECK_TEXT(settings.user, "admin");
    CHECK_TEXT(settings.password, "other");
    CHECK_TEXT(settings.write_prefix, "ens_3");
    CHECK_NUMBER(settings.timeout_ns, 250000000);
    CHECK_NUMBER(settings.value_limit, 0);
    CHECK_NUMBER(settings.bulk_connection, 0);
    CHECK_NUMBER(settings.trust_topology, 1);
    CHECK_NUMBER(settings.log_level, SSA_LOG_INFO);
    CHECK_NUMBER(settings.tls, 0);
    ssa_settings_free(&settings);
}

static void test_each_setting_is_looked_for_by_itself(void) {
    ssa_settings settings;
    ssa_settings_given given = nothing();
    const char *const *environment =
        ENVIRONMENT("SSDB", "nonsense", "SSDB_USER", "reader", "SSDB_PASSWORD", "hush", "SSDB_SOCKETS", "/s", "SSDB_OWNED", "1",
                    "SSKEYOUT", "o", "SSKEYIN", "i", "SR_DB_TYPE", "clustered", "SSA_TIMEOUT", "2", "SSA_VALUE_LIMIT", "1", "SSA_TLS",
                    "1", "SSA_LOG_LEVEL", "info", "SSA_KEEP_BYTES", "7", "SSA_BULK_CONNECTION", "0");
    given.address = "c:3, unix:///d";
    check_resolved(&settings, &given, environment);
    CHECK_NUMBER(settings.address_count, 2);
    CHECK_TEXT(settings.user, "reader");
    CHECK_TEXT(settings.password, "hush");
    CHECK_TEXT(settings.write_prefix, "o");
    CHECK_NUMBER(settings.read_prefix_count, 1);
    CHECK_NUMBER(settings.expected_mode, SSA_MODE_CLUSTER);
    CHECK(settings.timeout_ns == 2000000000 && settings.value_limit == 1 && settings.tls);
    CHECK_NUMBER(settings.log_level, SSA_LOG_INFO);
    CHECK_NUMBER(settings.keep_bytes, 7);
    CHECK_NUMBER(settings.bulk_connection, 0);
    /* These say something of the store that SSDB names. */
    CHECK(!*settings.sockets && !settings.owned);
    ssa_settings_free(&settings);

    given.write_prefix = "mine";
    given.read_prefixes = "a,b";
    given.server_type = "any";
    check_resolved(&settings, &given, environment);
    CHECK_TEXT(settings.write_prefix, "mine");
    CHECK_NUMBER(settings.read_prefix_count, 2);
    CHECK_TEXT(settings.read_prefixes[1], "b");
    CHECK_NUMBER(settings.expected_mode, SSA_MODE_ANY);
    ssa_settings_free(&settings);

    given.write_prefix = given.read_prefixes = "";
    given.server_type = "Standalone";
    check_resolved(&settings, &given, environment);
    CHECK(!*settings.write_prefix && !settings.read_prefix_count);
    CHECK_NUMBER(settings.expected_mode, SSA_MODE_STANDALONE);
    ssa_settings_free(&settings);

    given.write_prefix = "a{b";
    given.server_type = "sentinel";
    check_refused(&given, environment,
                  "write_prefix cannot be 'a{b': braces decide which shard holds a key; leave them out.\n"
                  "server_type cannot be 'sentinel': write Clustered or Standalone, or unset it to ask the server.");
}

static void test_a_file_is_read_for_what_is_not_given(void) {
    ssa_settings settings;
    ssa_settings_given given = nothing();
    const char *const *environment = ENVIRONMENT("SSDB_FILE", "no/file");
    given.address = "c:3";
    given.user = "u";
    given.password = "p";
    check_resolved(&settings, &given, environment);
    ssa_settings_free(&settings);
    given.password = NULL;
    CHECK(resolve(&settings, &given, environment) == SSA_EARGUMENT);
    CHECK(strstr(mistakes, "no/file"));
}

static void test_a_log_that_cannot_be_written_is_refused(void) {
    ssa_settings_given given = nothing();
    given.address = "a:1";
    given.log_file = "no/such/folder/x.log";
    check_refused(&given, ENVIRONMENT(NULL),
                  "log_file cannot be 'no/such/folder/x.log': No such file or directory; name a file that can be appended to.");
    given.log_file = NULL;
    check_refused(&given, ENVIRONMENT("SSA_LOG_FILE", "/"),
                  "SSA_LOG_FILE cannot be '/': Is a directory; name a file that can be appended to.");
}

static void test_a_named_store_has_variables_of_its_own(void) {
    ssa_settings settings;
    ssa_settings_given given = nothing();
    const char *const *environment =
        ENVIRONMENT("SSDB", "a:1", "SSDB_USER", "reader", "SSDB_PASSWORD", "hush", "SSKEYOUT", "ens_3", "SSKEYIN",
                    "a,b", "SR_DB_TYPE", "Standalone", "SSA_TIMEOUT", "5", "SSDB_ocean", "b:2", "SSDB_PASSWORD_ocean",
                    "deep", "SSKEYIN_ocean", "x", "SSDB_ice-1.0", "c:3", "SSKEYIN_ice-1.0", "");
    given.identifier = "ocean";
    check_resolved(&settings, &given, environment);
    CHECK_TEXT(settings.addresses[0].host, "b");
    CHECK_TEXT(settings.user, "workload");
    CHECK_TEXT(settings.password, "deep");
    CHECK_TEXT(settings.write_prefix, "ens_3");
    CHECK_NUMBER(settings.read_prefix_count, 1);
    CHECK_TEXT(settings.read_prefixes[0], "x");
    CHECK_NUMBER(settings.expected_mode, SSA_MODE_ANY);
    CHECK_NUMBER(settings.timeout_ns, 5000000000);
    CHECK_TEXT(settings.identifier, "ocean");
    ssa_settings_free(&settings);
    given.identifier = "ice-1.0";
    check_resolved(&settings, &given, environment);
    CHECK_NUMBER(settings.read_prefix_count, 0); /* it is set, and empty */
    ssa_settings_free(&settings);
    given.identifier = "air";
    check_refused(&given, environment,
                  "SSDB_air cannot be empty or unset: start the program through an Experiment, or pass the store's "
                  "address (host:port or unix:///path).");
}

static void test_an_identifier_must_not_be_mistaken(void) {
    ssa_settings_given given = nothing();
    const char *const *environment = ENVIRONMENT("SSDB", "a:1", "SSDB_USER", "b:1");
    given.identifier = "a b";
    check_refused(&given, environment, "identifier cannot be 'a b': use at most 64 letters, digits, '_', '-' and '.'.");
    given.identifier = "0123456789012345678901234567890123456789012345678901234567890123456789";
    CHECK(resolve(&(ssa_settings){0}, &given, environment) == SSA_EARGUMENT);
    static const char *const taken[] = {"USER", "PASSWORD", "FILE", "SOCKETS", "USER_x"};
    for (size_t i = 0; i < 5; i++) {
        ssa_settings settings;
        given.identifier = taken[i];
        CHECK(resolve(&settings, &given, environment) == SSA_EARGUMENT);
        CHECK(strstr(mistakes, "the variables of such a store have the names of others; choose another."));
    }
    ssa_settings settings;
    given.identifier = "USERS";
    check_resolved(&settings, &given, ENVIRONMENT("SSDB_USERS", "c:3"));
    ssa_settings_free(&settings);
}

static void test_an_environment_that_cannot_be_right_is_refused(void) {
    static const char *const cases[][3] = {
        {"SSDB", "",
         "SSDB cannot be empty or unset: start the program through an Experiment, or pass the store's address "
         "(host:port or unix:///path)."},
        {"SSDB", ",", "SSDB cannot be empty: name at least one shard (host:port, [ipv6]:port or unix:///path)."},
        {"SSDB", "b:2,nonsense", "SSDB cannot be 'nonsense': write host:port, [ipv6]:port or unix:///path."},
        {"SSA_TIMEOUT", "soon", "SSA_TIMEOUT cannot be 'soon': give seconds as a number."},
        {"SSA_TIMEOUT", "nan", "SSA_TIMEOUT cannot be 'nan': give seconds as a number."},
        {"SSA_TIMEOUT", "1,5", "SSA_TIMEOUT cannot be '1,5': give seconds as a number."},
        {"SSA_TIMEOUT", "1e", "SSA_TIMEOUT cannot be '1e': give seconds as a number."},
        {"SSA_TIMEOUT", ".", "SSA_TIMEOUT cannot be '.': give seconds as a number."},
        {"SSA_TIMEOUT", "1.2.3", "SSA_TIMEOUT cannot be '1.2.3': give seconds as a number."},
        {"SSA_TIMEOUT", "0", "SSA_TIMEOUT cannot be '0': give a positive number of seconds."},
        {"SSA_TIMEOUT", "-1", "SSA_TIMEOUT cannot be '-1': give a positive number of seconds."},
        {"SSA_TIMEOUT", "-inf", "SSA_TIMEOUT cannot be '-inf': give a positive number of seconds."},
        {"SSA_TIMEOUT", "1e-999", "SSA_TIMEOUT cannot be '1e-999': give a positive number of seconds."},
        {"SSA_VALUE_LIMIT", "-1", "SSA_VALUE_LIMIT cannot be '-1': give bytes as a whole number, 0 or more."},
        {"SSA_VALUE_LIMIT", "1 MiB", "SSA_VALUE_LIMIT cannot be '1 MiB': give bytes as a whole number, 0 or more."},
        {"SSA_KEEP_BYTES", "9999999999999999999",
         "SSA_KEEP_BYTES cannot be '9999999999999999999': give bytes as a whole number, 0 or more."},
        {"SSA_TRUST_TOPOLOGY", "yes", "SSA_TRUST_TOPOLOGY cannot be 'yes': write 0 or 1."},
        {"SSA_TLS", "10", "SSA_TLS cannot be '10': write 0 or 1."},
        {"SSA_LOG_LEVEL", "loud", "SSA_LOG_LEVEL cannot be 'loud': write quiet, error, info or debug."},
        {"SR_DB_TYPE", "Cluster",
         "SR_DB_TYPE cannot be 'Cluster': write Clustered or Standalone, or unset it to ask the "
         "server."},
        {"SSKEYOUT", "a{b", "SSKEYOUT cannot be 'a{b': braces decide which shard holds a key; leave them out."},
        {"SSKEYIN", "a,b},c", "SSKEYIN cannot be 'b}': braces decide which shard holds a key; leave them out."},
        {"SSDB_FILE", "no/such/file", "SSDB_FILE cannot be 'no/such/file': No such file or directory."},
        {"SSA_TLS_KEY", "k.pem",
         "SSA_TLS_KEY cannot be set alone: a certificate and its key go together (SSA_TLS_CERT, "
         "SSA_TLS_KEY)."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_refused(NULL, ENVIRONMENT(cases[i][0], cases[i][1], "SSDB", "a:1"), cases[i][2]);
}

static void test_arguments_that_cannot_be_right_are_refused(void) {
    static const struct {
        double seconds;
        const char *says;
    } cases[] = {{0, "timeout cannot be 0: give a positive number of seconds."},
                 {-1.5, "timeout cannot be -1.5: give a positive number of seconds."},
                 {NAN, "timeout cannot be nan: give a positive number of seconds."},
                 {-INFINITY, "timeout cannot be -inf: give a positive number of seconds."}};
    ssa_settings_given given = nothing();
    const char *const *environment = ENVIRONMENT("SSDB", "a:1");
    for (size_t i = 0; i < 4; i++) {
        given.timeout = &cases[i].seconds;
        check_refused(&given, environment, cases[i].says);
    }
    given = nothing();
    given.bulk_connection = 2;
    check_refused(&given, environment, "bulk_connection cannot be 2: give 0 or 1.");
    given = nothing();
    given.log_level = 4;
    check_refused(&given, environment, "log_level cannot be 4: write quiet, error, info or debug.");
    given = nothing();
    given.address = "";
    check_refused(&given, environment,
                  "address cannot be empty: name at least one shard (host:port, [ipv6]:port or unix:///path).");
    given.address = "localhost";
    check_refused(&given, environment, "address cannot be 'localhost': write host:port, [ipv6]:port or unix:///path.");
}

static void test_all_mistakes_are_told_at_once_and_no_password(void) {
    check_refused(
        NULL,
        ENVIRONMENT("SSDB", "nowhere", "SSDB_PASSWORD", "hush", "SSKEYOUT", "}", "SSA_TIMEOUT", "x", "SSA_TLS", "2"),
        "SSDB cannot be 'nowhere': write host:port, [ipv6]:port or unix:///path.\n"
        "SSKEYOUT cannot be '}': braces decide which shard holds a key; leave them out.\n"
        "SSA_TIMEOUT cannot be 'x': give seconds as a number.\n"
        "SSA_TLS cannot be '2': write 0 or 1.");
}

static void test_seconds_are_read_as_numbers_are_written(void) {
    static const struct {
        const char *text;
        int64_t nanoseconds;
    } cases[] = {
        {"60", 60000000000},
        {"+2.5", 2500000000},
        {".5", 500000000},
        {"5.", 5000000000},
        {"1e3", 1000000000000},
        {"1E-3", 1000000},
        {"1e+1", 10000000000},
        {"1e-30", 1},
        {"0.000000001", 1},
        {"inf", SSA_NO_TIMEOUT},
        {"Infinity", SSA_NO_TIMEOUT},
        {"1e300", SSA_NO_TIMEOUT},
        {"1e999999999999", SSA_NO_TIMEOUT},
        {"9300000000", SSA_NO_TIMEOUT},
        {"00060.00", 60000000000},
        {"0.1", 100000000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ssa_settings settings;
        check_resolved(&settings, NULL, ENVIRONMENT("SSDB", "a:1", "SSA_TIMEOUT", cases[i].text));
        if (!CHECK_NUMBER(settings.timeout_ns, cases[i].nanoseconds))
            printf("    of %s\n", cases[i].text);
        ssa_settings_free(&settings);
    }
    ssa_settings settings;
    ssa_settings_given given = nothing();
    double forever = INFINITY;
    given.timeout = &forever;
    check_resolved(&settings, &given, ENVIRONMENT("SSDB", "a:1"));
    CHECK(settings.timeout_ns == SSA_NO_TIMEOUT);
    ssa_settings_free(&settings);
}

/* ---- the file */

static void write_file(const char *text, size_t bytes, mode_t mode) {
    int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    CHECK(descriptor >= 0 && write(descriptor, text, bytes) == (ssize_t)bytes && !fchmod(descriptor, mode));
    close(descriptor);
}

#define WRITE_FILE(text) write_file(text, sizeof(text) - 1, 0600)

static void test_a_file_fills_what_the_environment_leaves_open(void) {
    ssa_settings settings;
    WRITE_FILE(
        "# of the experiment\n\nSSDB=unix:///run/1.sock\nSSDB_USER=reader\r\nSSDB_PASSWORD= a=b \nSSDB_SOCKETS=/run\n"
        "SSDB_ocean=o:1\nSSDB_PASSWORD_ocean=deep");
    check_resolved(&settings, NULL, ENVIRONMENT("SSDB_FILE", path, "SSDB_USER", "admin", "SSDB_SOCKETS", ""));
    CHECK_TEXT(settings.addresses[0].path, "/run/1.sock");
    CHECK_TEXT(settings.user, "admin");
    CHECK_TEXT(settings.password, " a=b ");
    CHECK_TEXT(settings.sockets, "/run");
    CHECK_TEXT(settings.file, path);
    ssa_settings_free(&settings);

    ssa_settings_given given = nothing();
    given.identifier = "ocean";
    check_resolved(&settings, &given, ENVIRONMENT("SSDB_FILE", path)); /* one file for all stores */
    CHECK_TEXT(settings.addresses[0].host, "o");
    CHECK_TEXT(settings.password, "deep");
    CHECK_TEXT(settings.user, "workload");
    ssa_settings_free(&settings);
    check_resolved(&settings, &given, ENVIRONMENT("SSDB_FILE", "elsewhere", "SSDB_FILE_ocean", path));
    CHECK_TEXT(settings.password, "deep");
    ssa_settings_free(&settings);
    unlink(path);
}

static void check_file_refused(const char *text, size_t bytes, mode_t mode, const char *says) {
    write_file(text, bytes, mode);
    check_refused(NULL, ENVIRONMENT("SSDB_FILE", path), says);
    unlink(path);
}

#define FILE_REFUSED(text, mode, says) check_file_refused(text, sizeof(text) - 1, mode, says)

static void test_a_file_that_others_may_read_is_refused(void) {
    static const mode_t modes[] = {0640, 0604, 0660, 0610, 0602};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        FILE_REFUSED(
            "SSDB=a:1\n", modes[i],
            "SSDB_FILE cannot be 'store.conf': group or others may read or write it; chmod 600 it, and change the "
            "password in it.");
}

static void test_lines_of_another_form_are_refused_without_their_values(void) {
    FILE_REFUSED(
        "SSDB=a:1\nhush hush\nSSDB_PASSWORD=x\nPASSWORD=hush\n=hush\nSSDBX=1\nSSKEYIN=hush\n", 0600,
        "line 2 of store.conf cannot be a line without '=': write NAME=value.\n"
        "line 4 of store.conf cannot be 'PASSWORD': only SSDB, SSDB_USER, SSDB_PASSWORD and SSDB_SOCKETS may stand "
        "there.\n"
        "line 5 of store.conf cannot be '': only SSDB, SSDB_USER, SSDB_PASSWORD and SSDB_SOCKETS may stand there.\n"
        "line 6 of store.conf cannot be 'SSDBX': only SSDB, SSDB_USER, SSDB_PASSWORD and SSDB_SOCKETS may stand "
        "there.\n"
        "line 7 of store.conf cannot be 'SSKEYIN': only SSDB, SSDB_USER, SSDB_PASSWORD and SSDB_SOCKETS may stand "
        "there.");
    FILE_REFUSED("SSDB=a:1\0\n", 0600,
                 "line 1 of store.conf cannot be a line with a NUL: write NAME=value in plain text.");
    FILE_REFUSED("SSDB=nowhere\n", 0600,
                 "SSDB in store.conf cannot be 'nowhere': write host:port, [ipv6]:port or unix:///path.");
}

static void test_what_is_no_file_is_refused(void) {
    char long_text[SSA_SETTINGS_FILE_MAX + 1];
    memset(long_text, '#', sizeof long_text);
    check_file_refused(long_text, sizeof long_text, 0600,
                       "SSDB_FILE cannot be 'store.conf': it is longer than 64 KiB, which no file of settings is.");
    check_refused(NULL, ENVIRONMENT("SSDB_FILE", "."), "SSDB_FILE cannot be '.': name a regular file.");
    CHECK(!mkfifo(path, 0600)); /* nobody writes into it: it must not be waited for */
    check_refused(NULL, ENVIRONMENT("SSDB_FILE", path), "SSDB_FILE cannot be 'store.conf': name a regular file.");
    unlink(path);
    WRITE_FILE("");
    check_refused(NULL, ENVIRONMENT("SSDB_FILE", path),
                  "SSDB cannot be empty or unset: start the program through an Experiment, or pass the store's address "
                  "(host:port or unix:///path).");
    unlink(path);
}

static void test_a_file_that_was_cut_anywhere_is_read_within_its_bytes(void) {
    static const char whole[] = "SSDB=unix:///run/1.sock\r\nSSDB_USER=reader\r\n#\r\n";
    for (size_t bytes = 0; bytes < sizeof whole; bytes++) {
        ssa_settings settings;
        ssa_settings_given none = nothing();
        write_file(whole, bytes, 0600);
        ssa_status status = resolve(&settings, &none, ENVIRONMENT("SSDB_FILE", path));
        CHECK(status == SSA_OK || status == SSA_EARGUMENT);
        ssa_settings_free(&settings);
    }
    unlink(path);
}

/* ---- secrets */

/* Memory that is released is looked at before it goes: the password must not be in it. */
static int found_secret;
static struct block {
    void *memory;
    size_t bytes;
} blocks[256];

static void *spy_allocate(size_t bytes) {
    void *memory = malloc(bytes);
    for (size_t i = 0; i < 256 && memory; i++)
        if (!blocks[i].memory) {
            blocks[i] = (struct block){memory, bytes};
            memset(memory, 0, bytes);
            break;
        }
    return memory;
}

static void spy_release(void *memory) {
    for (size_t i = 0; i < 256 && memory; i++)
        if (blocks[i].memory == memory) {
            for (size_t at = 0; at + 6 <= blocks[i].bytes; at++)
                found_secret |= !memcmp((char *)memory + at, "hushhh", 6);
            blocks[i].memory = NULL;
        }
    free(memory);
}

static void *spy_reallocate(void *memory, size_t bytes) {
    void *fresh = spy_allocate(bytes);
    for (size_t i = 0; i < 256 && memory && fresh; i++)
        if (blocks[i].memory == memory)
            memcpy(fresh, memory, blocks[i].bytes < bytes ? blocks[i].bytes : bytes);
    spy_release(memory);
    return fresh;
}

static void test_the_password_is_overwritten_before_its_memory_goes(void) {
    static const ssa_allocator spy = {spy_allocate, spy_reallocate, spy_release};
    static const ssa_allocator usual = {check_allocate, check_reallocate, check_release};
    ssa_settings settings;
    ssa_settings_given none = nothing();
    ssa_allocator_set(&spy);
    WRITE_FILE("SSDB=a:1\nSSDB_PASSWORD=hushhh\n");
    CHECK(resolve(&settings, &none, ENVIRONMENT("SSDB_FILE", path)) == SSA_OK);
    CHECK_TEXT(settings.password, "hushhh");
    ssa_settings_free(&settings);
    CHECK(resolve(&settings, &none, ENVIRONMENT("SSDB_FILE", path, "SSA_TLS", "x")) == SSA_EARGUMENT);
    WRITE_FILE("SSDB=a:1\nSSDB_PASSWORD=hushhh\nhushhh");
    CHECK(resolve(&settings, &none, ENVIRONMENT("SSDB_FILE", path)) == SSA_EARGUMENT);
    CHECK(!found_secret && !strstr(mistakes, "hushhh"));
    found_secret = 0;
    ssa_release(strcpy(ssa_allocate(10), "hushhh"));
    CHECK(found_secret); /* else the spy would prove nothing */
    ssa_allocator_set(&usual);
    unlink(path);
}

/* ---- describe */

static void test_describe_says_what_is_set_and_from_where(void) {
    ssa_settings settings;
    ssa_settings_given given = nothing();
    ssa_buffer text = {0};
    double timeout = 2.5;
    given.timeout = &timeout;
    given.identifier = "ocean";
    WRITE_FILE("SSDB_PASSWORD_ocean=hush\n");
    check_resolved(&settings, &given,
                   ENVIRONMENT("SSDB_ocean", "a:1,[::1]:2", "SSDB_FILE", path, "SSKEYIN", "x,y\x1b[2J"));
    CHECK(ssa_settings_describe(&settings, &text) == SSA_OK && ssa_buffer_append(&text, "", 1) == SSA_OK);
    const char *said = (const char *)text.data;
    static const char *const lines[] = {
        "identifier           ocean        argument     which of several stores\n",
        "\nSSDB_FILE_ocean      store.conf   environment  file",
        "\nSSDB_ocean           a:1,[::1]:2  environment  where the shards listen\n",
        "\nSSDB_USER_ocean      workload     default      user of the store\n",
        "\nSSDB_PASSWORD_ocean  (set)        file         its password\n",
        "\nSSKEYIN_ocean        x,y?[2J      environment  prefixes",
        "\nSR_DB_TYPE_ocean     any          default      Clustered",
        "\nSSA_TIMEOUT          2.5 s        argument     how long",
        "\nSSA_LOG_LEVEL        quiet        default      quiet",
        "\nSSA_TLS_NAME         (none)       default      name",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (!CHECK(strstr(said, lines[i])))
            printf("    missing: %s\n%s\n", lines[i], i ? "" : said);
    size_t count = 0;
    for (const char *at = said; *at; at++)
        count += *at == '\n';
    CHECK_NUMBER(count, SSA_SETTINGS_COUNT);
    CHECK(!strstr(said, "hush") && !strchr(said, 0x1b));
    ssa_buffer_free(&text);
    ssa_settings_free(&settings);
    unlink(path);
}

static void test_long_values_leave_the_other_lines_aligned(void) {
    ssa_settings settings;
    ssa_buffer text = {0};
    double never = INFINITY;
    ssa_settings_given given = nothing();
    given.timeout = &never;
    check_resolved(&settings, &given,
                   ENVIRONMENT("SSDB", "a-long-name.of-a-host.cluster:1,another-long-name.of-a-host.cluster:2"));
    CHECK(ssa_settings_describe(&settings, &text) == SSA_OK && ssa_buffer_append(&text, "", 1) == SSA_OK);
    CHECK(strstr((char *)text.data, "cluster:2  environment  where"));
    CHECK(strstr((char *)text.data, "\nSSA_TIMEOUT          (none)     argument     how"));
    CHECK(strstr((char *)text.data, "\nSSA_KEEP_BYTES       134217728  default      mem"));
    ssa_buffer_free(&text);
    ssa_settings_free(&settings);
}

/* ---- */

static void test_without_a_look_up_the_process_is_asked(void) {
    ssa_settings settings;
    ssa_settings_given none = nothing();
    ssa_buffer text = {0};
    setenv("SSDB", "from.the.process:1", 1);
    CHECK(ssa_settings_resolve(&settings, &none, NULL, NULL, &text) == SSA_OK);
    CHECK_TEXT(settings.addresses[0].host, "from.the.process");
    ssa_settings_free(&settings);
    ssa_buffer_free(&text);
    unsetenv("SSDB");
}

static ssa_status exercise(void) {
    ssa_settings settings;
    ssa_settings_given given = nothing();
    ssa_buffer text = {0}, told = {0};
    int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (descriptor < 0 || write(descriptor, "SSDB_PASSWORD=x\n", 16) != 16)
        return SSA_ESYSTEM;
    close(descriptor);
    given.user = "admin";
    const char *const *good = ENVIRONMENT("SSDB", "a:1,b:2", "SSDB_FILE", path, "SSKEYIN", "x,y", "SSKEYOUT", "z");
    const char *const *bad = ENVIRONMENT("SSDB", "a:1,b", "SSKEYIN", "x,}", "SSA_TIMEOUT", "x", "SSA_TLS_KEY", "k");
    ssa_status status = ssa_settings_resolve(&settings, &given, look_up, (void *)good, &text);
    if (!status)
        status = ssa_settings_describe(&settings, &told);
    ssa_settings_free(&settings);
    if (!status) {
        status = ssa_settings_resolve(&settings, &given, look_up, (void *)bad, &text);
        status = status == SSA_EARGUMENT ? SSA_OK : status;
    }
    ssa_buffer_free(&text);
    ssa_buffer_free(&told);
    unlink(path);
    return status;
}

CHECK_MAIN(exercise, test_defaults, test_everything_comes_from_the_environment,
           test_arguments_come_before_the_environment,
           test_each_setting_is_looked_for_by_itself,
           test_a_file_is_read_for_what_is_not_given,
           test_a_log_that_cannot_be_written_is_refused,
           test_a_named_store_has_variables_of_its_own, test_an_identifier_must_not_be_mistaken,
           test_an_environment_that_cannot_be_right_is_refused, test_arguments_that_cannot_be_right_are_refused,
           test_all_mistakes_are_told_at_once_and_no_password, test_seconds_are_read_as_numbers_are_written,
           test_a_file_fills_what_the_environment_leaves_open, test_a_file_that_others_may_read_is_refused,
           test_lines_of_another_form_are_refused_without_their_values, test_what_is_no_file_is_refused,
           test_a_file_that_was_cut_anywhere_is_read_within_its_bytes,
           test_the_password_is_overwritten_before_its_memory_goes, test_describe_says_what_is_set_and_from_where,
           test_long_values_leave_the_other_lines_aligned, test_without_a_look_up_the_process_is_asked)
