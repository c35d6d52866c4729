// A deny-list of system calls. Namespaces and the lack of capabilities are the walls; this takes away the calls whose
// kernel code a build never needs and whose bugs have opened such walls before.
#include "launcher.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "The filter knows x86_64 and aarch64"
#endif

static const int denied[] = {
    SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_open_tree, SYS_move_mount, SYS_fsopen, SYS_fsconfig,
    SYS_fsmount, SYS_fspick, SYS_mount_setattr, SYS_unshare, SYS_setns, SYS_ptrace, SYS_process_vm_readv,
    SYS_process_vm_writev, SYS_kcmp, SYS_pidfd_getfd, SYS_bpf, SYS_perf_event_open, SYS_userfaultfd, SYS_add_key,
    SYS_request_key, SYS_keyctl, SYS_kexec_load, SYS_kexec_file_load, SYS_init_module, SYS_finit_module,
    SYS_delete_module, SYS_reboot, SYS_swapon, SYS_swapoff, SYS_acct, SYS_quotactl, SYS_syslog, SYS_name_to_handle_at,
    SYS_open_by_handle_at, SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register, SYS_settimeofday,
    SYS_clock_settime, SYS_clock_adjtime, SYS_adjtimex, SYS_vhangup, SYS_fanotify_init, SYS_lookup_dcookie,
#ifdef SYS_nfsservctl
    SYS_nfsservctl,
#endif
};
enum { DENIED = sizeof denied / sizeof denied[0] };

static const int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
enum { FAMILIES = sizeof families / sizeof families[0] };

#define NAMESPACES \
  (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)
#define FIELD(name) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, name))
#define LOW_ARGUMENT(n) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + 8 * (n))
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, (value))
#define UNLESS(test, operand, skip) BPF_JUMP(BPF_JMP | (test) | BPF_K, (operand), 0, (skip))
#define WHEN(test, operand, skip) BPF_JUMP(BPF_JMP | (test) | BPF_K, (operand), (skip), 0)

int install_filter(void) {
  struct sock_filter code[2 * DENIED + FAMILIES + 24];
  unsigned short n = 0;
#define ADD(instruction) code[n++] = (struct sock_filter)instruction
  ADD(FIELD(arch));
  ADD(WHEN(BPF_JEQ, ARCHITECTURE, 1));
  ADD(RETURN(SECCOMP_RET_KILL_PROCESS));
  ADD(FIELD(nr));
#if defined(__x86_64__)
  ADD(UNLESS(BPF_JGE, 0x40000000, 1));  // the x32 numbers
  ADD(RETURN(SECCOMP_RET_ERRNO | ENOSYS));
#endif
  for (int i = 0; i < DENIED; i++) {
    ADD(UNLESS(BPF_JEQ, (unsigned)denied[i], 1));
    ADD(RETURN(SECCOMP_RET_ERRNO | EPERM));
  }
  // clone3 hides its flags in memory, where a filter cannot look; libraries fall back to clone.
  ADD(UNLESS(BPF_JEQ, SYS_clone3, 1));
  ADD(RETURN(SECCOMP_RET_ERRNO | ENOSYS));
  ADD(UNLESS(BPF_JEQ, SYS_clone, 3));
  ADD(LOW_ARGUMENT(0));
  ADD(UNLESS(BPF_JSET, NAMESPACES, 6 + FAMILIES));
  ADD(RETURN(SECCOMP_RET_ERRNO | EPERM));
  // Some families, vsock above all, do not live in the network namespace.
  ADD(UNLESS(BPF_JEQ, SYS_socketpair, 1));
  ADD(RETURN(SECCOMP_RET_ALLOW));
  ADD(UNLESS(BPF_JEQ, SYS_socket, 2 + FAMILIES));
  ADD(LOW_ARGUMENT(0));
  for (int i = 0; i < FAMILIES; i++) ADD(WHEN(BPF_JEQ, (unsigned)families[i], FAMILIES - i));
  ADD(RETURN(SECCOMP_RET_ERRNO | EAFNOSUPPORT));
  ADD(RETURN(SECCOMP_RET_ALLOW));
#undef ADD
  struct sock_fprog program = {.len = n, .filter = code};
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}
