/* A load: closed loop, open loop, or SSE streams; prints one line of JSON.

   client -p PORT [-u PATH] [-c CONNECTIONS] [-s SECONDS] [-w WARM-UP SECONDS] [-r REQUESTS PER SECOND: open loop]
          [-b BODY BYTES] [-n CHUNKS: streams of so many] [-m MODEL] [-H "NAME: VALUE"]...

   What ends or arrives in the warm-up is not counted, but the first token of a stream is: long streams begin there.
   In the open loop a latency counts from when the request was due. Latencies are microseconds. */
#include "http.h"

#define MESSAGE \
    "{\"role\":\"user\",\"content\":\"Look at \\\"main.py\\\", line 42:\\n\\tit is late, and the tests are red.\"}"
#define REQUEST_HEAD \
    "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: bench\r\nAccept: */*\r\n" \
    "Authorization: Bearer bench-key\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n%s\r\n"

struct samples {
    long *all;
    size_t count, room;
};

struct call {
    int fd;
    bool busy;
    long due, chunks, stamp; /* stamp: -1 outside of one, else the digits so far */
    size_t written;
    struct message answer;
};

static int epoll, port, connections = 1;
static double seconds = 2, warm_up = -1, rate;
static long expected_chunks, begin_at, count_at, end_at;
static char *request;
static size_t request_size;
static long errors, reconnects, streams_ended;
static int bad_status;
static struct samples latencies, first_tokens, delays;

static void note(struct samples *samples, long value) {
    if (samples->count == samples->room) {
        samples->room = samples->room ? samples->room * 2 : 1 << 16;
        samples->all = realloc(samples->all, samples->room * sizeof *samples->all);
    }
    samples->all[samples->count++] = value;
}

static int by_value(const void *left, const void *right) {
    long a = *(const long *)left, b = *(const long *)right;
    return (a > b) - (a < b);
}

static void print_quantiles(const char *name, struct samples *samples) {
    qsort(samples->all, samples->count, sizeof *samples->all, by_value);
    for (int percent = 50; percent <= 99; percent += 49) {
        size_t at = samples->count ? (samples->count - 1) * percent / 100 : 0;
        if (samples->count) printf(",\"%s_p%d\":%.1f", name, percent, samples->all[at] / 1e3);
        else printf(",\"%s_p%d\":null", name, percent);
    }
}

static bool is_counted(long at) { return at >= count_at && at < end_at; }

static void connect_call(struct call *call) {
    struct sockaddr_in address = loopback(port);
    call->fd = loopback_socket(0);
    if (connect(call->fd, (void *)&address, sizeof address)) die("connect");
    watch(epoll, EPOLL_CTL_ADD, call->fd, EPOLLIN, call);
}

static void write_rest(struct call *call) {
    bool waited = call->written > 0;
    ssize_t sent = send(call->fd, request + call->written, request_size - call->written, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) call->written += sent; /* an error is seen when reading */
    bool all = call->written == request_size;
    if (!all || waited) watch(epoll, EPOLL_CTL_MOD, call->fd, all ? EPOLLIN : EPOLLIN | EPOLLOUT, call);
}

static void start(struct call *call, long due) {
    call->busy = true, call->due = due;
    call->chunks = call->written = 0, call->stamp = -1;
    call->answer.part = HEAD, call->answer.head_size = 0;
    write_rest(call);
}

static void on_stamp(struct call *call, long stamp) {
    long now = now_ns();
    if (!call->chunks++) note(&first_tokens, now - call->due);
    if (is_counted(now)) note(&delays, now - stamp);
}

/* Finds the "@<ns>" in what may be cut anywhere. */
static void read_stamps(void *owner, const char *data, size_t size) {
    struct call *call = owner;
    for (const char *at = data, *end = data + size; expected_chunks && at < end; at++) {
        if (call->stamp < 0) {
            if (!(at = memchr(at, '@', end - at))) return;
            call->stamp = 0;
        } else if (*at >= '0' && *at <= '9') {
            call->stamp = call->stamp * 10 + *at - '0';
        } else {
            on_stamp(call, call->stamp);
            call->stamp = -1;
        }
    }
}

static void finish(struct call *call) {
    long now = now_ns();
    call->busy = false;
    if (call->answer.status != 200) bad_status = call->answer.status;
    if (call->answer.status != 200 || call->chunks != expected_chunks) errors++;
    else if (is_counted(now)) note(&latencies, now - call->due);
    streams_ended += expected_chunks > 0;
}

static void reconnect(struct call *call) {
    close(call->fd);
    connect_call(call);
    if (++reconnects > 100000) end_at = now_ns();
}

static void on_ready(struct call *call, unsigned events) {
    static char data[1 << 18];
    if (events & EPOLLOUT && call->written < request_size) write_rest(call);
    ssize_t size = recv(call->fd, data, sizeof data, MSG_DONTWAIT);
    if (size < 0 && errno == EAGAIN) return;
    bool was_busy = call->busy, ended = size <= 0;
    if (size > 0 && call->busy) take(&call->answer, data, size, true, read_stamps, call);
    if (call->busy && (call->answer.part == DONE || (ended && call->answer.part == UNTIL_CLOSE))) finish(call);
    if (ended) errors += call->busy, call->busy = false;
    if (ended || (!call->busy && call->answer.closes)) reconnect(call);
    if (was_busy && !call->busy && rate <= 0) start(call, now_ns());
}

/* Starts what is due; returns when to look again. Streams of a closed loop begin spread over the warm-up. */
static long start_due(struct call *calls) {
    static long number, begun;
    long now = now_ns(), spread = expected_chunks ? (count_at - begin_at) * 3 / 4 / connections : 0;
    for (; rate <= 0 && begun < connections && begin_at + begun * spread <= now; begun++) start(&calls[begun], now);
    if (rate <= 0) return begun < connections ? begin_at + begun * spread : end_at;
    long due = begin_at + number * 1e9 / rate;
    for (int i = 0; i < connections && due <= now; i++) {
        if (calls[i].busy) continue;
        start(&calls[i], due);
        due = begin_at + ++number * 1e9 / rate;
    }
    return due <= now ? end_at : due; /* late: every connection is busy, an answer wakes us */
}

static void add(const char *text) {
    size_t size = strlen(text);
    request = realloc(request, request_size + size + 1);
    memcpy(request + request_size, text, size + 1);
    request_size += size;
}

/* One conversation of about so many bytes, and before it the head. */
static void write_request(const char *path, const char *headers, const char *model, long body_bytes) {
    const char *mode = expected_chunks ? "\"stream\":true," : "";
    char text[4096];
    snprintf(text, sizeof text, "{\"model\":\"%s\",%s\"messages\":[", model, mode);
    add(text);
    while (add(MESSAGE), (long)request_size < body_bytes - 60) add(",");
    add("]}");
    char *body = request;
    snprintf(text, sizeof text, REQUEST_HEAD, path, port, request_size, headers);
    request = NULL, request_size = 0;
    add(text), add(body);
    free(body);
}

static void print_report(void) {
    double window = (end_at - count_at) / 1e9;
    printf("{\"count\":%zu,\"errors\":%ld,\"bad_status\":%d", latencies.count, errors, bad_status);
    printf(",\"reconnects\":%ld,\"streams_ended\":%ld,\"chunks\":%zu", reconnects, streams_ended, delays.count);
    printf(",\"rps\":%.1f,\"chunks_per_second\":%.1f", latencies.count / window, delays.count / window);
    print_quantiles("latency", &latencies);
    print_quantiles("ttft", &first_tokens);
    print_quantiles("delay", &delays);
    printf("}\n");
}

static void run(struct call *calls) {
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    watch(epoll, EPOLL_CTL_ADD, timer, EPOLLIN, NULL);
    for (struct epoll_event events[EVENTS]; now_ns() < end_at;) {
        long next = start_due(calls);
        wake_at(timer, next < end_at ? next : end_at);
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < ready; i++)
            if (events[i].data.ptr) on_ready(events[i].data.ptr, events[i].events);
    }
}

int main(int count, char **arguments) {
    const char *path = "/v1/chat/completions", *model = "gpt-5.4";
    char headers[2048] = "";
    long body_bytes = 1000;
    for (int option; (option = getopt(count, arguments, "p:u:c:s:w:r:b:n:m:H:")) > 0;) switch (option) {
        case 'p': port = atoi(optarg); break;
        case 'u': path = optarg; break;
        case 'c': connections = atoi(optarg); break;
        case 's': seconds = atof(optarg); break;
        case 'w': warm_up = atof(optarg); break;
        case 'r': rate = atof(optarg); break;
        case 'b': body_bytes = atol(optarg); break;
        case 'n': expected_chunks = atol(optarg); break;
        case 'm': model = optarg; break;
        case 'H': strcat(strcat(headers, optarg), "\r\n"); break;
        default: return 2;
    }
    write_request(path, headers, model, body_bytes);
    struct call *calls = calloc(connections, sizeof *calls);
    epoll = epoll_create1(0);
    for (int i = 0; i < connections; i++) connect_call(&calls[i]);
    begin_at = now_ns();
    count_at = begin_at + (warm_up < 0 ? seconds / 5 : warm_up) * 1e9;
    end_at = begin_at + seconds * 1e9;
    run(calls);
    print_report();
}
