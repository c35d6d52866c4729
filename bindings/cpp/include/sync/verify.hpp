// libsyncverify for C++17: checks, offline, that independent builders rebuilt an artifact.
//
//   const auto policy = synchronicity::Policy::load("policy");
//   const auto proof = synchronicity::Proof::load("itoa.tlog-proof");
//   const auto shown = policy.verify(proof, synchronicity::sha256_file("libitoa.rlib"));  // throws unless all held
//
// Everything is over <sync/verify.h>, whose rules hold: no file but those of the load, file and find functions, no
// socket, thread, lock or state between calls. The namespace is not sync, because <unistd.h> declares a function sync.
//
// What can fail comes twice: `try_x` is noexcept and gives a Result; `x` throws Error, and exists only where exceptions
// are switched on. Functions that read files exist only with exceptions too, and throw std::system_error besides.
//
// Policies and proofs are immutable: several threads may use one at once, but not while it is moved or destroyed. A
// moved-from object may be destroyed or assigned to; any other use is refused with Code::null_argument or finds
// nothing.
#ifndef SYNC_VERIFY_HPP
#define SYNC_VERIFY_HPP

#include <sync/verify.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#if defined(__cpp_exceptions) || defined(_CPPUNWIND)
#define SYNC_HAS_EXCEPTIONS 1
#include <cerrno>
#include <exception>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <system_error>
#include <unistd.h>
#else
#define SYNC_HAS_EXCEPTIONS 0
#endif

namespace synchronicity {

// The C interface's status numbers. There may be others: treat an unknown one as a refusal.
enum class Code : std::int32_t {
  ok = SYNC_OK,
  malformed = SYNC_ERROR_MALFORMED,
  too_large = SYNC_ERROR_TOO_LARGE,
  unsupported_version = SYNC_ERROR_UNSUPPORTED_VERSION,
  inclusion_mismatch = SYNC_ERROR_INCLUSION_MISMATCH,
  consistency_mismatch = SYNC_ERROR_CONSISTENCY_MISMATCH,
  untrusted_log = SYNC_ERROR_UNTRUSTED_LOG,
  invalid_signature = SYNC_ERROR_INVALID_SIGNATURE,
  quorum_missed = SYNC_ERROR_QUORUM_MISSED,
  reproducers_missed = SYNC_ERROR_REPRODUCERS_MISSED,
  artifact_mismatch = SYNC_ERROR_ARTIFACT_MISMATCH,
  verdict_mismatch = SYNC_ERROR_VERDICT_MISMATCH,
  invalid_key = SYNC_ERROR_INVALID_KEY,
  invalid_policy = SYNC_ERROR_INVALID_POLICY,
  group_mismatch = SYNC_ERROR_GROUP_MISMATCH,
  not_evidence = SYNC_ERROR_NOT_EVIDENCE,
  not_reproduced = SYNC_ERROR_NOT_REPRODUCED,
  invalid_reveal = SYNC_ERROR_INVALID_REVEAL,
  invalid_spec = SYNC_ERROR_INVALID_SPEC,
  not_handover = SYNC_ERROR_NOT_HANDOVER,
  wrong_epoch = SYNC_ERROR_WRONG_EPOCH,
  null_argument = SYNC_ERROR_NULL_ARGUMENT,
  unknown_flag = SYNC_ERROR_UNKNOWN_FLAG,
  struct_size = SYNC_ERROR_STRUCT_SIZE,
  abi_version = SYNC_ERROR_ABI_VERSION,
  out_of_range = SYNC_ERROR_OUT_OF_RANGE,
  invalid_argument = SYNC_ERROR_INVALID_ARGUMENT,
};

enum class Verdict : std::int32_t {
  none = SYNC_VERDICT_NONE,
  reproduced = SYNC_VERDICT_REPRODUCED,
  diverged = SYNC_VERDICT_DIVERGED,
  failed = SYNC_VERDICT_FAILED,
  inconclusive = SYNC_VERDICT_INCONCLUSIVE,
};

enum class BuilderState : std::int32_t {
  none = 0,
  revealed = SYNC_BUILDER_REVEALED,
  no_commitment = SYNC_BUILDER_NO_COMMITMENT,
  no_reveal = SYNC_BUILDER_NO_REVEAL,
  wrong_opening = SYNC_BUILDER_WRONG_OPENING,
  sandbox_fault = SYNC_BUILDER_SANDBOX_FAULT,
};

enum class EmbeddedForm : std::int32_t {
  none = SYNC_EMBEDDED_NONE,
  trailer = SYNC_EMBEDDED_TRAILER,
  archive_member = SYNC_EMBEDDED_ARCHIVE_MEMBER,
};

// A SHA-256 digest.
using Digest = std::array<std::byte, SYNC_SHA256_SIZE>;

// Times as in the formats: since 1970-01-01 UTC, without leap seconds. Any 64-bit number may stand in a file: check the
// range before making a clock's time point of one.
using Milliseconds = std::chrono::duration<std::uint64_t, std::milli>;
using Seconds = std::chrono::duration<std::uint64_t>;

// A digest in hexadecimal.
inline std::string to_hex(const Digest& digest) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * digest.size());
  for (const std::byte byte : digest) {
    text += digits[std::to_integer<std::size_t>(byte >> 4)];
    text += digits[std::to_integer<std::size_t>(byte & std::byte{15})];
  }
  return text;
}

// A digest from its 64 hexadecimal digits.
inline std::optional<Digest> digest_from_hex(std::string_view text) noexcept {
  const auto value = [](char digit) noexcept {
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
    return -1;
  };
  Digest digest{};
  if (text.size() != 2 * digest.size()) return std::nullopt;
  for (std::size_t i = 0; i < digest.size(); ++i) {
    const int high = value(text[2 * i]);
    const int low = value(text[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    digest[i] = static_cast<std::byte>(16 * high + low);
  }
  return digest;
}

// Version of the library that is linked, such as "0.1.0".
inline std::string_view library_version() noexcept { return sync_get_version(); }

// Why a call failed. Owns the library's error, so that making one allocates nothing. Can be moved, not copied.
class Failure {
 public:
  // Takes over `error`, which may be null.
  Failure(Code code, sync_error* error) noexcept : code_(code), error_(error) {}

  Code code() const noexcept { return code_; }
  // One sentence for people; lives as long as this.
  std::string_view message() const noexcept { return c_message(); }
  const char* c_message() const noexcept { return sync_error_get_message(error_.get()); }
  // The byte of the input at which reading stopped, where there is one.
  std::optional<std::uint64_t> offset() const noexcept {
    const std::int64_t offset = sync_error_get_offset(error_.get());
    return offset < 0 ? std::nullopt : std::optional<std::uint64_t>(static_cast<std::uint64_t>(offset));
  }
  // Whether the bytes are not in their format at all, in contrast to a proof that does not prove what is asked.
  bool is_malformed() const noexcept {
    return code_ == Code::malformed || code_ == Code::too_large || code_ == Code::unsupported_version;
  }

 private:
  struct Destroy {
    void operator()(sync_error* error) const noexcept { sync_error_destroy(error); }
  };
  Code code_;
  std::unique_ptr<sync_error, Destroy> error_;
};

#if SYNC_HAS_EXCEPTIONS
// What the functions without `try_` throw.
class Error : public std::exception {
 public:
  explicit Error(Failure failure) : failure_(std::make_shared<const Failure>(std::move(failure))) {}

  const char* what() const noexcept override { return failure_->c_message(); }
  Code code() const noexcept { return failure_->code(); }
  std::optional<std::uint64_t> offset() const noexcept { return failure_->offset(); }
  bool is_malformed() const noexcept { return failure_->is_malformed(); }

 private:
  // Shared, because copying an exception must not throw.
  std::shared_ptr<const Failure> failure_;
};
#endif

// A value, or why there is none.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) noexcept : held_(std::in_place_index<0>, std::move(value)) {}
  Result(Failure failure) noexcept : held_(std::in_place_index<1>, std::move(failure)) {}

  bool has_value() const noexcept { return held_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }

  // The value. Where there is none, the program is ended.
  T& operator*() & noexcept { return *checked(std::get_if<0>(&held_)); }
  const T& operator*() const& noexcept { return *checked(std::get_if<0>(&held_)); }
  T&& operator*() && noexcept { return std::move(*checked(std::get_if<0>(&held_))); }
  T* operator->() noexcept { return checked(std::get_if<0>(&held_)); }
  const T* operator->() const noexcept { return checked(std::get_if<0>(&held_)); }

  // Why there is no value. Where there is one, the program is ended.
  const Failure& failure() const& noexcept { return *checked(std::get_if<1>(&held_)); }
  Failure&& failure() && noexcept { return std::move(*checked(std::get_if<1>(&held_))); }

#if SYNC_HAS_EXCEPTIONS
  // The value. Throws Error where there is none.
  T value() && {
    if (!has_value()) throw Error(std::move(*this).failure());
    return std::move(**this);
  }
#endif

 private:
  template <class Held>
  static Held* checked(Held* held) noexcept {
    if (held == nullptr) std::abort();
    return held;
  }
  std::variant<T, Failure> held_;
};

namespace detail {

inline const std::uint8_t* bytes(std::string_view text) noexcept {
  return reinterpret_cast<const std::uint8_t*>(text.data());
}
inline const std::uint8_t* bytes(const Digest& digest) noexcept {
  return reinterpret_cast<const std::uint8_t*>(digest.data());
}
inline Digest digest(const std::uint8_t (&bytes)[SYNC_SHA256_SIZE]) noexcept {
  Digest digest{};
  std::memcpy(digest.data(), bytes, digest.size());
  return digest;
}
// A string of the library; null stands in a struct that no call has filled.
inline std::string_view view(const char* text) noexcept {
  return text == nullptr ? std::string_view() : std::string_view(text);
}

// A struct that no call has filled.
template <class Struct>
Struct opened() noexcept {
  Struct value{};
  value.struct_size = sizeof(Struct);
  value.abi_version = SYNC_ABI_VERSION;
  return value;
}

// What `get` fills, or an empty struct if it refuses: an index out of range, or a moved-from object.
template <class Struct, class Function, class... Arguments>
Struct got(Function get, Arguments... arguments) noexcept {
  Struct value = opened<Struct>();
  if (get(arguments..., &value, nullptr) != SYNC_OK) value = opened<Struct>();
  return value;
}

// The items of a proof, made when they are looked at.
template <class Item>
class Items {
 public:
  using Make = Item (*)(const sync_proof*, std::uint32_t) noexcept;

  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Item;
    using difference_type = std::ptrdiff_t;
    using pointer = const Item*;
    using reference = Item;

    Iterator() noexcept = default;
    Iterator(const Items* items, std::uint32_t index) noexcept : items_(*items), index_(index) {}
    Item operator*() const noexcept { return items_[index_]; }
    Iterator& operator++() noexcept {
      ++index_;
      return *this;
    }
    Iterator operator++(int) noexcept {
      const Iterator before = *this;
      ++index_;
      return before;
    }
    friend bool operator==(const Iterator& a, const Iterator& b) noexcept { return a.index_ == b.index_; }
    friend bool operator!=(const Iterator& a, const Iterator& b) noexcept { return !(a == b); }

   private:
    Items items_;
    std::uint32_t index_ = 0;
  };

  Items() noexcept = default;
  Items(const sync_proof* proof, std::uint32_t count, Make make) noexcept
      : proof_(proof), count_(count), make_(make) {}

  std::size_t size() const noexcept { return count_; }
  bool empty() const noexcept { return count_ == 0; }
  // One item; an empty one at and above size().
  Item operator[](std::size_t index) const noexcept {
    return index < count_ ? make_(proof_, static_cast<std::uint32_t>(index)) : Item{};
  }
  Iterator begin() const noexcept { return Iterator(this, 0); }
  Iterator end() const noexcept { return Iterator(this, count_); }

 private:
  const sync_proof* proof_ = nullptr;
  std::uint32_t count_ = 0;
  Make make_ = nullptr;
};

}  // namespace detail

// What a proof has shown.
struct Verification {
  Verdict verdict = Verdict::none;
  std::uint32_t cosigners = 0;    // witnesses of the policy whose cosignatures on the checkpoint count
  std::uint32_t reproducers = 0;  // builders of the policy that signed for this very artifact
  std::uint32_t builders = 0;     // members that the evidence accounts for, present or absent
  std::uint64_t leaf_index = 0;   // zero-based number of the evidence in the log
  std::uint64_t tree_size = 0;    // leaves in the log at the checkpoint
  std::uint64_t height = 0;       // height of the decided block that gave the verdict
  Milliseconds time{};            // that block's decided time
  std::array<std::uint8_t, 16> reproducer_bits{};
  std::array<std::uint8_t, 16> cosigner_bits{};

  // Whether the proof's builder of this index is one of the reproducers.
  bool is_reproducer(std::size_t builder) const noexcept { return has_bit(reproducer_bits, builder); }
  // Whether the proof's signature of this index is one of the cosigners'.
  bool is_cosigner(std::size_t signature) const noexcept { return has_bit(cosigner_bits, signature); }

 private:
  static bool has_bit(const std::array<std::uint8_t, 16>& bits, std::size_t index) noexcept {
    return index / 8 < bits.size() && ((bits[index / 8] >> (index % 8)) & 1) != 0;
  }
};

// What follows is what a proof says of itself: believe it once the proof is verified. Texts belong to the proof and
// live as long as it does.

struct ProofInfo {
  std::string_view log_origin;       // the log's name, which is its group's
  std::string_view package;          // the package URL, such as pkg:cargo/itoa@1.0.4
  std::string_view package_name;     // itoa: what stands between the type and the version, as it stands there
  std::string_view package_version;  // 1.0.4; empty where the URL has none
  std::string_view submitter;        // the member that asked for the rebuild
  Digest job_id{};                   // digest of the build spec
  Digest source_sha256{};            // tree digest of the package's own source; zero where there is none
  Digest toolchain_sha256{};         // digest of the toolchain
  std::uint64_t leaf_index = 0;
  std::uint64_t tree_size = 0;
  std::uint64_t epoch = 0;  // the group's membership in force
  std::uint64_t height = 0;
  Milliseconds time{};
  Verdict verdict = Verdict::none;
  std::uint32_t agreeing = 0;       // builders behind the first outcome
  std::uint32_t reproducers = 0;    // how many the group asks for
  std::uint32_t outcome_count = 0;  // distinct outcomes that were revealed
};

struct Builder {
  BuilderState state = BuilderState::none;
  std::uint32_t outcome = 0;   // which outcome it revealed, 0 being the one with most builders; 0 unless it revealed
  std::string_view name;       // its name in the group
  std::string_view sandbox;    // what it says of its sandbox; empty unless it revealed, as for the next two
  std::string_view processor;
  std::string_view kernel;
  Digest outcome_sha256{};  // digest of that outcome; zero unless it revealed
};

struct Artifact {
  std::string_view path;   // below the build's output folder
  std::uint64_t size = 0;  // bytes
  std::uint32_t mode = 0;  // permission bits, such as 0644
  Digest sha256{};
};

struct Source {
  std::string_view package;  // its package URL
  std::string_view origin;   // where it came from, by the submitter's word
  Digest tree_sha256{};      // digest of the tree that was built
  std::optional<Digest> claimed_sha256;  // the packager's checksum of its archive, where there is one
};

struct Signature {
  std::string_view name;        // the key's name
  std::uint32_t key_id = 0;     // the key's ID, its four bytes read big-endian
  std::optional<Seconds> time;  // when a timestamped cosignature says that it was made
};

// A proof that is taken apart, and believed in nothing. Can be moved, not copied.
class Proof {
 public:
  static Result<Proof> try_parse(std::string_view proof) noexcept {
    sync_proof* created = nullptr;
    sync_error* error = nullptr;
    const auto status = sync_proof_create(detail::bytes(proof), proof.size(), 0, &created, &error);
    if (status != SYNC_OK) return Failure(Code(status), error);
    return Proof(created);
  }

  // All zero and empty for a moved-from proof.
  ProofInfo info() const noexcept {
    const auto raw = raw_info();
    return {detail::view(raw.log_origin),
            detail::view(raw.package),
            detail::view(raw.package_name),
            detail::view(raw.package_version),
            detail::view(raw.submitter),
            detail::digest(raw.job_id),
            detail::digest(raw.source_sha256),
            detail::digest(raw.toolchain_sha256),
            raw.leaf_index,
            raw.tree_size,
            raw.epoch,
            raw.height,
            Milliseconds(raw.time_milliseconds),
            Verdict(raw.verdict),
            raw.agreeing,
            raw.reproducers,
            raw.outcome_count};
  }
  // Every member of the group, sorted by name.
  detail::Items<Builder> builders() const& noexcept { return {proof_.get(), raw_info().builder_count, &builder}; }
  // What was rebuilt, sorted by path; empty unless the verdict is reproduced.
  detail::Items<Artifact> artifacts() const& noexcept { return {proof_.get(), raw_info().artifact_count, &artifact}; }
  // What the build was given, in the spec's order.
  detail::Items<Source> sources() const& noexcept { return {proof_.get(), raw_info().source_count, &source}; }
  // The checkpoint's signature lines, whoever made them.
  detail::Items<Signature> signatures() const& noexcept {
    return {proof_.get(), raw_info().signature_count, &signature};
  }
  // A loop over these would outlive the proof.
  detail::Items<Builder> builders() const&& = delete;
  detail::Items<Artifact> artifacts() const&& = delete;
  detail::Items<Source> sources() const&& = delete;
  detail::Items<Signature> signatures() const&& = delete;

  const sync_proof* get() const noexcept { return proof_.get(); }

#if SYNC_HAS_EXCEPTIONS
  static Proof parse(std::string_view proof) { return try_parse(proof).value(); }
  // Reads a file, at most one byte more than a proof may have.
  static Proof load(const std::string& path);
#endif

 private:
  struct Destroy {
    void operator()(sync_proof* proof) const noexcept { sync_proof_destroy(proof); }
  };
  explicit Proof(sync_proof* proof) noexcept : proof_(proof) {}

  sync_proof_info raw_info() const noexcept {
    return detail::got<sync_proof_info>(&sync_proof_get_info, proof_.get());
  }
  static Builder builder(const sync_proof* proof, std::uint32_t index) noexcept {
    const auto raw = detail::got<sync_builder_info>(&sync_proof_get_builder, proof, index);
    return {BuilderState(raw.state),     raw.outcome,
            detail::view(raw.name),      detail::view(raw.sandbox),
            detail::view(raw.processor), detail::view(raw.kernel),
            detail::digest(raw.outcome_sha256)};
  }
  static Artifact artifact(const sync_proof* proof, std::uint32_t index) noexcept {
    const auto raw = detail::got<sync_artifact_info>(&sync_proof_get_artifact, proof, index);
    return {detail::view(raw.path), raw.size, raw.mode, detail::digest(raw.sha256)};
  }
  static Source source(const sync_proof* proof, std::uint32_t index) noexcept {
    const auto raw = detail::got<sync_source_info>(&sync_proof_get_source, proof, index);
    Source source{detail::view(raw.package), detail::view(raw.origin), detail::digest(raw.tree_sha256), std::nullopt};
    if (raw.has_claim != 0) source.claimed_sha256 = detail::digest(raw.claimed_sha256);
    return source;
  }
  static Signature signature(const sync_proof* proof, std::uint32_t index) noexcept {
    const auto raw = detail::got<sync_signature_info>(&sync_proof_get_signature, proof, index);
    Signature signature{detail::view(raw.name), raw.key_id, std::nullopt};
    if (raw.is_timed != 0) signature.time = Seconds(raw.time_seconds);
    return signature;
  }

  std::unique_ptr<sync_proof, Destroy> proof_;
};

namespace detail {

inline Result<Verification> verified(sync_status status, const sync_verification& raw, sync_error* error) noexcept {
  if (status != SYNC_OK) return Failure(Code(status), error);
  Verification shown;
  shown.verdict = Verdict(raw.verdict);
  shown.cosigners = raw.cosigners;
  shown.reproducers = raw.reproducers;
  shown.builders = raw.builders;
  shown.leaf_index = raw.leaf_index;
  shown.tree_size = raw.tree_size;
  shown.height = raw.height;
  shown.time = Milliseconds(raw.time_milliseconds);
  std::memcpy(shown.reproducer_bits.data(), raw.reproducer_bits, sizeof raw.reproducer_bits);
  std::memcpy(shown.cosigner_bits.data(), raw.cosigner_bits, sizeof raw.cosigner_bits);
  return shown;
}

}  // namespace detail

// A trust policy, parsed once to verify many proofs. Can be moved, not copied.
class Policy {
 public:
  static Result<Policy> try_parse(std::string_view policy) noexcept {
    sync_policy* created = nullptr;
    sync_error* error = nullptr;
    const auto status = sync_policy_create(detail::bytes(policy), policy.size(), 0, &created, &error);
    if (status != SYNC_OK) return Failure(Code(status), error);
    return Policy(created);
  }

  // Goes on by a hand-over: a proof file's bytes, by which the builders of this policy hand over to those of the next
  // epoch. Gives another policy, by which proofs of either epoch hold; this one stays as it is, and neither needs the
  // other.
  //
  // The epoch is the one that this policy is of, which the hand-over must end, else Code::wrong_epoch: 0 for a group's
  // first policy, and one more behind each hand-over. Take it from where the policy came from and never from the
  // hand-over: most builders stay from epoch to epoch, so that an earlier epoch's hand-over, which leads back to
  // members who have left, may hold as well.
  Result<Policy> try_follow(std::uint64_t epoch, std::string_view handover) const noexcept {
    sync_policy* created = nullptr;
    sync_error* error = nullptr;
    const auto status = sync_policy_follow(
        policy_.get(), epoch, detail::bytes(handover), handover.size(), 0, &created, &error);
    if (status != SYNC_OK) return Failure(Code(status), error);
    return Policy(created);
  }

  // Checks that the policy's builders rebuilt this very artifact. The result has a value only if all of it holds.
  Result<Verification> try_verify(const Proof& proof, const Digest& artifact) const noexcept {
    sync_verification raw = SYNC_VERIFICATION_INIT;
    sync_error* error = nullptr;
    const auto status = sync_proof_verify(proof.get(), policy_.get(), detail::bytes(artifact), 0, &raw, &error);
    return detail::verified(status, raw, error);
  }
  // The same with a proof's bytes.
  Result<Verification> try_verify(std::string_view proof, const Digest& artifact) const noexcept {
    sync_verification raw = SYNC_VERIFICATION_INIT;
    sync_error* error = nullptr;
    const auto status = sync_policy_verify(
        policy_.get(), detail::bytes(proof), proof.size(), detail::bytes(artifact), 0, &raw, &error);
    return detail::verified(status, raw, error);
  }

  const sync_policy* get() const noexcept { return policy_.get(); }

#if SYNC_HAS_EXCEPTIONS
  static Policy parse(std::string_view policy) { return try_parse(policy).value(); }
  // Reads a file, at most one byte more than a policy may have.
  static Policy load(const std::string& path);
  Policy follow(std::uint64_t epoch, std::string_view handover) const { return try_follow(epoch, handover).value(); }
  Verification verify(const Proof& proof, const Digest& artifact) const { return try_verify(proof, artifact).value(); }
  Verification verify(std::string_view proof, const Digest& artifact) const {
    return try_verify(proof, artifact).value();
  }
#endif

 private:
  struct Destroy {
    void operator()(sync_policy* policy) const noexcept { sync_policy_destroy(policy); }
  };
  explicit Policy(sync_policy* policy) noexcept : policy_(policy) {}
  std::unique_ptr<sync_policy, Destroy> policy_;
};

// One proof by one policy, from their bytes.
inline Result<Verification> try_verify(
    std::string_view policy, std::string_view proof, const Digest& artifact) noexcept {
  sync_verification raw = SYNC_VERIFICATION_INIT;
  sync_error* error = nullptr;
  const auto status = sync_verify(detail::bytes(policy), policy.size(), detail::bytes(proof), proof.size(),
                                  detail::bytes(artifact), 0, &raw, &error);
  return detail::verified(status, raw, error);
}

// SHA-256 of bytes that come in pieces. Can be moved, not copied; for one thread at a time.
class Hasher {
 public:
  static Result<Hasher> try_create() noexcept {
    sync_hasher* created = nullptr;
    sync_error* error = nullptr;
    const auto status = sync_hasher_create(0, &created, &error);
    if (status != SYNC_OK) return Failure(Code(status), error);
    return Hasher(created);
  }

  // Takes the next piece. Gives why not, or nothing.
  [[nodiscard]] std::optional<Failure> try_update(const void* bytes, std::size_t size) noexcept {
    sync_error* error = nullptr;
    const auto status = sync_hasher_update(hasher_.get(), bytes, size, &error);
    return status == SYNC_OK ? std::nullopt : std::make_optional<Failure>(Code(status), error);
  }
  [[nodiscard]] std::optional<Failure> try_update(std::string_view bytes) noexcept {
    return try_update(bytes.data(), bytes.size());
  }
  // The digest of all pieces; the hasher is then as new.
  Result<Digest> try_finish() noexcept {
    std::uint8_t bytes[SYNC_SHA256_SIZE] = {};
    sync_error* error = nullptr;
    const auto status = sync_hasher_finish(hasher_.get(), bytes, &error);
    if (status != SYNC_OK) return Failure(Code(status), error);
    return detail::digest(bytes);
  }

#if SYNC_HAS_EXCEPTIONS
  Hasher() : Hasher(try_create().value()) {}
  void update(const void* bytes, std::size_t size) {
    if (auto failure = try_update(bytes, size)) throw Error(std::move(*failure));
  }
  void update(std::string_view bytes) { update(bytes.data(), bytes.size()); }
  Digest finish() { return try_finish().value(); }
#endif

 private:
  struct Destroy {
    void operator()(sync_hasher* hasher) const noexcept { sync_hasher_destroy(hasher); }
  };
  explicit Hasher(sync_hasher* hasher) noexcept : hasher_(hasher) {}
  std::unique_ptr<sync_hasher, Destroy> hasher_;
};

// Where in a file its proof is. The artifact that the proof is about is the file's first content_size bytes.
struct Embedded {
  EmbeddedForm form = EmbeddedForm::none;
  std::uint64_t content_size = 0;  // the file's size where nothing is embedded
  std::uint64_t proof_offset = 0;  // 0 where nothing is embedded, as for the next
  std::uint64_t proof_size = 0;
};

// Looks for a proof inside a file from its first SYNC_EMBEDDED_HEAD_SIZE and its last SYNC_EMBEDDED_TAIL_SIZE bytes, or
// all of it where it is smaller. A file that ends like a proof but holds none is Code::malformed.
inline Result<Embedded> try_find_embedded(
    std::string_view head, std::string_view tail, std::uint64_t file_size) noexcept {
  auto raw = detail::opened<sync_embedded>();
  sync_error* error = nullptr;
  const auto status = sync_embedded_find(
      detail::bytes(head), head.size(), detail::bytes(tail), tail.size(), file_size, 0, &raw, &error);
  if (status != SYNC_OK) return Failure(Code(status), error);
  return Embedded{EmbeddedForm(raw.form), raw.content_size, raw.proof_offset, raw.proof_size};
}

#if SYNC_HAS_EXCEPTIONS

namespace detail {

// What is read of a proof or policy: one byte too many is what the library refuses.
constexpr std::uint64_t proof_bytes = std::uint64_t{SYNC_PROOF_BYTES_MAX} + 1;
constexpr std::uint64_t policy_bytes = std::uint64_t{SYNC_POLICY_BYTES_MAX} + 1;

// A regular file that is read; a pipe or a device would block, or never end. Throws std::system_error.
class InputFile {
 public:
  explicit InputFile(const std::string& path) : path_(path) {
    // Without O_NONBLOCK, opening a pipe waits for its writer.
    file_ = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (file_ < 0) fail("cannot be opened");
    struct stat status;
    const bool is_known = ::fstat(file_, &status) == 0;
    if (is_known && S_ISREG(status.st_mode)) return;
    const int error = is_known ? EINVAL : errno;
    ::close(file_);
    errno = error;
    fail(is_known ? "is not a regular file" : "cannot be opened");
  }
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;
  ~InputFile() { ::close(file_); }

  // The next bytes, fewer at the end.
  std::size_t read(char* to, std::size_t size) {
    std::size_t done = 0;
    errno = 0;
    while (done < size) {
      const ssize_t count = ::read(file_, to + done, size - done);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fail("cannot be read");
      if (count == 0) break;
      done += static_cast<std::size_t>(count);
    }
    return done;
  }
  std::string read(std::uint64_t size) {
    std::string bytes(static_cast<std::size_t>(size), '\0');
    bytes.resize(read(bytes.data(), bytes.size()));
    return bytes;
  }
  // The next bytes, all of which there must be.
  std::string read_exactly(std::uint64_t size) {
    std::string bytes = read(size);
    if (bytes.size() != size) fail("became shorter while it was read");
    return bytes;
  }
  void seek(std::uint64_t offset) {
    errno = 0;
    const auto wanted = static_cast<off_t>(offset);
    if (::lseek(file_, wanted, SEEK_SET) != wanted) fail("cannot be read at any place");
  }
  std::uint64_t size() {
    errno = 0;
    const off_t size = ::lseek(file_, 0, SEEK_END);
    if (size < 0) fail("has no size");
    return static_cast<std::uint64_t>(size);
  }
  // The digest of the next `size` bytes, or of all that is left.
  Digest sha256(std::optional<std::uint64_t> size = std::nullopt) {
    Hasher hasher;
    std::string piece(std::size_t{1} << 18, '\0');
    while (!size || *size > 0) {
      const std::size_t wanted = size && *size < piece.size() ? static_cast<std::size_t>(*size) : piece.size();
      const std::size_t count = read(piece.data(), wanted);
      if (size && count < wanted) fail("became shorter while it was read");
      hasher.update(piece.data(), count);
      if (count < wanted) break;
      if (size) *size -= count;
    }
    return hasher.finish();
  }

  [[noreturn]] void fail(const char* what) const {
    throw std::system_error(errno == 0 ? EIO : errno, std::generic_category(), path_ + " " + what);
  }

 private:
  std::string path_;
  int file_;
};

struct FoundEmbedded {
  Embedded where;
  std::string proof;
};

inline FoundEmbedded find_embedded(InputFile& file) {
  const std::uint64_t size = file.size();
  file.seek(0);
  const std::string head = file.read_exactly(size < SYNC_EMBEDDED_HEAD_SIZE ? size : SYNC_EMBEDDED_HEAD_SIZE);
  const std::uint64_t tail_size = size < SYNC_EMBEDDED_TAIL_SIZE ? size : SYNC_EMBEDDED_TAIL_SIZE;
  file.seek(size - tail_size);
  const std::string tail = file.read_exactly(tail_size);
  FoundEmbedded found{try_find_embedded(head, tail, size).value(), {}};
  if (found.where.form != EmbeddedForm::none) {
    const std::uint64_t start = found.where.proof_offset - (size - tail_size);
    found.proof = tail.substr(static_cast<std::size_t>(start), static_cast<std::size_t>(found.where.proof_size));
  }
  return found;
}

}  // namespace detail

inline Proof Proof::load(const std::string& path) {
  return parse(detail::InputFile(path).read(detail::proof_bytes));
}

inline Policy Policy::load(const std::string& path) {
  return parse(detail::InputFile(path).read(detail::policy_bytes));
}

// The digest of a file.
inline Digest sha256_file(const std::string& path) { return detail::InputFile(path).sha256(); }

// Looks for a proof inside a file.
inline Embedded find_embedded(const std::string& path) {
  detail::InputFile file(path);
  return detail::find_embedded(file).where;
}

// What verify_file gives: what was shown, and the proof, whose words are now to be believed.
struct VerifiedFile {
  Verification verification;
  Proof proof;
  Digest artifact{};
};

// Verifies a file by the proof inside it or, where there is none, by the file `path + ".tlog-proof"`. With a proof
// inside, the artifact is what stands before it.
inline VerifiedFile verify_file(const std::string& path, const Policy& policy) {
  detail::InputFile file(path);
  const auto found = detail::find_embedded(file);
  const bool is_inside = found.where.form != EmbeddedForm::none;
  const std::string proof = is_inside ? found.proof : detail::InputFile(path + ".tlog-proof").read(detail::proof_bytes);
  file.seek(0);
  const Digest artifact = is_inside ? file.sha256(found.where.content_size) : file.sha256();
  const Verification shown = policy.verify(proof, artifact);
  return {shown, Proof::parse(proof), artifact};
}

#endif

}  // namespace synchronicity

#endif
