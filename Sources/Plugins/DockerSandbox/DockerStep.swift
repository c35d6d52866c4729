/// The steps of an import and of a run, in their order: what a test is told so that it can kill this process there.
package enum DockerStep: String, CaseIterable, Sendable {
  /// The import's lock is taken; nothing is sent.
  case importBegun
  /// Half of the toolchain's tar is sent.
  case importHalf
  /// The engine has answered; the lock is still there.
  case importFinished
  /// The run's mark is made.
  case marked
  /// A container that only answers what the toolchain has is made.
  case asked
  /// The run's tmpfs is mounted.
  case mounted
  case created
  case attached
  case started
  /// The run was looked at for the first time.
  case running
  /// The end was told, or a limit has struck; the container is still there.
  case ended
  /// The container is gone; nothing is brought home.
  case removed
  /// The outputs are on the host; the tmpfs is still there.
  case harvested
  /// All is gone but the mark.
  case unmounted
}

/// Told of each step; nothing in a release listens.
package typealias DockerStepHandler = @Sendable (DockerStep) -> Void
