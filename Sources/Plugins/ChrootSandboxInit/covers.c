// Covers over the parts of /proc that reach the host or tell of it. What builds read (processors, memory, the kernel's
// version, file systems, their own processes) stays.
#include "launcher.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>

// Not every kernel has all of them. The first ones reach the host: its memory, its console, its keys; the others tell
// of its hardware, of what it is doing, and of how it was started.
static const char *const files[] = {
    "/proc/kcore", "/proc/kmsg", "/proc/sysrq-trigger", "/proc/keys", "/proc/key-users", "/proc/kallsyms",
    "/proc/cmdline", "/proc/diskstats", "/proc/interrupts", "/proc/iomem", "/proc/ioports", "/proc/latency_stats",
    "/proc/locks", "/proc/mdstat", "/proc/modules", "/proc/partitions", "/proc/sched_debug", "/proc/schedstat",
    "/proc/softirqs", "/proc/swaps", "/proc/timer_list", "/proc/timer_stats", "/proc/vmallocinfo",
};
static const char *const folders[] = {
    "/proc/acpi", "/proc/asound", "/proc/bus", "/proc/driver", "/proc/fs", "/proc/irq", "/proc/scsi",
};
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

// The detached tree goes over the first path that there is, and from there over the others.
static void cover(const char *const *paths, size_t count, int tree) {
  const char *first = NULL;
  for (size_t i = 0; i < count; i++) {
    int result = first ? mount(first, paths[i], NULL, MS_BIND, NULL) : attach_open(tree, paths[i]);
    if (result == 0 && !first) first = paths[i];
    if (result != 0 && errno != ENOENT) init_fault(FAULT_IO, "Cannot cover %s: %s", paths[i], strerror(errno));
  }
}

void cover_processes(int file, int folder) {
  cover(files, COUNT(files), file);
  cover(folders, COUNT(folders), folder);
  // What a kernel can be told, in the namespaces of the host, is for reading alone.
  int settings = clone_tree("/proc/sys");
  if (settings < 0 || set_attributes(settings, READ_ONLY | MOUNT_ATTR_NOEXEC, -1) != 0 ||
      attach(settings, "/proc/sys") != 0)
    init_fault(FAULT_IO, "Cannot make /proc/sys read-only: %s", strerror(errno));
}
