/* One command: its encoded bytes, what its reply becomes, and whose memory it borrows until then. */
#ifndef SSA_COMMAND_H
#define SSA_COMMAND_H

#include <sys/uio.h>

#include "reply.h"
#include "spares.h"
#include "tensor_header.h"
#include "tensor_memory.h"

typedef enum ssa_expectation {
    SSA_EXPECT_REPLY,   /* any reply, as a tree */
    SSA_EXPECT_TENSOR,  /* a string that is a tensor, in fresh memory */
    SSA_EXPECT_INTO,    /* the same, in the caller's memory */
    SSA_EXPECT_BYTES,   /* any string, as a row of bytes in fresh memory, or in memory made for exactly as many */
    SSA_EXPECT_RESULTS  /* from a worker: id, version and tensors */
} ssa_expectation;

/* Elements up to this many bytes are copied into the encoded command; longer ones are sent from where they lie. */
#define SSA_COPY_LIMIT 8192

#define SSA_STAMP_BYTES 32

typedef struct ssa_loan {
    size_t before;      /* goes out before this byte of the encoded part */
    const void *data;   /* borrowed from the caller, or copy */
    size_t bytes;
    void *copy;         /* ours, after the caller took its memory back; else NULL */
} ssa_loan;

typedef struct ssa_tensor {
    ssa_tensor_header header;
    ssa_memory memory;
} ssa_tensor;

typedef struct ssa_command {
    struct ssa_command *next, *previous; /* the queue it is in; owned by the connection */
    void *owner;                         /* the face's, untouched here */

    ssa_buffer encoded;
    ssa_loan *loans;
    size_t loan_count, loan_capacity;
    size_t total, sent;                  /* bytes to send in all, bytes sent */
    size_t stamp_at;                     /* where a stamp stands in `encoded`; 0: there is none */

    ssa_expectation expectation;
    uint64_t id;                         /* for a worker */
    uint64_t key_hash;                   /* of its key's hash tag: those with the same one conflict */
    uint64_t number;                     /* of its submission: of two that conflict the lower one goes first */
    uint64_t epoch;                      /* of its sending: grows with the commands of a connection; the client's */
    int is_fence;                        /* it conflicts with every other */
    int again;                           /* one before it on its key was refused: the client repeats both */
    unsigned commands;                   /* in this unit: more than one for a transaction */
    unsigned replies;                    /* still to come; the last one counts */
    int abandoned;                       /* nobody waits: its reply is discarded */
    int complete;                        /* status and result are there */
    ssa_status status;
    ssa_buffer error;                    /* text of SSA_ESERVER, and of a connection that broke */
    ssa_reply reply;                     /* SSA_EXPECT_REPLY; SSA_EXPECT_RESULTS: one node, the version */
    ssa_tensor *tensors;                 /* what came: 0 or 1, or a worker's results */
    size_t tensor_count;
    void *into;                          /* SSA_EXPECT_INTO: the caller's memory */
    ssa_tensor_header into_header;       /* what that is made for; means nothing without it */
} ssa_command;

/* A command of this many arguments; NULL: no memory. */
ssa_command *ssa_command_new(uint64_t arguments, ssa_expectation expectation);
void ssa_command_free(ssa_command *command);
/* The same two by way of those that others have left. */
ssa_command *ssa_command_take(ssa_spares *spares, uint64_t arguments, ssa_expectation expectation);
void ssa_command_recycle(ssa_spares *spares, ssa_command *command);

/* What is added from now on is a further command of the same unit, for MULTI ... EXEC: the unit is sent in full or not
 * at all, whoever stops waiting; its result is the last reply, its error the first. SSA_EXPECT_REPLY only. */
ssa_status ssa_command_next(ssa_command *command, uint64_t arguments);

ssa_status ssa_command_argument(ssa_command *command, const void *data, size_t bytes); /* copied */
ssa_status ssa_command_number(ssa_command *command, uint64_t number);                  /* as decimal text */
/* Add as an argument SSA_STAMP_BYTES hexadecimal digits, random, that no other sending of any command has; once in a command.
 * SSA_ESYSTEM: there is nothing random. */
ssa_status ssa_command_stamp(ssa_command *command);
/* A new one, before it is sent again; nothing without a stamp. */
void ssa_command_stamp_again(ssa_command *command);
/* Borrowed when longer than SSA_COPY_LIMIT: must not change or go before the command is complete or abandoned. */
ssa_status ssa_command_bytes(ssa_command *command, const void *data, size_t bytes);
ssa_status ssa_command_tensor(ssa_command *command, const ssa_tensor_header *header, const void *data);

/* SSA_EXPECT_INTO: memory for header->data_bytes bytes, written when dtype, shape and order are the same. When only
 * the order differs the tensor comes in fresh memory, as with SSA_EXPECT_TENSOR. */
void ssa_command_into(ssa_command *command, const ssa_tensor_header *header, void *memory);
/* SSA_EXPECT_BYTES: memory for exactly this many; a string of another length is SSA_ESHAPE, and not read into it. */
void ssa_command_bytes_into(ssa_command *command, void *memory, uint64_t bytes);

/* For another try, on any connection: nothing is sent, no result is there. Loans are as they were. Not for one that gave
 * its loans back. `replies`: as many as it has commands. */
void ssa_command_rewind(ssa_command *command);

/* Its error is this text, instead of any before. SSA_ENOMEM. */
ssa_status ssa_command_set_error(ssa_command *command, const char *text, size_t bytes);

/* Whether it is one transaction, from MULTI to EXEC. */
int ssa_command_is_transaction(const ssa_command *command);

/* Up to `most` pieces that are still to be sent; returns how many. */
size_t ssa_command_unsent(const ssa_command *command, struct iovec *pieces, size_t most);

/* Give the caller its memory back: copies what is not sent yet; nothing is read into its array any more.
 * SSA_ENOMEM: the copy failed, the connection must be closed. */
ssa_status ssa_command_return_loans(ssa_command *command);

#endif
