/*
 * Takes a device's key from its serial port: the device's side of the back-channel (docs/back-channel.md).
 *
 * C99, no heap, no library; 300 bytes of RAM, up to 1.5 kB of stack, 6 kB of code. Feed it each byte that comes in, and
 * let it offer the device at boot and every few seconds while it has no key. It prints no key, ever.
 */
#ifndef JRC_RECEIVER_H
#define JRC_RECEIVER_H

#include <stddef.h>
#include <stdint.h>

#define JRC_LINE_MAX 256 /* without its end */
#define JRC_ID_MAX 32
#define JRC_PSK_MIN 16
#define JRC_PSK_MAX 32
#define JRC_KEY_LEN 16 /* AES-CCM-16-64-128 */
#define JRC_IV_LEN 13
#define JRC_CHECK_LEN 4

/* A device's key: a PSK, or what is derived from it (RFC 9031 Appendix B). All bytes, so that it has no padding. */
typedef struct {
    uint8_t psk_len; /* 0: the three below */
    uint8_t psk[JRC_PSK_MAX];
    uint8_t sender_key[JRC_KEY_LEN];
    uint8_t recipient_key[JRC_KEY_LEN];
    uint8_t common_iv[JRC_IV_LEN];
} jrc_key_t;

/* What the device has to do. `context` is what `jrc_receiver_init` was given. */
typedef struct {
    /* Reads the key from flash; 0 where there is one, and it is whole. */
    int (*load)(void *context, jrc_key_t *key);
    /* Writes the key, so that it is there as a whole or not at all, whatever happens; 0 where it is there for good.
     * Never in place of another one. */
    int (*store)(void *context, const jrc_key_t *key);
    /* Prints a line; the end of the line is for this function to add. */
    void (*print)(void *context, const char *line);
    /* A number that was not given before, in this boot or another one: at random, or counted in flash. */
    uint32_t (*nonce)(void *context);
} jrc_calls_t;

typedef struct {
    const jrc_calls_t *calls;
    void *context;
    const uint8_t *id;
    size_t id_len;
    uint32_t nonce;
    uint8_t is_offered; /* whether a key with `nonce` would be taken */
    uint16_t length;    /* of the line so far; more than JRC_LINE_MAX: it is too long, and skipped */
    uint8_t line[JRC_LINE_MAX];
} jrc_receiver_t;

/* `id` has 1 to JRC_ID_MAX bytes, and stays where it is. */
void jrc_receiver_init(jrc_receiver_t *receiver, const uint8_t *id, size_t id_len, const jrc_calls_t *calls,
                       void *context);

/* Says who the device is, and which key it has: at boot, and every few seconds while it has none. */
void jrc_receiver_offer(jrc_receiver_t *receiver);

/* Takes a byte from the port. Storing a key and answering happen in here. */
void jrc_receiver_feed(jrc_receiver_t *receiver, uint8_t byte);

/* Whether a line has begun: not the moment for a new offer, which would void the one that is being answered. */
int jrc_receiver_is_busy(const jrc_receiver_t *receiver);

/* The key check value, as the registrar shows it. */
void jrc_key_check(const jrc_key_t *key, const uint8_t *id, size_t id_len, uint8_t check[JRC_CHECK_LEN]);

/* Overwrites what was a key, also where the compiler sees that nobody reads it any more. */
void jrc_wipe(void *data, size_t length);

#endif
