#include "address.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "allocator.h"
#include "text_begins.h"

static const char write_it_so[] = "write host:port, [ipv6]:port or unix:///path";
static const char a_port[] = "a port is a number from 1 to 65535";

/* Blanks as ASCII and Unicode's first page have them; the latter's further ones are no business of host names. */
static int is_blank(unsigned char c) {
    return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1c && c <= 0x1f);
}

static int is_name_byte(unsigned char c) {
    return c && !is_blank(c) && !strchr(":/[],", c);
}

/* Of an IPv6 number with its zone; bytes beyond ASCII may be in the name of an interface. */
static int is_number_byte(unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == ':' || c == '.' ||
           c == '%' || c == '_' || c >= 0x80;
}

static int all_are(const char *text, size_t bytes, int (*allowed)(unsigned char)) {
    for (size_t i = 0; i < bytes; i++)
        if (!allowed((unsigned char)text[i]))
            return 0;
    return bytes > 0;
}

/* A whole number of up to five digits; 0 if it is longer, or negative; -1: it is none. */
static int parse_number(const char *text, size_t bytes) {
    int number = 0;
    size_t sign = bytes > 1 && text[0] == '-';
    for (size_t i = sign; i < bytes; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        number = i < 5 ? 10 * number + (text[i] - '0') : number;
    }
    return !bytes ? -1 : sign || bytes > 5 ? 0 : number;
}

static const char *take_path(ssa_address *address, const char *path, size_t bytes) {
    if (memchr(path, 0, bytes))
        return "a path has no NUL in it";
    if (*path != '/')
        return "the path of a unix socket begins at the root: unix:///path";
    if (bytes >= sizeof address->path)
        return "the path of a unix socket has at most 107 bytes; use a shorter directory";
    memset(address, 0, sizeof *address);
    memcpy(address->path, path, bytes);
    return NULL;
}

static const char *take_host(ssa_address *address, const char *host, size_t bytes, int port) {
    if (port < 1 || port > 65535)
        return a_port;
    if (bytes >= sizeof address->host)
        return "the name of a host has at most 255 bytes";
    memset(address, 0, sizeof *address);
    memcpy(address->host, host, bytes);
    address->port = (uint16_t)port;
    return NULL;
}

/* NULL, or the remedy. */
static const char *parse(ssa_address *address, const char *text, size_t bytes) {
    if (ssa_text_begins(text, bytes, "unix://") && bytes > 7)
        return take_path(address, text + 7, bytes - 7);
    size_t scheme = ssa_text_begins(text, bytes, "tcp://") ? 6 : 0;
    const char *host = text + scheme;
    size_t after = bytes - scheme; /* the last colon */
    while (after && host[after - 1] != ':')
        after--;
    int port = after > 1 ? parse_number(host + after, bytes - scheme - after) : -1;
    size_t host_bytes = after - 1;
    if (port < 0)
        return write_it_so;
    if (host_bytes > 2 && host[0] == '[' && host[host_bytes - 1] == ']')
        return all_are(host + 1, host_bytes - 2, is_number_byte) ? take_host(address, host + 1, host_bytes - 2, port)
                                                                 : write_it_so;
    return all_are(host, host_bytes, is_name_byte) ? take_host(address, host, host_bytes, port) : write_it_so;
}

static ssa_status refuse(ssa_address_refusal *refusal, const char *text, size_t bytes, const char *remedy) {
    if (refusal)
        *refusal = (ssa_address_refusal){text, bytes, remedy};
    return SSA_EARGUMENT;
}

ssa_status ssa_address_parse(ssa_address *address, const char *text, size_t bytes, ssa_address_refusal *refusal) {
    const char *remedy = parse(address, text, bytes);
    return remedy ? refuse(refusal, text, bytes, remedy) : SSA_OK;
}

/* The next part that is not empty, without the blanks around it. 0: there is none. */
static int next_part(const char **text, const char *end, const char **part, size_t *bytes) {
    while (*text < end) {
        const char *comma = memchr(*text, ',', (size_t)(end - *text)), *stop = comma ? comma : end;
        const char *from = *text;
        *text = comma ? comma + 1 : end;
        while (from < stop && is_blank((unsigned char)*from))
            from++;
        while (stop > from && is_blank((unsigned char)stop[-1]))
            stop--;
        if (stop > from) {
            *part = from;
            *bytes = (size_t)(stop - from);
            return 1;
        }
    }
    return 0;
}

ssa_status ssa_address_parse_list(ssa_address **addresses, size_t *count, const char *text, size_t bytes,
                                  ssa_address_refusal *refusal) {
    const char *end = text + bytes, *at = text, *part;
    size_t parts = 0, part_bytes;
    *addresses = NULL;
    *count = 0;
    while (bytes && next_part(&at, end, &part, &part_bytes))
        parts++;
    if (parts > SSA_ADDRESSES_MAX)
        return refuse(refusal, text, bytes, "give at most 4096 addresses");
    if (!parts)
        return SSA_OK;
    ssa_address *list = ssa_allocate(parts * sizeof *list);
    if (!list)
        return SSA_ENOMEM;
    at = text;
    for (size_t i = 0; next_part(&at, end, &part, &part_bytes); i++)
        if (ssa_address_parse(&list[i], part, part_bytes, refusal)) {
            ssa_release(list);
            return SSA_EARGUMENT;
        }
    *addresses = list;
    *count = parts;
    return SSA_OK;
}

ssa_status ssa_address_from_host(ssa_address *address, const char *host, size_t bytes, int64_t port) {
    if (port < 1 || port > 65535 || !(all_are(host, bytes, is_name_byte) || all_are(host, bytes, is_number_byte)))
        return SSA_EARGUMENT;
    return take_host(address, host, bytes, (int)port) ? SSA_EARGUMENT : SSA_OK;
}

size_t ssa_address_format(const ssa_address *address, char *out, size_t room) {
    int wanted = *address->path               ? snprintf(out, room, "unix://%s", address->path)
                 : strchr(address->host, ':') ? snprintf(out, room, "[%s]:%u", address->host, address->port)
                                              : snprintf(out, room, "%s:%u", address->host, address->port);
    return wanted < 0 ? 0 : (size_t)wanted < room ? (size_t)wanted : room ? room - 1 : 0;
}

int ssa_address_equal(const ssa_address *a, const ssa_address *b) {
    return a->port == b->port && !strcmp(a->path, b->path) && !strcasecmp(a->host, b->host);
}
