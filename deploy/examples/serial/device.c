/*
 * A device to try the receiver with: its serial port is standard input and output, or a pseudo-terminal that is found
 * at LINK; its flash is a file.
 *
 *   cc -std=c99 -Wall -Wextra -o device device.c jrc_receiver.c jrc_check.c
 *   ./device 00124b0014b5b67e flash.bin ttyDEVICE &
 *   jrc provision watch ttyDEVICE --send-keys
 *
 * It goes on until it is ended. Exit codes: 1 its port is gone, 2 usage.
 */
#define _XOPEN_SOURCE 700

#include "jrc_receiver.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#ifndef OFFER_MS
#define OFFER_MS 2000
#endif
#define PATH_LEN 4096

typedef struct {
    const char *flash;
    int port;
} device_t;

/* --- Flash: a file that has the key as a whole, or is not there ------------------------------------------------------- */

static int load(void *context, jrc_key_t *key)
{
    const device_t *device = context;
    uint8_t more;
    int file = open(device->flash, O_RDONLY); /* a stream would keep a copy of the key */
    if (file < 0)
        return -1;
    int whole = read(file, key, sizeof *key) == (ssize_t)sizeof *key && !read(file, &more, 1);
    close(file);
    return whole && key->psk_len <= JRC_PSK_MAX ? 0 : -1;
}

static int write_whole(const char *path, const void *data, size_t length)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (file < 0)
        return -1;
    int bad = write(file, data, length) != (ssize_t)length || fsync(file);
    return close(file) || bad ? -1 : 0;
}

static int sync_folder(const char *path)
{
    char folder[PATH_LEN];
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) + 1 : 0;
    memcpy(folder, slash ? path : ".", slash ? length : 2);
    folder[slash ? length : 1] = '\0';
    int file = open(folder, O_RDONLY);
    if (file < 0)
        return -1;
    int bad = fsync(file);
    return close(file) || bad ? -1 : 0;
}

/* In flash: write the key and its checksum, and last of all a word that says that they are there. */
static int store(void *context, const jrc_key_t *key)
{
    const device_t *device = context;
    char part[PATH_LEN];
    if ((size_t)snprintf(part, sizeof part, "%s.part", device->flash) >= sizeof part)
        return -1;
    int bad = write_whole(part, key, sizeof *key);
    bad = bad || link(part, device->flash); /* never in place of another one */
    unlink(part);
    return bad || sync_folder(device->flash) ? -1 : 0;
}

/* --- Port ----------------------------------------------------------------------------------------------------------- */

static void write_all(int file, const char *data, size_t length)
{
    while (length) {
        ssize_t done = write(file, data, length);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return; /* whoever listens has gone: what is not heard is said again */
        data += done;
        length -= (size_t)done;
    }
}

static void print(void *context, const char *line)
{
    const device_t *device = context;
    write_all(device->port, line, strlen(line));
    write_all(device->port, "\r\n", 2);
}

static uint32_t nonce(void *context)
{
    uint32_t number = 0;
    FILE *file = fopen("/dev/urandom", "rb");
    (void)context;
    if (!file || fread(&number, sizeof number, 1, file) != 1)
        abort();
    fclose(file);
    return number;
}

/* A pseudo-terminal without echo and line discipline, at `link_path` for whoever opens it; its other end. */
static int new_terminal(const char *link_path)
{
    struct termios mode;
    int port = posix_openpt(O_RDWR | O_NOCTTY), other;
    const char *name;
    if (port < 0 || grantpt(port) || unlockpt(port) || !(name = ptsname(port)))
        return -1;
    /* Held open, so that the port is there while nobody listens. */
    if ((other = open(name, O_RDWR | O_NOCTTY)) < 0 || tcgetattr(other, &mode))
        return -1;
    mode.c_iflag &= ~(tcflag_t)(ICRNL | IXON | ISTRIP);
    mode.c_oflag &= ~(tcflag_t)OPOST;
    mode.c_lflag &= ~(tcflag_t)(ECHO | ICANON | ISIG | IEXTEN);
    if (tcsetattr(other, TCSANOW, &mode))
        return -1;
    unlink(link_path);
    return symlink(name, link_path) ? -1 : port;
}

static size_t identifier_of(const char *text, uint8_t *id)
{
    size_t length = strlen(text) / 2;
    if (strlen(text) % 2 || !length || length > JRC_ID_MAX || strspn(text, "0123456789abcdef") != 2 * length)
        return 0;
    for (size_t i = 0; i < length; i++) {
        const char two[3] = {text[2 * i], text[2 * i + 1], '\0'};
        id[i] = (uint8_t)strtoul(two, NULL, 16);
    }
    return length;
}

static int run(jrc_receiver_t *receiver, device_t *device, int input)
{
    static const char banner[] = "\r\nexample device: booting\r\n";
    struct pollfd waiting = {.fd = input, .events = POLLIN};
    jrc_key_t key;
    int was_busy = 0;
    write_all(device->port, banner, sizeof banner - 1);
    jrc_receiver_offer(receiver);
    for (;;) {
        uint8_t bytes[64];
        int ready = poll(&waiting, 1, OFFER_MS);
        if (ready < 0 && errno != EINTR)
            return 1;
        if (ready > 0) {
            ssize_t count = read(input, bytes, sizeof bytes);
            if (count <= 0 && errno != EINTR)
                return 1;
            for (ssize_t i = 0; i < count; i++)
                jrc_receiver_feed(receiver, bytes[i]);
            jrc_wipe(bytes, sizeof bytes);
        } else if (jrc_receiver_is_busy(receiver) && !was_busy) {
            was_busy = 1; /* a line that does not go on holds the offer up once */
        } else {
            was_busy = 0;
            if (load(device, &key))
                jrc_receiver_offer(receiver);
            jrc_wipe(&key, sizeof key);
        }
    }
}

int main(int argc, char **argv)
{
    static const jrc_calls_t calls = {load, store, print, nonce};
    jrc_receiver_t receiver;
    uint8_t id[JRC_ID_MAX];
    size_t id_len = argc == 3 || argc == 4 ? identifier_of(argv[1], id) : 0;
    if (!id_len) {
        fprintf(stderr, "usage: device ID FLASH [LINK]\n");
        return 2;
    }
    int port = argc == 4 ? new_terminal(argv[3]) : STDOUT_FILENO;
    if (port < 0) {
        perror("device: no pseudo-terminal");
        return 1;
    }
    device_t device = {.flash = argv[2], .port = port};
    jrc_receiver_init(&receiver, id, id_len, &calls, &device);
    return run(&receiver, &device, argc == 4 ? port : STDIN_FILENO);
}
