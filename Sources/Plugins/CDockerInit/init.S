// Process 1 of a container: a whole executable file, written out here from its header on, so that it needs nothing of
// the toolchain it runs in: no shell, no C library, not even a loader. docs/decisions/0013 says why it is there; the
// header beside says what it does.
//
// Registers that live through: x86-64 r12 argv, r13 environment, r14 worker's argv, r15 worker's pid;
// AArch64 x19 to x22, in the same order.

#if defined(__linux__) && (defined(__x86_64__) || defined(__aarch64__))

#define BASE 0x400000
#define SIGNALS_MAX 64
#define AT_FDCWD -100
#define PR_SET_DUMPABLE 4
#define SIGCHLD 17
#define SIG_SETMASK 2
#define EPERM 1
#define ENOENT 2
#define ENOTDIR 20
#define ECHILD 10
#define STATUS_CANNOT_EXECUTE 126
#define STATUS_NOT_FOUND 127

  .section .rodata
  .balign 16
  .globl synchronicity_docker_init_begin, synchronicity_docker_init_end
  .globl synchronicity_docker_init_bounds, synchronicity_docker_init_bounds_end
synchronicity_docker_init_begin:
  // The ELF header: 64 bits, little endian, an executable at a fixed address.
  .ascii "\177ELF"
  .byte 2, 1, 1, 0
  .zero 8
  .2byte 2
#if defined(__x86_64__)
  .2byte 62
#else
  .2byte 183
#endif
  .4byte 1
  .8byte BASE + (start - synchronicity_docker_init_begin)
  .8byte 64, 0
  .4byte 0
  .2byte 64, 56, 2, 64, 0, 0
  // One segment to read and execute; all that is written lies on the stack, which is not executed.
  .4byte 1, 5
  .8byte 0, BASE, BASE, synchronicity_docker_init_end - synchronicity_docker_init_begin
  .8byte synchronicity_docker_init_end - synchronicity_docker_init_begin
  .8byte 0x10000
  .4byte 0x6474e551, 6
  .8byte 0, 0, 0, 0, 0, 16

cannot:
  .ascii "synchronicity: cannot execute "
cannot_end:
  .balign 8
  // A resource's number, its soft and its hard bound, of 8 bytes each; written by who writes the file.
synchronicity_docker_init_bounds:
bounds:
  .zero 7 * 24
synchronicity_docker_init_bounds_end:
bounds_end:

#if defined(__x86_64__)

#define SYS_write 1
#define SYS_rt_sigaction 13
#define SYS_rt_sigprocmask 14
#define SYS_dup2 33
#define SYS_pause 34
#define SYS_fork 57
#define SYS_execve 59
#define SYS_wait4 61
#define SYS_unlink 87
#define SYS_umask 95
#define SYS_setsid 112
#define SYS_prctl 157
#define SYS_exit_group 231
#define SYS_prlimit64 302

start:
  leaq 8(%rsp), %r12
  subq $64, %rsp
  // The file goes: the run finds its folder empty.
  movq (%r12), %rdi
  movl $SYS_unlink, %eax
  syscall
  // Out of the build's reach, though it has the same user: no /proc/1/fd, no ptrace. An exec undoes it.
  movl $PR_SET_DUMPABLE, %edi
  xorl %esi, %esi
  movl $SYS_prctl, %eax
  syscall
  // Of an engine that has forgotten them. One that is above the present one is refused: the present one holds.
  leaq bounds(%rip), %rbx
bound:
  xorl %edi, %edi
  movq (%rbx), %rsi
  leaq 8(%rbx), %rdx
  xorl %r10d, %r10d
  movl $SYS_prlimit64, %eax
  syscall
  testq %rax, %rax
  jz bounded
  cmpq $-EPERM, %rax
  jne fail
bounded:
  addq $24, %rbx
  leaq bounds_end(%rip), %rax
  cmpq %rax, %rbx
  jne bound
  // The environment ends with the empty argument; the worker's arguments follow.
  leaq 8(%r12), %r13
  movq %r13, %r14
seek:
  movq (%r14), %rax
  testq %rax, %rax
  jz fail
  addq $8, %r14
  cmpb $0, (%rax)
  jne seek
  movq $0, -8(%r14)
  cmpq $0, (%r14)
  je fail
  movl $SYS_fork, %eax
  syscall
  testq %rax, %rax
  js fail
  jz worker
  movq %rax, %r15

reap:
  movq $-1, %rdi
  movq %rsp, %rsi
  xorl %edx, %edx
  xorl %r10d, %r10d
  movl $SYS_wait4, %eax
  syscall
  cmpq $-ECHILD, %rax
  je idle
  cmpq %r15, %rax
  jne reap
  // "end ", four digits, a line's end.
  movl (%rsp), %eax
  movl $0x20646e65, 16(%rsp)
  leaq 20(%rsp), %rdi
  movl $4, %ecx
digit:
  rolw $4, %ax
  movl %eax, %edx
  andl $15, %edx
  addl $'0', %edx
  cmpl $'9', %edx
  jbe put
  addl $('a' - '9' - 1), %edx
put:
  movb %dl, (%rdi)
  incq %rdi
  decl %ecx
  jnz digit
  movb $10, (%rdi)
  movl $2, %edi
  leaq 16(%rsp), %rsi
  movl $9, %edx
  movl $SYS_write, %eax
  syscall
  xorl %r15d, %r15d
  jmp reap

idle:
  movl $SYS_pause, %eax
  syscall
  jmp reap

worker:
  movl $SYS_setsid, %eax
  syscall
  movl $022, %edi
  movl $SYS_umask, %eax
  syscall
  // No signal is blocked, none ignored, whatever the engine was started with.
  xorl %eax, %eax
  movq %rax, (%rsp)
  movq %rax, 8(%rsp)
  movq %rax, 16(%rsp)
  movq %rax, 24(%rsp)
  movl $SIGNALS_MAX, %ebx
forget:
  movl %ebx, %edi
  movq %rsp, %rsi
  xorl %edx, %edx
  movl $8, %r10d
  movl $SYS_rt_sigaction, %eax
  syscall
  decl %ebx
  jnz forget
  movl $SIG_SETMASK, %edi
  movq %rsp, %rsi
  xorl %edx, %edx
  movl $8, %r10d
  movl $SYS_rt_sigprocmask, %eax
  syscall
  movl $1, %edi
  movl $2, %esi
  movl $SYS_dup2, %eax
  syscall
  movq (%r14), %rdi
  movq %r14, %rsi
  movq %r13, %rdx
  movl $SYS_execve, %eax
  syscall
  movq %rax, %rbx
  leaq cannot(%rip), %rsi
  movl $(cannot_end - cannot), %edx
  movl $1, %edi
  movl $SYS_write, %eax
  syscall
  movq (%r14), %rsi
  xorl %edx, %edx
length:
  cmpb $0, (%rsi,%rdx)
  je said
  incq %rdx
  jmp length
said:
  movl $1, %edi
  movl $SYS_write, %eax
  syscall
  movb $10, (%rsp)
  movq %rsp, %rsi
  movl $1, %edx
  movl $1, %edi
  movl $SYS_write, %eax
  syscall
  movl $STATUS_NOT_FOUND, %edi
  cmpq $-ENOENT, %rbx
  je leave
  cmpq $-ENOTDIR, %rbx
  je leave
fail:
  movl $STATUS_CANNOT_EXECUTE, %edi
leave:
  movl $SYS_exit_group, %eax
  syscall

#else

#define SYS_dup3 24
#define SYS_unlinkat 35
#define SYS_write 64
#define SYS_ppoll 73
#define SYS_exit_group 94
#define SYS_rt_sigaction 134
#define SYS_rt_sigprocmask 135
#define SYS_setsid 157
#define SYS_umask 166
#define SYS_prctl 167
#define SYS_clone 220
#define SYS_execve 221
#define SYS_wait4 260
#define SYS_prlimit64 261

start:
  add x19, sp, #8
  sub sp, sp, #64
  // The file goes: the run finds its folder empty.
  mov x0, #AT_FDCWD
  ldr x1, [x19]
  mov x2, #0
  mov x8, #SYS_unlinkat
  svc #0
  // Out of the build's reach, though it has the same user: no /proc/1/fd, no ptrace. An exec undoes it.
  mov x0, #PR_SET_DUMPABLE
  mov x1, #0
  mov x8, #SYS_prctl
  svc #0
  // Of an engine that has forgotten them. One that is above the present one is refused: the present one holds.
  adr x23, bounds
  adr x24, bounds_end
bound:
  mov x0, #0
  ldr x1, [x23]
  add x2, x23, #8
  mov x3, #0
  mov x8, #SYS_prlimit64
  svc #0
  cbz x0, bounded
  cmn x0, #EPERM
  b.ne fail
bounded:
  add x23, x23, #24
  cmp x23, x24
  b.ne bound
  // The environment ends with the empty argument; the worker's arguments follow.
  add x20, x19, #8
  mov x21, x20
seek:
  ldr x0, [x21], #8
  cbz x0, fail
  ldrb w0, [x0]
  cbnz w0, seek
  str xzr, [x21, #-8]
  ldr x0, [x21]
  cbz x0, fail
  mov x0, #SIGCHLD
  mov x1, #0
  mov x2, #0
  mov x3, #0
  mov x4, #0
  mov x8, #SYS_clone
  svc #0
  tbnz x0, #63, fail
  cbz x0, worker
  mov x22, x0

reap:
  mov x0, #-1
  mov x1, sp
  mov x2, #0
  mov x3, #0
  mov x8, #SYS_wait4
  svc #0
  cmn x0, #ECHILD
  b.eq idle
  cmp x0, x22
  b.ne reap
  // "end ", four digits, a line's end.
  ldr w0, [sp]
  movz w1, #0x6e65
  movk w1, #0x2064, lsl #16
  str w1, [sp, #16]
  add x2, sp, #20
  mov w3, #12
digit:
  lsr w1, w0, w3
  and w1, w1, #15
  add w1, w1, #'0'
  cmp w1, #'9'
  b.ls put
  add w1, w1, #('a' - '9' - 1)
put:
  strb w1, [x2], #1
  subs w3, w3, #4
  b.pl digit
  mov w1, #10
  strb w1, [x2]
  mov x0, #2
  add x1, sp, #16
  mov x2, #9
  mov x8, #SYS_write
  svc #0
  mov x22, #0
  b reap

idle:
  mov x0, #0
  mov x1, #0
  mov x2, #0
  mov x3, #0
  mov x4, #8
  mov x8, #SYS_ppoll
  svc #0
  b reap

worker:
  mov x8, #SYS_setsid
  svc #0
  mov x0, #022
  mov x8, #SYS_umask
  svc #0
  // No signal is blocked, none ignored, whatever the engine was started with.
  stp xzr, xzr, [sp]
  stp xzr, xzr, [sp, #16]
  mov x23, #SIGNALS_MAX
forget:
  mov x0, x23
  mov x1, sp
  mov x2, #0
  mov x3, #8
  mov x8, #SYS_rt_sigaction
  svc #0
  subs x23, x23, #1
  b.ne forget
  mov x0, #SIG_SETMASK
  mov x1, sp
  mov x2, #0
  mov x3, #8
  mov x8, #SYS_rt_sigprocmask
  svc #0
  mov x0, #1
  mov x1, #2
  mov x2, #0
  mov x8, #SYS_dup3
  svc #0
  ldr x0, [x21]
  mov x1, x21
  mov x2, x20
  mov x8, #SYS_execve
  svc #0
  mov x23, x0
  adr x1, cannot
  mov x2, #(cannot_end - cannot)
  mov x0, #1
  mov x8, #SYS_write
  svc #0
  ldr x1, [x21]
  mov x2, #0
length:
  ldrb w3, [x1, x2]
  cbz w3, said
  add x2, x2, #1
  b length
said:
  mov x0, #1
  mov x8, #SYS_write
  svc #0
  mov w3, #10
  strb w3, [sp]
  mov x1, sp
  mov x2, #1
  mov x0, #1
  mov x8, #SYS_write
  svc #0
  mov x0, #STATUS_NOT_FOUND
  cmn x23, #ENOENT
  b.eq leave
  cmn x23, #ENOTDIR
  b.eq leave
fail:
  mov x0, #STATUS_CANNOT_EXECUTE
leave:
  mov x8, #SYS_exit_group
  svc #0

#endif

synchronicity_docker_init_end:
  .byte 0

  .section .note.GNU-stack, "", %progbits
#endif
