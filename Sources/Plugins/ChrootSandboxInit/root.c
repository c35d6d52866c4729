// The run's root: an overlay over the read-only toolchain, itself read-only once its mount points are made. All that
// can be written (/tmp, /dev/shm, the working directory, the writable mounts) lies on one tmpfs whose size is the disk
// limit; it counts against nobody else and is gone with the mount namespace.
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *const devices[] = {"null", "zero", "full", "random", "urandom"};
enum { DEVICES = sizeof devices / sizeof devices[0] };

int clone_tree(const char *path) {
  return (int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
}

int set_attributes(int tree, uint64_t attributes, int idmap) {
  struct mount_attr change = {.attr_set = attributes};
  if (idmap >= 0) change.attr_set |= MOUNT_ATTR_IDMAP, change.userns_fd = (uint64_t)idmap;
  return (int)syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &change, sizeof change);
}

int attach_open(int tree, const char *at) {
  return (int)syscall(SYS_move_mount, tree, "", AT_FDCWD, at, MOVE_MOUNT_F_EMPTY_PATH);
}

int attach(int tree, const char *at) {
  int result = attach_open(tree, at);
  int error = errno;
  close(tree);
  errno = error;
  return result;
}

// A read-only view of a host folder or file. Where its file system cannot map ids, root's files are nobody's inside.
static int view(const char *host, struct Identity identity) {
  int tree = clone_tree(host);
  if (tree < 0)
    init_fault(errno == ENOENT ? FAULT_INVALID : FAULT_IO, "Cannot mount %s: %s%s", host, strerror(errno),
               errno == EINVAL ? "; an ordinary user cannot give a folder that has mounts in it" : "");
  if (identity.idmap >= 0 && set_attributes(tree, READ_ONLY, identity.idmap) == 0) return tree;
  if (set_attributes(tree, READ_ONLY, -1) != 0)
    init_fault(FAULT_UNAVAILABLE, "Cannot make a read-only mount of %s: %s; Linux 5.12 or later is needed", host,
               strerror(errno));
  return tree;
}

static int file_system(const char *type, const char *const options[][2], uint64_t attributes) {
  int context = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
  if (context < 0) return -1;
  for (; options && (*options)[0]; options++)
    if (syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, (*options)[0], (*options)[1], 0) != 0) return -1;
  if (syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) != 0) return -1;
  int tree = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, attributes);
  close(context);
  return tree;
}

// Everything that is made for the run belongs to it, so that it sees the same whoever the node is.
static uid_t owner;
static void own(const char *path) {
  if (lchown(path, owner, owner) != 0) init_fault(FAULT_IO, "Cannot give %s to the run: %s", path, strerror(errno));
}

static int make_folder(const char *path) {
  if (mkdir(path, 0755) != 0) return errno == EEXIST ? 0 : -1;
  own(path);
  return 0;
}

// Makes `path` and its parents; the last component as a folder or an empty file. Runs inside the new root, so links
// of the toolchain lead nowhere else.
static void make_point(const char *path, bool is_folder) {
  char partial[PATH_BYTES];
  snprintf(partial, sizeof partial, "%s", path);
  for (char *slash = strchr(partial + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    *slash = 0;
    if (make_folder(partial) != 0)
      init_fault(FAULT_INVALID, "Cannot make the folder %s inside: %s", partial, strerror(errno));
    *slash = '/';
  }
  if (is_folder) {
    if (make_folder(partial) == 0) return;
  } else {
    int file = open(partial, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (file >= 0) {
      close(file);
      own(partial);
      return;
    }
  }
  init_fault(FAULT_INVALID, "Cannot make the mount point %s inside: %s", path, strerror(errno));
}

static void attach_at(int tree, const char *path, bool is_folder) {
  make_point(path, is_folder);
  if (attach(tree, path) != 0) init_fault(FAULT_IO, "Cannot mount at %s inside: %s", path, strerror(errno));
}

// A folder on the run's tmpfs, as a detached mount of its own.
static int private_folder(const char *name, mode_t mode) {
  if (mkdir(name, mode) != 0 || chmod(name, mode) != 0)
    init_fault(FAULT_IO, "Cannot make the private folder %s: %s", name, strerror(errno));
  own(name);
  int tree = clone_tree(name);
  if (tree < 0) init_fault(FAULT_IO, "Cannot mount the private folder %s: %s", name, strerror(errno));
  return tree;
}

static int private_file(const char *name, mode_t mode) {
  int file = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (file < 0) init_fault(FAULT_IO, "Cannot make the private file %s: %s", name, strerror(errno));
  close(file);
  own(name);
  int tree = clone_tree(name);
  if (tree < 0) init_fault(FAULT_IO, "Cannot mount the private file %s: %s", name, strerror(errno));
  return tree;
}

static void make_devices(int device_trees[DEVICES], int shared) {
  static const char *const options[][2] = {{"mode", "0755"}, {"size", "65536"}, {"nr_inodes", "64"}, {NULL, NULL}};
  int tree = file_system("tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
  if (tree < 0) init_fault(FAULT_UNAVAILABLE, "Cannot mount a tmpfs for /dev: %s", strerror(errno));
  int folder = dup(tree);
  attach_at(tree, "/dev", true);
  own("/dev");
  for (int i = 0; i < DEVICES; i++) {
    char path[32];
    snprintf(path, sizeof path, "/dev/%s", devices[i]);
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (file < 0 || attach(device_trees[i], path) != 0)
      init_fault(FAULT_IO, "Cannot mount %s inside: %s", path, strerror(errno));
    close(file);
  }
  attach_at(shared, "/dev/shm", true);
  if (symlink("/proc/self/fd", "/dev/fd") || symlink("/proc/self/fd/0", "/dev/stdin") ||
      symlink("/proc/self/fd/1", "/dev/stdout") || symlink("/proc/self/fd/2", "/dev/stderr"))
    init_fault(FAULT_IO, "Cannot make the links of /dev: %s", strerror(errno));
  own("/dev/fd"), own("/dev/stdin"), own("/dev/stdout"), own("/dev/stderr");
  // `folder` is the mount's root, so this makes the mount read-only and leaves those below it alone.
  if (set_attributes(folder, MOUNT_ATTR_RDONLY, -1) != 0)
    init_fault(FAULT_IO, "Cannot make /dev read-only: %s", strerror(errno));
  close(folder);
}

// Mounts the tmpfs and changes into it; the descriptor is for asking how full it is.
static int make_disk(const struct Settings *s) {
  char options[128], point[PATH_BYTES];
  // An inode for each 4 KiB: many empty files meet the limit as well.
  snprintf(options, sizeof options, "size=%llu,nr_inodes=%llu,mode=0755", (unsigned long long)s->disk_bytes,
           (unsigned long long)(s->disk_bytes / 4096 + 1024));
  snprintf(point, sizeof point, "%s/mountpoint", s->state);
  if (mount("tmpfs", point, "tmpfs", MS_NOSUID | MS_NODEV, options) != 0)
    init_fault(FAULT_UNAVAILABLE, "Cannot mount a tmpfs on %s: %s", point, strerror(errno));
  if (chdir(point) != 0) init_fault(FAULT_IO, "Cannot enter %s: %s", point, strerror(errno));
  return open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static void make_overlay(const struct Settings *s, struct Identity identity) {
  const char *folders[] = {"lower", "upper", "work", "root"};
  for (int i = 0; i < 4; i++)
    if (make_folder(folders[i]) != 0) init_fault(FAULT_IO, "Cannot make a folder on the tmpfs: %s", strerror(errno));
  if (attach(view(s->toolchain, identity), "lower") != 0)
    init_fault(FAULT_IO, "Cannot mount the toolchain %s: %s", s->toolchain, strerror(errno));
  // Relative names keep the host's paths out of the run's /proc/self/mountinfo.
  const char *options = identity.is_root ? "lowerdir=lower,upperdir=upper,workdir=work"
                                         : "lowerdir=lower,upperdir=upper,workdir=work,userxattr";
  if (mount("overlay", "root", "overlay", MS_NOSUID | MS_NODEV, options) != 0)
    init_fault(FAULT_UNAVAILABLE, "Cannot mount an overlay over the toolchain: %s; %s", strerror(errno),
               identity.is_root ? "is the overlay module loaded?" : "Linux 5.11 or later lets ordinary users do it");
}

static void enter(void) {
  if (chdir("root") != 0 || syscall(SYS_pivot_root, ".", ".") != 0 || umount2(".", MNT_DETACH) != 0 ||
      chdir("/") != 0)
    init_fault(FAULT_IO, "Cannot make the overlay the root: %s", strerror(errno));
}

// A writable mount starts with what the host's folder has, as copies; init brings it home at the end.
static int writable_folder(struct Mount *mount, size_t index, const struct Settings *s, struct Identity identity) {
  char name[32];
  snprintf(name, sizeof name, "writable-%zu", index);
  int tree = private_folder(name, 0755);
  if (!is_empty(mount->tree)) {
    uint64_t budget = s->disk_bytes;
    int folder = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0 || !harvest(mount->tree, folder, &budget, identity.outside))
      init_fault(FAULT_INVALID, "What %s holds does not fit the disk limit of %llu bytes", mount->host,
                 (unsigned long long)s->disk_bytes);
    close(folder);
  }
  return tree;
}

static bool is_folder(int tree) {
  struct stat info;
  return fstat(tree, &info) == 0 && S_ISDIR(info.st_mode);
}

int make_root(struct Settings *s, struct Identity identity, int *writable) {
  owner = identity.outside;
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
    init_fault(FAULT_IO, "Cannot make the mounts private: %s", strerror(errno));
  // Everything of the host is opened before its root is left.
  int device_trees[DEVICES];
  for (int i = 0; i < DEVICES; i++) {
    char path[32];
    snprintf(path, sizeof path, "/dev/%s", devices[i]);
    device_trees[i] = clone_tree(path);
    if (device_trees[i] < 0) init_fault(FAULT_UNAVAILABLE, "Cannot use %s: %s", path, strerror(errno));
  }
  for (size_t i = 0; i < s->mount_count; i++) {
    struct Mount *m = &s->mounts[i];
    m->tree = m->writable ? open(m->host, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : view(m->host, identity);
    if (m->tree < 0) init_fault(FAULT_INVALID, "Cannot open the folder %s: %s", m->host, strerror(errno));
  }
  int processes = file_system("proc", NULL, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
  if (processes < 0)
    init_fault(FAULT_UNAVAILABLE, "Cannot mount a private /proc: %s; a container that masks parts of its own /proc "
               "forbids it", strerror(errno));
  int disk = make_disk(s);
  make_overlay(s, identity);
  int temporary = private_folder("tmp", 01777);
  int shared = private_folder("shm", 01777);
  int directory = private_folder("directory", 0755);
  int empty_folder = private_folder("empty", 0555), empty_file = private_file("nothing", 0444);
  if (set_attributes(empty_folder, READ_ONLY, -1) != 0 || set_attributes(empty_file, READ_ONLY, -1) != 0)
    init_fault(FAULT_IO, "Cannot make a cover read-only: %s", strerror(errno));
  for (size_t i = 0; i < s->mount_count; i++)
    if (s->mounts[i].writable) writable[i] = writable_folder(&s->mounts[i], i, s, identity);
  enter();
  attach_at(processes, "/proc", true);
  cover_processes(empty_file, empty_folder);
  close(empty_file), close(empty_folder);
  attach_at(temporary, "/tmp", true);
  make_devices(device_trees, shared);
  for (size_t i = 0; i < s->mount_count; i++) {
    struct Mount *m = &s->mounts[i];
    if (m->writable) {
      int keep = dup(writable[i]);  // for the harvest
      attach_at(writable[i], m->inside, true);
      writable[i] = keep;
    } else {
      attach_at(m->tree, m->inside, is_folder(m->tree));
    }
  }
  s->has_own_directory = access(s->directory, F_OK) != 0;
  if (s->has_own_directory) attach_at(directory, s->directory, true);
  else close(directory);
  struct mount_attr sealed = {.attr_set = MOUNT_ATTR_RDONLY};
  if (syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, &sealed, sizeof sealed) != 0)
    init_fault(FAULT_IO, "Cannot make the root read-only: %s", strerror(errno));
  return disk;
}
