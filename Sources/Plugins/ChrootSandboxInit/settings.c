// The settings: on standard input, an unsigned 64-bit little-endian byte count, then that many bytes of
// NUL-terminated pairs, key and value. They come by a pipe since arguments and environment are visible to the host.
#include "launcher.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void read_exactly(unsigned char *to, size_t count) {
  while (count > 0) {
    ssize_t got = read(STDIN_FILENO, to, count);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) fault(FAULT_INVALID, "The settings ended %zu bytes too early", count);
    to += got;
    count -= (size_t)got;
  }
}

static uint64_t number(const char *key, const char *value) {
  char *end;
  errno = 0;
  unsigned long long parsed = strtoull(value, &end, 10);
  if (errno || *end || end == value || value[0] == '-' || parsed == 0)
    fault(FAULT_INVALID, "The setting %s is '%s'; a positive number is wanted", key, value);
  return parsed;
}

static const char *absolute(const char *key, const char *value) {
  if (value[0] != '/' || strlen(value) >= PATH_BYTES || strstr(value, "/../") ||
      (strlen(value) >= 3 && !strcmp(value + strlen(value) - 3, "/..")))
    fault(FAULT_INVALID, "The setting %s is '%s'; an absolute path without '..' is wanted", key, value);
  return value;
}

static const char *host_path(const char *key, const char *value) { return action_path(absolute(key, value)); }

static void take(struct Settings *s, char *key, char *value) {
  if (!strcmp(key, "argument") || !strcmp(key, "environment")) {
    bool is_argument = key[0] == 'a';
    size_t *count = is_argument ? &s->argument_count : &s->environment_count;
    if (*count == ARGUMENTS_MAX) fault(FAULT_INVALID, "More than %d of the setting %s", ARGUMENTS_MAX, key);
    (is_argument ? s->arguments : s->environment)[(*count)++] = value;
  } else if (!strcmp(key, "read") || !strcmp(key, "write")) {
    if (s->mount_count == MOUNTS_MAX) fault(FAULT_INVALID, "More than %d mounts", MOUNTS_MAX);
    s->mounts[s->mount_count++] = (struct Mount){
        .host = host_path(key, value), .inside = NULL, .writable = key[0] == 'w', .tree = -1};
  } else if (!strcmp(key, "at")) {
    if (s->mount_count == 0 || s->mounts[s->mount_count - 1].inside)
      fault(FAULT_INVALID, "The setting 'at' wants a mount before it");
    s->mounts[s->mount_count - 1].inside = absolute(key, value);
  }
  else if (!strcmp(key, "run")) s->run = value;
  else if (!strcmp(key, "state")) s->state = host_path(key, value);
  else if (!strcmp(key, "toolchain")) s->toolchain = host_path(key, value);
  else if (!strcmp(key, "host-name")) s->host_name = value;
  else if (!strcmp(key, "directory")) s->directory = absolute(key, value);
  else if (!strcmp(key, "wall-seconds")) s->wall_seconds = number(key, value);
  else if (!strcmp(key, "cpu-seconds")) s->cpu_seconds = number(key, value);
  else if (!strcmp(key, "memory-bytes")) s->memory_bytes = number(key, value);
  else if (!strcmp(key, "processes")) s->processes = number(key, value);
  else if (!strcmp(key, "disk-bytes")) s->disk_bytes = number(key, value);
  else if (!strcmp(key, "transcript-bytes")) s->transcript_bytes = number(key, value);
  else fault(FAULT_INVALID, "Unknown setting '%s'; launcher and plugin are of different versions", key);
}

void read_settings(struct Settings *s) {
  unsigned char head[8];
  read_exactly(head, sizeof head);
  uint64_t count = 0;
  for (int i = 7; i >= 0; i--) count = count << 8 | head[i];
  if (count == 0 || count > SETTINGS_BYTES_MAX)
    fault(FAULT_INVALID, "The settings have %llu bytes; 1 to %d are allowed", (unsigned long long)count,
          SETTINGS_BYTES_MAX);
  char *bytes = malloc(count);
  s->mounts = calloc(MOUNTS_MAX, sizeof *s->mounts);
  if (!bytes || !s->mounts) fault(FAULT_IO, "No memory for the settings");
  read_exactly((unsigned char *)bytes, count);
  if (bytes[count - 1] != 0) fault(FAULT_INVALID, "The settings do not end with NUL");
  for (char *at = bytes, *end = bytes + count; at < end;) {
    char *key = at, *value = key + strlen(key) + 1;
    if (value >= end) fault(FAULT_INVALID, "The setting '%s' has no value", key);
    at = value + strlen(value) + 1;
    take(s, key, value);
  }
  if (!s->run || !s->state || !s->toolchain || !s->host_name || !s->directory || !s->argument_count ||
      !s->wall_seconds || !s->cpu_seconds || !s->memory_bytes || !s->processes || !s->disk_bytes ||
      !s->transcript_bytes || (s->mount_count && !s->mounts[s->mount_count - 1].inside))
    fault(FAULT_INVALID, "A setting is missing; launcher and plugin are of different versions");
}
