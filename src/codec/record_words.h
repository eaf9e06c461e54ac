/* Records of the daemon's own as one line of `name=value` words, by a table of what stands where in a struct:
 * the same table writes and reads. Words come in the table's order with one space between; what is zero is
 * left out, and missing is zero. */
#pragma once

#include "util/buf.h"
#include <stddef.h>

enum word_kind {
    WORD_BOOL, /* bool: 1 */
    WORD_U32,  /* uint32_t */
    WORD_U64,  /* uint64_t */
    WORD_TIME, /* int64_t in ms: UTC with milliseconds; `never` for INT64_MAX, digits for what has no date */
    WORD_NUMBER, /* double, finite; what is not is left out */
    WORD_NAME,   /* an enum, by its vocabulary; also where it is zero */
    WORD_NAMES,  /* a set of bits, by its vocabulary: a,b,c */
    WORD_IDENT,  /* struct ident */
    WORD_CAUSE,  /* struct cause */
};

struct vocabulary {
    const char *(*name_of)(unsigned value);
    unsigned count;
};

struct word {
    struct slice name;
    enum word_kind kind;
    size_t offset, size; /* of the member */
    const struct vocabulary *vocabulary;
    bool has_flag; /* a bool at FLAG says whether the word is there: then it is written even where zero */
    size_t flag;
};

#define WORD_MEMBER(type, member) offsetof(type, member), sizeof(((type *)0)->member)
/* Rows of a table: a member of TYPE; one that takes its values from VOCABULARY; one that is there where the
 * member FLAG says so. */
#define WORD(type, name, kind, member)                                                                       \
    {                                                                                                        \
        SLICE(name), WORD_##kind, WORD_MEMBER(type, member), NULL, false, 0                                  \
    }
#define WORD_OF(type, name, kind, member, vocabulary)                                                        \
    {                                                                                                        \
        SLICE(name), WORD_##kind, WORD_MEMBER(type, member), vocabulary, false, 0                            \
    }
#define WORD_IF(type, name, kind, member, vocabulary, flag)                                                  \
    {                                                                                                        \
        SLICE(name), WORD_##kind, WORD_MEMBER(type, member), vocabulary, true, offsetof(type, flag)          \
    }

/* Words of one table, at most. */
#define WORDS_MAX 64

/* Appends RECORD, a struct that TABLE is about. */
void record_words_add(struct buf *out, const struct word *table, size_t count, const void *record);
/* Reads TEXT into RECORD, which is zeroed but for what TABLE does not name. False where TEXT is empty, not
 * words, names one of the table twice or with a value that it cannot have; RECORD may then be changed in
 * part. Names that are not in TABLE are skipped. */
bool record_words_parse(struct slice text, const struct word *table, size_t count, void *record);
