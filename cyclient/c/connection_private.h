/* What the files of a connection share: connection.c (its queues, sending), connection_reply.c (what the bytes that came
 * mean), connection_receive.c (getting them from the socket). */
#ifndef SSA_CONNECTION_PRIVATE_H
#define SSA_CONNECTION_PRIVATE_H

#include "connection.h"

#define SSA_BRIEF_WAITS 16 /* at most, before the caller has its turn */

/* Whether the socket is ready for these events of poll (POLLIN or POLLOUT) within 80 µs, where the other side is in the middle of
 * taking or giving a value of which so many bytes are left: the way through an event loop and back costs as much (measured on
 * asyncio over TCP: put, get and unpack of 256 KiB in 0.64 to 0.75 of the time, of 1 MiB in 0.94 to 0.97). For reading, the
 * first 30 µs are spent yielding the processor, not sleeping (get and unpack of 1 MiB: 0.63 to 1.01 of the time, on one core and
 * on two; nothing is gained in writing). A longer value is worth more turns. */
int ssa_connection_soon_ready(const ssa_connection *connection, short events, uint64_t left);

#define SSA_TLS_TURN ((size_t)2 << 20) /* ciphered or deciphered in one call, so that it cannot starve a loop: a millisecond */

typedef struct ssa_command_queue {
    ssa_command *first, *last;
    size_t length;
} ssa_command_queue;

typedef struct ssa_push {
    struct ssa_push *next;
    ssa_reply reply;
} ssa_push;

/* What is being read. */
typedef enum ssa_reading {
    SSA_READING_BETWEEN,        /* no reply has begun */
    SSA_READING_TREE,           /* tokens of a reply or of a push into `tree` */
    SSA_READING_TREE_BODY,      /* a string of that tree */
    SSA_READING_TENSOR_HEADER,  /* the first bytes of a tensor */
    SSA_READING_TENSOR_BODY,    /* its elements into `target` */
    SSA_READING_DISCARD_BODY,
    SSA_READING_RESULT_ID,      /* a worker's reply, element by element */
    SSA_READING_RESULT_VERSION,
    SSA_READING_RESULT_VERSION_BODY,
    SSA_READING_RESULT_TENSOR
} ssa_reading;

struct ssa_connection {
    int descriptor;
    int blocks; /* system calls on the descriptor wait, each for a while */
    int by_id;
    int is_unix; /* the socket */
    int reads_to_end;
    ssa_status failed;
    ssa_tls *tls; /* NULL: none */
    ssa_reader *reader;
    ssa_command_queue waiting; /* queued or sent, in order */
    ssa_command *unsent;    /* the first of `waiting` that is not sent in full */
    ssa_command_queue complete;
    ssa_push *first_push, *last_push;

    ssa_reading stage;
    ssa_command *current;   /* whose reply is being read; NULL: nobody's */
    ssa_reply tree;
    int tree_is_push;
    unsigned char *target;  /* where the body of a tensor goes */
    uint64_t target_left;
    ssa_status body_status; /* what the command ends with once the body is over */
    uint64_t last_body;     /* bytes of the last tensor: the next one is likely as long */
    int64_t results_left;   /* elements of a worker's reply */
    ssa_status results_status; /* one bad result spoils the reply; the others still have to be read */
    ssa_memory_cache *memory;
    ssa_connection_statistics statistics;
    char error[200];
};

/* The command whose reply was read is complete. */
void ssa_connection_finish_current(ssa_connection *connection, ssa_status status);
/* The stream is of no further use: keeps the text, returns the status. */
ssa_status ssa_connection_broken(ssa_connection *connection, ssa_status status, const char *text);
/* Work off what is buffered. SSA_MORE: all of it is. */
ssa_status ssa_connection_advance(ssa_connection *connection);

#endif
