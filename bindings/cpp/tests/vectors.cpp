// usage: vectors VECTORS FOLDER
// The vectors that every form of the verifier and every binding runs, and what the classes promise. Compiles without
// exceptions; FOLDER is for files that the test makes.
#include <atomic>
#include <limits>
#include <sys/wait.h>
#include <thread>
#include <type_traits>
#include <unistd.h>

#include "support.hpp"

namespace sy = synchronicity;

static_assert(!std::is_copy_constructible_v<sy::Policy> && std::is_nothrow_move_constructible_v<sy::Policy>);
static_assert(!std::is_copy_constructible_v<sy::Proof> && std::is_nothrow_move_assignable_v<sy::Proof>);
static_assert(!std::is_copy_constructible_v<sy::Hasher> && std::is_nothrow_move_constructible_v<sy::Hasher>);
static_assert(std::is_nothrow_move_constructible_v<sy::Result<sy::Proof>>);
static_assert(std::is_trivially_copyable_v<sy::Verification>, "a verdict is a value");
static_assert(noexcept(sy::Policy::try_parse({})) && noexcept(sy::Proof::try_parse({})));

static std::string vectors;

static int number(const std::string& text) { return std::atoi(text.c_str()); }

// The status by one call with the bytes; that by a parsed policy is the same, that by a parsed proof a refusal too.
static int status_of(const std::string& policy, const std::string& proof, const sy::Digest& digest) {
  const auto at_once = sy::try_verify(policy, proof, digest);
  const auto parsed_policy = sy::Policy::try_parse(policy);
  if (!parsed_policy) {
    CHECK(!at_once && at_once.failure().code() == parsed_policy.failure().code());
    return static_cast<int>(parsed_policy.failure().code());
  }
  const auto by_bytes = parsed_policy->try_verify(proof, digest);
  CHECK(by_bytes.has_value() == at_once.has_value());
  const auto parsed_proof = sy::Proof::try_parse(proof);
  const bool holds = parsed_proof && parsed_policy->try_verify(*parsed_proof, digest);
  CHECK(holds == at_once.has_value());
  if (!at_once) {
    CHECK(by_bytes.failure().code() == at_once.failure().code());
    CHECK(!at_once.failure().message().empty());
    return static_cast<int>(at_once.failure().code());
  }
  std::uint32_t reproducers = 0, cosigners = 0;
  for (std::size_t i = 0; i < parsed_proof->builders().size(); ++i) reproducers += at_once->is_reproducer(i);
  for (std::size_t i = 0; i < parsed_proof->signatures().size(); ++i) cosigners += at_once->is_cosigner(i);
  CHECK(at_once->verdict == sy::Verdict::reproduced);
  CHECK(reproducers == at_once->reproducers && reproducers > 0);
  CHECK(cosigners == at_once->cosigners);
  CHECK(at_once->builders == parsed_proof->builders().size());
  CHECK(at_once->time == parsed_proof->info().time && at_once->leaf_index < at_once->tree_size);
  CHECK(!at_once->is_reproducer(128) && !at_once->is_cosigner(static_cast<std::size_t>(-1)));
  return 0;
}

static void cases() {
  int accepted = 0, refused = 0;
  for (const auto& row : rows(vectors + "/cases.tsv")) {
    const auto digest = sy::digest_from_hex(row[3]);
    if (!CHECK_ABOUT(row[0], digest.has_value())) continue;
    CHECK(sy::to_hex(*digest) == row[3]);
    const int got = status_of(read_file(vectors + "/" + row[1]), read_file(vectors + "/" + row[2]), *digest);
    CHECK_ABOUT(row[0] + ": got " + std::to_string(got) + ", wanted " + row[4], got == number(row[4]));
    ++(row[4] == "0" ? accepted : refused);
  }
  CHECK(accepted >= 40 && refused >= 200);
  std::printf("cases: %d accepted, %d refused\n", accepted, refused);
}

class Listing {
 public:
  void line(const std::string& key, std::string_view value) { text += key + "\t" + std::string(value) + "\n"; }
  void line(const std::string& key, std::uint64_t value) { line(key, std::to_string(value)); }
  void line(const std::string& key, const sy::Digest& value) { line(key, sy::to_hex(value)); }
  std::string text;
};

static std::string described(const sy::Proof& proof) {
  Listing to;
  const auto info = proof.info();
  to.line("log_origin", info.log_origin);
  to.line("package", info.package);
  to.line("package_name", info.package_name);
  to.line("package_version", info.package_version);
  to.line("submitter", info.submitter);
  to.line("job_id", info.job_id);
  to.line("source_sha256", info.source_sha256);
  to.line("toolchain_sha256", info.toolchain_sha256);
  to.line("leaf_index", info.leaf_index);
  to.line("tree_size", info.tree_size);
  to.line("epoch", info.epoch);
  to.line("height", info.height);
  to.line("time_milliseconds", info.time.count());
  to.line("verdict", static_cast<std::uint64_t>(info.verdict));
  to.line("agreeing", info.agreeing);
  to.line("reproducers", info.reproducers);
  to.line("builder_count", proof.builders().size());
  to.line("artifact_count", proof.artifacts().size());
  to.line("source_count", proof.sources().size());
  to.line("signature_count", proof.signatures().size());
  to.line("outcome_count", info.outcome_count);
  int index = 0;
  for (const sy::Builder& builder : proof.builders()) {
    const std::string at = "builder." + std::to_string(index++) + ".";
    to.line(at + "state", static_cast<std::uint64_t>(builder.state));
    to.line(at + "outcome", builder.outcome);
    to.line(at + "name", builder.name);
    to.line(at + "sandbox", builder.sandbox);
    to.line(at + "processor", builder.processor);
    to.line(at + "kernel", builder.kernel);
    to.line(at + "outcome_sha256", builder.outcome_sha256);
  }
  index = 0;
  for (const sy::Artifact& artifact : proof.artifacts()) {
    const std::string at = "artifact." + std::to_string(index++) + ".";
    to.line(at + "path", artifact.path);
    to.line(at + "size", artifact.size);
    to.line(at + "mode", artifact.mode);
    to.line(at + "sha256", artifact.sha256);
  }
  index = 0;
  for (const sy::Source& source : proof.sources()) {
    const std::string at = "source." + std::to_string(index++) + ".";
    to.line(at + "package", source.package);
    to.line(at + "origin", source.origin);
    to.line(at + "tree_sha256", source.tree_sha256);
    to.line(at + "claimed_sha256", source.claimed_sha256.value_or(sy::Digest{}));
    to.line(at + "has_claim", source.claimed_sha256.has_value());
  }
  index = 0;
  for (const sy::Signature& signature : proof.signatures()) {
    const std::string at = "signature." + std::to_string(index++) + ".";
    char key_id[9];
    std::snprintf(key_id, sizeof key_id, "%08x", static_cast<unsigned>(signature.key_id));
    to.line(at + "name", signature.name);
    to.line(at + "key_id", std::string_view(key_id));
    to.line(at + "is_timed", signature.time.has_value());
    to.line(at + "time_seconds", signature.time.value_or(sy::Seconds()).count());
  }
  return to.text;
}

static void descriptions() {
  int count = 0;
  std::string last;
  for (const auto& row : rows(vectors + "/cases.tsv")) {
    if (row[4] != "0" || row[2] == last) continue;
    last = row[2];
    const std::string name = row[2].substr(7, row[2].size() - 7 - 11);
    const auto proof = sy::Proof::try_parse(read_file(vectors + "/" + row[2]));
    CHECK_ABOUT(name, proof && described(*proof) == read_file(vectors + "/described/" + name + ".txt"));
    ++count;
  }
  CHECK(count >= 40);
  std::printf("described: %d proofs\n", count);
}

// The status of following the row's hand-overs, each by the policy that the one before it gave, and of its proof.
static int status_of(const std::vector<std::string>& row) {
  auto policy = sy::Policy::try_parse(read_file(vectors + "/" + row[1]));
  if (!CHECK_ABOUT(row[0], policy.has_value())) return -1;
  const auto paths = row[3] == "-" ? std::vector<std::string>() : split(row[3], ' ');
  std::uint64_t epoch = std::strtoull(row[2].c_str(), nullptr, 10);
  for (const auto& path : paths) {
    auto next = policy->try_follow(epoch++, read_file(vectors + "/" + path));
    if (!next) {
      CHECK_ABOUT(row[0], !next.failure().message().empty());
      return static_cast<int>(next.failure().code());
    }
    policy = std::move(next);
  }
  if (row[4] == "-") return 0;
  const auto digest = sy::digest_from_hex(row[5]);
  if (!CHECK_ABOUT(row[0], digest.has_value())) return -1;
  const std::string proof = read_file(vectors + "/" + row[4]);
  const auto shown = policy->try_verify(proof, *digest);
  const auto parsed = sy::Proof::try_parse(proof);
  const bool holds = parsed && policy->try_verify(*parsed, *digest);
  CHECK_ABOUT(row[0], holds == shown.has_value());
  return shown ? 0 : static_cast<int>(shown.failure().code());
}

static void handovers() {
  int accepted = 0, refused = 0;
  for (const auto& row : rows(vectors + "/handovers.tsv")) {
    const int got = status_of(row);
    CHECK_ABOUT(row[0] + ": got " + std::to_string(got) + ", wanted " + row[6], got == number(row[6]));
    ++(row[6] == "0" ? accepted : refused);
  }
  CHECK(accepted >= 60 && refused >= 200);
  std::printf("hand-overs: %d accepted, %d refused\n", accepted, refused);
}

static void embedded() {
  int count = 0;
  for (const auto& row : rows(vectors + "/embedded.tsv")) {
    const std::string file = read_file(vectors + "/" + row[1]);
    const std::string_view all = file;
    const std::string_view tail = all.substr(file.size() - std::min<std::size_t>(file.size(), SYNC_EMBEDDED_TAIL_SIZE));
    const auto found = sy::try_find_embedded(all.substr(0, SYNC_EMBEDDED_HEAD_SIZE), tail, file.size());
    const int status = found ? 0 : static_cast<int>(found.failure().code());
    CHECK_ABOUT(row[0], status == number(row[6]));
    if (found) {
      CHECK_ABOUT(row[0], static_cast<int>(found->form) == number(row[2]));
      CHECK_ABOUT(row[0], std::to_string(found->content_size) == row[3]);
      CHECK_ABOUT(row[0], std::to_string(found->proof_offset) == row[4]);
      CHECK_ABOUT(row[0], std::to_string(found->proof_size) == row[5]);
    }
    ++count;
  }
  CHECK(count > 0);
  CHECK(sy::try_find_embedded("x", "x", 2).failure().code() == sy::Code::invalid_argument);
  std::printf("embedded: %d files\n", count);
}

static void hashing() {
  const std::string data(100000, 'a');
  const auto wanted = sy::digest_from_hex("6d1cf22d7cc09b085dfc25ee1a1f3ae0265804c607bc2074ad253bcc82fd81ee");
  for (const std::size_t size : {std::size_t{1}, std::size_t{63}, std::size_t{64}, std::size_t{65}, data.size()}) {
    auto hasher = sy::Hasher::try_create();
    if (!CHECK(hasher.has_value())) return;
    for (std::size_t at = 0; at < data.size(); at += size) {
      CHECK(!hasher->try_update(std::string_view(data).substr(at, size)));
    }
    const auto digest = hasher->try_finish();
    CHECK(digest && *digest == wanted);
    // As new.
    CHECK(!hasher->try_update(nullptr, 0));
    const auto empty = hasher->try_finish();
    CHECK(empty && sy::to_hex(*empty) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  }
  CHECK(!sy::digest_from_hex(""));
  CHECK(!sy::digest_from_hex(std::string(63, 'a')));
  CHECK(!sy::digest_from_hex(std::string(63, 'a') + "g"));
  CHECK(sy::digest_from_hex(std::string(64, 'A')) == sy::digest_from_hex(std::string(64, 'a')));
}

// One accepted case, for what follows.
struct Sample {
  std::string policy = read_file(vectors + "/policies/four.policy");
  std::string proof = read_file(vectors + "/proofs/all-four.tlog-proof");
  sy::Digest digest = *sy::digest_from_hex("9eb3fa2e90a3538284576e56975a775ec005865cdda56b51e63bd9e15908f5af");
};

static void lives() {
  const Sample sample;
  auto policy = *sy::Policy::try_parse(sample.policy);
  auto proof = *sy::Proof::try_parse(sample.proof);
  const sy::Policy moved_policy = std::move(policy);
  const sy::Proof moved_proof = std::move(proof);
  CHECK(moved_policy.try_verify(moved_proof, sample.digest).has_value());
  // What was moved from refuses, and says nothing.
  const auto with_moved = policy.try_verify(moved_proof, sample.digest);
  CHECK(!with_moved && with_moved.failure().code() == sy::Code::null_argument);
  CHECK(!moved_policy.try_verify(proof, sample.digest));
  CHECK(proof.info().package.empty() && proof.info().verdict == sy::Verdict::none);
  CHECK(proof.builders().empty() && proof.artifacts().begin() == proof.artifacts().end());
  auto hasher = sy::Hasher::try_create();
  const sy::Hasher moved_hasher = *std::move(hasher);
  CHECK(hasher->try_update("x").has_value());
  CHECK(!hasher->try_finish());
  policy = *sy::Policy::try_parse(sample.policy);
  CHECK(policy.try_verify(sample.proof, sample.digest).has_value());
  // Above the count.
  CHECK(moved_proof.builders()[moved_proof.builders().size()].name.empty());
  CHECK(moved_proof.artifacts()[static_cast<std::size_t>(-1)].path.empty());
  CHECK(moved_proof.builders()[0].name == "ada");
  // Why.
  const auto refused = sy::Proof::try_parse("not a proof\n");
  CHECK(!refused && refused.failure().is_malformed() && refused.failure().offset() == 0U);
  const sy::Failure failure = sy::Policy::try_parse(std::string(SYNC_POLICY_BYTES_MAX + 1, '#')).failure();
  CHECK(failure.code() == sy::Code::too_large && failure.is_malformed() && !failure.message().empty());
  CHECK(sy::library_version() == "0.1.0");
}

static void followed_lives() {
  const std::string first = read_file(vectors + "/handovers/zero-to-one.tlog-proof");
  const std::string second = read_file(vectors + "/handovers/one-to-two.tlog-proof");
  const std::string before = read_file(vectors + "/handovers/evidence-0.tlog-proof");
  const std::string behind = read_file(vectors + "/handovers/evidence-1.tlog-proof");
  const sy::Digest digest = Sample().digest;
  std::optional<sy::Policy> policy = *sy::Policy::try_parse(Sample().policy);
  auto followed = policy->try_follow(0, first);
  CHECK(followed.has_value());
  auto further = followed->try_follow(1, second);
  CHECK(further.has_value());
  // What holds by the first alone is as it was.
  CHECK(policy->try_verify(before, digest).has_value());
  CHECK(policy->try_verify(behind, digest).failure().code() == sy::Code::untrusted_log);
  // A refusal leaves the policy.
  const auto refused = [](const sy::Policy& by, std::uint64_t epoch, std::string_view handover) {
    return by.try_follow(epoch, handover).failure().code();
  };
  CHECK(refused(*policy, 1, first) == sy::Code::wrong_epoch);
  CHECK(refused(*policy, std::numeric_limits<std::uint64_t>::max(), first) == sy::Code::wrong_epoch);
  CHECK(refused(*policy, 0, second) == sy::Code::wrong_epoch);
  CHECK(refused(*policy, 0, before) == sy::Code::not_handover);
  CHECK(refused(*policy, 0, {}) == sy::Code::malformed);
  CHECK(refused(*policy, 0, std::string_view(first).substr(1)) == sy::Code::unsupported_version);
  CHECK(refused(*policy, 0, std::string(SYNC_PROOF_BYTES_MAX + 1, '#')) == sy::Code::too_large);
  // The first to be followed says of which epoch the policy is; from then on it is known.
  CHECK(refused(*followed, 2, second) == sy::Code::wrong_epoch);
  CHECK(refused(*followed, 0, first) == sy::Code::wrong_epoch);
  CHECK(policy->try_follow(0, first).has_value());
  // Each is of its own, and outlives the one that it came from.
  policy.reset();
  CHECK(followed->try_verify(before, digest).has_value() && followed->try_verify(behind, digest).has_value());
  const sy::Policy last = *std::move(further);
  followed = sy::Policy::try_parse("none");
  CHECK(last.try_verify(before, digest).has_value() && last.try_verify(behind, digest).has_value());
  CHECK(refused(*further, 2, second) == sy::Code::null_argument);
}

static void threads_and_fork() {
  const Sample sample;
  const sy::Policy policy = *sy::Policy::try_parse(sample.policy);
  const sy::Proof proof = *sy::Proof::try_parse(sample.proof);
  std::atomic<int> verified{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 50; ++j) verified += policy.try_verify(proof, sample.digest).has_value();
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(verified == 200);
  const pid_t child = fork();
  if (child == 0) _exit(policy.try_verify(proof, sample.digest) ? 0 : 1);
  int status = -1;
  CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  vectors = argv[1];
  cases();
  descriptions();
  handovers();
  embedded();
  hashing();
  lives();
  followed_lives();
  threads_and_fork();
#if SYNC_HAS_EXCEPTIONS
  std::printf("files: %d checks\n", check_exceptions(vectors, argv[2]));
#endif
  std::printf("%s\n", failures == 0 ? "passed" : "FAILED");
  return failures == 0 ? 0 : 1;
}
