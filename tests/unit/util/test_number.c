/* util/number.h: rows for the grammar and the forms; for doubles also properties, checked against printf and
 * strtod. */
#include "util/macros.h"
#include "util/number.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 100000

static uint64_t draw(void)
{
    static uint64_t seed = 20250322;

    /* Two halves of a generator whose low bits are poor. */
    uint64_t high = (seed = seed * 6364136223846793005 + 1442695040888963407) >> 32;
    uint64_t low = (seed = seed * 6364136223846793005 + 1442695040888963407) >> 32;

    return high << 32 | low;
}

static uint64_t bits_of(double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static double of_bits(uint64_t bits)
{
    double value;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

static void test_number_parse_decimal_of_numbers(void **state)
{
    static const struct {
        struct slice text;
        double value;
    } rows[] = {
        {SLICE("0"), 0},
        {SLICE("-0"), -0.0},
        {SLICE("007"), 7},
        {SLICE("1.25"), 1.25},
        {SLICE("-12.5"), -12.5},
        {SLICE(".5"), 0.5},
        {SLICE("5."), 5},
        {SLICE("-.5e1"), -5},
        {SLICE("1e3"), 1000},
        {SLICE("1E+3"), 1000},
        {SLICE("5.e-1"), 0.5},
        {SLICE("0.1"), 0.1},
        {SLICE("9007199254740993"), 9007199254740992},
        {SLICE("1.7976931348623157e308"), DBL_MAX},
        {SLICE("5e-324"), 5e-324},
        {SLICE("1e-999999"), 0},
        {SLICE("-1e-400"), -0.0},
        {SLICE("0e999999"), 0},
        {SLICE("0000000000000000000000000000000000000000000000000000000000000001"), 1}, /* 64 bytes */
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        double value = 77;

        assert_true(number_parse_decimal(rows[i].text, &value));
        assert_true(bits_of(value) == bits_of(rows[i].value));
    }
}

static void test_number_parse_decimal_of_other_text(void **state)
{
    static const struct slice rows[] = {
        SLICE(""),
        SLICE("-"),
        SLICE("."),
        SLICE("-."),
        SLICE("e5"),
        SLICE(".e5"),
        SLICE("1e"),
        SLICE("1e+"),
        SLICE("1e-"),
        SLICE("1e1.5"),
        SLICE("1e5e5"),
        SLICE("1.2.3"),
        SLICE("1..2"),
        SLICE("+1"),
        SLICE("--1"),
        SLICE("1-"),
        SLICE(" 1"),
        SLICE("1 "),
        SLICE("1\n"),
        SLICE("1\0"),
        SLICE("1\0"
              "2"),
        SLICE("\0"),
        SLICE("1,5"),
        SLICE("1_000"),
        SLICE("0x10"),
        SLICE("0x1p3"),
        SLICE("1f"),
        SLICE("nan"),
        SLICE("NaN"),
        SLICE("inf"),
        SLICE("-Infinity"),
        SLICE("1e309"),
        SLICE("-1e999999"),
        SLICE("\xd9\xa1"),
        SLICE("00000000000000000000000000000000000000000000000000000000000000001"), /* 65 bytes */
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        double value = 77;

        assert_false(number_parse_decimal(rows[i], &value));
        assert_true(value == 77);
    }
    assert_false(number_parse_decimal(slice_text(NULL), &(double){0}));
}

/* Numbers of up to 18 bytes, with a point at any place: the C library is right about all of them. */
static void test_number_parse_decimal_is_exact(void **state)
{
    uint64_t random = 1;

    UNUSED(state);
    for (int i = 0; i < 200000; i++) {
        char text[24];
        double value;
        size_t len = 0, digits, point;

        random = random * 6364136223846793005U + 1442695040888963407U;
        digits = 1 + (random >> 40) % 17;
        point = (random >> 50) % (digits + 2);
        if (random >> 63)
            text[len++] = '-';
        for (size_t d = 0; d < digits; d++) {
            if (d == point)
                text[len++] = '.';
            random = random * 6364136223846793005U + 1442695040888963407U;
            text[len++] = (char)('0' + (random >> 33) % 10);
        }
        text[len] = '\0';
        assert_true(number_parse_decimal(slice_of(text, len), &value));
        if (value != strtod(text, NULL) || signbit(value) != signbit(strtod(text, NULL)))
            fail_msg("%s is read as %.17g", text, value);
    }
}

static void test_number_parse_decimal_stays_within_slice(void **state)
{
    double value;

    UNUSED(state);
    assert_true(number_parse_decimal(slice_of("123456", 3), &value));
    assert_true(value == 123);
}

static void test_number_parse_u64_by_row(void **state)
{
    static const struct {
        struct slice text;
        uint64_t max;
        bool is_read;
        uint64_t value;
    } rows[] = {
        {SLICE("0"), 0, true, 0},
        {SLICE("000"), 0, true, 0},
        {SLICE("1"), 0, false, 0},
        {SLICE("9"), 10, true, 9},
        {SLICE("10"), 10, true, 10},
        {SLICE("11"), 10, false, 0},
        {SLICE("100"), 10, false, 0},
        {SLICE("65535"), 65535, true, 65535},
        {SLICE("65536"), 65535, false, 0},
        {SLICE("18446744073709551615"), UINT64_MAX, true, UINT64_MAX},
        {SLICE("18446744073709551616"), UINT64_MAX, false, 0},
        {SLICE("18446744073709551625"), UINT64_MAX, false, 0},
        {SLICE("100000000000000000000"), UINT64_MAX, false, 0},
        {SLICE("00000000000000000000000000018446744073709551615"), UINT64_MAX, true, UINT64_MAX},
        {SLICE(""), UINT64_MAX, false, 0},
        {SLICE("-1"), UINT64_MAX, false, 0},
        {SLICE("+1"), UINT64_MAX, false, 0},
        {SLICE(" 1"), UINT64_MAX, false, 0},
        {SLICE("1 "), UINT64_MAX, false, 0},
        {SLICE("1.0"), UINT64_MAX, false, 0},
        {SLICE("1\0"), UINT64_MAX, false, 0},
        {SLICE("1/"), UINT64_MAX, false, 0},
        {SLICE("1:"), UINT64_MAX, false, 0},
        {SLICE("\xb1"), UINT64_MAX, false, 0},
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t value = 77;

        assert_int_equal(number_parse_u64(rows[i].text, rows[i].max, &value), rows[i].is_read);
        assert_true(value == (rows[i].is_read ? rows[i].value : 77));
    }
}

static void assert_integers(uint64_t value)
{
    char text[NUMBER_TEXT_MAX];
    char wanted[NUMBER_TEXT_MAX];
    int len;

    len = snprintf(wanted, sizeof(wanted), "%" PRIu64, value);
    assert_int_equal(number_format_u64(text, value), len);
    assert_string_equal(text, wanted);
    len = snprintf(wanted, sizeof(wanted), "%" PRId64, (int64_t)value);
    assert_int_equal(number_format_i64(text, (int64_t)value), len);
    assert_string_equal(text, wanted);
}

static void test_number_format_integers(void **state)
{
    UNUSED(state);
    assert_integers(0);
    assert_integers(UINT64_MAX);
    assert_integers((uint64_t)INT64_MAX);
    assert_integers((uint64_t)INT64_MIN);
    for (uint64_t power = 1;; power *= 10) {
        assert_integers(power - 1);
        assert_integers(power);
        assert_integers(power + 1);
        assert_integers(0 - power);
        if (power > UINT64_MAX / 10)
            break;
    }
    for (unsigned bit = 0; bit < 64; bit++) {
        assert_integers((uint64_t)1 << bit);
        assert_integers(((uint64_t)1 << bit) - 1);
    }
    for (uint64_t i = 0; i < 20000; i++)
        assert_integers(i);
    for (int i = 0; i < ROUNDS; i++)
        assert_integers(draw() >> (draw() % 64));
}

static void test_number_format_double_by_row(void **state)
{
    static const struct {
        double value;
        const char *text;
    } rows[] = {
        {0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {-1, "-1"},
        {100, "100"},
        {9007199254740991, "9007199254740991"},
        {-9007199254740991, "-9007199254740991"},
        {0.5, "0.5"},
        {0.1, "0.1"},
        {-0.001, "-0.001"},
        {0.3, "0.3"},
        {0.1 + 0.2, "0.30000000000000004"},
        {100.25, "100.25"},
        {1.000001, "1.000001"},
        {0.000001, "0.000001"},
        {0.00001, "0.00001"},
        {0.0000012345678, "0.0000012345678"},
        {1e-7, "1e-07"},
        {1742638530.123, "1742638530.123"},
        {999999999.999999, "999999999.999999"},
        {999999999999.999, "999999999999.999"},
        {1.0 / 3, "0.3333333333333333"},
        {2.0 / 3, "0.6666666666666666"},
        {1000.0 / 3, "333.3333333333333"},
        {M_PI, "3.141592653589793"},
        {2251799813685247.75, "2251799813685247.8"},
        {4503599627370495.5, "4503599627370495.5"},
        {9007199254740992, "9007199254740992"},
        {1e22, "1e+22"},
        {DBL_MAX, "1.7976931348623157e+308"},
        {-DBL_MAX, "-1.7976931348623157e+308"},
        {DBL_MIN, "2.2250738585072014e-308"},
        {5e-324, "5e-324"},
        {1e-310, "1e-310"},
        {(double)NAN, "NaN"},
        {-(double)NAN, "NaN"},
        {(double)INFINITY, "+Inf"},
        {-(double)INFINITY, "-Inf"},
    };
    char text[NUMBER_TEXT_MAX];

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(number_format_double(text, rows[i].value), strlen(rows[i].text));
        assert_string_equal(text, rows[i].text);
    }
}

/* The digits of a number without sign, point, exponent and zeros at either end. */
static void take_digits(const char *text, char out[NUMBER_TEXT_MAX])
{
    size_t len = 0;

    for (; *text && *text != 'e'; text++) {
        if (*text >= '0' && *text <= '9' && (len > 0 || *text != '0'))
            out[len++] = *text;
    }
    while (len > 0 && out[len - 1] == '0')
        len--;
    out[len] = '\0';
}

/* VALUE's text must read back as the same bits and have just the digits of the shortest %g that does. */
static void assert_shortest(double value)
{
    char text[NUMBER_TEXT_MAX];
    char digits[NUMBER_TEXT_MAX];
    char printed[NUMBER_TEXT_MAX];
    char wanted[NUMBER_TEXT_MAX];
    size_t len = number_format_double(text, value);

    assert_int_equal(len, strlen(text));
    assert_true(len < NUMBER_TEXT_MAX);
    assert_true(bits_of(strtod(text, NULL)) == bits_of(value));
    for (int precision = 1; precision <= 17; precision++) {
        (void)snprintf(printed, sizeof(printed), "%.*g", precision, value);
        if (bits_of(strtod(printed, NULL)) == bits_of(value))
            break;
    }
    take_digits(text, digits);
    take_digits(printed, wanted);
    assert_string_equal(digits, wanted);
}

static void test_number_format_double_of_any_bits(void **state)
{
    UNUSED(state);
    for (int i = 0; i < ROUNDS; i++) {
        double value = of_bits(draw());

        if (isfinite(value))
            assert_shortest(value);
    }
}

/* Any mantissa under the exponents of the values that are met in practice. */
static void test_number_format_double_of_any_mantissa(void **state)
{
    UNUSED(state);
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t exponent = 1023 - 22 + draw() % 78;

        assert_shortest(of_bits((draw() & 0x800fffffffffffff) | exponent << 52));
    }
}

static void test_number_format_double_of_decimals(void **state)
{
    static const double scales[] = {10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e9, 1e12};

    UNUSED(state);
    for (int i = 0; i < 100000; i++)
        assert_shortest(i / 1000.0);
    for (size_t s = 0; s < ARRAY_LEN(scales); s++) {
        for (int i = 0; i < ROUNDS / 10; i++)
            assert_shortest((double)(draw() >> (11 + draw() % 53)) / scales[s]);
    }
}

/* Where a power of 2 or of 10 is, the distance between doubles or the number of digits changes. */
static void test_number_format_double_beside_powers(void **state)
{
    UNUSED(state);
    for (int exponent = -1074; exponent <= 1023; exponent++) {
        double power = ldexp(1, exponent);

        assert_shortest(power);
        assert_shortest(nextafter(power, 0));
        assert_shortest(nextafter(power, 2 * power));
    }
    for (int exponent = -320; exponent <= 308; exponent++) {
        char text[NUMBER_TEXT_MAX];
        double power;

        (void)snprintf(text, sizeof(text), "1e%d", exponent);
        power = strtod(text, NULL);
        assert_shortest(power);
        assert_shortest(nextafter(power, 0));
        assert_shortest(nextafter(power, DBL_MAX));
    }
}

static void test_number_format_double_of_sums_and_ratios(void **state)
{
    double sum = 0;

    UNUSED(state);
    for (int i = 1; i < 50000; i++) {
        sum += (double)(draw() % 1000000) / 1e6;
        assert_shortest(sum);
        assert_shortest((double)(draw() % 1000) / i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_number_parse_decimal_of_numbers),
        cmocka_unit_test(test_number_parse_decimal_of_other_text),
        cmocka_unit_test(test_number_parse_decimal_is_exact),
        cmocka_unit_test(test_number_parse_decimal_stays_within_slice),
        cmocka_unit_test(test_number_parse_u64_by_row),
        cmocka_unit_test(test_number_format_integers),
        cmocka_unit_test(test_number_format_double_by_row),
        cmocka_unit_test(test_number_format_double_of_any_bits),
        cmocka_unit_test(test_number_format_double_of_any_mantissa),
        cmocka_unit_test(test_number_format_double_of_decimals),
        cmocka_unit_test(test_number_format_double_beside_powers),
        cmocka_unit_test(test_number_format_double_of_sums_and_ratios),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
