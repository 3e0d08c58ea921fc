/* One client that does what it is told, line by line, so that a test can move the store between its steps. Each line is
 * answered by one:
 *
 *     start ID SECONDS WORD...  begin an operation (a table below); "ID begun", or how it was refused
 *     settle                    drive until nothing is on its way; "settled"
 *     await ID                  drive until it is complete; "ID STATUS NUMBER ERROR", then a further line for each string of
 *                               its reply, in hexadecimal digits, and "."
 *     look ID                   the same, but whoever asked has not got it: it may still be dropped
 *     cancel ID                 "ID cancelled"
 *     drop ID                   free it, and whoever asked never had what it gave; "ID dropped"
 *     spin N ENTITY             N polls of a simulation's safe point, one after another; "spun NANOSECONDS COMMANDS
 *                               REQUESTS" (of each; of all)
 *     memory                    "memory BYTES": what is allocated
 *     changing                  "changing COUNT": changes that later runs look for (run_order.h)
 *
 * "-" is an empty word. The store is the one of the environment. */
#include <ctype.h>
#include <malloc.h>

#include "../c/check.h"
#include "op_build.h"
#include "poll_driver.h"

#define WORDS 10
#define REQUESTS 200000

static ssa_engine *engine;
static ssa_request *requests[REQUESTS];
static ssa_problem problem;

static ssa_text text_of(const char *word) {
    return strcmp(word, "-") ? (ssa_text){word, strlen(word)} : (ssa_text){"", 0};
}

static ssa_kind kind_of(const char *word) {
    static const char *const words[] = {"tensor", "dataset", "list", "model", "script", "key"};
    for (int i = 0; i < 6; i++)
        if (!strcmp(word, words[i]))
            return (ssa_kind)i;
    exit(4);
}

static ssa_comparison comparison_of(const char *word) {
    return !strcmp(word, "==") ? SSA_COMPARE_EQUAL : !strcmp(word, ">=") ? SSA_COMPARE_AT_LEAST : SSA_COMPARE_AT_MOST;
}

static ssa_request *put(const char *name, size_t bytes) {
    static char data[8 << 20];
    ssa_tensor_header header = {.dtype = SSA_UINT8, .itemsize = 1, .ndim = 1, .shape = {bytes}};
    ssa_tensor_header_complete(&header);
    return bytes <= sizeof data ? ssa_op_put_tensor(engine, text_of(name), &header, data, &problem) : NULL;
}

#define IS(word) (!strcmp(words[0], word))
#define TEXT(i) text_of(words[i])

static ssa_request *request_of(char *const *words) {
    if (IS("wait_for"))
        return ssa_op_wait_for(engine, "wait_for_it", kind_of(words[1]), TEXT(2), &problem);
    if (IS("wait_for_list_length"))
        return ssa_op_wait_for_list_length(engine, TEXT(1), atoll(words[3]), comparison_of(words[2]), &problem);
    if (IS("poll"))
        return ssa_op_poll(engine, "poll_it", kind_of(words[1]), TEXT(2), atoll(words[3]), atoll(words[4]), &problem);
    if (IS("poll_list_length"))
        return ssa_op_poll_list_length(engine, "poll_list_length", TEXT(1), atoll(words[3]), comparison_of(words[2]),
                                       atoll(words[4]), atoll(words[5]), &problem);
    if (IS("watch"))
        return ssa_op_watch(engine, TEXT(1), &problem);
    if (IS("exists"))
        return ssa_op_exists(engine, "key_exists", SSA_KIND_KEY, TEXT(1), &problem);
    if (IS("put"))
        return put(words[1], (size_t)atoll(words[2]));
    if (IS("info"))
        return ssa_op_node_info(engine, TEXT(1), &problem);
    if (IS("cluster_info"))
        return ssa_op_cluster_info(engine, TEXT(1), &problem);
    if (IS("ping"))
        return ssa_op_ping(engine, TEXT(1), &problem);
    if (IS("config_get"))
        return ssa_op_config_get(engine, TEXT(1), TEXT(2), &problem);
    if (IS("config_set"))
        return ssa_op_config_set(engine, TEXT(1), TEXT(2), TEXT(3), &problem);
    if (IS("save"))
        return ssa_op_save(engine, TEXT(1), &problem);
    if (IS("flush"))
        return ssa_op_flush(engine, TEXT(1), &problem);
    if (IS("run")) /* of a model, on a tensor of the store */
        return ssa_op_run(engine, "run_model", SSA_KIND_MODEL, TEXT(1), &(ssa_run_input){.name = TEXT(2)}, 1, NULL, 0,
                          &(ssa_run_options){.function = {"", 0}, .device = {"", 0}}, &problem);
    if (IS("run_to")) /* the same, and its output is stored */
        return ssa_op_run(engine, "run_model", SSA_KIND_MODEL, TEXT(1), &(ssa_run_input){.name = TEXT(2)}, 1,
                          (const ssa_text[]){TEXT(3)}, 1, &(ssa_run_options){.function = {"", 0}, .device = {"", 0}}, &problem);
    if (IS("control_poll"))
        return ssa_op_control_poll(engine, TEXT(1), &problem);
    if (IS("control_send"))
        return ssa_op_control_send(engine, TEXT(1), TEXT(2), TEXT(3), TEXT(4), &problem);
    if (IS("control_clear"))
        return ssa_op_control_clear(engine, TEXT(1), &problem);
    exit(4);
}

/* One line, whatever is in the text. */
static void say_text(const char *text) {
    for (; *text; text++)
        putchar(*text == '\n' ? ' ' : *text);
    putchar('\n');
}

static void say_reply(const ssa_reply *reply) {
    for (size_t i = 0; i < reply->count; i++) {
        const ssa_node *node = &reply->nodes[i];
        if (node->kind != SSA_TOKEN_BULK && node->kind != SSA_TOKEN_SIMPLE)
            continue;
        for (size_t b = 0; b < node->text_bytes; b++)
            printf("%02x", reply->text.data[node->text_at + b]);
        putchar('\n');
    }
    puts(".");
}

static void start(long id, char *const *words) {
    ssa_request_free(requests[id]);
    requests[id] = request_of(words + 1);
    if (!requests[id]) {
        printf("%ld %s 0 ", id, ssa_status_name(problem.status));
        say_text(problem.text);
        return;
    }
    ssa_request_start(requests[id], (int64_t)(atof(words[0]) * 1e9));
    ssa_engine_flush(engine);
    printf("%ld begun\n", id);
}

static void await(long id, int is_taken) {
    ssa_request *request = requests[id];
    while (!request->complete)
        ssa_poll_until(engine, request, SSA_NEVER);
    printf("%ld %s %lld ", id, ssa_status_name(request->status), (long long)request->number);
    say_text(request->error.data ? (const char *)request->error.data : "");
    say_reply(&request->reply);
    request->taken = is_taken;
}

static void settle(void) {
    while (engine->in_flight) {
        while (ssa_engine_next_complete(engine)) /* they are kept by number */
            ;
        ssa_poll_until(engine, NULL, ssa_now() + 1000000);
    }
    puts("settled");
}

static void spin(long count, const char *entity) {
    uint64_t commands = engine->statistics.commands;
    int64_t begin = ssa_now(), number = 0;
    for (long i = 0; i < count; i++) {
        ssa_request *request = ssa_op_control_poll(engine, text_of(entity), &problem);
        ssa_request_start(request, -1);
        while (!request->complete)
            ssa_poll_until(engine, request, SSA_NEVER);
        number += request->number;
        request->taken = 1;
        ssa_request_free(request);
    }
    printf("spun %lld %llu %lld\n", (long long)((ssa_now() - begin) / count),
           (unsigned long long)(engine->statistics.commands - commands), (long long)number);
}

static void obey(char *const *words) {
    long id = words[1] ? atol(words[1]) : 0;
    if (id < 0 || id >= REQUESTS)
        exit(4);
    if (IS("start")) {
        start(id, words + 2);
    } else if (IS("await")) {
        await(id, 1);
    } else if (IS("look")) {
        await(id, 0);
    } else if (IS("cancel")) {
        ssa_request_cancel(requests[id]);
        printf("%ld cancelled\n", id);
    } else if (IS("drop")) {
        ssa_request_free(requests[id]);
        requests[id] = NULL;
        printf("%ld dropped\n", id);
    } else if (IS("settle")) {
        settle();
    } else if (IS("spin")) {
        spin(atol(words[1]), words[2]);
    } else if (IS("memory")) {
        printf("memory %zu\n", mallinfo2().uordblks);
    } else if (IS("changing")) {
        uint64_t count = engine->run_order.changing_all;
        for (size_t i = 0; i < sizeof engine->run_order.changing / sizeof *engine->run_order.changing; i++)
            count += engine->run_order.changing[i];
        printf("changing %llu\n", (unsigned long long)count);
    } else {
        exit(4);
    }
}

int main(void) {
    ssa_settings_given given;
    ssa_settings settings;
    ssa_buffer mistakes = {NULL, 0, 0};
    char line[1024], *words[WORDS + 1];
    setvbuf(stdout, NULL, _IOLBF, 0);
    ssa_settings_given_init(&given);
    if (ssa_settings_resolve(&settings, &given, NULL, NULL, &mistakes)) {
        puts((char *)mistakes.data);
        return 3;
    }
    engine = ssa_engine_new(&settings, NULL);
    while (engine && fgets(line, sizeof line, stdin)) {
        size_t count = 0;
        memset(words, 0, sizeof words);
        for (char *word = strtok(line, " \n"); word && count < WORDS; word = strtok(NULL, " \n"))
            words[count++] = word;
        if (count)
            obey(words);
    }
    for (size_t i = 0; i < REQUESTS; i++)
        ssa_request_free(requests[i]);
    ssa_engine_free(engine);
    return 0;
}
