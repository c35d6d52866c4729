import SyncProof
import SyncRuntime

/// 32 bytes of entropy as 24 English words: 256 bits and an 8-bit checksum, 11 bits a word.
///
/// Source: BIP-39, "Generating the mnemonic", with its English word list.
enum Mnemonic {
  static let wordCount = 24
  private static let bitsPerWord = 11

  /// The 2,048 words in the list's order, which is alphabetical.
  static let list: [String] = PackageResources.bip39_english_txt
    .split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }

  /// - Parameter entropy: Exactly 32 bytes.
  static func words(for entropy: [UInt8]) -> [String] {
    precondition(entropy.count == Digest.byteCount, "A 24-word mnemonic holds 32 bytes")
    let bytes = entropy + [checksum(of: entropy)]
    return (0..<wordCount).map { word in
      var index = 0
      for bit in word * bitsPerWord..<(word + 1) * bitsPerWord {
        index = index << 1 | Int(bytes[bit / 8] >> (7 - bit % 8) & 1)
      }
      return list[index]
    }
  }

  static func entropy(of mnemonic: String) throws(PluginError) -> [UInt8] {
    let words = mnemonic.lowercased().split(whereSeparator: \.isWhitespace)
    guard words.count == wordCount else {
      throw PluginError(.invalid, "The mnemonic has \(words.count) words; a seed is written as 24")
    }
    var bytes = [UInt8](repeating: 0, count: Digest.byteCount + 1)
    for (place, word) in words.enumerated() {
      guard let index = index(of: word) else {
        throw PluginError(
          .invalid, "Word \(place + 1) of the mnemonic is not in the BIP-39 English list; compare its spelling")
      }
      for offset in 0..<bitsPerWord where index >> (bitsPerWord - 1 - offset) & 1 == 1 {
        let bit = place * bitsPerWord + offset
        bytes[bit / 8] |= 0x80 >> UInt8(bit % 8)
      }
    }
    let entropy = [UInt8](bytes.dropLast())
    guard bytes.last == checksum(of: entropy) else {
      throw PluginError(
        .invalid, "The mnemonic's checksum does not fit: a word is wrong or two have changed places; compare them all")
    }
    return entropy
  }

  private static func checksum(of entropy: [UInt8]) -> UInt8 { SHA256.hash(entropy).bytes[0] }

  private static func index(of word: Substring) -> Int? {
    var (low, high) = (0, list.count)
    while low < high {
      let middle = (low + high) / 2
      if list[middle] < word { low = middle + 1 } else { high = middle }
    }
    return low < list.count && list[low] == word ? low : nil
  }
}
