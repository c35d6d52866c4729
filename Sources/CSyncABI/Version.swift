// swift-format-ignore-file: AlwaysUseLowerCamelCase
// Implements include/sync/version.h: the versions.

import CSync

/// The header's three numbers; the C tests hold the two together.
private let versionText: StaticString = "0.1.0"

@c @implementation
public func sync_get_version() -> UnsafePointer<CChar>! { cString(versionText) }

@c @implementation
public func sync_get_abi_version() -> UInt32 { UInt32(SYNC_ABI_VERSION) }

/// A literal as C sees it: ended by a NUL, there for as long as the library is loaded.
func cString(_ text: StaticString) -> UnsafePointer<CChar> {
  UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
}
