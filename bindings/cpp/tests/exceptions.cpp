// The functions that throw and that read files; in a translation unit of its own, so that the header is linked twice.
#include "support.hpp"

#if SYNC_HAS_EXCEPTIONS

#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

namespace sy = synchronicity;

namespace {

template <class Function>
sy::Code thrown(Function function) {
  try {
    function();
  } catch (const sy::Error& error) {
    CHECK(error.what()[0] != '\0');
    return error.code();
  }
  return sy::Code::ok;
}

// The errno of what is thrown, or 0.
template <class Function>
int thrown_errno(Function function) {
  try {
    function();
  } catch (const std::system_error& error) {
    return error.code().value() == 0 ? -1 : error.code().value();
  }
  return 0;
}

void write(const std::string& path, std::string_view bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace

int check_exceptions(const std::string& vectors, const std::string& folder) {
  int count = 0;
  const auto policy = sy::Policy::load(vectors + "/policies/four.policy");
  const std::string proof = vectors + "/proofs/all-four.tlog-proof";
  const std::string artifact = vectors + "/artifacts/9eb3fa2e90a3538284576e56975a775ec005865cdda56b51e63bd9e15908f5af";

  const auto shown = policy.verify(sy::Proof::load(proof), sy::sha256_file(artifact));
  CHECK(shown.verdict == sy::Verdict::reproduced);
  CHECK(policy.verify(read_file(proof), sy::sha256_file(artifact)).reproducers == shown.reproducers);
  CHECK(thrown([&] { policy.verify(read_file(proof), sy::Digest{}); }) == sy::Code::artifact_mismatch);
  CHECK(thrown([&] { policy.verify(sy::Proof::load(proof), sy::Digest{}); }) == sy::Code::artifact_mismatch);
  CHECK(thrown([&] { sy::Policy::parse("x"); }) == sy::Code::malformed);
  const std::string handover = read_file(vectors + "/handovers/zero-to-one.tlog-proof");
  const auto followed = sy::Policy::load(vectors + "/policies/four.policy").follow(0, handover);
  const std::string behind = vectors + "/handovers/evidence-1.tlog-proof";
  CHECK(followed.verify(sy::Proof::load(behind), sy::sha256_file(artifact)).verdict == sy::Verdict::reproduced);
  CHECK(thrown([&] { policy.follow(1, handover); }) == sy::Code::wrong_epoch);
  CHECK(thrown([&] { policy.follow(0, read_file(proof)); }) == sy::Code::not_handover);
  CHECK(thrown([&] { sy::Proof::parse("x"); }) == sy::Code::malformed);
  // Read within a bound, whatever there is.
  const std::string huge = folder + "/huge";
  write(huge, "x");
  CHECK(::truncate(huge.c_str(), 1 << 30) == 0);
  CHECK(thrown([&] { sy::Proof::load(huge); }) == sy::Code::too_large);
  CHECK(thrown([&] { sy::Policy::load(huge); }) == sy::Code::too_large);
  // An exception outlives what threw it, and so do its copies.
  std::optional<sy::Error> kept;
  try {
    sy::Proof::parse("no proof\n");
  } catch (const sy::Error& error) {
    kept = error;
  }
  CHECK(kept && kept->is_malformed() && kept->offset() == 0U && std::string(kept->what()).size() > 10);

  sy::Hasher hasher;
  hasher.update("a");
  hasher.update("bc");
  CHECK(sy::to_hex(hasher.finish()) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  const sy::Hasher taken = std::move(hasher);
  CHECK(thrown([&] { hasher.update("x"); }) == sy::Code::null_argument);

  const std::string missing = folder + "/missing";
  CHECK(thrown_errno([&] { sy::Policy::load(missing); }) == ENOENT);
  CHECK(thrown_errno([&] { sy::Proof::load(missing); }) == ENOENT);
  CHECK(thrown_errno([&] { sy::sha256_file(missing); }) == ENOENT);
  CHECK(thrown_errno([&] { sy::find_embedded(missing); }) == ENOENT);
  CHECK(thrown_errno([&] { sy::verify_file(artifact, policy); }) == ENOENT);
  // Opening a pipe would wait for its writer.
  const std::string pipe = folder + "/pipe.tlog-proof";
  CHECK(::mkfifo(pipe.c_str(), 0600) == 0);
  write(folder + "/pipe", "x");
  CHECK(thrown_errno([&] { sy::verify_file(folder + "/pipe", policy); }) == EINVAL);
  for (const std::string& path : {folder, std::string("/dev/null/x"), std::string("/dev/zero"), pipe}) {
    const int wanted = path == "/dev/null/x" ? ENOTDIR : EINVAL;
    CHECK(thrown_errno([&] { sy::Proof::load(path); }) == wanted);
    CHECK(thrown_errno([&] { sy::Policy::load(path); }) == wanted);
    CHECK(thrown_errno([&] { sy::sha256_file(path); }) == wanted);
    CHECK(thrown_errno([&] { sy::find_embedded(path); }) == wanted);
    CHECK(thrown_errno([&] { sy::verify_file(path, policy); }) == wanted);
  }

  for (const auto& row : rows(vectors + "/embedded.tsv")) {
    const std::string path = vectors + "/" + row[1];
    ++count;
    if (row[6] != "0") {
      CHECK_ABOUT(row[0], std::to_string(static_cast<int>(thrown([&] { sy::find_embedded(path); }))) == row[6]);
      CHECK_ABOUT(row[0], std::to_string(static_cast<int>(thrown([&] { sy::verify_file(path, policy); }))) == row[6]);
      continue;
    }
    CHECK_ABOUT(row[0], std::to_string(sy::find_embedded(path).content_size) == row[3]);
    if (row[2] == "0") continue;
    const auto verified = sy::verify_file(path, policy);
    CHECK_ABOUT(row[0], verified.proof.info().package.substr(0, 10) == "pkg:cargo/");
    sy::Hasher content;
    content.update(std::string_view(read_file(path)).substr(0, std::stoul(row[3])));
    CHECK_ABOUT(row[0], content.finish() == verified.artifact);
  }

  // Beside the file.
  const std::string file = folder + "/libitoa.rlib";
  write(file, read_file(artifact));
  write(file + ".tlog-proof", read_file(proof));
  CHECK(sy::verify_file(file, policy).verification.reproducers == shown.reproducers);
  write(file, read_file(artifact) + "x");
  CHECK(thrown([&] { sy::verify_file(file, policy); }) == sy::Code::artifact_mismatch);
  // Larger than one piece, and of exactly one.
  for (const std::size_t size : {std::size_t{1} << 18, (std::size_t{1} << 18) + 1, std::size_t{3} << 20}) {
    const std::string bytes(size, 'z');
    write(file, bytes);
    hasher = sy::Hasher();
    hasher.update(bytes);
    CHECK(hasher.finish() == sy::sha256_file(file));
  }
  return count;
}

#endif
