#include "client_dataset.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "allocator.h"
#include "client_texts.h"
#include "dataset_state.h"

#define TEXT_BYTES 1536
#define QUOTED_BYTES 512 /* whatever is in a name */

static const char *const kinds[] = {"tensor", "bytes", "metadata"};

/* ---- the text, which the dataset keeps */

static ssa_status keep(ssa_part *part, ssa_status status, const char *text) {
    ssa_dataset *dataset = part->dataset;
    if (!dataset->text)
        dataset->text = ssa_allocate(TEXT_BYTES);
    if (!dataset->text)
        return part->status = ssa_dataset_fail(dataset, SSA_ENOMEM, "no memory for the text of an error");
    memcpy(dataset->text, text, strlen(text) + 1);
    return part->status = ssa_dataset_fail(dataset, status, dataset->text);
}

static void quote(char quoted[QUOTED_BYTES], ssa_text text) {
    ssa_text_quote(quoted, QUOTED_BYTES, text.data, text.bytes);
}

static void quote_name(char quoted[QUOTED_BYTES], const ssa_dataset *dataset) {
    ssa_name name = ssa_dataset_name(dataset);
    quote(quoted, (ssa_text){name.text, name.bytes});
}

ssa_status ssa_part_fail(ssa_part *part, ssa_status status, const char *format, ...) {
    char text[TEXT_BYTES], of[QUOTED_BYTES], name[QUOTED_BYTES] = "";
    quote_name(of, part->dataset);
    if (part->name.bytes)
        quote(name, part->name);
    int at = snprintf(text, sizeof text, "%s%s%s of dataset %s", kinds[part->kind], *name ? " " : "", name, of);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + at, sizeof text - (size_t)at, format, arguments);
    va_end(arguments);
    return keep(part, status, text);
}

ssa_status ssa_part_refused(ssa_part *part, ssa_status status) {
    char text[TEXT_BYTES], thing[QUOTED_BYTES + 32], of[QUOTED_BYTES];
    if (status == SSA_OK)
        return part->status = SSA_OK;
    quote_name(of, part->dataset);
    snprintf(thing, sizeof thing, "%s of dataset %s", kinds[part->kind], of);
    ssa_mistake_value(text, sizeof text, thing, part->name.data, part->name.bytes, ssa_dataset_reason(part->dataset));
    return keep(part, status, text);
}

/* ---- what is passed in */

ssa_part ssa_part_of(ssa_dataset *dataset, ssa_part_kind kind, const char *name, size_t bytes) {
    char text[SSA_MISTAKE_BYTES];
    ssa_part part = {dataset, kind, {"", 0}, SSA_EARGUMENT};
    if (dataset && (part.status = ssa_text_given("name", name, bytes, &part.name, text)))
        ssa_part_fail(&part, part.status, ": %s", text);
    return part;
}

ssa_status ssa_part_given(ssa_part *part, const char *what, const void *argument) {
    if (!part->status && !argument)
        ssa_part_fail(part, SSA_EARGUMENT, ": %s cannot be NULL: point it to what is to be read.", what);
    return part->status;
}

ssa_status ssa_part_result(ssa_part *part, const char *what, const void *result) {
    if (!part->status && !result)
        ssa_part_fail(part, SSA_EARGUMENT, ": %s cannot be NULL: pass where the result goes.", what);
    return part->status;
}

/* ---- the names there are */

typedef struct walk {
    const ssa_dataset *dataset;
    ssa_part_kind kind;
    size_t at;
} walk;

static int next_field(const ssa_dataset *dataset, size_t place, ssa_text *text) {
    if (place >= ssa_dataset_field_count(dataset))
        return 0;
    ssa_name name = ssa_dataset_field_at(dataset, place).name;
    *text = (ssa_text){name.text, name.bytes};
    return 1;
}

static int next_name(void *self, size_t place, ssa_text *text) {
    walk *w = self;
    ssa_item_kind kind = w->kind == SSA_DATASET_TENSOR ? SSA_ITEM_TENSOR : SSA_ITEM_BYTES;
    if (w->kind == SSA_DATASET_METADATA)
        return next_field(w->dataset, place, text);
    if (place == 0)
        w->at = 0;
    while (w->at < ssa_dataset_item_count(w->dataset)) {
        const ssa_item *item = ssa_dataset_item_at(w->dataset, w->at++);
        if (item->kind == kind) {
            *text = (ssa_text){item->name.text, item->name.bytes};
            return 1;
        }
    }
    return 0;
}

ssa_status ssa_part_names(ssa_dataset *dataset, ssa_part_kind kind, ssa_texts **names) {
    ssa_part part = ssa_part_of(dataset, kind, "", 0);
    ssa_status status;
    if (names)
        *names = NULL;
    if (ssa_part_result(&part, "names", names))
        return part.status;
    *names = ssa_texts_from(next_name, &(walk){dataset, kind, 0}, &status);
    return status ? ssa_part_fail(&part, status, ": no memory for the names") : SSA_OK;
}

ssa_status ssa_part_missing(ssa_part *part) {
    char text[TEXT_BYTES], name[QUOTED_BYTES], of[QUOTED_BYTES];
    const char *kind = kinds[part->kind];
    walk w = {part->dataset, part->kind, 0};
    ssa_text there;
    quote(name, part->name);
    quote_name(of, part->dataset);
    size_t at = (size_t)snprintf(text, sizeof text, "dataset %s has no %s %s.", of, kind, name);
    int has_more = next_name(&w, 0, &there);
    at += (size_t)snprintf(text + at, sizeof text - at, has_more ? " Its %s names are: " : " It has no %s at all.",
                           kind);
    for (size_t count = 1; has_more; count++) {
        at += ssa_text_quote(text + at, sizeof text - at, there.data, there.bytes);
        int is_last = !next_name(&w, count, &there);
        has_more = !is_last && sizeof text - at > QUOTED_BYTES + sizeof ", ...";
        at += (size_t)snprintf(text + at, sizeof text - at, "%s", is_last ? "." : has_more ? ", " : ", ...");
    }
    return keep(part, SSA_ENOTFOUND, text);
}
