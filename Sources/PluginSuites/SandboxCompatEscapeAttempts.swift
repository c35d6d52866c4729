import Glibc
import SyncRuntime

/// One attempt: the words for the program, and what must hold.
struct EscapeAttempt: Sendable {
  /// Who can do it without a sandbox; root is the host's.
  enum Ability: Sendable { case everyone, root }

  let words: String
  let sentence: String
  let outsideWords: String
  let ability: Ability

  init(_ words: String, _ sentence: String, outside: String? = nil, by ability: Ability = .everyone) {
    (self.words, self.sentence, self.outsideWords) = (words, sentence, outside ?? words)
    self.ability = ability
  }

  var isPossibleOutside: Bool { ability == .everyone || Self.isHostsRoot }

  /// In a user namespace root has the rights of its user on the host, where all numbers map to themselves.
  private static let isHostsRoot: Bool = {
    let map = Folder.readKernelFile("/proc/self/uid_map")?.split { $0 == " " || $0 == "\n" }
    return geteuid() == 0 && map == ["0", "0", "4294967295"]
  }()

  /// Reasons for which an attempt comes to nothing on a host that has no such thing at all.
  private static let absences = [
    "ENOSYS", "ENOENT", "ENODEV", "ENXIO", "EAFNOSUPPORT", "EPROTONOSUPPORT", "EOPNOTSUPP", "ENODATA",
    "ESOCKTNOSUPPORT",
  ]

  func judge(inside: String?, outside: String?, isAllowed: Bool, said: String) throws {
    guard let inside else { throw CompatFailure("\(words) was not tried: \(said)") }
    try require(inside.hasPrefix("refused") || (inside == "worked" && isAllowed), "\(words) \(inside) inside")
    guard isPossibleOutside else { return }
    guard let outside else { throw CompatFailure("\(words) was not tried without a sandbox") }
    let isAbsent = Self.absences.contains { outside == "refused \($0)" }
    try require(outside == "worked" || isAbsent, "\(outsideWords) \(outside) without a sandbox: it shows nothing")
  }

  private static func unshare(_ flag: Int32, _ name: String) -> EscapeAttempt {
    EscapeAttempt("unshare:\(flag)", "no \(name) namespace is made", by: flag == namespaces[0].0 ? .everyone : .root)
  }

  private static let namespaces: [(Int32, String)] = [
    (0x1000_0000, "user"), (0x0002_0000, "mount"), (0x4000_0000, "network"), (0x2000_0000, "PID"),
    (0x0400_0000, "UTS"), (0x0800_0000, "IPC"), (0x0200_0000, "cgroup"), (0x80, "time"),
  ]

  static let calls: [EscapeAttempt] =
    [
      EscapeAttempt("mount-tmpfs", "no tmpfs is mounted"),
      EscapeAttempt("mount-bind", "no folder is bound to another place"),
      EscapeAttempt("mount-proc", "no second /proc is mounted"),
      EscapeAttempt("remount-root", "the root is not mounted anew", by: .root),
      EscapeAttempt("unmount-proc", "/proc is not unmounted", by: .root),
      EscapeAttempt("uncover:/proc/sys", "/proc/sys is not uncovered", by: .root),
      EscapeAttempt("fsopen", "no file system is opened by the newer calls", by: .root),
      EscapeAttempt("open-tree", "no tree of mounts is cloned"),
      EscapeAttempt("mount-setattr", "the root does not become writable", by: .root),
      EscapeAttempt("pivot-root", "the root is not changed by pivot_root"),
      EscapeAttempt("chroot", "the root is not changed by chroot", by: .root),
      EscapeAttempt("clone:\(namespaces[0].0)", "no user namespace is made by clone"),
      EscapeAttempt("clone3:\(namespaces[0].0)", "no user namespace is made by clone3"),
      EscapeAttempt("clone3:128", "no time namespace is made by clone3", by: .root),
      EscapeAttempt("mknod-memory", "no device node of the memory is made", by: .root),
      EscapeAttempt("mknod-disk", "no device node of a disk is made", by: .root),
      EscapeAttempt("add-key", "no key is added to a keyring"),
      EscapeAttempt("join-keyring", "no session keyring is joined"),
      EscapeAttempt("request-key", "no key is asked for"),
      EscapeAttempt("bpf", "no bpf map is made", by: .root),
      EscapeAttempt("perf", "no performance events are counted", by: .root),
      EscapeAttempt("userfaultfd:0", "page faults of the kernel are not handled", by: .root),
      EscapeAttempt("userfaultfd:1", "page faults of programs are not handled by userfaultfd"),
      EscapeAttempt("io-uring", "no io_uring is made"),
      EscapeAttempt("fanotify:0", "files are not watched by fanotify", by: .root),
      EscapeAttempt("fanotify:512", "files are not watched by fanotify's IDs"),
      EscapeAttempt("kexec", "no kernel is loaded", by: .root),
      EscapeAttempt("init-module", "no module is loaded", by: .root),
      EscapeAttempt("delete-module", "no module is unloaded", by: .root),
      EscapeAttempt("reboot", "the host is not restarted", by: .root),
      EscapeAttempt("swapon", "no swap space is added", by: .root),
      EscapeAttempt("acct", "no accounting is turned on", by: .root),
      EscapeAttempt("syslog", "the kernel's log is not read", by: .root),
      EscapeAttempt("ioperm", "no port of the hardware is opened", by: .root),
      EscapeAttempt(
        "handle:/input/package", "no file is opened by a handle of its file system", outside: "handle:.", by: .root),
      EscapeAttempt("clock-settime", "the clock is not set by clock_settime", by: .root),
      EscapeAttempt("settimeofday", "the clock is not set by settimeofday", by: .root),
      EscapeAttempt("adjtime", "the clock is not adjusted by adjtimex", by: .root),
      EscapeAttempt("adjtime:1", "the clock is not adjusted by clock_adjtime", by: .root),
      EscapeAttempt("personality", "addresses stay random"),
      EscapeAttempt("sethostname", "the host name is not changed"),
      EscapeAttempt("setuid", "nobody becomes root by setresuid", by: .root),
      EscapeAttempt("setgroups", "no group is joined", by: .root),
      EscapeAttempt("capset", "no capability is gained", by: .root),
      EscapeAttempt("nice", "a run's niceness is not lowered", by: .root),
      EscapeAttempt("tiocsti", "nothing is typed into a terminal"),
      EscapeAttempt("core", "a crash leaves no core to the host"),
      EscapeAttempt("raise-loopback", "no network device is turned on"),
    ] + namespaces.map { unshare($0.0, $0.1) }
    + [
      ("40/1/0", "vsock"), ("17/3/768", "packet"), ("2/3/1", "raw IPv4"), ("38/5/0", "kernel cryptography"),
      ("16/3/9", "netlink audit"), ("16/3/12", "netlink packet filter"), ("16/3/15", "netlink device events"),
      ("16/3/16", "generic netlink"), ("2/1/132", "SCTP"), ("31/3/1", "Bluetooth"), ("29/3/1", "CAN"),
    ].map { (socket: (String, String)) in
      EscapeAttempt("socket:\(socket.0)", "there is no \(socket.1) socket", by: .root)
    }

  static let processes: [EscapeAttempt] =
    [
      EscapeAttempt("ptrace", "process 1 is not traced"),
      EscapeAttempt("process-vm-readv", "process 1's memory is not read by process_vm_readv"),
      EscapeAttempt("pidfd-getfd", "no open file of process 1 is taken"),
      EscapeAttempt("kcmp", "process 1 is not compared with"),
      EscapeAttempt("setns:net", "process 1's network namespace is not entered", by: .root),
      EscapeAttempt("setns:mnt", "process 1's mount namespace is not entered", by: .root),
      EscapeAttempt("setns-pidfd", "process 1's namespaces are not entered by its pidfd", by: .root),
    ]
    + [
      ("+mem", "memory is not opened"), ("root", "root is not opened"), ("cwd", "folder is not opened"),
      ("environ", "environment is not read"), ("fd", "open files are not listed"), ("exe", "program is not opened"),
    ].map { EscapeAttempt("proc-of-init:\($0.0)", "process 1's \($0.1)") }

  static let sights: [EscapeAttempt] =
    [
      "sys/kernel/core_pattern", "sys/kernel/modprobe", "sys/kernel/panic", "sys/vm/drop_caches",
      "sys/fs/binfmt_misc/register", "sysrq-trigger", "irq/default_smp_affinity",
    ].map { EscapeAttempt("write:/proc/\($0)", "/proc/\($0) is not writable", by: .root) }
    + ["kcore", "kmsg", "keys", "key-users", "timer_list", "sched_debug", "acpi", "scsi", "asound", "interrupts"]
    .map { EscapeAttempt("read:/proc/\($0)", "/proc/\($0) is not readable", by: .root) }
    // Looked for and not opened: opening some of them does something.
    + [
      "mem", "kmem", "port", "kmsg", "kvm", "fuse", "loop0", "loop-control", "net/tun", "sda", "vda", "nvme0n1",
      "mapper/control", "tty0", "ttyS0", "userfaultfd", "vsock", "vhost-net", "watchdog", "uinput", "hpet",
    ].map { EscapeAttempt("exists:/dev/\($0)", "there is no /dev/\($0)") }
}
