/* The driver of a fuzz target where there is no libFuzzer: reads files of seeds, runs each as it is, then inputs made of
 * them from a fixed sequence, for some seconds. Usage: program seconds random-seed file... A failing input is written to
 * the file `failing-input` in the current folder before it runs (the target aborts). */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fuzz.h"

#define MAX_SEEDS 4096
#define MAX_BYTES 16384

typedef struct seed {
    uint8_t *data;
    size_t bytes;
} seed;

static uint64_t sequence;

static uint32_t chance(uint32_t below) {
    sequence = sequence * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(sequence >> 33) % below;
}

static int read_seed(const char *path, seed *s) {
    FILE *file = fopen(path, "rb");
    s->data = malloc(MAX_BYTES);
    if (!file || !s->data)
        return 0;
    s->bytes = fread(s->data, 1, MAX_BYTES, file);
    return !fclose(file);
}

static void run(const uint8_t *data, size_t bytes, FILE *note) {
    rewind(note);
    uint32_t length = (uint32_t)bytes;
    fwrite(&length, sizeof length, 1, note);
    fwrite(data, 1, bytes, note);
    fflush(note);
    uint8_t *exact = malloc(bytes ? bytes : 1); /* the sanitizer sees what is read past its end */
    if (!exact)
        abort();
    memcpy(exact, data, bytes);
    LLVMFuzzerTestOneInput(exact, bytes);
    free(exact);
}

/* Change some bytes, cut, double or exchange some parts. */
static size_t mutate(uint8_t *data, size_t bytes, const seed *seeds, size_t count) {
    static const uint8_t telling[] = "\r\n$*%>:-+0123456789\0\377\200\177";
    for (uint32_t changes = 1 + chance(6); changes; changes--) {
        size_t at = bytes ? chance((uint32_t)bytes) : 0;
        const seed *other = &seeds[chance((uint32_t)count)];
        size_t from = other->bytes ? chance((uint32_t)other->bytes) : 0, part = chance(1 + (uint32_t)(other->bytes - from));
        switch (chance(6)) {
        case 0: if (bytes) data[at] = (uint8_t)chance(256); break;
        case 1: if (bytes) data[at] = telling[chance(sizeof telling)]; break;
        case 2: if (bytes) data[at] ^= (uint8_t)(1u << chance(8)); break;
        case 3: bytes -= bytes ? chance(1 + (uint32_t)(bytes - at)) : 0; break;
        case 4: /* a part of another takes the place of what was there */
            part = part < MAX_BYTES - at ? part : MAX_BYTES - at;
            memcpy(data + at, other->data + from, part);
            bytes = bytes > at + part ? bytes : at + part;
            break;
        default: /* a part of another comes between */
            if (bytes + part <= MAX_BYTES) {
                memmove(data + at + part, data + at, bytes - at);
                memcpy(data + at, other->data + from, part);
                bytes += part;
            }
        }
    }
    return bytes;
}

int main(int count, char **words) {
    static seed seeds[MAX_SEEDS];
    static uint8_t data[MAX_BYTES];
    if (count < 4 || count - 3 > MAX_SEEDS)
        return 2;
    double seconds = atof(words[1]);
    sequence = strtoull(words[2], NULL, 10);
    size_t seed_count = (size_t)count - 3;
    FILE *note = fopen("failing-input", "w+b");
    if (!note)
        return 2;
    for (size_t i = 0; i < seed_count; i++) {
        if (!read_seed(words[3 + i], &seeds[i]))
            return 2;
        run(seeds[i].data, seeds[i].bytes, note);
    }
    struct timespec start, now;
    clock_gettime(CLOCK_MONOTONIC, &start);
    uint64_t runs = 0;
    do {
        for (int i = 0; i < 64; i++, runs++) {
            const seed *base = &seeds[chance((uint32_t)seed_count)];
            memcpy(data, base->data, base->bytes);
            run(data, mutate(data, base->bytes, seeds, seed_count), note);
        }
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while ((double)(now.tv_sec - start.tv_sec) + (double)(now.tv_nsec - start.tv_nsec) / 1e9 < seconds);
    printf("%zu seeds, %llu further inputs\n", seed_count, (unsigned long long)runs);
    for (size_t i = 0; i < seed_count; i++)
        free(seeds[i].data);
    fclose(note);
    return remove("failing-input");
}
