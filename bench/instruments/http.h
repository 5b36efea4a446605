/* What both instruments need: a clock, loopback sockets, and where one HTTP/1.1 message ends. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_MAX = 16384, SOCKET_BUFFER = 1 << 18, EVENTS = 512 };
enum part { HEAD, SIZE, DATA, DATA_END, TRAILER, UNTIL_CLOSE, DONE };

struct message {
    enum part part;
    bool chunked, closes;
    int status;
    long left, line;
    size_t head_size;
    char head[HEAD_MAX];
};

typedef void on_body(void *owner, const char *data, size_t size);

static long now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000L + now.tv_nsec;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void watch(int epoll, int how, int fd, unsigned events, void *owner) {
    struct epoll_event event = {events, {.ptr = owner}};
    if (epoll_ctl(epoll, how, fd, &event)) die("epoll_ctl");
}

static void wake_at(int timer, long at) {
    struct itimerspec when = {{0, 0}, {at / 1000000000L, at % 1000000000L}};
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static int loopback_socket(int flags) {
    int fd = socket(AF_INET, SOCK_STREAM | flags, 0), size = SOCKET_BUFFER, one = 1;
    if (fd < 0) die("socket");
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static struct sockaddr_in loopback(int port) {
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

/* The value of a header, or NULL. The head is 0-terminated. */
static const char *header(const struct message *message, const char *name) {
    char pattern[64];
    snprintf(pattern, sizeof pattern, "\r\n%s:", name);
    const char *found = strcasestr(message->head, pattern);
    return found ? found + strlen(pattern) + strspn(found + strlen(pattern), " ") : NULL;
}

static void begin_body(struct message *message, bool is_response) {
    const char *length = header(message, "content-length"), *connection = header(message, "connection");
    message->status = is_response ? atoi(message->head + 9) : 0;
    message->chunked = header(message, "transfer-encoding") != NULL;
    message->closes = connection && !strncasecmp(connection, "close", 5);
    message->left = length ? atol(length) : 0;
    message->line = 0;
    if (is_response && message->status < 200) message->part = HEAD, message->head_size = 0;
    else if (message->chunked) message->part = SIZE, message->left = 0;
    else if (is_response && !length) message->part = UNTIL_CLOSE;
    else message->part = message->left ? DATA : DONE;
}

/* Takes bytes up to the blank line; returns how many. */
static size_t take_head(struct message *message, const char *data, size_t size, bool is_response) {
    size_t before = message->head_size, room = HEAD_MAX - 1 - before, taken = size < room ? size : room;
    if (!room) die("head too long");
    memcpy(message->head + before, data, taken);
    message->head[before + taken] = 0;
    char *end = strstr(message->head + (before > 3 ? before - 3 : 0), "\r\n\r\n");
    message->head_size = end ? (size_t)(end + 4 - message->head) : before + taken;
    if (!end) return taken;
    taken = message->head_size - before;
    end[2] = 0;
    begin_body(message, is_response);
    return taken;
}

/* Takes one byte of a chunk's frame: its size in hex, the line ends, the trailer. */
static void take_frame(struct message *message, char byte) {
    if (message->part == DATA_END) {
        if (byte == '\n') message->part = SIZE, message->left = 0;
    } else if (message->part == SIZE) {
        if (byte == '\n') message->part = message->left ? DATA : TRAILER, message->line = 0;
        else if (byte == ';') message->line = -1;
        else if (byte != '\r' && message->line == 0)
            message->left = message->left * 16 + (byte <= '9' ? byte - '0' : (byte | 32) - 'a' + 10);
    } else if (byte == '\n') {
        if (message->line == 0) message->part = DONE;
        message->line = 0;
    } else if (byte != '\r') message->line++;
}

/* Feeds what was read, until the message is done; returns how many bytes it took. */
static size_t take(
    struct message *message, const char *data, size_t size, bool is_response, on_body *body, void *owner) {
    size_t at = 0;
    while (at < size && message->part != DONE) {
        if (message->part == HEAD) {
            at += take_head(message, data + at, size - at, is_response);
        } else if (message->part == DATA || message->part == UNTIL_CLOSE) {
            size_t part = size - at;
            if (message->part == DATA && part > (size_t)message->left) part = message->left;
            body(owner, data + at, part);
            at += part;
            if (message->part == DATA && !(message->left -= part)) message->part = message->chunked ? DATA_END : DONE;
        } else {
            take_frame(message, data[at++]);
        }
    }
    return at;
}
