// The system call filter, which needs nothing of the launcher's.
#ifndef SYNCHRONICITY_FILTER_H
#define SYNCHRONICITY_FILTER_H

// Wants no_new_privs, or CAP_SYS_ADMIN; -1 with errno when the kernel refuses.
int install_filter(void);
// Prints the refused and the judged calls and the program's instructions; returns an exit status.
int print_filter(const char *architecture);

#endif
