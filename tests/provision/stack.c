/*
 * What the receiver leaves on the stack: gives the device each line of standard input while it has no key, and after
 * each prints the STACK bytes below, as they are then. Exit code 1: a key was not stored.
 */
#include "jrc_receiver.h"

#include <stdio.h>
#include <string.h>

#define STACK 4096
#define FILLING 0xa5

static jrc_key_t flash;
static int has_key;
static jrc_receiver_t receiver;
static unsigned char copied[STACK];

static int load(void *context, jrc_key_t *key)
{
    (void)context;
    if (has_key)
        *key = flash;
    return has_key ? 0 : -1;
}

static int store(void *context, const jrc_key_t *key)
{
    (void)context;
    flash = *key;
    has_key = 1;
    return 0;
}

static void print(void *context, const char *line)
{
    (void)context;
    (void)line;
}

static uint32_t nonce(void *context)
{
    (void)context;
    return 1;
}

static void __attribute__((noinline)) take(const char *line)
{
    static const uint8_t id[] = {0x00, 0x12, 0x4b, 0x00, 0x14, 0xb5, 0xb6, 0x7e};
    static const jrc_calls_t calls = {load, store, print, nonce};
    has_key = 0;
    jrc_receiver_init(&receiver, id, sizeof id, &calls, NULL);
    jrc_receiver_offer(&receiver);
    while (*line)
        jrc_receiver_feed(&receiver, (uint8_t)*line++);
}

static uintptr_t __attribute__((noinline)) top(void)
{
    return (uintptr_t)__builtin_frame_address(0);
}

int main(void)
{
    static char line[JRC_LINE_MAX + 2];
    while (fgets(line, sizeof line, stdin)) {
        volatile unsigned char *below = (volatile unsigned char *)(top() - STACK);
        for (size_t i = 0; i < STACK; i++)
            below[i] = FILLING;
        take(line);
        for (size_t i = 0; i < STACK; i++)
            copied[i] = below[i];
        if (!has_key || fwrite(copied, 1, STACK, stdout) != STACK)
            return 1;
    }
    return 0;
}
