/* `program BATCH ADDRESSES PASSWORD LIMIT`: carry out one of the batches below, and print how it ended. A request takes no more
 * than LIMIT bytes of tensors; each of these has 600. The worker is the test's: its models "same" and "first" give their first
 * input and one element of it. */
#include "store.h"

#include "batch_plan.h"
#include "engine.h"

#define COUNT 75
#define E store.engine

static ssa_batch_plan *batch;
static double data[COUNT];

static void add(ssa_request *request) {
    if (!request || ssa_batch_plan_add(batch, request))
        exit(3);
}

static void put(const char *name) {
    ssa_tensor_header header = header_of(SSA_FLOAT64, COUNT);
    add(ssa_op_put_tensor(E, name_of(name), &header, data, &store.problem));
}

/* another: NULL: one input. */
static void run(const char *model, const char *input, const char *another, const char *output) {
    ssa_run_options options = {.function = {"", 0}, .device = {"", 0}, .discard = 0};
    ssa_run_input inputs[2] = {{.name = name_of(input)}};
    ssa_text outputs[] = {name_of(output)};
    if (another)
        inputs[1].name = name_of(another);
    add(ssa_op_run(E, "run_model", SSA_KIND_MODEL, name_of(model), inputs, another ? 2 : 1, outputs, 1, &options, &store.problem));
}

/* Runs behind it are no part of a chain with those before it. */
static void part(void) {
    add(ssa_op_rename(E, "rename_tensor", SSA_KIND_TENSOR, name_of("b"), name_of("c"), &store.problem));
}

static void puts_and_a_run(void) {
    put("x");
    put("y");
    run("same", "x", "y", "z");
}

static void left_and_right(void) {
    put("x");
    put("b");
    run("same", "x", NULL, "left");
    run("same", "x", NULL, "right");
    part();
}

static void a_chain(void) {
    left_and_right();
    run("first", "left", NULL, "short");
    run("first", "right", "short", "result");
}

static void a_run(void) {
    left_and_right();
    run("same", "left", "right", "result");
}

int main(int count, char **words) {
    if (count != 5)
        return 3;
    store.addresses = words[2];
    store.password = words[3];
    store_open();
    E->workers.most_bytes = strtoull(words[4], NULL, 10);
    batch = ssa_batch_plan_new(E);
    if (!batch)
        return 3;
    (strcmp(words[1], "puts_and_a_run") ? strcmp(words[1], "a_chain") ? a_run : a_chain : puts_and_a_run)();
    ssa_request *whole = ssa_batch_plan_execute(batch, -1);
    while (!whole->complete)
        ssa_poll_until(E, whole, SSA_NEVER);
    printf("%s%s%s\n", ssa_status_name(whole->status), whole->status ? " " : "", whole->status ? (char *)whole->error.data : "");
    ssa_batch_plan_free(batch);
    store_close();
    return 0;
}
