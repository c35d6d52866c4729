// The messages from the launcher to its init, over a socket of sequenced packets.
#include "launcher.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum { FILES = 5 };

union Control {
  struct cmsghdr head;
  char room[CMSG_SPACE(FILES * sizeof(int))];
};

static int *place(struct Orders *orders, int index) {
  return index < 3 ? &orders->doors[index] : index == 3 ? &orders->identity.idmap : &orders->network;
}

bool send_orders(int channel, const struct Orders *orders) {
  struct Orders copy = *orders;
  union Control control = {.room = {0}};
  int files[FILES], count = 0;
  for (int i = 0; i < FILES; i++)
    if (*place(&copy, i) >= 0) files[count++] = *place(&copy, i);
  struct iovec bytes = {&copy, sizeof copy};
  struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};
  if (count > 0) {
    message.msg_control = &control, message.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
    control.head.cmsg_level = SOL_SOCKET, control.head.cmsg_type = SCM_RIGHTS;
    control.head.cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
    memcpy(CMSG_DATA(&control.head), files, (size_t)count * sizeof(int));
  }
  return sendmsg(channel, &message, MSG_NOSIGNAL) == sizeof copy;
}

bool receive_orders(int channel, struct Orders *orders) {
  union Control control = {.room = {0}};
  struct iovec bytes = {orders, sizeof *orders};
  struct msghdr message = {
      .msg_iov = &bytes, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  ssize_t count;
  while ((count = recvmsg(channel, &message, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR) {}
  if (count != sizeof *orders || message.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) return false;
  size_t sent = message.msg_controllen ? (control.head.cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0, next = 0;
  int files[FILES];
  memcpy(files, CMSG_DATA(&control.head), sent * sizeof(int));
  for (int i = 0; i < FILES; i++) {
    if (*place(orders, i) < 0) continue;
    if (next == sent) return false;
    *place(orders, i) = files[next++];
  }
  return true;
}
