#include "options.h"

#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static bool number(const char *text, double lowest, double *out) {
    char *end;
    *out = strtod(text, &end);
    return *text && !*end && *out >= lowest;
}

const char *ssa_options_parse(ssa_options *options, int argc, char **argv) {
    static const struct option known[] = {
        {"record", required_argument, NULL, 'r'},        {"cwd", required_argument, NULL, 'c'},
        {"output", required_argument, NULL, 'o'},        {"error", required_argument, NULL, 'e'},
        {"driver-lock", required_argument, NULL, 'l'},   {"runtime-directory", required_argument, NULL, 'd'},
        {"orphan-timeout", required_argument, NULL, 't'}, {"grace", required_argument, NULL, 'g'},
        {"stop-signal", required_argument, NULL, 's'},   {"portable", no_argument, NULL, 'p'},
        {NULL, 0, NULL, 0},
    };
    double value;
    int letter;

    *options = (ssa_options){.orphan_timeout = -1, .grace = 5, .stop_signal = SIGTERM};
    opterr = 0;
    while ((letter = getopt_long(argc, argv, "+", known, NULL)) != -1) {
        switch (letter) {
        case 'r': options->record = optarg; break;
        case 'c': options->cwd = optarg; break;
        case 'o': options->output = optarg; break;
        case 'e': options->error = optarg; break;
        case 'l': options->driver_lock = optarg; break;
        case 'd': options->runtime_directory = optarg; break;
        case 'p': options->portable = true; break;
        case 't':
            if (!number(optarg, 0, &options->orphan_timeout)) return "--orphan-timeout wants seconds";
            break;
        case 'g':
            if (!number(optarg, 0, &options->grace)) return "--grace wants seconds";
            break;
        case 's':
            if (!number(optarg, 1, &value) || value > 64) return "--stop-signal wants a signal number";
            options->stop_signal = (int)value;
            break;
        default: return "unknown option, or one without its value";
        }
    }
    if (!options->record || !options->cwd || !options->output || !options->error)
        return "--record, --cwd, --output and --error are needed";
    if (options->orphan_timeout >= 0 && !options->driver_lock) return "--orphan-timeout needs --driver-lock";
    if (optind >= argc) return "no command after the options";
    options->command = argv + optind;
    return NULL;
}
