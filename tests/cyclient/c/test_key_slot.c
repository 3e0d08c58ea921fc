// links: allocator key_slot
#include "check.h"
#include "key_slot.h"

static uint16_t slot(const char *key) {
    return ssa_key_slot(key, strlen(key));
}

static void test_the_check_value_of_the_polynomial(void) {
    CHECK_NUMBER(ssa_crc16("123456789", 9), 0x31C3);
    CHECK_NUMBER(ssa_crc16("", 0), 0);
}

/* The remainder bit by bit, as the definition has it. */
static uint16_t bit_by_bit(const unsigned char *data, size_t bytes) {
    uint16_t crc = 0;
    for (size_t i = 0; i < bytes; i++)
        for (int bit = 7; bit >= 0; bit--) {
            int carry = (crc >> 15) ^ (data[i] >> bit & 1);
            crc = (uint16_t)(crc << 1 ^ (carry ? 0x1021 : 0));
        }
    return crc;
}

static void test_every_byte_counts_as_defined(void) {
    unsigned char data[512];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)(i * 7 + i / 256);
    for (size_t bytes = 0; bytes <= sizeof data; bytes++)
        CHECK_NUMBER(ssa_crc16(data, bytes), bit_by_bit(data, bytes));
}

static void test_a_tag_decides_alone(void) {
    CHECK_NUMBER(slot("{user1000}.following"), slot("user1000"));
    CHECK_NUMBER(slot("P.{ds}.meta"), slot("ds"));
    CHECK_NUMBER(slot("foo{bar}{zap}"), slot("bar"));
    CHECK_NUMBER(slot("foo{{bar}}zap"), slot("{bar"));
    CHECK_NUMBER(ssa_key_slot("a{b\0c}d", 7), ssa_key_slot("b\0c", 3));
}

static void test_without_a_whole_tag_the_whole_key_counts(void) {
    const char *const keys[] = {"foo{}{bar}", "{}", "{", "}", "}{", "a{b", "a}b{", "foo{}", ""};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        CHECK_NUMBER(slot(keys[i]), ssa_crc16(keys[i], strlen(keys[i])) % SSA_SLOTS);
}

static void test_a_brace_beyond_the_key_is_not_seen(void) {
    CHECK_NUMBER(ssa_key_slot("a{bc}", 4), ssa_crc16("a{bc", 4) % SSA_SLOTS);
    CHECK_NUMBER(ssa_key_slot("a{bc}", 2), ssa_crc16("a{", 2) % SSA_SLOTS);
    CHECK_NUMBER(ssa_key_slot(NULL, 0), 0);
}

/* Answer the slot of each key on standard input: lines of hexadecimal digits. */
static int answer_slots(void) {
    char line[4096];
    unsigned char key[2048];
    while (fgets(line, sizeof line, stdin)) {
        size_t bytes = 0;
        unsigned value;
        for (char *at = line; sscanf(at, "%2x", &value) == 1; at += 2)
            key[bytes++] = (unsigned char)value;
        printf("%u\n", ssa_key_slot(key, bytes));
    }
    return 0;
}

int main(int count, char **words) {
    static void (*const tests[])(void) = {
        test_the_check_value_of_the_polynomial,
        test_every_byte_counts_as_defined,
        test_a_tag_decides_alone,
        test_without_a_whole_tag_the_whole_key_counts,
        test_a_brace_beyond_the_key_is_not_seen,
    };
    if (count > 1 && !strcmp(words[1], "--slots"))
        return answer_slots();
    return check_run(count, words, NULL, tests, sizeof tests / sizeof *tests);
}
