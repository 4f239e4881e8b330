/*
 * Joins a network of IEEE 802.15.4 devices: RFC 9031 (CoJP) over OSCORE (RFC 8613), with derived keys alone, so that
 * no HKDF is needed. It speaks UDP to the registrar, as if a Join Proxy had passed its request on.
 *
 *   jrc pledge generate --id 00124b0014b5b67e --derived --format c --out credential.h --import-file pledges.csv
 *   jrc pledge import pledges.csv
 *   cc -std=c99 -Wall -Wextra -o join join.c -lnettle
 *   ./join ::1 5683 cafe number.txt
 *
 * Exit codes: 0 joined, 1 no answer that could be verified, 2 usage, 3 refused.
 */
#define _POSIX_C_SOURCE 200809L

#include <netdb.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nettle/ccm.h>

#include "credential.h"

#ifndef JRC_SENDER_KEY
#error "this example has no HKDF: it wants a header made with --derived"
#endif
#if JRC_AEAD != 10
#error "this example knows AES-CCM-16-64-128 alone"
#endif

#define MAX_DATAGRAM 1280
#define MAX_NUMBER 0xffffffffffULL /* of a Partial IV: 5 bytes (RFC 8613 7.2.1) */
#define NONCE_LEN 13
#define TAG_LEN JRC_AEAD_TAG_LEN
#define TRIES 4
#define TIMEOUT_MS 2000

enum { CON = 0, ACK = 2, POST = 0x02, CHANGED = 0x44 };
enum { URI_HOST = 3, OSCORE = 9, URI_PATH = 11 };
enum { LINK_LAYER_KEYS = 2, SHORT_IDENTIFIER = 3, NETWORK_IDENTIFIER = 5 };
enum { UNSIGNED = 0, NEGATIVE = 1, BYTES = 2, TEXT = 3, ARRAY = 4, MAP = 5 };

static const uint8_t pledge_id[] = JRC_PLEDGE_ID;
static const uint8_t jrc_id[] = JRC_JRC_ID;
static const uint8_t sender_key[] = JRC_SENDER_KEY;
static const uint8_t recipient_key[] = JRC_RECIPIENT_KEY;
static const uint8_t common_iv[] = JRC_COMMON_IV;
static const char host[] = "6tisch.arpa";

/* Bytes that are written, or read; what does not fit sets `failed`. */
typedef struct {
    uint8_t *at;
    uint8_t *end;
    int failed;
} bytes_t;

static void put(bytes_t *out, const void *data, size_t length)
{
    if ((size_t)(out->end - out->at) < length) {
        out->failed = 1;
    } else if (length) {
        memcpy(out->at, data, length);
        out->at += length;
    }
}

static void put_byte(bytes_t *out, unsigned byte)
{
    uint8_t value = (uint8_t)byte;
    put(out, &value, 1);
}

static unsigned take_byte(bytes_t *in)
{
    if (in->at == in->end) {
        in->failed = 1;
        return 0;
    }
    return *in->at++;
}

static const uint8_t *take(bytes_t *in, size_t length)
{
    const uint8_t *found = in->at;
    if ((size_t)(in->end - in->at) < length) {
        in->failed = 1;
        return NULL;
    }
    in->at += length;
    return found;
}

/* --- Sequence numbers ---------------------------------------------------------------------------------------------- */

/* The next number, stored before it is used: one that is used twice gives plaintexts away (RFC 8613 7.2.1). */
static int next_number(const char *path, uint64_t *number)
{
    char part[4096];
    unsigned long long stored = 0;
    FILE *file = fopen(path, "r");
    if (file) {
        if (fscanf(file, "%llu", &stored) != 1) {
            fclose(file);
            return -1;
        }
        fclose(file);
    }
    *number = stored > JRC_SSN_START ? stored : JRC_SSN_START;
    if (*number > MAX_NUMBER || (size_t)snprintf(part, sizeof part, "%s.part", path) >= sizeof part)
        return -1;
    file = fopen(part, "w");
    if (!file)
        return -1;
    int bad = fprintf(file, "%llu\n", (unsigned long long)*number + 1) < 0 || fflush(file) || fsync(fileno(file));
    return fclose(file) || bad || rename(part, path) ? -1 : 0;
}

/* --- OSCORE (RFC 8613 5.2, 5.4, 6.1) ------------------------------------------------------------------------------- */

typedef struct {
    uint8_t value[5];
    size_t length;
} piv_t;

static piv_t piv_of(uint64_t number)
{
    piv_t piv = {{0}, 1};
    while (piv.length < 5 && number >> (8 * piv.length))
        piv.length++;
    for (size_t i = 0; i < piv.length; i++)
        piv.value[i] = (uint8_t)(number >> (8 * (piv.length - 1 - i)));
    return piv;
}

static void make_nonce(uint8_t nonce[NONCE_LEN], const uint8_t *id, size_t id_length, const uint8_t *piv,
                       size_t piv_length)
{
    memset(nonce, 0, NONCE_LEN);
    nonce[0] = (uint8_t)id_length;
    if (id_length)
        memcpy(nonce + NONCE_LEN - 5 - id_length, id, id_length);
    memcpy(nonce + NONCE_LEN - piv_length, piv, piv_length);
    for (int i = 0; i < NONCE_LEN; i++)
        nonce[i] ^= common_iv[i];
}

/* The associated data of a request with an empty kid, and of its response; its length. */
static size_t make_aad(uint8_t aad[32], const piv_t *piv)
{
    static const uint8_t head[] = {0x83, 0x68, 'E', 'n', 'c', 'r', 'y', 'p', 't', '0', 0x40};
    bytes_t out = {aad, aad + 32, 0};
    put(&out, head, sizeof head);
    put_byte(&out, 0x40 + 7 + (unsigned)piv->length);
    put(&out, "\x85\x01\x81\x0a\x40", 5);
    put_byte(&out, 0x40 + (unsigned)piv->length);
    put(&out, piv->value, piv->length);
    put_byte(&out, 0x40);
    return (size_t)(out.at - aad);
}

static void protect(const piv_t *piv, const uint8_t *plaintext, size_t length, uint8_t *ciphertext)
{
    struct ccm_aes128_ctx cipher;
    uint8_t nonce[NONCE_LEN], aad[32];
    size_t aad_length = make_aad(aad, piv);
    make_nonce(nonce, NULL, 0, piv->value, piv->length);
    ccm_aes128_set_key(&cipher, sender_key);
    ccm_aes128_encrypt_message(&cipher, NONCE_LEN, nonce, aad_length, aad, TAG_LEN, length + TAG_LEN, ciphertext,
                               plaintext);
}

/* 1 where the tag is right; `option` is the response's: empty, or with a Partial IV of the registrar's. */
static int unprotect(const piv_t *piv, const uint8_t *option, size_t option_length, const uint8_t *ciphertext,
                     size_t length, uint8_t *plaintext)
{
    struct ccm_aes128_ctx cipher;
    uint8_t nonce[NONCE_LEN], aad[32];
    size_t aad_length = make_aad(aad, piv);
    if (option_length == 0) {
        make_nonce(nonce, NULL, 0, piv->value, piv->length);
    } else {
        /* RFC 8613 Appendix B.2 would have a kid context here: it needs the PSK. */
        if (option[0] < 1 || option[0] > 5 || option_length != 1u + option[0])
            return 0;
        make_nonce(nonce, jrc_id, sizeof jrc_id, option + 1, option[0]);
    }
    if (length < TAG_LEN)
        return 0;
    ccm_aes128_set_key(&cipher, recipient_key);
    return ccm_aes128_decrypt_message(&cipher, NONCE_LEN, nonce, aad_length, aad, TAG_LEN, length - TAG_LEN, plaintext,
                                      ciphertext);
}

/* --- CoAP (RFC 7252 3) --------------------------------------------------------------------------------------------- */

static void put_option(bytes_t *out, unsigned *before, unsigned number, const void *value, size_t length)
{
    unsigned delta = number - *before;
    put_byte(out, delta << 4 | (unsigned)(length < 13 ? length : length < 269 ? 13 : 14));
    if (length >= 269) {
        put_byte(out, (unsigned)(length - 269) >> 8);
        put_byte(out, (unsigned)(length - 269) & 0xff);
    } else if (length >= 13) {
        put_byte(out, (unsigned)length - 13);
    }
    put(out, value, length);
    *before = number;
}

static unsigned extended(bytes_t *in, unsigned nibble)
{
    if (nibble == 13)
        return 13 + take_byte(in);
    if (nibble == 14) {
        unsigned high = take_byte(in);
        return 269 + (high << 8 | take_byte(in));
    }
    in->failed |= nibble == 15;
    return nibble;
}

/* Reads options up to the payload; gives the value of option `wanted`, NULL where it is not there. */
static const uint8_t *read_options(bytes_t *in, unsigned wanted, size_t *length)
{
    const uint8_t *found = NULL;
    unsigned number = 0;
    while (!in->failed && in->at < in->end) {
        unsigned first = take_byte(in);
        if (first == 0xff)
            break;
        number += extended(in, first >> 4);
        unsigned size = extended(in, first & 15);
        const uint8_t *value = take(in, size);
        if (number == wanted && value) {
            found = value;
            *length = size;
        }
    }
    return found;
}

/* The Join Request (RFC 9031 8.1.1); its length, 0 where it does not fit. */
static size_t make_request(uint8_t datagram[MAX_DATAGRAM], const piv_t *piv, const uint8_t *network, size_t length)
{
    uint8_t inner[64], sealed[64 + TAG_LEN], value[1 + 5 + 1 + sizeof pledge_id];
    unsigned before = 0;
    bytes_t in = {inner, inner + sizeof inner, 0};
    put_byte(&in, POST);
    put_option(&in, &before, URI_PATH, "j", 1);
    put(&in, "\xff\xa1", 2); /* payload: {network identifier: ...} */
    put_byte(&in, NETWORK_IDENTIFIER);
    put_byte(&in, BYTES << 5 | (unsigned)length);
    put(&in, network, length);
    size_t plain_length = (size_t)(in.at - inner);
    protect(piv, inner, plain_length, sealed);

    bytes_t option = {value, value + sizeof value, 0};
    put_byte(&option, 0x18 | (unsigned)piv->length); /* a kid context and an empty kid */
    put(&option, piv->value, piv->length);
    put_byte(&option, sizeof pledge_id);
    put(&option, pledge_id, sizeof pledge_id);

    bytes_t out = {datagram, datagram + MAX_DATAGRAM, 0};
    put_byte(&out, 1 << 6 | CON << 4); /* without a token: one exchange at a time */
    put_byte(&out, POST);
    put_byte(&out, piv->length > 1 ? piv->value[piv->length - 2] : 0); /* message id */
    put_byte(&out, piv->value[piv->length - 1]);
    before = 0;
    put_option(&out, &before, URI_HOST, host, sizeof host - 1);
    put_option(&out, &before, OSCORE, value, (size_t)(option.at - value));
    put_byte(&out, 0xff);
    put(&out, sealed, plain_length + TAG_LEN);
    return in.failed || option.failed || out.failed ? 0 : (size_t)(out.at - datagram);
}

/* The plaintext of an answer to the request, 0 where it is none that verifies (RFC 9031 7.3.2: then it is ignored). */
static size_t open_answer(uint8_t *datagram, size_t length, const uint8_t *request, const piv_t *piv,
                          uint8_t plaintext[MAX_DATAGRAM])
{
    size_t option_length = 0;
    if (length < 4 || datagram[0] != (1 << 6 | ACK << 4) || memcmp(datagram + 2, request + 2, 2))
        return 0;
    bytes_t in = {datagram + 4, datagram + length, 0};
    const uint8_t *option = read_options(&in, OSCORE, &option_length);
    size_t sealed = (size_t)(in.end - in.at);
    if (in.failed || !option || !unprotect(piv, option, option_length, in.at, sealed, plaintext))
        return 0;
    return sealed - TAG_LEN;
}

/* --- Configuration (RFC 9031 8.4.2), of which no key is shown ------------------------------------------------------ */

static unsigned take_head(bytes_t *in, uint64_t *value)
{
    unsigned first = take_byte(in), size = 0;
    *value = first & 31;
    if (*value >= 24) {
        in->failed |= *value > 27;
        size = *value > 27 ? 0 : 1u << (*value - 24);
        *value = 0;
    }
    while (size--)
        *value = *value << 8 | take_byte(in);
    return first >> 5;
}

static const uint8_t *take_string(bytes_t *in, uint64_t length)
{
    in->failed |= length > MAX_DATAGRAM;
    return in->failed ? NULL : take(in, (size_t)length);
}

static void skip(bytes_t *in, int depth)
{
    uint64_t value;
    unsigned type = take_head(in, &value);
    if (type == BYTES || type == TEXT)
        take_string(in, value);
    in->failed |= depth > 4 || type > MAP;
    for (uint64_t n = type == ARRAY ? value : type == MAP ? 2 * value : 0; n && !in->failed; n--)
        skip(in, depth + 1);
}

static void show_keys(bytes_t *in)
{
    uint64_t count, value, id = 0, usage = 0;
    in->failed |= take_head(in, &count) != ARRAY;
    for (int known = 0; count && !in->failed; count--) {
        unsigned type = take_head(in, &value);
        if (type == UNSIGNED && known == 0) {
            id = value, usage = 0, known = 1; /* after a key value begins the next key */
        } else if ((type == UNSIGNED || type == NEGATIVE) && known == 1) {
            usage = value, known = 2;
        } else if (type == BYTES && known) {
            take_string(in, value);
            printf("key id %llu, usage %s%llu, %llu bytes\n", (unsigned long long)id, type == NEGATIVE ? "-" : "",
                   (unsigned long long)usage, (unsigned long long)value);
            known = 0;
        } else if (type == BYTES) {
            take_string(in, value); /* key_addinfo */
        } else {
            in->failed = 1;
        }
    }
}

static void show_short_identifier(bytes_t *in)
{
    uint64_t count, length = 0;
    in->failed |= take_head(in, &count) != ARRAY || count < 1 || count > 2 || take_head(in, &length) != BYTES;
    const uint8_t *id = take_string(in, length);
    if (id && length == 2)
        printf("short identifier %02x%02x\n", id[0], id[1]);
    if (count == 2)
        skip(in, 0);
}

static int show_configuration(bytes_t *in)
{
    uint64_t pairs, label;
    in->failed |= take_head(in, &pairs) != MAP;
    for (; pairs && !in->failed; pairs--) {
        in->failed |= take_head(in, &label) != UNSIGNED;
        if (label == LINK_LAYER_KEYS)
            show_keys(in);
        else if (label == SHORT_IDENTIFIER)
            show_short_identifier(in);
        else
            skip(in, 0);
    }
    return in->failed || in->at != in->end ? -1 : 0;
}

static int show_answer(uint8_t *plaintext, size_t length)
{
    size_t unused;
    bytes_t in = {plaintext, plaintext + length, 0};
    unsigned code = take_byte(&in);
    read_options(&in, 0, &unused);
    if (code != CHANGED || in.failed) {
        printf("refused: %u.%02u\n", code >> 5, code & 31);
        return 3;
    }
    if (show_configuration(&in)) {
        printf("the Configuration can't be read\n");
        return 3;
    }
    printf("joined, key check value %s\n", JRC_KEY_CHECK);
    return 0;
}

/* --- The exchange -------------------------------------------------------------------------------------------------- */

static int connected(const char *name, const char *port)
{
    struct addrinfo hints = {0}, *found;
    hints.ai_socktype = SOCK_DGRAM;
    if (getaddrinfo(name, port, &hints, &found))
        return -1;
    int descriptor = socket(found->ai_family, found->ai_socktype, 0);
    if (descriptor >= 0 && connect(descriptor, found->ai_addr, found->ai_addrlen)) {
        close(descriptor);
        descriptor = -1;
    }
    freeaddrinfo(found);
    return descriptor;
}

/* Sends the same bytes again until an answer verifies (RFC 7252 4.2): never new ones with the same number. */
static int exchange(int descriptor, const uint8_t *request, size_t length, const piv_t *piv)
{
    uint8_t datagram[MAX_DATAGRAM], plaintext[MAX_DATAGRAM];
    for (int n = 0; n < TRIES; n++) {
        struct pollfd waiting = {descriptor, POLLIN, 0};
        if (send(descriptor, request, length, 0) < 0)
            perror("send");
        while (poll(&waiting, 1, TIMEOUT_MS << n) > 0) {
            ssize_t got = recv(descriptor, datagram, sizeof datagram, 0);
            size_t opened = got < 0 ? 0 : open_answer(datagram, (size_t)got, request, piv, plaintext);
            if (opened)
                return show_answer(plaintext, opened);
            if (got < 0)
                break;
        }
    }
    fprintf(stderr, "no answer that could be verified\n");
    return 1;
}

static size_t from_hex(const char *text, uint8_t *value, size_t most)
{
    size_t length = 0;
    unsigned byte;
    for (; length < most && sscanf(text, "%2x", &byte) == 1 && text[1]; text += 2)
        value[length++] = (uint8_t)byte;
    return *text ? 0 : length;
}

int main(int argc, char **argv)
{
    uint8_t network[16], request[MAX_DATAGRAM];
    uint64_t number;
    size_t network_length = argc == 5 ? from_hex(argv[3], network, sizeof network) : 0;
    if (!network_length) {
        fprintf(stderr, "usage: join HOST PORT NETWORK-ID-HEX NUMBER-FILE\n");
        return 2;
    }
    int descriptor = connected(argv[1], argv[2]);
    if (descriptor < 0 || next_number(argv[4], &number)) {
        fprintf(stderr, "%s can't be used\n", descriptor < 0 ? argv[1] : argv[4]);
        return 2;
    }
    piv_t piv = piv_of(number);
    size_t length = make_request(request, &piv, network, network_length);
    int code = length ? exchange(descriptor, request, length, &piv) : 2;
    close(descriptor);
    return code;
}
