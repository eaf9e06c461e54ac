/* util/hash.h against values of another implementation and against a slow one written from the description of
 * the algorithm, which itself has to give the vectors published for SipHash-2-4. */
#include "util/hash.h"
#include "util/macros.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define INPUT_MAX 200

static uint64_t turn_left(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

static void mix(uint64_t v[4], int rounds)
{
    for (int i = 0; i < rounds; i++) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = turn_left(v[1], 13);
        v[3] = turn_left(v[3], 16);
        v[1] ^= v[0];
        v[3] ^= v[2];
        v[0] = turn_left(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = turn_left(v[1], 17);
        v[3] = turn_left(v[3], 21);
        v[1] ^= v[2];
        v[3] ^= v[0];
        v[2] = turn_left(v[2], 32);
    }
}

static uint64_t read_word(const char text[8])
{
    uint64_t word = 0;

    for (int i = 0; i < 8; i++)
        word |= (uint64_t)(unsigned char)text[i] << (8 * i);
    return word;
}

/* SipHash-c-d over a copy that is padded by hand. */
static uint64_t slow_hash(int c, int d, struct hash_key key, const char *data, size_t len)
{
    char padded[INPUT_MAX + 8] = {0};
    size_t total = (len / 8 + 1) * 8;
    uint64_t v[4];

    assert_true(len <= INPUT_MAX);
    memcpy(padded, data, len);
    padded[total - 1] = (char)(unsigned char)(len & 0xff);
    for (int i = 0; i < 4; i++)
        v[i] = (i % 2 == 0 ? key.k0 : key.k1) ^
               __builtin_bswap64(read_word(&"somepseudorandomlygeneratedbytes"[8 * i]));
    for (size_t at = 0; at < total; at += 8) {
        v[3] ^= read_word(padded + at);
        mix(v, c);
        v[0] ^= read_word(padded + at);
    }
    v[2] ^= 0xff;
    mix(v, d);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static void fill_counting(char *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        data[i] = (char)(unsigned char)i;
}

static void test_slow_hash_gives_published_vectors(void **state)
{
    const struct hash_key key = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
    char data[15];

    UNUSED(state);
    fill_counting(data, sizeof(data));
    assert_true(slow_hash(2, 4, key, data, 0) == 0x726fdb47dd0e0e31);
    assert_true(slow_hash(2, 4, key, data, 15) == 0xa129ca6149be45e5);
}

/* The values are those of CPython 3.11, whose hash of bytes is SipHash-1-3, with a key of zeroes. */
static void test_hash_bytes_gives_known_values(void **state)
{
    static const struct {
        size_t len;
        uint64_t hash;
    } rows[] = {
        {1, 0x68a914128e01e473},  {7, 0x2f098ab0c751325a},  {8, 0xead411e67ebe2eea},
        {9, 0x75927f9d95124362},  {15, 0xf30eb725bb91c9ea}, {16, 0x8972188433a5c5b7},
        {63, 0x385d3e39e5f37359}, {64, 0x75e05fd5bbc870c6},
    };
    const struct hash_key key = {0, 0};
    char data[64];

    UNUSED(state);
    fill_counting(data, sizeof(data));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_true(hash_bytes(key, data, rows[i].len) == rows[i].hash);
    assert_true(hash_bytes(key, "mt5-1", 5) == 0xb2e3d7062ee71fb3);
}

static void test_hash_bytes_at_each_length_and_alignment(void **state)
{
    const struct hash_key key = {0x0123456789abcdef, 0xfedcba9876543210};
    char data[INPUT_MAX + 8];

    UNUSED(state);
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (char)(unsigned char)(i * 151 + 200);
    for (size_t start = 0; start < 8; start++) {
        for (size_t len = 0; len <= INPUT_MAX; len++)
            assert_true(hash_bytes(key, data + start, len) == slow_hash(1, 3, key, data + start, len));
    }
}

static void test_hash_bytes_of_nothing(void **state)
{
    const struct hash_key key = {1, 2};

    UNUSED(state);
    assert_true(hash_bytes(key, NULL, 0) == slow_hash(1, 3, key, "", 0));
}

static void test_hash_key_random_differs(void **state)
{
    struct hash_key a = hash_key_random();
    struct hash_key b = hash_key_random();

    UNUSED(state);
    assert_true(a.k0 != b.k0 && a.k1 != b.k1 && a.k0 != a.k1);
    assert_true(hash_bytes(a, "x", 1) != hash_bytes(b, "x", 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slow_hash_gives_published_vectors),
        cmocka_unit_test(test_hash_bytes_gives_known_values),
        cmocka_unit_test(test_hash_bytes_at_each_length_and_alignment),
        cmocka_unit_test(test_hash_bytes_of_nothing),
        cmocka_unit_test(test_hash_key_random_differs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
