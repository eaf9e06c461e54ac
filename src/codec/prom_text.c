/* Prometheus text. Plain samples are written with one reservation and no printf: a scrape of thousands of
 * series must not hold the loop. */
#include "codec/prom_text.h"

#include "util/number.h"
#include "util/utf8.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define EXEMPLAR_CHARACTERS_MAX 128
#define REPLACEMENT             "\xef\xbf\xbd"
#define TOTAL_SUFFIX            "_total"
#define FIXED_DIGITS_MAX        6 /* 999999.5 is written out, 1e+06 is not */

static char *put(char *at, const void *data, size_t len)
{
    memcpy(at, data, len);
    return at + len;
}

static char *put_slice(char *at, struct slice s)
{
    return s.len ? put(at, s.data, s.len) : at;
}

/* The escape of C inside a label value or a help text, or NULL where it stands for itself. */
static const char *escape_of(char c, bool in_quotes)
{
    switch (c) {
    case '\n':
        return "\\n";
    case '\\':
        return "\\\\";
    case '"':
        return in_quotes ? "\\\"" : NULL;
    default:
        return (unsigned char)c < ' ' || c == 0x7f ? REPLACEMENT : NULL;
    }
}

/* TEXT is valid UTF-8. */
static void add_escaped(struct buf *out, struct slice text, bool in_quotes)
{
    size_t plain = 0;

    for (size_t i = 0; i < text.len; i++) {
        const char *escape = escape_of(text.data[i], in_quotes);

        if (!escape)
            continue;
        buf_add(out, text.data + plain, i - plain);
        buf_add_text(out, escape);
        plain = i + 1;
    }
    buf_add(out, text.data + plain, text.len - plain);
}

static void add_value_text(struct buf *out, struct slice text, bool in_quotes)
{
    struct buf mended = BUF_INIT;

    if (text.len == 0)
        return;
    if (utf8_is_valid(text)) {
        add_escaped(out, text, in_quotes);
        return;
    }
    /* Each byte may become the three of U+FFFD. */
    mended.len = utf8_sanitize(buf_reserve(&mended, text.len * 3), text.len * 3, text);
    add_escaped(out, buf_slice(&mended), in_quotes);
    buf_clear(&mended);
}

static bool ends_in_total(struct slice name)
{
    size_t len = strlen(TOTAL_SUFFIX);

    return name.len > len && memcmp(name.data + name.len - len, TOTAL_SUFFIX, len) == 0;
}

const char *prom_type_name(enum prom_type type)
{
    static const char *const names[] = {[PROM_GAUGE] = "gauge",
                                        [PROM_COUNTER] = "counter",
                                        [PROM_HISTOGRAM] = "histogram",
                                        [PROM_UNKNOWN] = "untyped"};

    return names[type];
}

static const char *type_text(const struct prom_writer *writer, enum prom_type type)
{
    bool has_name = type == PROM_COUNTER ? ends_in_total(writer->name) : type != PROM_UNKNOWN;

    return writer->format == PROM_TEXT || has_name ? prom_type_name(type) : "unknown";
}

void prom_family_begin(struct prom_writer *writer, const char *name, enum prom_type type, const char *help)
{
    struct buf *out = writer->out;
    struct slice family = slice_text(name);
    bool is_open = writer->format == PROM_OPENMETRICS;

    writer->name = family;
    if (is_open && type == PROM_COUNTER && ends_in_total(family))
        family.len -= strlen(TOTAL_SUFFIX);
    buf_add_text(out, "# HELP ");
    buf_add_slice(out, family);
    buf_add_char(out, ' ');
    add_value_text(out, slice_text(help), is_open);
    buf_add_text(out, "\n# TYPE ");
    buf_add_slice(out, family);
    buf_add_char(out, ' ');
    buf_add_text(out, type_text(writer, type));
    buf_add_char(out, '\n');
}

void prom_labels_add(struct buf *out, const struct prom_label *labels, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (out->len)
            buf_add_char(out, ',');
        buf_add_text(out, labels[i].name);
        buf_add_text(out, "=\"");
        add_value_text(out, labels[i].value, true);
        buf_add_char(out, '"');
    }
}

/* Makes room for a sample and writes it up to its value. SUFFIX goes behind the name of the family, MORE
 * behind LABELS. */
static char *begin_sample(struct prom_writer *writer, const char *suffix, struct slice labels,
                          struct slice more)
{
    size_t suffix_len = strlen(suffix);
    size_t room = writer->name.len + suffix_len + labels.len + more.len + NUMBER_TEXT_MAX + 5;
    char *at = buf_reserve(writer->out, room);

    at = put_slice(at, writer->name);
    at = put(at, suffix, suffix_len);
    if (labels.len || more.len) {
        *at++ = '{';
        at = put_slice(at, labels);
        if (labels.len && more.len)
            *at++ = ',';
        at = put_slice(at, more);
        *at++ = '}';
    }
    *at++ = ' ';
    return at;
}

static void end_at(struct prom_writer *writer, const char *at)
{
    writer->out->len = (size_t)(at - writer->out->data);
}

void prom_sample_more(struct prom_writer *writer, struct slice labels, struct slice more, double value)
{
    char *at = begin_sample(writer, "", labels, more);

    at += number_format_double(at, value);
    *at++ = '\n';
    end_at(writer, at);
}

void prom_sample(struct prom_writer *writer, struct slice labels, double value)
{
    prom_sample_more(writer, labels, slice_of(NULL, 0), value);
}

void prom_sample_u64(struct prom_writer *writer, struct slice labels, uint64_t value)
{
    char *at = begin_sample(writer, "", labels, slice_of(NULL, 0));

    at += number_format_u64(at, value);
    *at++ = '\n';
    end_at(writer, at);
}

void prom_sample_label(struct prom_writer *writer, const char *label, struct slice label_value, double value)
{
    struct buf *out = writer->out;

    buf_add_slice(out, writer->name);
    buf_add_char(out, '{');
    buf_add_text(out, label);
    buf_add_text(out, "=\"");
    add_value_text(out, label_value, true);
    buf_add_text(out, "\"} ");
    buf_add_double(out, value);
    buf_add_char(out, '\n');
}

/* The characters of an exemplar's labels that count towards the limit; an id is ASCII. */
static bool exemplar_fits(const struct exemplar *exemplar, const char *label)
{
    return exemplar->id.len > 0 && strlen(label) + exemplar->id.len <= EXEMPLAR_CHARACTERS_MAX;
}

/* ` # {label="id"} value seconds`, in place of the newline written last. */
static void add_exemplar(struct buf *out, const struct exemplar *exemplar, const char *label)
{
    out->len--;
    buf_add_text(out, " # {");
    buf_add_text(out, label);
    buf_add_text(out, "=\"");
    add_value_text(out, ident_slice(&exemplar->id), true);
    buf_add_text(out, "\"} ");
    buf_add_double(out, exemplar->value);
    buf_add_char(out, ' ');
    buf_add_double(out, (double)exemplar->at_ms / 1000);
    buf_add_char(out, '\n');
}

static void add_bucket(struct prom_writer *writer, struct slice labels, double bound, uint64_t count)
{
    char le[PROM_BOUND_MAX + 8];
    size_t len = strlen(strcpy(le, "le=\""));
    char *at;

    len += prom_format_bound(le + len, bound);
    le[len++] = '"';
    at = begin_sample(writer, "_bucket", labels, slice_of(le, len));
    at += number_format_u64(at, count);
    *at++ = '\n';
    end_at(writer, at);
}

static void add_sum_and_count(struct prom_writer *writer, struct slice labels, const struct histogram *h,
                              uint64_t count)
{
    char *at = begin_sample(writer, "_sum", labels, slice_of(NULL, 0));

    at += number_format_double(at, h->sum);
    *at++ = '\n';
    end_at(writer, at);
    at = begin_sample(writer, "_count", labels, slice_of(NULL, 0));
    at += number_format_u64(at, count);
    *at++ = '\n';
    end_at(writer, at);
}

/* OpenMetrics: no sum where a bound is negative, and a count if and only if there is a sum. */
static bool has_sum(const struct prom_writer *writer, const struct histogram *h)
{
    return writer->format == PROM_TEXT || !h->bound_count || h->bounds[0] >= 0;
}

void prom_histogram(struct prom_writer *writer, struct slice labels, const struct histogram *h,
                    const char *exemplar_label)
{
    bool has_exemplars = writer->format == PROM_OPENMETRICS && exemplar_label && h->exemplars;
    uint64_t count = 0;

    for (size_t i = 0; i <= h->bound_count; i++) {
        count += h->counts[i];
        add_bucket(writer, labels, i < h->bound_count ? h->bounds[i] : INFINITY, count);
        if (has_exemplars && exemplar_fits(&h->exemplars[i], exemplar_label))
            add_exemplar(writer->out, &h->exemplars[i], exemplar_label);
    }
    if (has_sum(writer, h))
        add_sum_and_count(writer, labels, h, count);
}

void prom_end(struct prom_writer *writer)
{
    if (writer->format == PROM_OPENMETRICS)
        buf_add_text(writer->out, "# EOF\n");
}

/* VALUE with the fewest digits that read back the same, as `d.ddde±xx`; returns how many digits there are. */
static int format_shortest(char *out, size_t room, double value)
{
    for (int digits = 1;; digits++) {
        (void)snprintf(out, room, "%.*e", digits - 1, value); /* 25 bytes at most */
        if (digits == 17 || strtod(out, NULL) == value)
            return digits;
    }
}

size_t prom_format_bound(char out[PROM_BOUND_MAX], double value)
{
    char shortest[PROM_BOUND_MAX];
    int digits, exponent;

    if (!isfinite(value))
        return number_format_double(out, value);
    digits = format_shortest(shortest, sizeof(shortest), value);
    exponent = (int)strtol(strchr(shortest, 'e') + 1, NULL, 10);
    if (exponent < -4 || exponent >= FIXED_DIGITS_MAX) {
        memcpy(out, shortest, sizeof(shortest));
        return strlen(out);
    }
    /* At least one digit behind the point makes it a float. */
    return (size_t)snprintf(out, PROM_BOUND_MAX, "%.*f",
                            digits - 1 - exponent > 1 ? digits - 1 - exponent : 1, value);
}
