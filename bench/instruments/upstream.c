/* An upstream that costs little: answers 2 KB of JSON, or SSE when the body asks for `"stream":true`.

   upstream PORT     (0: any free one; the port is printed)

   Each chunk holds "@<CLOCK_MONOTONIC ns>" as its content; after the last come the usage and [DONE].
   GET /_bench tells what was seen, as JSON; /_bench?chunks=200&gap_us=20000&hold_us=0 sets how many chunks a stream
   has, what is between them, and how long it is held back before its head. */
#include "http.h"

struct connection {
    int fd;
    bool streams, queued, closed;
    long sent, due;
    struct connection *next;
    struct message request;
    char *body, *unsent;
    size_t body_size, body_room, unsent_size;
};

static int epoll, timer;
static long chunks = 200, gap_us = 20000, hold_us = 0;
static long requests, streaming, aborted, aborted_at;
static struct connection *first, *last; /* what waits for its time, the earliest first */
static char json_answer[4096];

#define OK "HTTP/1.1 200 OK\r\nServer: upstream\r\nX-Request-Id: req-1\r\nContent-Type: "
#define JSON_HEAD OK "application/json\r\nContent-Length: %zu\r\n\r\n"
#define STREAM_HEAD OK "text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
#define OBJECT(kind) "{\"id\":\"chatcmpl-1\",\"object\":\"" kind "\",\"created\":1790000000,\"model\":\"gpt-5.4\","
#define CHUNK "data: " OBJECT("chat.completion.chunk") "\"choices\":[{\"index\":0,\"delta\":"
#define TEXT_CHUNK CHUNK "{\"role\":\"assistant\",\"content\":\"@%ld \"},\"finish_reason\":null}]}\n\n"
#define USAGE "\"usage\":{\"prompt_tokens\":1200,\"completion_tokens\":%ld,\"total_tokens\":%ld}}"
#define LAST_CHUNK CHUNK "{},\"finish_reason\":\"stop\"}]," USAGE "\n\n"
#define CHOICE "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"%s\"},\"finish_reason\":\"stop\"}"
#define ANSWER OBJECT("chat.completion") "\"choices\":[" CHOICE "]," USAGE
#define REPORT "{\"requests\":%ld,\"streaming\":%ld,\"aborted\":%ld,\"aborted_at_ns\":%ld}"

static void wait_until(struct connection *one, long due) {
    struct connection **place = &first;
    one->due = due, one->queued = true, one->next = NULL;
    if (last && last->due <= due) place = &last->next;
    while (*place && (*place)->due <= due) place = &(*place)->next;
    one->next = *place, *place = one;
    if (!one->next) last = one;
}

static void end(struct connection *one) {
    if (one->streams) streaming--, aborted++, aborted_at = now_ns();
    one->closed = true, one->streams = false;
    close(one->fd);
    if (one->queued) return; /* freed when its time comes */
    free(one->body), free(one->unsent), free(one);
}

/* Sends what it can and keeps the rest; tried again in a millisecond. */
static void put(struct connection *one, const char *data, size_t size) {
    ssize_t sent = one->unsent_size ? 0 : send(one->fd, data, size, MSG_NOSIGNAL);
    size_t rest = size - (sent > 0 ? sent : 0);
    if (!rest) return;
    one->unsent = realloc(one->unsent, one->unsent_size + rest);
    memcpy(one->unsent + one->unsent_size, data + size - rest, rest);
    one->unsent_size += rest;
    if (!one->queued) wait_until(one, now_ns() + 1000000);
}

static void put_chunk(struct connection *one, const char *head, const char *text, const char *after) {
    char whole[2048];
    size_t size = strlen(text);
    put(one, whole, snprintf(whole, sizeof whole, "%s%zx\r\n%s\r\n%s", head, size, text, after));
}

static void stream(struct connection *one) {
    const char *head = one->sent ? "" : STREAM_HEAD;
    char text[1024];
    if (one->sent++ < chunks) {
        snprintf(text, sizeof text, TEXT_CHUNK, now_ns());
        put_chunk(one, head, text, "");
        if (!one->queued) wait_until(one, one->due + gap_us * 1000);
        return;
    }
    snprintf(text, sizeof text, LAST_CHUNK, chunks, chunks + 1200);
    put_chunk(one, head, text, "");
    one->streams = false, streaming--;
    put_chunk(one, "", "data: [DONE]\n\n", "0\r\n\r\n");
}

static void on_time(struct connection *one, long now) {
    one->queued = false;
    if (one->closed) {
        free(one->body), free(one->unsent), free(one);
        return;
    }
    size_t size = one->unsent_size;
    char *data = one->unsent;
    one->unsent = NULL, one->unsent_size = 0;
    if (size) put(one, data, size);
    free(data);
    if (now - one->due > gap_us * 1000) one->due = now; /* too late for several: no burst */
    if (one->streams && !one->queued) stream(one);
}

static void set_from(const char *head, const char *name, long *value) {
    const char *found = strstr(head, name);
    if (found) *value = atol(found + strlen(name));
}

static void put_json(struct connection *one, const char *body) {
    char whole[8192];
    put(one, whole, snprintf(whole, sizeof whole, JSON_HEAD "%s", strlen(body), body));
}

static bool asks_for_stream(const struct connection *one) {
    return memmem(one->body, one->body_size, "\"stream\":true", 13) ||
           memmem(one->body, one->body_size, "\"stream\": true", 14);
}

/* Tells what was seen, and takes settings from the query. */
static void report(struct connection *one) {
    char body[512];
    set_from(one->request.head, "chunks=", &chunks);
    set_from(one->request.head, "gap_us=", &gap_us);
    set_from(one->request.head, "hold_us=", &hold_us);
    snprintf(body, sizeof body, REPORT, requests, streaming, aborted, aborted_at);
    put_json(one, body);
}

static void answer(struct connection *one) {
    if (!strncmp(one->request.head, "GET /_bench", 11)) {
        report(one);
        return;
    }
    requests++;
    if (!asks_for_stream(one)) {
        put_json(one, json_answer);
        return;
    }
    one->streams = true, one->sent = 0, streaming++;
    one->due = now_ns() + hold_us * 1000;
    if (hold_us) wait_until(one, one->due);
    else stream(one);
}

static void keep(void *owner, const char *data, size_t size) {
    struct connection *one = owner;
    if (one->body_size + size > one->body_room) {
        one->body_room = 2 * (one->body_size + size);
        one->body = realloc(one->body, one->body_room);
    }
    memcpy(one->body + one->body_size, data, size);
    one->body_size += size;
}

static void on_readable(struct connection *one) {
    static char data[1 << 18];
    ssize_t size = recv(one->fd, data, sizeof data, 0);
    if (size < 0 && errno == EAGAIN) return;
    if (size <= 0) {
        end(one);
        return;
    }
    for (ssize_t at = 0; at < size;) {
        at += take(&one->request, data + at, size - at, false, keep, one);
        if (one->request.part != DONE) return;
        answer(one);
        one->request.part = HEAD, one->request.head_size = one->body_size = 0;
    }
}

static void on_connect(int listener) {
    int fd, yes = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct connection *one = calloc(1, sizeof *one);
        one->fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        watch(epoll, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLRDHUP, one);
    }
}

static void run_due(void) {
    for (long now = now_ns(); first && first->due <= now;) {
        struct connection *one = first;
        first = one->next;
        if (!first) last = NULL;
        on_time(one, now);
    }
    if (first) wake_at(timer, first->due);
}

static int listen_on(int port) {
    int listener = loopback_socket(SOCK_NONBLOCK);
    struct sockaddr_in address = loopback(port);
    socklen_t size = sizeof address;
    if (bind(listener, (void *)&address, size) || listen(listener, 4096)) die("listen");
    getsockname(listener, (void *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

int main(int count, char **arguments) {
    char text[1701] = "";
    memset(text, 'x', sizeof text - 1);
    snprintf(json_answer, sizeof json_answer, ANSWER, text, 300L, 1500L);
    int listener = listen_on(count > 1 ? atoi(arguments[1]) : 0);
    epoll = epoll_create1(0);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    watch(epoll, EPOLL_CTL_ADD, listener, EPOLLIN, &listener);
    watch(epoll, EPOLL_CTL_ADD, timer, EPOLLIN, &timer);
    for (struct epoll_event events[EVENTS];;) {
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            unsigned long ticks;
            if (events[i].data.ptr == &listener) on_connect(listener);
            else if (events[i].data.ptr != &timer) on_readable(events[i].data.ptr);
            else if (read(timer, &ticks, sizeof ticks) < 0 && errno != EAGAIN) die("timer");
        }
        run_due();
    }
}
