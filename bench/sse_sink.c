// sse_sink: an OpenAI-compatible server of chat completions with exact timing, to measure load generators with.
//
//   cc -O2 -o sse_sink sse_sink.c && ./sse_sink PORT TTFT_MS GAP_MS       PORT 0: any free one, told on stderr
//
// One thread, one epoll set, one heap of what is due. A streamed request gets its first token TTFT_MS after its last
// byte was read, a further token every GAP_MS, a usage chunk and [DONE]; as many tokens as max_completion_tokens or
// max_tokens says (64 if neither does). A unary request is answered at once. On SIGINT or SIGTERM it prints one line of
// JSON: how many requests and tokens, the quantiles of its true time to first token (last byte read -> token written),
// and how late its own writes were.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAXFD 65536
#define MAX_TTFTS (1 << 22) // further ones are not told
#define BATCH 4096          // writes in a row before reading again
#define LATE_NS 1000000ull  // a write later than this is counted

typedef struct {
    char *in; // what was read and not answered yet
    size_t len, cap;
    int streaming, left, total, prompt; // tokens still to write, of the answer, of the prompt
    uint64_t due, asked;                // ns of the monotonic clock: the next write; when the request was whole
    int heap;                           // place in the heap, -1: not there
    uint64_t id;
} conn;

static conn *conns[MAXFD]; // by file descriptor
static int heap[MAXFD], heap_n;
static float ttfts[MAX_TTFTS]; // true TTFT of each streamed request, ms
static int ttfts_n;

static int by_float(const void *a, const void *b) {
    float x = *(float *)a, y = *(float *)b;
    return (x > y) - (x < y);
}

static uint64_t ttft_ns, itl_ns, n_req, n_ev, late_max, late_sum, n_late_1ms, seq;
static volatile sig_atomic_t stop_now;
static void on_sig(int s) {
    (void)s;
    stop_now = 1;
}

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static int less(int a, int b) { return conns[heap[a]]->due < conns[heap[b]]->due; }

static void swp(int a, int b) {
    int t = heap[a];
    heap[a] = heap[b];
    heap[b] = t;
    conns[heap[a]]->heap = a;
    conns[heap[b]]->heap = b;
}

static void up(int i) {
    while (i && less(i, (i - 1) / 2)) {
        swp(i, (i - 1) / 2);
        i = (i - 1) / 2;
    }
}

static void down(int i) {
    for (;;) {
        int l = 2 * i + 1, r = l + 1, m = i;
        if (l < heap_n && less(l, m))
            m = l;
        if (r < heap_n && less(r, m))
            m = r;
        if (m == i)
            return;
        swp(i, m);
        i = m;
    }
}

static void push(int fd) {
    heap[heap_n] = fd;
    conns[fd]->heap = heap_n;
    up(heap_n++);
}

static void drop(int fd) {
    int i = conns[fd]->heap;
    if (i < 0)
        return;
    conns[fd]->heap = -1;
    heap_n--;
    if (i != heap_n) {
        heap[i] = heap[heap_n];
        conns[heap[i]]->heap = i;
        up(i);
        down(i);
    }
}

static void close_conn(int fd) {
    conn *c = conns[fd];
    if (!c)
        return;
    if (c->heap >= 0)
        drop(fd);
    free(c->in);
    free(c);
    conns[fd] = NULL;
    close(fd);
}

// All of it or nothing: who reads too slowly for the socket's buffer is cut. -1: the connection is gone.
static int out(int fd, const char *b, size_t n) {
    ssize_t w = send(fd, b, n, MSG_NOSIGNAL);
    if (w != (ssize_t)n) {
        close_conn(fd);
        return -1;
    }
    return 0;
}

static long num_after(const char *b, const char *k, long d) {
    const char *p = strstr(b, k);
    if (!p)
        return d;
    p += strlen(k);
    while (*p == ' ' || *p == ':' || *p == '"')
        p++;
    return strtol(p, NULL, 10);
}

static int true_after(const char *b, const char *k) {
    const char *p = strstr(b, k);
    if (!p)
        return 0;
    p += strlen(k);
    while (*p == ' ' || *p == ':')
        p++;
    return !strncmp(p, "true", 4);
}

static int plain(int fd, const char *status, const char *type, const char *body) {
    char buf[8192];
    int n = snprintf(buf, sizeof buf, "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n%s", status, type,
                     strlen(body), body);
    return out(fd, buf, n);
}

static int chunked(int fd, const char *data) {
    char buf[2048];
    size_t n = strlen(data);
    int m = snprintf(buf, sizeof buf, "%zx\r\n%s\r\n", n, data);
    return out(fd, buf, m);
}

// One write of one stream. -1: the connection is gone.
static int emit(int fd) {
    conn *c = conns[fd];
    uint64_t t = now(), late = t > c->due ? t - c->due : 0;
    char d[1024];
    late_sum += late;
    if (late > late_max)
        late_max = late;
    if (late > LATE_NS)
        n_late_1ms++;
    if (c->left > 0) {
        n_ev++;
        snprintf(d, sizeof d,
                 "data: "
                 "{\"id\":\"chatcmpl-%llu\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":"
                 "\"sink\",\"choices\":[{\"index\":0,\"delta\":{%s\"content\":\" "
                 "word\"},\"logprobs\":null,\"finish_reason\":%s}]}\n\n",
                 (unsigned long long)c->id, c->left == c->total ? "\"role\":\"assistant\"," : "",
                 c->left == 1 ? "\"length\"" : "null");
        if (chunked(fd, d))
            return -1;
        if (c->left == c->total && ttfts_n < MAX_TTFTS)
            ttfts[ttfts_n++] = (now() - c->asked) / 1e6f;
        c->left--;
        c->due += itl_ns;
        if (c->left) {
            down(c->heap);
            return 0;
        }
    }
    drop(fd);
    c->streaming = 0;
    snprintf(d, sizeof d,
             "data: "
             "{\"id\":\"chatcmpl-%llu\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"sink\","
             "\"choices\":[],\"usage\":{\"prompt_tokens\":%d,\"completion_tokens\":%d,\"total_tokens\":%d}}\n\ndata: "
             "[DONE]\n\n",
             (unsigned long long)c->id, c->prompt, c->total, c->prompt + c->total);
    if (chunked(fd, d))
        return -1;
    return out(fd, "0\r\n\r\n", 5);
}

// Answer every whole request that was read.
static void handle(int fd) {
    for (;;) {
        conn *c = conns[fd];
        if (!c || c->streaming || !c->len)
            return;
        c->in[c->len] = 0;
        char *e = strstr(c->in, "\r\n\r\n");
        if (!e)
            return;
        size_t hl = e - c->in + 4;
        char *cl = strcasestr(c->in, "\r\ncontent-length:");
        size_t bl = cl && cl < e ? strtoul(cl + 17, NULL, 10) : 0;
        char *ex = strcasestr(c->in, "\r\nexpect: 100");
        if (ex && ex < e && c->len == hl && bl) {
            if (out(fd, "HTTP/1.1 100 Continue\r\n\r\n", 25))
                return;
        }
        if (c->len < hl + bl)
            return;
        char *body = c->in + hl;
        char saved = body[bl];
        body[bl] = 0;
        int post = !strncmp(c->in, "POST", 4), bad = 0;
        if (post) {
            n_req++;
            c->id = ++seq;
            long n = num_after(body, "\"max_completion_tokens\"", num_after(body, "\"max_tokens\"", 64));
            c->total = c->left = n > 0 ? n : 1;
            c->prompt = (int)(bl / 5);
            if (true_after(body, "\"stream\"")) {
                c->asked = now();
                c->due = c->asked + ttft_ns;
                c->streaming = 1;
                static const char h[] =
                    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: "
                    "no-cache\r\nTransfer-Encoding: chunked\r\n\r\n";
                bad = out(fd, h, sizeof h - 1);
                if (!bad)
                    push(fd);
            } else {
                char d[1024];
                snprintf(d, sizeof d,
                         "{\"id\":\"chatcmpl-%llu\",\"object\":\"chat.completion\",\"created\":1700000000,\"model\":"
                         "\"sink\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"word\"},"
                         "\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":%d,\"completion_"
                         "tokens\":1,\"total_tokens\":%d}}",
                         (unsigned long long)c->id, c->prompt, c->prompt + 1);
                bad = plain(fd, "200 OK", "application/json", d);
            }
        } else if (strstr(c->in, "/models"))
            bad = plain(fd, "200 OK", "application/json",
                        "{\"object\":\"list\",\"data\":[{\"id\":\"sink\",\"object\":\"model\",\"created\":1700000000,"
                        "\"owned_by\":\"sink\"}]}");
        else if (strstr(c->in, "/metrics"))
            bad = plain(fd, "200 OK", "text/plain; version=0.0.4",
                        "# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running{model_name=\"sink\"} 0\n");
        else
            bad = plain(fd, "200 OK", "application/json", "{\"status\":\"ok\"}");
        if (bad)
            return;
        c = conns[fd];
        body[bl] = saved;
        memmove(c->in, c->in + hl + bl, c->len - hl - bl);
        c->len -= hl + bl;
    }
}

static void accept_all(int listener, int epoll) {
    int fd, one = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        if (fd >= MAXFD) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        conn *c = calloc(1, sizeof *c);
        c->cap = 8192;
        c->in = malloc(c->cap + 1);
        c->heap = -1;
        conns[fd] = c;
        struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.fd = fd};
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    }
}

static void read_all(int fd) {
    conn *c = conns[fd];
    if (!c)
        return;
    for (;;) {
        if (c->len == c->cap) {
            c->cap *= 2;
            c->in = realloc(c->in, c->cap + 1);
        }
        ssize_t n = recv(fd, c->in + c->len, c->cap - c->len, 0);
        if (n > 0) {
            c->len += n;
            continue;
        }
        if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) {
            close_conn(fd);
            return;
        }
        break;
    }
    handle(fd);
}

static struct timespec until_next(void) {
    struct timespec wait = {1, 0};
    if (heap_n) {
        uint64_t t = now(), due = conns[heap[0]]->due, ns = due > t ? due - t : 0;
        wait.tv_sec = ns / 1000000000ull;
        wait.tv_nsec = ns % 1000000000ull;
    }
    return wait;
}

static void write_due(void) {
    uint64_t t = now();
    for (int n = 0; n < BATCH && heap_n && conns[heap[0]]->due <= t; n++) {
        int fd = heap[0];
        if (!emit(fd) && !conns[fd]->streaming)
            handle(fd);
    }
}

static float quantile(double q) { return ttfts_n ? ttfts[(int)((ttfts_n - 1) * q)] : 0.f; }

static void tell(void) {
    qsort(ttfts, ttfts_n, sizeof *ttfts, by_float);
    printf("{\"true_ttft_p50_ms\":%.3f,\"true_ttft_p95_ms\":%.3f,\"true_ttft_p99_ms\":%.3f,", quantile(.5),
           quantile(.95), quantile(.99));
    printf("\"requests\":%llu,\"events\":%llu,", (unsigned long long)n_req, (unsigned long long)n_ev);
    printf("\"late_max_ms\":%.3f,\"late_mean_ms\":%.4f,\"late_over_1ms\":%llu}\n", late_max / 1e6,
           n_ev ? late_sum / 1e6 / n_ev : 0.0, (unsigned long long)n_late_1ms);
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: sse_sink PORT TTFT_MS GAP_MS\n");
        return 2;
    }
    ttft_ns = atof(argv[2]) * 1e6;
    itl_ns = atof(argv[3]) * 1e6;
    struct sigaction stop = {.sa_handler = on_sig};
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);

    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    if (bind(listener, (void *)&at, size) || listen(listener, 8192) || getsockname(listener, (void *)&at, &size)) {
        perror("sse_sink");
        return 1;
    }
    int epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[512];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    fprintf(stderr, "%d\n", ntohs(at.sin_port));

    while (!stop_now) {
        struct timespec wait = until_next();
        int n = epoll_pwait2(epoll, events, 512, &wait, NULL);
        for (int i = 0; i < n; i++)
            if (events[i].data.fd == listener)
                accept_all(listener, epoll);
            else
                read_all(events[i].data.fd);
        write_due();
    }
    tell();
    return 0;
}
