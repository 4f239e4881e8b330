/*
 * The key check value: HMAC-SHA-256 over the derived keys, its first 4 bytes. From a PSK these are derived first
 * (RFC 9031 Appendix B, RFC 5869). A device that has SHA-256 already can use that, if it wipes as this does: pads and
 * states of an HMAC are as good as its key.
 */
#include "jrc_receiver.h"

#include <string.h>

#define BLOCK 64
#define DIGEST 32

typedef struct {
    uint32_t state[8];
    uint64_t total;
    uint8_t block[BLOCK];
    uint32_t words[64], v[8]; /* of `take_block`: here, so that they are wiped with the rest */
} sha256_t;

static const uint32_t rounds[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
    0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
    0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
    0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
    0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
    0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
    0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
    0xc67178f2,
};

static uint32_t rotated(uint32_t value, unsigned by)
{
    return value >> by | value << (32 - by);
}

static void take_block(sha256_t *hash)
{
    uint32_t *words = hash->words, *v = hash->v;
    for (unsigned i = 0; i < 16; i++)
        words[i] = (uint32_t)hash->block[4 * i] << 24 | (uint32_t)hash->block[4 * i + 1] << 16 |
                   (uint32_t)hash->block[4 * i + 2] << 8 | hash->block[4 * i + 3];
    for (unsigned i = 16; i < 64; i++) {
        uint32_t a = words[i - 15], b = words[i - 2];
        words[i] = words[i - 16] + words[i - 7] + (rotated(a, 7) ^ rotated(a, 18) ^ a >> 3) +
                   (rotated(b, 17) ^ rotated(b, 19) ^ b >> 10);
    }
    memcpy(v, hash->state, sizeof hash->v);
    for (unsigned i = 0; i < 64; i++) {
        uint32_t one = v[7] + (rotated(v[4], 6) ^ rotated(v[4], 11) ^ rotated(v[4], 25)) +
                       ((v[4] & v[5]) ^ (~v[4] & v[6])) + rounds[i] + words[i];
        uint32_t two = (rotated(v[0], 2) ^ rotated(v[0], 13) ^ rotated(v[0], 22)) +
                       ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
        memmove(v + 1, v, 7 * sizeof *v);
        v[4] += one;
        v[0] = one + two;
    }
    for (unsigned i = 0; i < 8; i++)
        hash->state[i] += v[i];
}

static void begin(sha256_t *hash)
{
    static const uint32_t first[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memcpy(hash->state, first, sizeof first);
    hash->total = 0;
}

static void take(sha256_t *hash, const uint8_t *data, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        hash->block[hash->total++ % BLOCK] = data[i];
        if (hash->total % BLOCK == 0)
            take_block(hash);
    }
}

static void end(sha256_t *hash, uint8_t digest[DIGEST])
{
    static const uint8_t one = 0x80, zero = 0;
    uint8_t bits[8];
    for (unsigned i = 0; i < 8; i++)
        bits[i] = (uint8_t)(hash->total * 8 >> (56 - 8 * i));
    take(hash, &one, 1);
    while (hash->total % BLOCK != BLOCK - sizeof bits)
        take(hash, &zero, 1);
    take(hash, bits, sizeof bits);
    for (unsigned i = 0; i < DIGEST; i++)
        digest[i] = (uint8_t)(hash->state[i / 4] >> (24 - 8 * (i % 4)));
}

/* Byte by byte: wide registers that had half a key would be put on the stack by what is called next. */
static void copy(uint8_t *to, const uint8_t *from, size_t length)
{
    while (length--)
        *to++ = *from++;
}

/* HMAC (RFC 2104) over two pieces; the key has at most BLOCK bytes. */
static void hmac(const uint8_t *key, size_t key_len, const uint8_t *one, size_t one_len, const uint8_t *two,
                 size_t two_len, uint8_t digest[DIGEST])
{
    sha256_t hash;
    uint8_t pad[BLOCK];
    for (unsigned inner = 2; inner-- > 0;) {
        memset(pad, inner ? 0x36 : 0x5c, sizeof pad);
        for (size_t i = 0; i < key_len; i++)
            pad[i] ^= key[i];
        begin(&hash);
        take(&hash, pad, sizeof pad);
        if (inner) {
            take(&hash, one, one_len);
            take(&hash, two, two_len);
        } else {
            take(&hash, digest, DIGEST);
        }
        end(&hash, digest);
    }
    jrc_wipe(&hash, sizeof hash);
    jrc_wipe(pad, sizeof pad);
}

/* HKDF-Expand with OSCORE's info (RFC 8613 3.2.1): [sender or recipient id, pledge id, 10, type, length]. */
static void derive(const uint8_t prk[DIGEST], const char *whose, const uint8_t *id, size_t id_len, const char *type,
                   uint8_t *out, uint8_t length)
{
    static const uint8_t last = 1;
    uint8_t info[JRC_ID_MAX + 16], digest[DIGEST];
    size_t at = 0, whose_len = strlen(whose), type_len = strlen(type);
    info[at++] = 0x85;
    info[at++] = (uint8_t)(0x40 + whose_len);
    memcpy(info + at, whose, whose_len);
    at += whose_len;
    if (id_len < 24) {
        info[at++] = (uint8_t)(0x40 + id_len);
    } else {
        info[at++] = 0x58;
        info[at++] = (uint8_t)id_len;
    }
    memcpy(info + at, id, id_len);
    at += id_len;
    info[at++] = 10; /* AES-CCM-16-64-128 */
    info[at++] = (uint8_t)(0x60 + type_len);
    memcpy(info + at, type, type_len);
    at += type_len;
    info[at++] = length;
    hmac(prk, DIGEST, info, at, &last, 1, digest);
    copy(out, digest, length);
    jrc_wipe(digest, sizeof digest);
}

void jrc_key_check(const jrc_key_t *key, const uint8_t *id, size_t id_len, uint8_t check[JRC_CHECK_LEN])
{
    static const char purpose[] = "jrc key check value 1";
    uint8_t digest[DIGEST], keys[2 * JRC_KEY_LEN + JRC_IV_LEN];
    if (key->psk_len) {
        hmac(NULL, 0, key->psk, key->psk_len, NULL, 0, digest);
        derive(digest, "", id, id_len, "Key", keys, JRC_KEY_LEN);
        derive(digest, "JRC", id, id_len, "Key", keys + JRC_KEY_LEN, JRC_KEY_LEN);
        derive(digest, "", id, id_len, "IV", keys + 2 * JRC_KEY_LEN, JRC_IV_LEN);
    } else {
        copy(keys, key->sender_key, JRC_KEY_LEN);
        copy(keys + JRC_KEY_LEN, key->recipient_key, JRC_KEY_LEN);
        copy(keys + 2 * JRC_KEY_LEN, key->common_iv, JRC_IV_LEN);
    }
    hmac(keys, sizeof keys, (const uint8_t *)purpose, sizeof purpose - 1, NULL, 0, digest);
    memcpy(check, digest, JRC_CHECK_LEN);
    jrc_wipe(digest, sizeof digest);
    jrc_wipe(keys, sizeof keys);
}
