/* The device's side of the back-channel (docs/back-channel.md). */
#include "jrc_receiver.h"

#include <string.h>

#define SEAL_LEN 13   /* " crc=" and 8 digits */
#define ANSWER_MAX 160 /* the longest that is printed: a refusal with the longest identifier has 141 */

static const char key_begins[] = "jrc1 key n=";
enum { LABEL_ID = 1, LABEL_PSK, LABEL_SENDER_KEY, LABEL_RECIPIENT_KEY, LABEL_COMMON_IV, LABEL_CHECK, LABELS };

/* --- What is printed ------------------------------------------------------------------------------------------------ */

typedef struct {
    char text[ANSWER_MAX];
    size_t length;
} answer_t;

static void put(answer_t *answer, const char *text)
{
    while (*text && answer->length < ANSWER_MAX - 1)
        answer->text[answer->length++] = *text++;
    answer->text[answer->length] = '\0';
}

static void put_hex(answer_t *answer, const uint8_t *bytes, size_t length)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < length; i++) {
        const char two[3] = {digits[bytes[i] >> 4], digits[bytes[i] & 15], '\0'};
        put(answer, two);
    }
}

static void put_number(answer_t *answer, uint32_t number)
{
    const uint8_t bytes[4] = {(uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8),
                              (uint8_t)number};
    put_hex(answer, bytes, sizeof bytes);
}

/* CRC-32 as of IEEE 802.3: reflected, all ones before and after. */
static uint32_t crc32_of(const void *data, size_t length)
{
    const uint8_t *bytes = data;
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < length; i++) {
        crc ^= bytes[i];
        for (unsigned bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc;
}

/* The check value of the key in flash; 0 where there is one. */
static int stored_check(const jrc_receiver_t *receiver, uint8_t check[JRC_CHECK_LEN])
{
    jrc_key_t key;
    int missing = receiver->calls->load(receiver->context, &key);
    if (!missing)
        jrc_key_check(&key, receiver->id, receiver->id_len, check);
    jrc_wipe(&key, sizeof key);
    return missing;
}

static void say(jrc_receiver_t *receiver, const char *word, const char *why)
{
    answer_t answer = {.length = 0};
    uint8_t check[JRC_CHECK_LEN];
    put(&answer, "jrc1 ");
    put(&answer, word);
    put(&answer, " id=");
    put_hex(&answer, receiver->id, receiver->id_len);
    put(&answer, " key=");
    if (stored_check(receiver, check))
        put(&answer, "none");
    else
        put_hex(&answer, check, sizeof check);
    put(&answer, " n=");
    put_number(&answer, receiver->nonce);
    if (why) {
        put(&answer, " why=");
        put(&answer, why);
    }
    uint32_t crc = crc32_of(answer.text, answer.length);
    put(&answer, " crc=");
    put_number(&answer, crc);
    receiver->calls->print(receiver->context, answer.text);
}

/* --- What is read --------------------------------------------------------------------------------------------------- */

static int digit_of(uint8_t character)
{
    if (character >= '0' && character <= '9')
        return character - '0';
    return character >= 'a' && character <= 'f' ? character - 'a' + 10 : -1;
}

/* Hexadecimal digits to bytes, which may be in the same place; -1 where one is none. */
static int bytes_of(uint8_t *bytes, const uint8_t *digits, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        int high = digit_of(digits[2 * i]), low = digit_of(digits[2 * i + 1]);
        if (high < 0 || low < 0)
            return -1;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return 0;
}

static int number_of(const uint8_t *digits, uint32_t *number)
{
    uint8_t bytes[4];
    if (bytes_of(bytes, digits, sizeof bytes))
        return -1;
    *number = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
    return 0;
}

/* The length of what the line's CRC protects; 0 where it does not fit. */
static size_t protected_length(const uint8_t *line, size_t length)
{
    uint32_t crc;
    if (length <= SEAL_LEN)
        return 0;
    const uint8_t *seal = line + length - SEAL_LEN;
    if (memcmp(seal, " crc=", 5) || number_of(seal + 5, &crc) || crc != crc32_of(line, length - SEAL_LEN))
        return 0;
    return length - SEAL_LEN;
}

typedef struct {
    const uint8_t *value[LABELS]; /* by label; NULL: is not there */
    size_t length[LABELS];
} fields_t;

/* The values of a map of byte strings, its labels 0 to 23. Those that are not known are skipped; -1: no such map. */
static int fields_of(fields_t *fields, const uint8_t *data, size_t length)
{
    memset(fields, 0, sizeof *fields);
    if (!length || data[0] < 0xa0 || data[0] > 0xb7)
        return -1;
    size_t at = 1;
    for (unsigned count = data[0] & 31; count; count--) {
        if (length - at < 2 || data[at] > 23 || data[at + 1] < 0x40 || data[at + 1] > 0x58)
            return -1;
        unsigned label = data[at];
        size_t size = data[at + 1] & 31;
        at += 2;
        if (size == 24) {
            if (at == length)
                return -1;
            size = data[at++];
        }
        if (length - at < size || (label < LABELS && fields->value[label]))
            return -1;
        if (label < LABELS) {
            fields->value[label] = data + at;
            fields->length[label] = size;
        }
        at += size;
    }
    return at == length ? 0 : -1;
}

static int copy(uint8_t *to, size_t length, const fields_t *fields, unsigned label)
{
    if (!fields->value[label] || fields->length[label] != length)
        return -1;
    memcpy(to, fields->value[label], length);
    return 0;
}

/* A PSK, or the three derived values. */
static int key_of(jrc_key_t *key, const fields_t *fields)
{
    memset(key, 0, sizeof *key);
    if (!fields->value[LABEL_PSK])
        return copy(key->sender_key, JRC_KEY_LEN, fields, LABEL_SENDER_KEY) ||
               copy(key->recipient_key, JRC_KEY_LEN, fields, LABEL_RECIPIENT_KEY) ||
               copy(key->common_iv, JRC_IV_LEN, fields, LABEL_COMMON_IV);
    if (fields->length[LABEL_PSK] < JRC_PSK_MIN || fields->length[LABEL_PSK] > JRC_PSK_MAX)
        return -1;
    key->psk_len = (uint8_t)fields->length[LABEL_PSK];
    return copy(key->psk, key->psk_len, fields, LABEL_PSK);
}

/* Stores the key in a map; why not, or NULL. */
static const char *take_map(jrc_receiver_t *receiver, const uint8_t *data, size_t length, jrc_key_t *key)
{
    fields_t fields;
    uint8_t check[JRC_CHECK_LEN], found[JRC_CHECK_LEN];
    if (fields_of(&fields, data, length) || !fields.value[LABEL_ID] || key_of(key, &fields) ||
        copy(check, sizeof check, &fields, LABEL_CHECK))
        return "form";
    if (fields.length[LABEL_ID] != receiver->id_len || memcmp(fields.value[LABEL_ID], receiver->id, receiver->id_len))
        return "other";
    jrc_key_check(key, receiver->id, receiver->id_len, found);
    if (memcmp(check, found, sizeof check))
        return "check";
    /* What counts is what is in flash from now on. */
    if (receiver->calls->store(receiver->context, key) || stored_check(receiver, found) ||
        memcmp(check, found, sizeof check))
        return "storage";
    return NULL;
}

/* "jrc1 key n=xxxxxxxx len=N data=..."; why it is refused, or NULL. */
static const char *take_key(jrc_receiver_t *receiver, size_t length)
{
    uint8_t *line = receiver->line, check[JRC_CHECK_LEN];
    uint32_t nonce = 0;
    size_t at = sizeof key_begins - 1, data_len = 0;
    if (length < at + 8 + 5 || number_of(line + at, &nonce) || memcmp(line + at + 8, " len=", 5))
        return "checksum";
    for (at += 8 + 5; at < length && line[at] >= '0' && line[at] <= '9' && data_len <= JRC_LINE_MAX; at++)
        data_len = 10 * data_len + (size_t)(line[at] - '0');
    if (length - at < 6 || memcmp(line + at, " data=", 6) || length - at - 6 != 2 * data_len)
        return "checksum";
    if (bytes_of(line, line + at + 6, data_len))
        return "checksum";
    if (!stored_check(receiver, check))
        return "key";
    if (!receiver->is_offered || nonce != receiver->nonce)
        return "late";
    receiver->is_offered = 0;
    jrc_key_t key;
    const char *why = take_map(receiver, line, data_len, &key);
    jrc_wipe(&key, sizeof key);
    return why;
}

static void take_line(jrc_receiver_t *receiver)
{
    size_t whole = receiver->length, length = protected_length(receiver->line, whole);
    if (whole >= sizeof key_begins - 1 && !memcmp(receiver->line, key_begins, sizeof key_begins - 1)) {
        const char *why = length ? take_key(receiver, length) : "checksum";
        if (why)
            say(receiver, "refused", why);
        else
            say(receiver, "stored", NULL);
    } else if (length == 8 && !memcmp(receiver->line, "jrc1 who", 8)) {
        jrc_receiver_offer(receiver);
    }
}

/* --- What the device calls ------------------------------------------------------------------------------------------ */

void jrc_wipe(void *data, size_t length)
{
    volatile uint8_t *bytes = data;
    while (length--)
        *bytes++ = 0;
}

void jrc_receiver_init(jrc_receiver_t *receiver, const uint8_t *id, size_t id_len, const jrc_calls_t *calls,
                       void *context)
{
    memset(receiver, 0, sizeof *receiver);
    receiver->calls = calls;
    receiver->context = context;
    receiver->id = id;
    receiver->id_len = id_len;
}

void jrc_receiver_offer(jrc_receiver_t *receiver)
{
    receiver->nonce = receiver->calls->nonce(receiver->context);
    receiver->is_offered = 1;
    say(receiver, "hello", NULL);
}

void jrc_receiver_feed(jrc_receiver_t *receiver, uint8_t byte)
{
    if (byte != '\n' && byte != '\r') {
        if (receiver->length < JRC_LINE_MAX)
            receiver->line[receiver->length] = byte;
        if (receiver->length <= JRC_LINE_MAX)
            receiver->length++;
    } else {
        if (receiver->length <= JRC_LINE_MAX)
            take_line(receiver);
        jrc_wipe(receiver->line, sizeof receiver->line); /* one that is too long may have a key too */
        receiver->length = 0;
    }
}

int jrc_receiver_is_busy(const jrc_receiver_t *receiver)
{
    return receiver->length != 0;
}
