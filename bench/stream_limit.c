// stream_limit: the least that a client of event streams can cost on this machine, in C, to hold ours against.
//
//   cc -O2 -o stream_limit stream_limit.c && ./stream_limit PORT STREAMS TOKENS REQUESTS
//
// A closed loop of streams on one epoll set; it reads, counts events, and looks at nothing. Prints one line of JSON.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static char request[512];
static int request_length;

static int compose(int tokens) {
    char body[256];
    sprintf(
        body,
        "{\"model\":\"sink\",\"stream\":true,\"max_tokens\":%d,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}",
        tokens);
    return sprintf(request,
                   "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                   "Content-Length: %zu\r\n\r\n%s",
                   strlen(body), body);
}

static int connected(int port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    if (connect(fd, (void *)&to, sizeof to)) {
        perror("stream_limit");
        exit(1);
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static void ask(int fd) {
    if (send(fd, request, request_length, 0) != request_length) {
        perror("stream_limit");
        exit(1);
    }
}

static double cpu_seconds(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_utime.tv_sec + u.ru_stime.tv_sec + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv) {
    if (argc != 5) {
        fprintf(stderr, "usage: stream_limit PORT STREAMS TOKENS REQUESTS\n");
        return 2;
    }
    int port = atoi(argv[1]), streams = atoi(argv[2]), left = atoi(argv[4]), open = 0, epoll = epoll_create1(0);
    long events = 0;
    static char buffer[65536];
    request_length = compose(atoi(argv[3]));
    for (; open < streams && left; open++, left--) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = connected(port)};
        epoll_ctl(epoll, EPOLL_CTL_ADD, event.data.fd, &event);
        ask(event.data.fd);
    }
    struct epoll_event ready[256];
    while (open) {
        int n = epoll_wait(epoll, ready, 256, -1);
        for (int i = 0; i < n; i++) {
            int fd = ready[i].data.fd;
            ssize_t got = recv(fd, buffer, sizeof buffer, 0);
            int over = got <= 0 || (got >= 5 && !memcmp(buffer + got - 5, "0\r\n\r\n", 5));
            for (char *p = buffer; got > 0 && (p = memmem(p, buffer + got - p, "\n\n", 2)); p += 2)
                events++;
            if (over && got > 0 && left) {
                left--;
                ask(fd);
            } else if (over) {
                close(fd);
                open--;
            }
        }
    }
    printf("{\"events\":%ld,\"cpu_s\":%.6f}\n", events, cpu_seconds());
    return 0;
}
