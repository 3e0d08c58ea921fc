/* The one table of what a client can be told: name, kind, default and meaning of each setting; how each kind is read
 * and shown. Private to settings.c and settings_file.c. */
#ifndef SSA_SETTINGS_TABLE_H
#define SSA_SETTINGS_TABLE_H

#include "mistake.h"
#include "settings.h"

typedef enum ssa_setting_kind {
    SSA_SET_TEXT,      /* char * */
    SSA_SET_SECRET,    /* char *, NULL if there is none; never shown */
    SSA_SET_ADDRESSES, /* addresses and address_count */
    SSA_SET_PREFIX,    /* char * */
    SSA_SET_PREFIXES,  /* read_prefixes and read_prefix_count; given as a comma list */
    SSA_SET_MODE,      /* ssa_server_mode */
    SSA_SET_SECONDS,   /* int64_t of nanoseconds; given as a pointer to a double */
    SSA_SET_BYTES,     /* int64_t */
    SSA_SET_SWITCH,    /* int */
    SSA_SET_LEVEL      /* ssa_log_level; given as an int */
} ssa_setting_kind;

enum {
    SSA_SETTING_OF_ADDRESS = 1, /* says something of what SSDB names: not read when another address is given */
    SSA_SETTING_SUFFIXED = 2, /* with an identifier its name ends in it */
    SSA_SETTING_SHARED = 4,   /* and the name without it holds where that one is unset */
    SSA_SETTING_IN_FILE = 8   /* may stand in the file that SSDB_FILE names */
};

typedef struct ssa_setting {
    const char *variable; /* of the environment; NULL: none */
    const char *argument; /* as a caller names it; NULL: cannot be given */
    ssa_setting_kind kind;
    unsigned flags;
    const char *standard; /* the default, as text; NULL: none */
    size_t given_at, at;  /* in ssa_settings_given and in ssa_settings */
    const char *meaning;
} ssa_setting;

/* The first two are needed to read the others. */
enum { SSA_SETTING_IDENTIFIER, SSA_SETTING_FILE };

extern const ssa_setting ssa_settings_table[SSA_SETTINGS_COUNT];

/* Set the field from text. SSA_EARGUMENT: *mistake, of SSA_MISTAKE_BYTES, calls it `name`. SSA_ENOMEM. */
ssa_status ssa_setting_read(const ssa_setting *setting, ssa_settings *settings, const char *name, const char *text,
                            char *mistake);

/* Set the field from what the caller gave. SSA_MORE: nothing was given. */
ssa_status ssa_setting_take(const ssa_setting *setting, ssa_settings *settings, const ssa_settings_given *given,
                            char *mistake);

/* Append the value as describe shows it. SSA_ENOMEM. */
ssa_status ssa_setting_show(const ssa_setting *setting, const ssa_settings *settings, ssa_buffer *text);

#endif
