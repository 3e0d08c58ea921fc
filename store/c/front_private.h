/* What the files of the front share: its state, who guards what, and the steps that one takes for another. */
#ifndef SSA_FRONT_PRIVATE_H
#define SSA_FRONT_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "front_peer.h"
#include "worker_front.h"

#define SSA_MAX_LISTENERS 8
#define SSA_ALIVE_NS UINT64_C(250000000)

typedef enum ssa_leader { SSA_LEADER_NONE, SSA_LEADER_COMPUTE, SSA_LEADER_IO } ssa_leader;

struct ssa_front {
    ssa_peer_rules rules;
    unsigned char *secret;
    char *worker_id;
    uint64_t most_requests, most_bytes, spin_ns;
    int epoll, wake, kick, alarm, errand; /* event descriptors: front_lead.c says what each is for */
    pthread_t io_thread;
    int io_started;
    atomic_uint_fast64_t held_bytes;
    uint64_t now;                         /* of the current pass; only the leader */

    pthread_mutex_t lock;                 /* guards all below; taken before a connection's write_lock, never after */
    pthread_cond_t followers_wake;
    ssa_leader leader;
    int io_busy;                          /* the I/O thread is in the middle of a pass: its lead cannot be taken now */
    unsigned followers;                   /* idle compute threads that do not lead */
    uint64_t leader_until;                /* when the leader looks again by itself */
    uint64_t next_due, last_tick;         /* of alive pushes and deadlines */
    int listeners[SSA_MAX_LISTENERS];
    size_t listeners_count;
    uint64_t accept_again_at;             /* out of descriptors: listeners are not watched until then; 0: they are */
    int draining, closing;
    ssa_models models;
    ssa_link peers;
    ssa_link errands;
    uint64_t last_serial;
    uint64_t unanswered, replying;        /* requests; threads that send replies to requests no longer counted */
    ssa_front_statistics statistics;
};

uint64_t ssa_front_clock(void);

/* front_lead.c */
ssa_status ssa_front_lead_start(ssa_front *front);
void ssa_front_rouse(ssa_front *front);        /* lock held: there may be a batch; some idle thread should look */
void ssa_front_rouse_leader(ssa_front *front); /* lock held: whoever leads should look again */
void ssa_front_signal(int event_fd);

/* front_submit.c */
void ssa_front_submit(void *front, ssa_request *request);
void ssa_front_close_peer(ssa_front *front, ssa_peer *peer);
/* Lock held: the step that is due stands in the queue of what it runs. SSA_ENOMEM: it does not. */
ssa_status ssa_front_queue(ssa_front *front, ssa_request *request);
/* Lock held. Send alive pushes, expire requests, close connections whose time is up; works out next_due. Leader only.
 * Lets go of the lock meanwhile. */
void ssa_front_tick(ssa_front *front, uint64_t now);

/* front_reply.c */
/* No lock needed. The step of a chain that is due is named before the text. */
void ssa_front_answer_error(ssa_request *request, const char *code, const char *text);
void ssa_front_answer_refusal(ssa_request *request); /* with what ssa_request_refuse noted */
void ssa_front_forget(ssa_front *front, ssa_request *request); /* one who held it lets it go; the last one frees it */
/* Lock held: take the request from the books; it is to be answered. */
void ssa_front_unlist(ssa_front *front, ssa_request *request);
void ssa_front_check_idle(ssa_front *front); /* lock held */
/* Lock held. SSA_ENOMEM: the errand is not on the list. */
ssa_status ssa_front_add_errand(ssa_front *front, ssa_errand_kind kind, const char *name, size_t bytes, uint64_t request,
                                size_t input);
/* Answer every request of the list with the error and free it. No lock. */
void ssa_front_answer_list(ssa_front *front, ssa_link *list, const char *code, const char *text);

#endif
