/* Numbers and their text. Doubles are written by whole-number arithmetic wherever their size is an everyday
 * one; printf is asked only for the very large and the very small. Nothing here may depend on a locale:
 * nobody calls setlocale. */
#include "util/number.h"

#include "util/macros.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define DECIMAL_TEXT_MAX 64
#define SAFE_DIGITS      19                 /* as many fit a uint64_t */
#define EXACT_DIGITS     15                 /* as many make less than that */
#define EXACT_INTEGERS   9007199254740992.0 /* 2^53 */
#define MANTISSA_BITS    53
#define FIXED_MIN        1e-6 /* below it, 17 digits after the zeros do not fit 128 bits */

static const char digit_pairs[] = "00010203040506070809101112131415161718192021222324"
                                  "25262728293031323334353637383940414243444546474849"
                                  "50515253545556575859606162636465666768697071727374"
                                  "75767778798081828384858687888990919293949596979899";

static const uint64_t powers_of_10[] = {1,
                                        10,
                                        100,
                                        1000,
                                        10000,
                                        100000,
                                        1000000,
                                        10000000,
                                        100000000,
                                        1000000000,
                                        10000000000,
                                        100000000000,
                                        1000000000000,
                                        10000000000000,
                                        100000000000000,
                                        1000000000000000,
                                        10000000000000000,
                                        100000000000000000,
                                        1000000000000000000,
                                        10000000000000000000u};

static const uint64_t powers_of_5[] = {1,
                                       5,
                                       25,
                                       125,
                                       625,
                                       3125,
                                       15625,
                                       78125,
                                       390625,
                                       1953125,
                                       9765625,
                                       48828125,
                                       244140625,
                                       1220703125,
                                       6103515625,
                                       30517578125,
                                       152587890625,
                                       762939453125,
                                       3814697265625,
                                       19073486328125,
                                       95367431640625,
                                       476837158203125,
                                       2384185791015625};

/* Steps over digits and returns how many there were. */
static size_t skip_digits(const char **at)
{
    const char *start = *at;

    while (**at >= '0' && **at <= '9')
        (*at)++;
    return (size_t)(*at - start);
}

/* Whether the whole of TEXT, which ends with a NUL, is a number by the grammar of number.h. */
static bool is_decimal(const char *text)
{
    const char *at = text;
    size_t digits;

    if (*at == '-')
        at++;
    digits = skip_digits(&at);
    if (*at == '.') {
        at++;
        digits += skip_digits(&at);
    }
    if (digits == 0)
        return false;
    if (*at == 'e' || *at == 'E') {
        at++;
        if (*at == '+' || *at == '-')
            at++;
        if (skip_digits(&at) == 0)
            return false;
    }
    return *at == '\0';
}

/* Most numbers are a few digits with a point: both of a fraction are exact doubles then, and its division is
 * rounded correctly, so it gives what strtod would. False where TEXT is no such number, which says nothing
 * yet. */
static bool parse_short_decimal(struct slice text, double *ret_value)
{
    bool is_negative = text.len > 0 && text.data[0] == '-', has_point = false;
    uint64_t digits = 0;
    size_t count = 0, decimals = 0;

    if (text.len > EXACT_DIGITS)
        return false;
    for (size_t i = is_negative; i < text.len; i++) {
        unsigned digit = (unsigned)((unsigned char)text.data[i] - '0');

        if (digit <= 9) {
            digits = digits * 10 + digit;
            count++;
            decimals += has_point;
        } else if (text.data[i] == '.' && !has_point) {
            has_point = true;
        } else {
            return false;
        }
    }
    if (count == 0)
        return false;
    *ret_value = (double)digits / (double)powers_of_10[decimals];
    if (is_negative)
        *ret_value = -*ret_value;
    return true;
}

bool number_parse_decimal(struct slice text, double *ret_value)
{
    char copy[DECIMAL_TEXT_MAX + 1];
    double value;

    if (parse_short_decimal(text, ret_value))
        return true;
    /* A NUL inside would end the copy before its time. */
    if (text.len == 0 || text.len > DECIMAL_TEXT_MAX || memchr(text.data, '\0', text.len))
        return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    if (!is_decimal(copy))
        return false;
    value = strtod(copy, NULL);
    if (!isfinite(value))
        return false;
    *ret_value = value;
    return true;
}

bool number_parse_u64(struct slice text, uint64_t max, uint64_t *ret_value)
{
    uint64_t value = 0;

    if (text.len == 0)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned)((unsigned char)text.data[i] - '0');

        if (digit > 9 || (i >= SAFE_DIGITS && value > (UINT64_MAX - digit) / 10))
            return false;
        value = value * 10 + digit;
    }
    if (value > max)
        return false;
    *ret_value = value;
    return true;
}

static unsigned count_digits(uint64_t value)
{
    unsigned bits = 64 - (unsigned)__builtin_clzll(value | 1);
    unsigned digits = bits * 1233 >> 12; /* bits * log10(2), which may be one too few */

    return digits + (value >= powers_of_10[digits] || value == 0);
}

size_t number_format_u64(char *out, uint64_t value)
{
    unsigned len = count_digits(value);
    char *at = out + len;

    *at = '\0';
    while (value >= 100) {
        at -= 2;
        memcpy(at, digit_pairs + value % 100 * 2, 2);
        value /= 100;
    }
    if (value >= 10)
        memcpy(at - 2, digit_pairs + value * 2, 2);
    else
        at[-1] = (char)('0' + value);
    return len;
}

size_t number_format_i64(char *out, int64_t value)
{
    if (value >= 0)
        return number_format_u64(out, (uint64_t)value);
    *out = '-';
    return 1 + number_format_u64(out + 1, 0 - (uint64_t)value);
}

static size_t put_text(char *out, const char *text)
{
    size_t len = strlen(text);

    memcpy(out, text, len + 1);
    return len;
}

/* Writes VALUE / 10^DECIMALS without zeros at its end. */
static size_t put_fixed(char *out, uint64_t value, size_t decimals)
{
    char digits[NUMBER_TEXT_MAX];
    size_t len = number_format_u64(digits, value);
    size_t whole;
    size_t written = 0;

    for (; decimals > 0 && digits[len - 1] == '0'; decimals--)
        len--;
    whole = len > decimals ? len - decimals : 0;
    if (whole == 0)
        out[written++] = '0';
    memcpy(out + written, digits, whole);
    written += whole;
    if (decimals > 0) {
        out[written++] = '.';
        for (size_t zeros = len - whole; zeros < decimals; zeros++)
            out[written++] = '0';
        memcpy(out + written, digits + whole, len - whole);
        written += len - whole;
    }
    out[written] = '\0';
    return written;
}

/* Tries VALUE as a whole number of 1/SCALE, of at most 15 digits. Since a division is rounded correctly, what
 * it gives back is what the text reads back as; since no two decimals of 15 digits read as the same double,
 * there is none shorter. Returns 0 where VALUE is not such a number. */
static size_t put_scaled(char *out, double value, double scale, size_t decimals)
{
    double scaled = value * scale;
    uint64_t rounded;

    if (scaled >= 1e15)
        return 0;
    rounded = (uint64_t)(scaled + 0.5);
    return (double)rounded / scale == value ? put_fixed(out, rounded, decimals) : 0;
}

/* How many digits VALUE has before the point; for 0.01 and the like, less than 0 by the zeros behind it. */
static int point_position(double value)
{
    static const double bounds[] = {1e-1, 1e-2, 1e-3, 1e-4, 1e-5};
    int zeros = 0;

    if (value >= 1)
        return (int)count_digits((uint64_t)value);
    while (zeros < (int)ARRAY_LEN(bounds) && value < bounds[zeros])
        zeros++;
    return -zeros;
}

/* Whether ROUNDED / 2^SHIFT is so near to EXACT / 2^SHIFT that it reads back as the same double. UNIT /
 * 2^SHIFT is the distance from one double to the next. It is odd, so there is no half way; and the powers of
 * two, where the distance changes, have less than 16 digits here and are met exactly. */
static bool reads_back(uint64_t rounded, unsigned shift, unsigned __int128 exact, uint64_t unit)
{
    unsigned __int128 at = (unsigned __int128)rounded << shift;
    unsigned __int128 off = at > exact ? at - exact : exact - at;

    return off * 2 < unit;
}

/* Writes a value from FIXED_MIN to 2^53 that is not whole. It is mantissa * 2^-n, so times 10^k it is
 * mantissa * 5^k / 2^(n-k), which fits 128 bits exactly: rounding and reading back need no floating point.
 * 15 digits come first, because what has fewer shows itself there by zeros; 17 are always enough. */
static size_t put_digits(char *out, double value)
{
    int exponent;
    uint64_t mantissa = (uint64_t)ldexp(frexp(value, &exponent), MANTISSA_BITS);
    int position = point_position(value);

    for (int digits = position < 15 ? 15 : position + 1;; digits++) {
        int decimals = digits - position;
        unsigned shift = (unsigned)(MANTISSA_BITS - exponent - decimals);
        uint64_t unit = powers_of_5[decimals];
        unsigned __int128 exact = (unsigned __int128)mantissa * unit;
        unsigned __int128 one = (unsigned __int128)1 << shift;
        unsigned __int128 rest = exact & (one - 1);
        uint64_t rounded = (uint64_t)(exact >> shift);

        if (rest * 2 > one || (rest * 2 == one && rounded % 2 == 1))
            rounded++;
        if (digits >= DBL_DECIMAL_DIG || reads_back(rounded, shift, exact, unit))
            return put_fixed(out, rounded, (size_t)decimals);
    }
}

/* Any finite value, slowly. Only below DBL_MIN are there numbers of less than 15 digits that %.15g does not
 * find. */
static size_t put_printed(char *out, double value)
{
    int len = 0;

    for (int digits = value < DBL_MIN ? 1 : DBL_DIG; digits <= DBL_DECIMAL_DIG; digits++) {
        len = snprintf(out, NUMBER_TEXT_MAX - 1, "%.*g", digits, value);
        if (strtod(out, NULL) == value)
            break;
    }
    return (size_t)len;
}

static size_t put_positive(char *out, double value)
{
    size_t len;

    if (value >= EXACT_INTEGERS || value < FIXED_MIN)
        return value == 0 ? put_text(out, "0") : put_printed(out, value);
    if ((double)(uint64_t)value == value)
        return number_format_u64(out, (uint64_t)value);
    len = put_scaled(out, value, 1e6, 6);
    if (len == 0)
        len = put_scaled(out, value, 1e3, 3);
    return len > 0 ? len : put_digits(out, value);
}

size_t number_format_double(char *out, double value)
{
    if (isnan(value))
        return put_text(out, "NaN");
    if (isinf(value))
        return put_text(out, value > 0 ? "+Inf" : "-Inf");
    if (!signbit(value))
        return put_positive(out, value);
    *out = '-';
    return 1 + put_positive(out + 1, -value);
}

int number_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}
