// Sockets of every family, and the listeners of the host that they try to reach.
#include "escape.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

union Address {
  struct sockaddr any;
  struct sockaddr_in four;
  struct sockaddr_in6 six;
  struct sockaddr_un local;
};

enum { AM_ROOT = 42, SOCKETS = 8 };

static socklen_t loopback(union Address *address, int family, int port) {
  memset(address, 0, sizeof *address);
  address->any.sa_family = (sa_family_t)family;
  if (family == AF_INET) {
    address->four.sin_port = htons((uint16_t)port), address->four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return sizeof address->four;
  }
  address->six.sin6_port = htons((uint16_t)port), address->six.sin6_addr = in6addr_loopback;
  return sizeof address->six;
}

static socklen_t local(union Address *address, const char *name, bool is_abstract) {
  memset(address, 0, sizeof *address);
  address->any.sa_family = AF_UNIX;
  size_t length = strlen(name);
  if (length + 2 > sizeof address->local.sun_path) _exit(3);
  memcpy(address->local.sun_path + is_abstract, name, length);
  return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
}

// Sends a byte and waits for the answer: what nobody hears is not reached.
static enum Result greet(int type, const union Address *address, socklen_t length) {
  char byte = 'a';
  int file = socket(address->any.sa_family, type, 0);
  if (file < 0) return REFUSED;
  struct timeval patience = {.tv_sec = 2};
  setsockopt(file, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (address->any.sa_family == AF_UNIX && type == SOCK_DGRAM) {
    sa_family_t unnamed = AF_UNIX;
    bind(file, (struct sockaddr *)&unnamed, sizeof unnamed);  // a name of the kernel's choice, for the answer
  }
  if (connect(file, &address->any, length) != 0 || send(file, &byte, 1, MSG_NOSIGNAL) != 1) return REFUSED;
  return worked_if(recv(file, &byte, 1, 0) == 1 && byte == 'b');
}

#define GREET(name, type, make) \
  static enum Result name(const char *argument) { \
    union Address address; \
    socklen_t length = make; \
    return greet(type, &address, length); \
  }
GREET(tcp4, SOCK_STREAM, loopback(&address, AF_INET, atoi(argument)))
GREET(tcp6, SOCK_STREAM, loopback(&address, AF_INET6, atoi(argument)))
GREET(udp4, SOCK_DGRAM, loopback(&address, AF_INET, atoi(argument)))
GREET(udp6, SOCK_DGRAM, loopback(&address, AF_INET6, atoi(argument)))
GREET(path_socket, SOCK_STREAM, local(&address, argument, false))
GREET(abstract_stream, SOCK_STREAM, local(&address, argument, true))
GREET(abstract_datagram, SOCK_DGRAM, local(&address, argument, true))

// FAMILY/TYPE/PROTOCOL
static enum Result open_socket(const char *argument) {
  int family, type, protocol;
  if (sscanf(argument, "%d/%d/%d", &family, &type, &protocol) != 3) _exit(3);
  return worked_if(socket(family, type, protocol) >= 0);
}

static enum Result raise_loopback(const char *argument) {
  (void)argument;
  go_apart(CLONE_NEWNET);
  struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
  int file = socket(AF_INET, SOCK_DGRAM, 0);
  return worked_if(file >= 0 && ioctl(file, SIOCSIFFLAGS, &request) == 0);
}

// A program that belongs to root and says that whoever starts it becomes root. Outside an ordinary user starts it.
static enum Result run_privileged(const char *argument) {
  int status;
  pid_t child = fork();
  if (child == 0) {
    if (is_outside && setresuid(1000, 1000, 1000) != 0) _exit(3);
    execl(argument, argument, "--am-i-root", NULL);
    _exit(4);
  }
  errno = EPERM;
  return worked_if(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == AM_ROOT);
}

static int listen_at(int type, const union Address *address, socklen_t length) {
  int file = socket(address->any.sa_family, type | SOCK_CLOEXEC, 0);
  if (file < 0 || bind(file, &address->any, length) != 0 || (type == SOCK_STREAM && listen(file, 16) != 0)) return -1;
  return file;
}

static int port_of(int file) {
  union Address address;
  socklen_t length = sizeof address;
  if (getsockname(file, &address.any, &length) != 0) return 0;
  return ntohs(address.any.sa_family == AF_INET ? address.four.sin_port : address.six.sin6_port);
}

static void answer(int file, bool is_stream) {
  char byte;
  union Address from;
  socklen_t length = sizeof from;
  int peer = is_stream ? accept(file, NULL, NULL) : file;
  if (peer < 0) return;
  struct timeval patience = {.tv_sec = 2};
  if (is_stream) setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ssize_t count = recvfrom(peer, &byte, 1, 0, is_stream ? NULL : &from.any, is_stream ? NULL : &length);
  if (count == 1)
    sendto(peer, "b", 1, MSG_NOSIGNAL, is_stream ? NULL : &from.any, is_stream ? 0 : length);
  if (is_stream) close(peer);
}

int serve(const char *path, const char *abstract) {
  static const char *const names[] = {"tcp4", "tcp6", "udp4", "udp6"};
  struct pollfd files[SOCKETS];
  bool streams[SOCKETS];
  union Address address;
  int count = 0;
  for (int i = 0; i < 4; i++) {
    int type = i < 2 ? SOCK_STREAM : SOCK_DGRAM;
    int file = listen_at(type, &address, loopback(&address, i % 2 ? AF_INET6 : AF_INET, 0));
    if (file < 0) continue;
    printf("%s %d\n", names[i], port_of(file));
    streams[count] = i < 2, files[count++] = (struct pollfd){.fd = file, .events = POLLIN};
  }
  for (int i = 0; i < 3; i++) {
    char name[256];
    snprintf(name, sizeof name, "%s%s", i == 0 ? path : abstract, i == 2 ? "-datagram" : "");
    int file = listen_at(i == 2 ? SOCK_DGRAM : SOCK_STREAM, &address, local(&address, name, i > 0));
    if (file < 0) return 1;
    if (i == 0) chmod(path, 0777);
    streams[count] = i < 2, files[count++] = (struct pollfd){.fd = file, .events = POLLIN};
  }
  printf("ready 0\n");
  files[count] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
  while (poll(files, (nfds_t)count + 1, -1) > 0 && !files[count].revents)
    for (int i = 0; i < count; i++)
      if (files[i].revents) answer(files[i].fd, streams[i]);
  unlink(path);
  return 0;
}

const struct Attempt reach_attempts[] = {
    {"tcp4", tcp4}, {"tcp6", tcp6}, {"udp4", udp4}, {"udp6", udp6}, {"path-socket", path_socket},
    {"abstract-stream", abstract_stream}, {"abstract-datagram", abstract_datagram}, {"socket", open_socket},
    {"raise-loopback", raise_loopback}, {"privileged-file", run_privileged}, {NULL, NULL},
};
