// The system calls that a run may not make. Namespaces and the lack of capabilities are the walls; this takes away the
// calls whose kernel code a build never needs and whose bugs have opened such walls before.
//
// The program is made from tables for either processor, so that a test on one of them reads both: the launcher prints
// it with `filter ARCHITECTURE`.
#include "filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

enum { NONE = -1, INSTRUCTIONS_MAX = 320, X32_BIT = 0x40000000, STRIDE = 6 };

// A system call's numbers, in the kernel's headers of each processor; NONE where there is no such call.
struct Call {
  const char *name;
  int x86_64, aarch64;
};

static const struct Call denied[] = {
    // Mounts and roots.
    {"mount", 165, 40}, {"umount2", 166, 39}, {"pivot_root", 155, 41}, {"chroot", 161, 51}, {"open_tree", 428, 428},
    {"open_tree_attr", 467, 467}, {"move_mount", 429, 429}, {"fsopen", 430, 430}, {"fsconfig", 431, 431},
    {"fsmount", 432, 432}, {"fspick", 433, 433}, {"mount_setattr", 442, 442},
    // Namespaces, other processes, files by number.
    {"unshare", 272, 97}, {"setns", 308, 268}, {"listns", 470, 470}, {"ptrace", 101, 117},
    {"process_vm_readv", 310, 270}, {"process_vm_writev", 311, 271}, {"process_madvise", 440, 440},
    {"process_mrelease", 448, 448}, {"kcmp", 312, 272}, {"pidfd_getfd", 438, 438}, {"move_pages", 279, 239},
    {"migrate_pages", 256, 238}, {"set_mempolicy_home_node", 450, 450}, {"name_to_handle_at", 303, 264},
    {"open_by_handle_at", 304, 265},
    // Large and young parts of the kernel.
    {"bpf", 321, 280}, {"perf_event_open", 298, 241}, {"userfaultfd", 323, 282}, {"io_uring_setup", 425, 425},
    {"io_uring_enter", 426, 426}, {"io_uring_register", 427, 427}, {"fanotify_init", 300, 262},
    {"fanotify_mark", 301, 263}, {"add_key", 248, 217}, {"request_key", 249, 218}, {"keyctl", 250, 219},
    {"modify_ldt", 154, NONE},
    // What is the host's alone.
    {"kexec_load", 246, 104}, {"kexec_file_load", 320, 294}, {"init_module", 175, 105}, {"finit_module", 313, 273},
    {"delete_module", 176, 106}, {"reboot", 169, 142}, {"swapon", 167, 224}, {"swapoff", 168, 225}, {"acct", 163, 89},
    {"quotactl", 179, 60}, {"quotactl_fd", 443, 443}, {"syslog", 103, 116}, {"settimeofday", 164, 170},
    {"clock_settime", 227, 112}, {"clock_adjtime", 305, 266}, {"adjtimex", 159, 171}, {"vhangup", 153, 58},
    {"sethostname", 170, 161}, {"setdomainname", 171, 162}, {"iopl", 172, NONE}, {"ioperm", 173, NONE},
    // What only old programs would call.
    {"lookup_dcookie", 212, 18}, {"nfsservctl", 180, 42}, {"uselib", 134, NONE}, {"ustat", 136, NONE},
    {"sysfs", 139, NONE},
};
enum { DENIED = sizeof denied / sizeof denied[0] };

// Calls that are judged by their arguments.
static const struct Call clone_call = {"clone", 56, 220}, clone3_call = {"clone3", 435, 435},
                         socket_call = {"socket", 41, 198}, socketpair_call = {"socketpair", 53, 199},
                         personality_call = {"personality", 135, 92}, ioctl_call = {"ioctl", 16, 29};

// Native and 32-bit machine names, the old kernel version, and the question which one it is: what Docker lets pass.
static const uint32_t personalities[] = {0, 0x8, 0x20000, 0x20008, 0xffffffff};
// Typing for a terminal's owner, choosing from its menus, and loading a line discipline.
static const uint32_t ioctls[] = {TIOCSTI, 0x541c /* TIOCLINUX */, TIOCSETD};
// Others would have the kernel load a module for them.
static const uint32_t protocols[] = {0, IPPROTO_TCP, IPPROTO_UDP};

#define NAMESPACES \
  (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

struct Program {
  bool is_x86_64;
  unsigned short count;
  struct sock_filter code[INSTRUCTIONS_MAX];
};

static void add(struct Program *program, uint16_t code, uint8_t when, uint8_t unless, uint32_t operand) {
  // Too long a program is refused by what reads it.
  if (program->count < INSTRUCTIONS_MAX)
    program->code[program->count++] = (struct sock_filter){code, when, unless, operand};
}

static void answer(struct Program *program, uint32_t value) { add(program, BPF_RET | BPF_K, 0, 0, value); }

static void refuse(struct Program *program, int error) { answer(program, SECCOMP_RET_ERRNO | (uint32_t)error); }

static void load(struct Program *program, size_t offset) {
  add(program, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)offset);
}

// The low half, which is all that the kernel reads of what is looked at here; both processors store it first.
static void load_argument(struct Program *program, size_t number) {
  load(program, offsetof(struct seccomp_data, args) + 8 * number);
}

// The next `skip` instructions are passed over unless the value that was loaded is `operand`.
static void only_for(struct Program *program, uint32_t operand, uint8_t skip) {
  add(program, BPF_JMP | BPF_JEQ | BPF_K, 0, skip, operand);
}

static int number_of(const struct Program *program, const struct Call *call) {
  return program->is_x86_64 ? call->x86_64 : call->aarch64;
}

// Opens a block for the call, which must end with an answer whatever the arguments are; gives back its place.
static unsigned short begin(struct Program *program, const struct Call *call) {
  only_for(program, (uint32_t)number_of(program, call), 0);
  return program->count;
}

static void end(struct Program *program, unsigned short start) {
  program->code[start - 1].jf = (uint8_t)(program->count - start);
}

static void answer_if_among(struct Program *program, const uint32_t *values, size_t count, uint32_t value) {
  for (size_t i = 0; i < count; i++) {
    only_for(program, values[i], 1);
    answer(program, value);
  }
}

static void add_sockets(struct Program *program) {
  unsigned short start = begin(program, &socket_call);
  load_argument(program, 0);
  answer_if_among(program, (const uint32_t[]){AF_UNIX}, 1, SECCOMP_RET_ALLOW);
  // Some families, vsock above all, do not live in the network namespace; others are doors to little used code.
  for (int family = 0; family < 2; family++) {
    only_for(program, family ? AF_INET6 : AF_INET, 2 + 2 * COUNT(protocols));
    load_argument(program, 2);
    answer_if_among(program, protocols, COUNT(protocols), SECCOMP_RET_ALLOW);
    refuse(program, EPROTONOSUPPORT);
  }
  // Which network interfaces there are; a C library asks when it resolves a name.
  only_for(program, AF_NETLINK, 4);
  load_argument(program, 2);
  only_for(program, NETLINK_ROUTE, 1);
  answer(program, SECCOMP_RET_ALLOW);
  refuse(program, EPROTONOSUPPORT);
  refuse(program, EAFNOSUPPORT);
  end(program, start);
  start = begin(program, &socketpair_call);
  load_argument(program, 0);
  answer_if_among(program, (const uint32_t[]){AF_UNIX}, 1, SECCOMP_RET_ALLOW);
  refuse(program, EAFNOSUPPORT);
  end(program, start);
}

// In the order of the numbers, so that a lower number than those to come is let through early: the kernel runs the
// program for every number when it is installed, and a build makes many calls.
static void add_denied(struct Program *program) {
  int numbers[DENIED], count = 0;
  for (size_t i = 0; i < DENIED; i++) {
    int number = number_of(program, &denied[i]), at = count;
    if (number == NONE) continue;
    for (; at > 0 && numbers[at - 1] > number; at--) numbers[at] = numbers[at - 1];
    numbers[at] = number;
    count++;
  }
  for (int i = 0; i < count; i++) {
    if (i % STRIDE == 0) {
      add(program, BPF_JMP | BPF_JGE | BPF_K, 1, 0, (uint32_t)numbers[i]);
      answer(program, SECCOMP_RET_ALLOW);
    }
    only_for(program, (uint32_t)numbers[i], 1);
    refuse(program, EPERM);
  }
}

static void make_program(struct Program *program, bool is_x86_64) {
  *program = (struct Program){.is_x86_64 = is_x86_64};
  load(program, offsetof(struct seccomp_data, arch));
  add(program, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, is_x86_64 ? AUDIT_ARCH_X86_64 : AUDIT_ARCH_AARCH64);
  answer(program, SECCOMP_RET_KILL_PROCESS);
  load(program, offsetof(struct seccomp_data, nr));
  if (is_x86_64) {
    // The x32 numbers, which are the same calls by other names.
    add(program, BPF_JMP | BPF_JGE | BPF_K, 0, 1, X32_BIT);
    refuse(program, ENOSYS);
  }
  // clone3 hides its flags in memory, where a filter cannot look; libraries fall back to clone.
  unsigned short start = begin(program, &clone3_call);
  refuse(program, ENOSYS);
  end(program, start);
  start = begin(program, &clone_call);
  load_argument(program, 0);
  add(program, BPF_JMP | BPF_JSET | BPF_K, 0, 1, NAMESPACES);
  refuse(program, EPERM);
  answer(program, SECCOMP_RET_ALLOW);
  end(program, start);
  add_sockets(program);
  start = begin(program, &personality_call);
  load_argument(program, 0);
  answer_if_among(program, personalities, COUNT(personalities), SECCOMP_RET_ALLOW);
  refuse(program, EPERM);
  end(program, start);
  start = begin(program, &ioctl_call);
  load_argument(program, 1);
  answer_if_among(program, ioctls, COUNT(ioctls), SECCOMP_RET_ERRNO | EPERM);
  answer(program, SECCOMP_RET_ALLOW);
  end(program, start);
  add_denied(program);
  answer(program, SECCOMP_RET_ALLOW);
}

int install_filter(void) {
#if defined(__x86_64__)
  const bool is_x86_64 = true;
#elif defined(__aarch64__)
  const bool is_x86_64 = false;
#else
#error "The filter knows x86_64 and aarch64"
#endif
  struct Program program;
  make_program(&program, is_x86_64);
  struct sock_fprog filter = {.len = program.count, .filter = program.code};
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0);
}

int print_filter(const char *architecture) {
  bool is_x86_64 = !strcmp(architecture, "x86_64");
  if (!is_x86_64 && strcmp(architecture, "aarch64") != 0) {
    fprintf(stderr, "synchronicity-sandbox-init: '%s' is neither x86_64 nor aarch64\n", architecture);
    return 2;
  }
  struct Program program;
  make_program(&program, is_x86_64);
  const struct Call *judged[] = {&clone_call, &clone3_call, &socket_call, &socketpair_call, &personality_call,
                                 &ioctl_call};
  for (size_t i = 0; i < DENIED + COUNT(judged); i++) {
    const struct Call *call = i < DENIED ? &denied[i] : judged[i - DENIED];
    if (number_of(&program, call) != NONE) printf("call %s %d\n", call->name, number_of(&program, call));
  }
  for (int i = 0; i < program.count; i++)
    printf("instruction %u %u %u %u\n", program.code[i].code, program.code[i].jt, program.code[i].jf,
           program.code[i].k);
  return 0;
}
