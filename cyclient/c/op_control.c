#include "op_control.h"

#include <stdio.h>
#include <string.h>

#include "allocator.h"
#include "control_entry.h"
#include "op_build.h"

#define ID_BYTES SSA_CONTROL_ID_BYTES
#define PAGE 1000 /* requests that one question asks for */

typedef struct poll_state poll_state;

struct ssa_control {
    ssa_control *next;
    ssa_engine *engine;
    ssa_buffer key;
    ssa_waiter waiter;
    ssa_call question;
    int asking;
    int current;                 /* nothing can be there that has not come: nobody told of a change */
    int stale;                   /* somebody did, while the question was under way */
    int64_t asked;               /* when the last question was sent */
    uint64_t place;              /* requests that were taken */
    char last[ID_BYTES];         /* of the last one taken: it tells whether the list is still the same */
    uint64_t from;               /* where the question under way begins */
    ssa_reply pending;           /* taken and not handed out: kind, name, value of each */
    uint64_t answers;            /* polls that were given some */
    poll_state *returned;        /* whose callers never had them, the last answer first: those come before `pending` */
    char error[SSA_MISTAKE_BYTES]; /* of one that could not be read, to be told first */
    poll_state *polls;           /* that wait for an answer */
};

struct poll_state {
    ssa_request *request;
    ssa_control *control;
    poll_state *next, **place;   /* place NULL: it waits for nothing */
    uint64_t answer;             /* which of them it was given */
    ssa_reply came;              /* what that was, once it is returned */
};

static void ask(ssa_control *control);

/* ---- the requests that came */

static ssa_status keep_entry(ssa_control *control, const char *text, size_t bytes) {
    ssa_control_entry entry;
    ssa_reply *pending = &control->pending;
    if (!ssa_control_entry_read(&entry, text, bytes)) {
        char quoted[200];
        ssa_text_quote(quoted, sizeof quoted, text, bytes);
        snprintf(control->error, sizeof control->error,
                 "'%.150s' has a request that this client does not understand: %s. Use the same "
                 "ssasync on both sides.",
                 (char *)control->key.data, quoted);
        return SSA_OK;
    }
    if (!pending->count && ssa_reply_begin_list(pending))
        return SSA_ENOMEM;
    size_t count = pending->count;
    if (ssa_reply_add_text(pending, entry.kind.data, entry.kind.bytes) ||
        ssa_reply_add_text(pending, entry.name.data, entry.name.bytes) ||
        ssa_reply_add_text(pending, entry.value.data, entry.value.bytes)) {
        pending->nodes[0].number -= (int64_t)(pending->count - count);
        pending->count = count > 1 ? count : 0; /* an empty list would be an answer to the next poll */
        return SSA_ENOMEM;
    }
    return SSA_OK;
}

/* ---- the question */

/* What cannot be read may be shorter. */
static void copy_id(char *id, const ssa_reply *reply, const ssa_node *node) {
    memset(id, 0, ID_BYTES);
    if (node->text_bytes)
        memcpy(id, reply->text.data + node->text_at, node->text_bytes < ID_BYTES ? node->text_bytes : ID_BYTES);
}

/* The first that is asked for was taken already, if any was: it must be the same, else the list is a new one. */
static int is_same_list(const ssa_control *control, const ssa_reply *reply, const ssa_node *first, size_t count) {
    char id[ID_BYTES];
    if (!control->place)
        return 1;
    if (!count)
        return 0;
    copy_id(id, reply, first);
    return !memcmp(id, control->last, ID_BYTES);
}

static ssa_status take_page(ssa_control *control, const ssa_reply *reply, const ssa_node *list) {
    size_t count = list->kind == SSA_TOKEN_ARRAY ? (size_t)list->number : 0, skip = control->place ? 1 : 0;
    if (!is_same_list(control, reply, list + 1, count)) {
        control->place = 0;
        control->stale = 1;
        return SSA_OK;
    }
    for (size_t i = skip; i < count; i++) {
        const ssa_node *node = &list[1 + i];
        if (keep_entry(control, (const char *)reply->text.data + node->text_at, node->text_bytes)) {
            control->stale = 1;
            return SSA_ENOMEM;
        }
        control->place++;
        copy_id(control->last, reply, node);
        if (*control->error) { /* those behind it come with the next poll */
            control->stale = 1;
            break;
        }
    }
    if (count > PAGE)
        control->stale = 1;
    return SSA_OK;
}

/* Add what `behind` has to `reply`. On SSA_ENOMEM neither has changed. */
static ssa_status join(ssa_reply *reply, const ssa_reply *behind) {
    size_t count = reply->count;
    for (size_t i = 1; i < behind->count; i++) {
        const ssa_node *node = &behind->nodes[i];
        if (ssa_reply_add_text(reply, behind->text.data + node->text_at, node->text_bytes)) {
            reply->nodes[0].number -= (int64_t)(reply->count - count);
            reply->count = count;
            return SSA_ENOMEM;
        }
    }
    return SSA_OK;
}

/* What was returned is pending again, in its order. */
static ssa_status gather(ssa_control *control) {
    while (control->returned) {
        poll_state *last = control->returned;
        if (join(&last->came, &control->pending))
            return SSA_ENOMEM;
        ssa_reply_free(&control->pending);
        control->pending = last->came;
        control->returned = last->next;
        ssa_release(last);
    }
    return SSA_OK;
}

/* Its caller never had what it was given: the next poll has. Needs no memory. */
static void give_back(poll_state *state, ssa_reply *came) {
    poll_state **place = &state->control->returned;
    while (*place && (*place)->answer > state->answer)
        place = &(*place)->next;
    state->came = *came;
    memset(came, 0, sizeof *came);
    state->next = *place;
    *place = state;
}

static void deliver(ssa_request *request, ssa_control *control) {
    if (gather(control)) {
        ssa_request_fail_memory(request);
        return;
    }
    if (*control->error && !control->pending.count) {
        ssa_request_fail(request, SSA_EPROTOCOL, "%s", control->error);
        control->error[0] = 0;
        return;
    }
    request->reply = control->pending;
    memset(&control->pending, 0, sizeof control->pending);
    request->number = request->reply.count ? request->reply.nodes[0].number / 3 : 0;
    ((poll_state *)request->state)->answer = ++control->answers;
    ssa_request_succeed(request);
}

static void leave(poll_state *state) {
    if (!state->place)
        return;
    *state->place = state->next;
    if (state->next)
        state->next->place = state->place;
    state->place = NULL;
    state->request->shared = NULL;
}

/* All that wait have their answer: the first gets what came, the others got nothing new. A status: it failed. */
static void serve(ssa_control *control, const ssa_call *failed) {
    while (control->polls) {
        poll_state *state = control->polls;
        leave(state);
        if (state->request->complete)
            continue;
        if (failed)
            ssa_request_fail_call(state->request, failed);
        else
            deliver(state->request, control);
    }
}

static void answered(ssa_call *call) {
    ssa_control *control = call->owner;
    ssa_command *command = call->command;
    const ssa_node *list = ssa_tracking_answer(command);
    uint64_t place = control->place;
    control->asking = 0;
    if (list && take_page(control, &command->reply, list))
        command->status = SSA_ENOMEM;
    control->current = command->status == SSA_OK && !control->stale;
    if (command->status != SSA_OK) {
        serve(control, call);
    } else if (place && !control->place) { /* another list, from its beginning */
        if (control->polls)
            ask(control);
    } else {
        serve(control, NULL);
    }
    if (!control->asking)
        call->command = NULL;
    ssa_command_free(command);
}

static void changed(ssa_waiter *waiter) {
    ssa_control *control = waiter->owner;
    control->current = 0;
    control->stale = 1;
}

static ssa_command *question(const ssa_control *control) {
    ssa_command *command = ssa_tracking_command(control->engine, 4, "LRANGE");
    if (command && (ssa_command_argument(command, control->key.data, control->key.bytes) ||
                    ssa_command_number(command, control->from) || ssa_command_number(command, control->from + PAGE) ||
                    ssa_tracking_close(command))) {
        ssa_command_free(command);
        return NULL;
    }
    return command;
}

static void ask(ssa_control *control) {
    ssa_engine *engine = control->engine;
    control->from = control->place ? control->place - 1 : 0;
    ssa_command *command = question(control);
    if (!command) {
        control->current = 0;
        while (control->polls) {
            poll_state *state = control->polls;
            leave(state);
            ssa_request_fail_memory(state->request);
        }
        return;
    }
    control->asking = 1;
    control->stale = 0;
    control->asked = engine->now;
    memset(&control->question, 0, sizeof control->question);
    control->question.command = command;
    control->question.done = answered;
    control->question.owner = control;
    control->question.flags = SSA_CALL_IDEMPOTENT;
    ssa_call_key(&control->question, control->key.data, control->key.bytes);
    ssa_wait_add(&engine->waits, &control->waiter, control->key.data, control->key.bytes);
    ssa_engine_submit(engine, &control->question);
}

/* ---- the safe point */

/* What was told and not read yet. No call waits here: the sockets are only looked at. */
static void look_into_sockets(ssa_control *control) {
    ssa_call place;
    memset(&place, 0, sizeof place);
    ssa_call_key(&place, control->key.data, control->key.bytes);
    ssa_server *server = ssa_engine_owner(control->engine, place.slot);
    for (int i = 0; server && i < 2; i++)
        if (server->links[i].state == SSA_LINK_OPEN)
            ssa_link_ready(&server->links[i], SSA_EVENT_READ);
}

static void step(ssa_request *request) {
    poll_state *state = request->state;
    ssa_control *control = state->control;
    if (control->current)
        look_into_sockets(control);
    if (control->current || control->pending.count || control->returned || *control->error) {
        int is_old = request->engine->now - control->asked > ssa_wait_recheck(request->engine);
        if (is_old && control->current && !control->asking) /* should nobody have told: the next poll has the answer */
            ask(control);
        deliver(request, control);
        return;
    }
    state->next = control->polls;
    state->place = &control->polls;
    if (state->next)
        state->next->place = &state->next;
    control->polls = state;
    request->shared = &control->question;
    if (!control->asking)
        ask(control);
}

static void end(ssa_request *request) {
    poll_state *state = request->state;
    leave(state);
    if (request->reply.count && !request->taken)
        give_back(state, &request->reply);
    else
        ssa_release(state);
}

/* ---- the controls of an engine */

static ssa_control *find(ssa_engine *engine, const ssa_buffer *key) {
    for (ssa_control *control = engine->controls; control; control = control->next)
        if (control->key.bytes == key->bytes && !memcmp(control->key.data, key->data, key->bytes))
            return control;
    return NULL;
}

/* The key is taken over. */
static ssa_control *add(ssa_engine *engine, const ssa_buffer *key) {
    ssa_control *control = ssa_allocate(sizeof *control);
    if (!control)
        return NULL;
    memset(control, 0, sizeof *control);
    control->engine = engine;
    control->key = *key;
    control->waiter.changed = changed;
    control->waiter.owner = control;
    control->next = engine->controls;
    engine->controls = control;
    return control;
}

void ssa_control_stop(ssa_engine *engine) {
    for (ssa_control *control = engine->controls; control; control = control->next) {
        ssa_wait_remove(&control->waiter);
        if (control->asking)
            ssa_engine_abandon(engine, &control->question);
        control->asking = 0;
    }
}

void ssa_control_free(ssa_engine *engine) {
    while (engine->controls) {
        ssa_control *control = engine->controls;
        engine->controls = control->next;
        while (control->returned) {
            poll_state *state = control->returned;
            control->returned = state->next;
            ssa_reply_free(&state->came);
            ssa_release(state);
        }
        ssa_reply_free(&control->pending);
        ssa_buffer_free(&control->key);
        ssa_release(control);
    }
}

static ssa_status make_key(ssa_engine *engine, ssa_text *entity, ssa_buffer *key, ssa_problem *problem) {
    if (!entity->bytes && engine->names.write_prefix && *engine->names.write_prefix)
        *entity = (ssa_text){engine->names.write_prefix, strlen(engine->names.write_prefix)};
    if (!entity->bytes) {
        ssa_mistake_word(problem->text, sizeof problem->text, "entity", "empty",
                         "name the one that is asked, or set SSKEYOUT");
        return problem->status = SSA_EARGUMENT;
    }
    ssa_status status = ssa_key_make_control(&engine->names, entity->data, entity->bytes, key);
    if (status || (status = ssa_buffer_append(key, "", 1))) { /* ends in NUL, not counted */
        ssa_buffer_free(key);
        ssa_problem_names(engine, problem, status);
        return status;
    }
    key->bytes--;
    return SSA_OK;
}

ssa_request *ssa_op_control_poll(ssa_engine *engine, ssa_text entity, ssa_problem *problem) {
    ssa_buffer key = {NULL, 0, 0};
    if (make_key(engine, &entity, &key, problem))
        return NULL;
    ssa_control *control = find(engine, &key);
    if (!control && (control = add(engine, &key)))
        key.data = NULL;
    ssa_release(key.data);
    ssa_request *request =
        control ? ssa_request_new(engine, "control_poll", SSA_KIND_LIST, entity.data, entity.bytes, step) : NULL;
    poll_state *state = request ? ssa_allocate(sizeof *state) : NULL;
    if (!state) {
        ssa_request_free(request);
        return ssa_problem_memory(problem);
    }
    memset(state, 0, sizeof *state);
    state->request = request;
    state->control = control;
    request->state = state;
    request->end = end;
    return request;
}

/* ---- asking */

static void keep_length(ssa_request *request, ssa_command *answer) {
    request->number = answer->reply.nodes[0].number;
}

/* A request about the key of an entity; *key_text is good until the next change of its state. */
static ssa_request *about(ssa_engine *engine, const char *operation, ssa_text entity, ssa_text *key_text,
                          ssa_problem *problem) {
    ssa_buffer key = {NULL, 0, 0};
    if (make_key(engine, &entity, &key, problem))
        return NULL;
    ssa_request *request = ssa_single_new(engine, operation, SSA_KIND_KEY, entity, SSA_WRITING, problem);
    if (!request) {
        ssa_buffer_free(&key);
        return NULL;
    }
    request->kind = SSA_KIND_LIST;
    ssa_single *single = request->state;
    ssa_buffer_free(&single->key); /* of a key with the name of the entity: that is for texts alone */
    single->key = key;
    ssa_request_order_by(request, &single->key);
    single->finished = keep_length;
    *key_text = SSA_KEY_TEXT(single->key);
    return request;
}

ssa_request *ssa_op_control_send(ssa_engine *engine, ssa_text entity, ssa_text kind, ssa_text name, ssa_text value,
                                 ssa_problem *problem) {
    ssa_buffer text = {NULL, 0, 0};
    ssa_text key;
    ssa_control_entry entry = {kind, name, value};
    if (ssa_control_entry_check(&entry, problem))
        return NULL;
    ssa_request *request = about(engine, "control_send", entity, &key, problem);
    if (!request)
        return NULL;
    ssa_command *command = NULL;
    ssa_status status = ssa_control_entry_write(&entry, &text);
    if (!status)
        command = ssa_command_of(SSA_EXPECT_REPLY, SSA_TEXTS(SSA_TEXT("RPUSH"), key, SSA_KEY_TEXT(text)));
    ssa_buffer_free(&text);
    return ssa_single_ready(request, command, 0, problem);
}

ssa_request *ssa_op_control_clear(ssa_engine *engine, ssa_text entity, ssa_problem *problem) {
    ssa_text key;
    ssa_request *request = about(engine, "control_clear", entity, &key, problem);
    if (!request)
        return NULL;
    ssa_command *command = ssa_command_of(SSA_EXPECT_REPLY, SSA_TEXTS(SSA_TEXT("UNLINK"), key));
    return ssa_single_ready(request, command, SSA_CALL_IDEMPOTENT, problem);
}
