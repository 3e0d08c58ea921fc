/* Who looks after the sockets: leader and followers.
 *
 * The obvious construction, an I/O thread that hands requests to compute threads, costs a hand-over of 21-35 us in each
 * direction, more than a small network computes. So the compute thread that has nothing to do LEADS: it waits in epoll
 * itself, reads the request, takes the batch and computes, all in one thread. Nobody looks after the sockets then; before
 * it leaves it sets an alarm of one millisecond. If it is back by then, as with small models, nobody noticed. If not,
 * the I/O thread wakes on the alarm and leads: it accepts, reads, queues, answers PING and says `alive` until a compute
 * thread comes back and takes the lead from it. It needs no GIL.
 *
 *   leader NONE      somebody computes, the alarm is set
 *          COMPUTE   an idle compute thread waits in epoll_wait; others wait as followers on followers_wake
 *          IO        all compute threads compute; the I/O thread waits in poll(epoll, kick)
 *
 * The I/O thread waits in poll, not in epoll_wait, so that it can lose the lead while it waits: whoever takes the lead
 * kicks it, and events that arrive from then on wake only the one who leads. A leader who finds work for a second model
 * wakes a follower for it.
 *
 * Rejected: the GIL-free thread always leading (the hand-over above); EPOLLONESHOT with all threads in epoll_wait (one
 * epoll_ctl more for each request, and which thread wakes is up to the kernel); waking a follower to lead whenever the
 * leader leaves (a futex call and a competitor for the core on each request). What would make us change it: a backend
 * whose calls mostly take longer than the alarm; then the I/O thread should keep the lead. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "front_private.h"

#define EVENTS_AT_ONCE 64
#define ACCEPTS_AT_ONCE 64
#define ALARM_NS 1000000
#define ACCEPT_PAUSE_NS UINT64_C(250000000)

uint64_t ssa_front_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void ssa_front_signal(int event_fd) {
    uint64_t one = 1;
    while (write(event_fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

static void drain(int event_fd) {
    uint64_t count;
    while (read(event_fd, &count, sizeof count) < 0 && errno == EINTR)
        ;
}

static void set_alarm(const ssa_front *front) {
    struct itimerspec in = {.it_value.tv_nsec = ALARM_NS};
    timerfd_settime(front->alarm, 0, &in, NULL);
}

void ssa_front_rouse_leader(ssa_front *front) {
    if (front->leader == SSA_LEADER_COMPUTE)
        ssa_front_signal(front->wake);
    else if (front->leader == SSA_LEADER_IO)
        ssa_front_signal(front->kick);
    /* none: the alarm is set */
}

void ssa_front_rouse(ssa_front *front) {
    if (front->followers)
        pthread_cond_signal(&front->followers_wake);
    else
        ssa_front_rouse_leader(front);
}

/* ---- one pass: what the sockets have ---- */

static void watch_listeners(ssa_front *front, int operation) {
    for (size_t i = 0; i < front->listeners_count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &front->listeners[i]};
        epoll_ctl(front->epoll, operation, front->listeners[i], &event);
    }
}

static void accept_clients(ssa_front *front, int listener) {
    for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                /* The waiting client would make epoll return at once, for ever. */
                pthread_mutex_lock(&front->lock);
                watch_listeners(front, EPOLL_CTL_DEL);
                front->accept_again_at = front->now + ACCEPT_PAUSE_NS;
                front->next_due = front->next_due < front->accept_again_at ? front->next_due : front->accept_again_at;
                pthread_mutex_unlock(&front->lock);
            }
            return;
        }
        int on = 1;
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* refused, rightly, on unix sockets */
        ssa_peer *peer = ssa_peer_new(&front->rules, fd, front->now);
        if (!peer)
            continue;
        pthread_mutex_lock(&front->lock);
        ssa_link_insert(&front->peers, &peer->in_front);
        front->statistics.connections++;
        front->next_due = front->next_due < peer->leave_at ? front->next_due : peer->leave_at;
        pthread_mutex_unlock(&front->lock);
    }
}

static void serve(ssa_front *front, const struct epoll_event *event) {
    char *source = event->data.ptr;
    if (source == (char *)&front->wake) {
        drain(front->wake);
    } else if (source >= (char *)front->listeners && source < (char *)(front->listeners + SSA_MAX_LISTENERS)) {
        accept_clients(front, *(int *)(void *)source);
    } else {
        ssa_peer *peer = event->data.ptr;
        if (event->events & EPOLLOUT) {
            ssa_peer_flush(peer);
            if (!ssa_peer_unsent(peer)) {
                pthread_mutex_lock(&front->lock);
                ssa_front_check_idle(front);
                pthread_mutex_unlock(&front->lock);
            }
        }
        if (event->events & ~(uint32_t)EPOLLOUT) {
            int leaving = peer->stage == SSA_STAGE_LEAVING;
            if (ssa_peer_read(peer, front->now) == SSA_ECLOSED) {
                ssa_front_close_peer(front, peer);
            } else if (!leaving && peer->stage == SSA_STAGE_LEAVING) {
                pthread_mutex_lock(&front->lock);
                front->next_due = front->next_due < peer->leave_at ? front->next_due : peer->leave_at;
                pthread_mutex_unlock(&front->lock);
            }
        }
    }
}

static int milliseconds_until(uint64_t until, uint64_t now) {
    if (until == UINT64_MAX)
        return -1;
    if (until <= now)
        return 0;
    uint64_t wait = (until - now + 999999) / 1000000;
    return wait > 3600000 ? 3600000 : (int)wait;
}

/* Sleeping between two requests costs more than the wake-up: on a core that idled, torch took 50 us for what it does in
 * 21 when its caches are warm. So a worker that may use its core asks for a while before it sleeps, and yields each time,
 * because the client may be waiting for the same core. Measured across two cores: 158 us a request became 96. */
static int wait_for_events(ssa_front *front, struct epoll_event *events, int timeout) {
    uint64_t until = timeout && front->spin_ns ? ssa_front_clock() + front->spin_ns : 0;
    while (until && ssa_front_clock() < until) {
        int count = epoll_wait(front->epoll, events, EVENTS_AT_ONCE, 0);
        if (count)
            return count;
        sched_yield();
    }
    return epoll_wait(front->epoll, events, EVENTS_AT_ONCE, timeout);
}

/* Lock held, and let go meanwhile. timeout as for epoll_wait. */
static void pass(ssa_front *front, int timeout) {
    struct epoll_event events[EVENTS_AT_ONCE];
    pthread_mutex_unlock(&front->lock);
    int count = wait_for_events(front, events, timeout);
    front->now = ssa_front_clock();
    for (int i = 0; i < count; i++)
        serve(front, &events[i]);
    pthread_mutex_lock(&front->lock);
    if (front->draining && front->listeners_count) {
        for (size_t i = 0; i < front->listeners_count; i++)
            close(front->listeners[i]);
        front->listeners_count = 0;
    }
    if (front->accept_again_at && front->now >= front->accept_again_at) {
        front->accept_again_at = 0;
        watch_listeners(front, EPOLL_CTL_ADD);
    }
    if (front->now >= front->next_due)
        ssa_front_tick(front, front->now);
}

/* Lock held: when the leader must look again although nothing came. */
static uint64_t look_again_at(ssa_front *front, uint64_t now, int *batch_ready) {
    uint64_t again_at;
    *batch_ready = ssa_models_peek(&front->models, now, &again_at);
    return again_at < front->next_due ? again_at : front->next_due;
}

/* ---- the compute threads ---- */

static void lead_once(ssa_front *front) {
    int ready;
    uint64_t now = ssa_front_clock(), until = look_again_at(front, now, &ready);
    front->leader = SSA_LEADER_COMPUTE;
    front->leader_until = ready ? now : until;
    pass(front, milliseconds_until(front->leader_until, now));
    front->leader = SSA_LEADER_NONE;
}

ssa_batch *ssa_front_next_batch(ssa_front *front) {
    ssa_batch *batch = NULL;
    pthread_mutex_lock(&front->lock);
    while (!front->closing) {
        if (front->leader == SSA_LEADER_IO && !front->io_busy) {
            front->leader = SSA_LEADER_NONE;
            ssa_front_signal(front->kick);
        }
        if (front->leader == SSA_LEADER_NONE)
            lead_once(front);
        uint64_t again_at, now = ssa_front_clock();
        ssa_status status = front->closing ? SSA_MORE : ssa_models_take(&front->models, now, &batch, &again_at);
        if (status == SSA_OK) {
            front->statistics.batches++;
            front->statistics.joined += batch->joined ? batch->requests_count : 0;
            int others_idle = front->followers || front->leader == SSA_LEADER_COMPUTE;
            if (others_idle && ssa_models_peek(&front->models, now, &again_at))
                ssa_front_rouse(front);
            break;
        }
        if (front->leader == SSA_LEADER_NONE || front->closing)
            continue;
        if (again_at < front->leader_until)
            ssa_front_rouse_leader(front);
        front->followers++;
        pthread_cond_wait(&front->followers_wake, &front->lock);
        front->followers--;
    }
    int alone = front->leader == SSA_LEADER_NONE;
    pthread_mutex_unlock(&front->lock);
    if (!batch)
        return NULL;
    if (alone)
        set_alarm(front);
    batch->status = ssa_batch_gather(batch);
    return batch;
}

/* ---- the I/O thread ---- */

/* Lock held; until a compute thread takes the lead. */
static void lead_while_all_compute(ssa_front *front) {
    front->leader = SSA_LEADER_IO;
    while (front->leader == SSA_LEADER_IO && !front->closing) {
        int ready;
        uint64_t now = ssa_front_clock(), until = look_again_at(front, now, &ready);
        front->leader_until = until;
        struct pollfd sources[] = {{.fd = front->epoll, .events = POLLIN}, {.fd = front->kick, .events = POLLIN}};
        pthread_mutex_unlock(&front->lock);
        poll(sources, 2, milliseconds_until(until, now));
        if (sources[1].revents)
            drain(front->kick);
        pthread_mutex_lock(&front->lock);
        if (front->leader != SSA_LEADER_IO || front->closing)
            break;
        front->io_busy = 1;
        pass(front, 0);
        front->io_busy = 0;
        if (front->followers) { /* they came back during the pass */
            front->leader = SSA_LEADER_NONE;
            pthread_cond_broadcast(&front->followers_wake);
        }
    }
    if (front->leader == SSA_LEADER_IO)
        front->leader = SSA_LEADER_NONE;
}

static void *io_thread(void *context) {
    ssa_front *front = context;
    struct pollfd sources[] = {{.fd = front->alarm, .events = POLLIN}, {.fd = front->kick, .events = POLLIN}};
    pthread_mutex_lock(&front->lock);
    while (!front->closing) {
        if (front->leader == SSA_LEADER_NONE && front->followers)
            pthread_cond_signal(&front->followers_wake); /* an idle compute thread leads without a hand-over later */
        else if (front->leader == SSA_LEADER_NONE)
            lead_while_all_compute(front);
        if (front->closing)
            break;
        pthread_mutex_unlock(&front->lock);
        poll(sources, 2, -1);
        if (sources[0].revents)
            drain(front->alarm);
        if (sources[1].revents)
            drain(front->kick);
        pthread_mutex_lock(&front->lock);
    }
    pthread_mutex_unlock(&front->lock);
    return NULL;
}

ssa_status ssa_front_lead_start(ssa_front *front) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &front->wake};
    front->epoll = epoll_create1(EPOLL_CLOEXEC);
    front->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    front->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    front->errand = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    front->alarm = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (front->epoll < 0 || front->wake < 0 || front->kick < 0 || front->errand < 0 || front->alarm < 0 ||
        epoll_ctl(front->epoll, EPOLL_CTL_ADD, front->wake, &event))
        return SSA_ESYSTEM;
    front->rules.epoll = front->epoll;
    errno = pthread_create(&front->io_thread, NULL, io_thread, front);
    front->io_started = !errno;
    return errno ? SSA_ESYSTEM : SSA_OK;
}
