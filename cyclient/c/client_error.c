#include <stdio.h>
#include <string.h>

#include "allocator.h"
#include "client.h"

/* Threads come and go, their numbers are used again: there are never more of these than threads that lived at once. */
static ssa_client_failure *failure_of_this_thread(ssa_client *client) {
    pthread_t thread = pthread_self();
    for (ssa_client_failure *failure = client->failures; failure; failure = failure->next)
        if (pthread_equal(failure->thread, thread))
            return failure;
    return NULL;
}

static ssa_client_failure *new_failure(ssa_client *client) {
    ssa_client_failure *failure = client->has_first ? ssa_allocate(sizeof *failure) : &client->first_failure;
    if (!failure)
        return NULL;
    client->has_first = 1;
    failure->thread = pthread_self();
    failure->text[0] = 0;
    failure->next = client->failures;
    client->failures = failure;
    return failure;
}

void ssa_client_note(ssa_client *client, const char *text) {
    pthread_mutex_lock(&client->failures_lock);
    ssa_client_failure *failure = failure_of_this_thread(client);
    if (!failure)
        failure = new_failure(client);
    if (failure)
        snprintf(failure->text, sizeof failure->text, "%s", text);
    pthread_mutex_unlock(&client->failures_lock);
}

const char *ssa_client_error(ssa_client *client) {
    if (!client)
        return "there is no client: ssa_client_new had no memory or was not called, or it was moved";
    if (!ssa_is_at_home(&client->home))
        return "this client was opened in another process, before a fork: open a new one in the child";
    pthread_mutex_lock(&client->failures_lock);
    ssa_client_failure *failure = failure_of_this_thread(client);
    pthread_mutex_unlock(&client->failures_lock);
    if (failure)
        return failure->text;
    return client->unopened_text; /* "" when it was opened */
}

void ssa_client_errors_free(ssa_client *client) {
    while (client->failures) {
        ssa_client_failure *failure = client->failures;
        client->failures = failure->next;
        if (failure != &client->first_failure)
            ssa_release(failure);
    }
}
