// links: allocator mistake
#include "check.h"
#include "mistake.h"

static void check_quoted(const char *value, size_t bytes, const char *expected) {
    char out[SSA_MISTAKE_BYTES];
    CHECK_NUMBER(ssa_text_quote(out, sizeof out, value, bytes), strlen(expected));
    CHECK_TEXT(out, expected);
}

#define QUOTED(value, expected) check_quoted(value, sizeof(value) - 1, expected)

static void test_plain_text_stands_as_it_is(void) {
    QUOTED("", "''");
    QUOTED("rank_0.u field", "'rank_0.u field'");
    QUOTED("gr\xc3\xb6\xc3\x9f"
           "e \xf0\x9f\x8c\x8a",
           "'gr\xc3\xb6\xc3\x9f"
           "e \xf0\x9f\x8c\x8a'");
    QUOTED("it's", "\"it's\"");
    QUOTED("'\"", "'\\'\"'");
    QUOTED("a\\b", "'a\\\\b'");
}

static void test_no_control_character_gets_out(void) {
    QUOTED("a\n\r\t\0\x1b[2J\x7f", "'a\\n\\r\\t\\x00\\x1b[2J\\x7f'");
    QUOTED("\xc2\x9b"
           "2J",
           "'\\xc2\\x9b2J'");                    /* the same, beyond ASCII */
    QUOTED("\xe2\x80\xae", "'\\xe2\\x80\\xae'"); /* turns the direction of writing */
}

static void test_what_is_not_utf_8_is_shown_in_bytes(void) {
    QUOTED("\xff\xfe", "'\\xff\\xfe'");
    QUOTED("\xc0\xaf", "'\\xc0\\xaf'"); /* longer than need be */
    QUOTED("\xe0\x9f\xbf", "'\\xe0\\x9f\\xbf'");
    QUOTED("\xed\xa0\x80", "'\\xed\\xa0\\x80'");          /* half of a pair */
    QUOTED("\xf4\x90\x80\x80", "'\\xf4\\x90\\x80\\x80'"); /* beyond the last character */
    QUOTED("a\xc3", "'a\\xc3'");                          /* cut */
    QUOTED("\xc3(", "'\\xc3('");
}

static void test_long_values_are_cut_and_whole_characters_kept(void) {
    char value[1000], out[SSA_MISTAKE_BYTES];
    memset(value, 'v', sizeof value);
    CHECK_NUMBER(ssa_text_quote(out, sizeof out, value, sizeof value), 120 + 2 + 3);
    CHECK_TEXT(out + 119, "vv'...");
    memcpy(value + 119, "\xc3\xb6", 2);
    ssa_text_quote(out, sizeof out, value, sizeof value);
    CHECK_TEXT(out + 118, "vv\xc3\xb6'...");
}

static void test_a_mistake_names_thing_value_and_remedy(void) {
    char out[SSA_MISTAKE_BYTES];
    ssa_mistake_word(out, sizeof out, "dataset", "empty", "give it a name");
    CHECK_TEXT(out, "dataset cannot be empty: give it a name.");
    ssa_mistake_value(out, sizeof out, "SSA_TIMEOUT", "soon", 4, "give seconds as a number");
    CHECK_TEXT(out, "SSA_TIMEOUT cannot be 'soon': give seconds as a number.");
}

static void test_no_text_goes_beyond_its_room(void) {
    char value[300], whole[SSA_MISTAKE_BYTES];
    memset(value, 1, sizeof value); /* four characters for each byte */
    size_t length = ssa_mistake_value(whole, sizeof whole, "thing", value, sizeof value, "remedy");
    CHECK(length < sizeof whole && strlen(whole) == length);
    for (size_t room = 0; room <= sizeof whole; room++) {
        char *exact = malloc(room ? room : 1);
        size_t bytes = ssa_mistake_value(exact, room, "thing", value, sizeof value, "remedy");
        CHECK(room ? bytes < room && exact[bytes] == 0 : bytes == 0);
        CHECK(!memcmp(exact, whole, bytes));
        free(exact);
    }
}

CHECK_MAIN(NULL, test_plain_text_stands_as_it_is, test_no_control_character_gets_out,
           test_what_is_not_utf_8_is_shown_in_bytes, test_long_values_are_cut_and_whole_characters_kept,
           test_a_mistake_names_thing_value_and_remedy, test_no_text_goes_beyond_its_room)
