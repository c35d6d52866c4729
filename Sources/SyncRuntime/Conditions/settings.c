// Behind conditions.c, for `check` alone: settings come from a file, since they change from build to build, and the
// conditions that recipes hold by themselves (umask) or by a tool (processors) can be changed as well.
#include <sched.h>

static mode_t mask;
mode_t umask(mode_t wanted) { return REAL(umask)(mask && wanted == 022 ? mask : wanted); }

static void use_one_processor(void) {
  cpu_set_t all, one;
  if (sched_getaffinity(0, sizeof all, &all) != 0 || CPU_COUNT(&all) < 2) return;
  CPU_ZERO(&one);
  for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
    if (CPU_ISSET(i, &all)) CPU_SET(i, &one);
  sched_setaffinity(0, sizeof one, &one);
}

static void set(char *name, char *value) {
  long long number = atoll(value);
  if (!strcmp(name, "clock-at")) clock_at = number;
  if (!strcmp(name, "clock-ahead")) clock_ahead = number;
  if (!strcmp(name, "random")) seed = (unsigned long long)number;
  if (!strcmp(name, "readdir")) order = (int)number;
  if (!strcmp(name, "kernel")) kernel = strdup(value);
  if (!strcmp(name, "umask")) mask = (mode_t)number;
  if (!strcmp(name, "cpus")) use_one_processor();
}

// Lines of a name, a space and a value. Whoever has no such file, outside a run, is left alone.
__attribute__((constructor)) static void read_settings(void) {
  static char text[1024];
  int before = errno, file = REAL(open)(SETTINGS, O_RDONLY | O_CLOEXEC);
  ssize_t count = file >= 0 ? REAL(read)(file, text, sizeof text - 1) : 0;
  if (file >= 0) close(file);
  char *rest = NULL;
  for (char *line = count > 0 ? strtok_r(text, "\n", &rest) : NULL; line; line = strtok_r(NULL, "\n", &rest)) {
    char *space = strchr(line, ' ');
    if (space) *space = 0, set(line, space + 1);
  }
  mode_t now = REAL(umask)(mask);
  REAL(umask)(mask && now == 022 ? mask : now);
  errno = before;
}
