#include "tasks/io/archive.h"

#include <unistd.h>

#include <cstring>
#include <map>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "tests/archive_builder.h"
#include "tests/catch.h"

namespace {

using lra::Error;
using lra::ErrorKind;
using lra::tasks::ArchiveEntry;
using lra::tasks::ByteSource;
using lra::testing::build_archive;
using lra::testing::BuiltEntry;
using lra::testing::ContainsSubstring;
using lra::testing::EntryKind;
using lra::testing::Packing;

const std::vector<std::string> kAll{"**"};

// Gives at most `step` bytes a call, as a network does.
ByteSource from_memory(const std::string& bytes, std::size_t step = 1000) {
  return [&bytes, step, at = std::size_t{0}](std::span<std::byte> buffer) mutable {
    const std::size_t n = std::min({step, buffer.size(), bytes.size() - at});
    std::memcpy(buffer.data(), bytes.data() + at, n);
    at += n;
    return n;
  };
}

std::map<std::string, std::string> contents(const std::string& bytes,
                                            const std::vector<std::string>& patterns = kAll) {
  std::map<std::string, std::string> files;
  lra::tasks::read_archive(from_memory(bytes), "test.tar", patterns, [&](ArchiveEntry& entry) {
    files[entry.name()] = entry.read_all(1 << 20);
  });
  return files;
}

// The message of the Error(data) that reading these bytes must end in.
std::string fault(const std::string& bytes, const std::vector<std::string>& patterns = kAll) {
  try {
    contents(bytes, patterns);
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::data);
    return error.what();
  }
  FAIL("the archive was read without an error");
  return {};
}

std::string noise(std::size_t size) {
  std::string text(size, ' ');
  std::uint32_t state = 1;
  for (char& c : text) {
    state = state * 1664525U + 1013904223U;
    c = static_cast<char>(state >> 24U);
  }
  return text;
}

}  // namespace

TEST_CASE("archive: files under the chosen patterns arrive whole in each packing", "[unit]") {
  const std::string large = noise(200'000);
  const std::vector<BuiltEntry> entries{{"./", "", EntryKind::folder},
                                        {"./set/a.txt", "alpha"},
                                        {"set/deep/b.bin", large},
                                        {"set/empty", ""},
                                        {"other/c.txt", "gamma"}};
  for (const Packing packing : {Packing::tar, Packing::tar_gz, Packing::tar_xz}) {
    const std::string bytes = build_archive(entries, packing);
    const std::map<std::string, std::string> chosen{
        {"set/a.txt", "alpha"}, {"set/deep/b.bin", large}, {"set/empty", ""}};
    CHECK(contents(bytes, {"set/**"}) == chosen);
    CHECK(contents(bytes).size() == 4);
    CHECK(contents(bytes, {"*.txt"}).empty());
    CHECK(contents(bytes, {"**/*.txt"}).size() == 2);
  }
}

TEST_CASE("archive: a file is read from disk and a missing one is an io error", "[unit]") {
  const auto path = std::filesystem::temp_directory_path() /
                    ("lra_archive_test_" + std::to_string(::getpid()) + ".tar.gz");
  lra::write_file_atomic(path, build_archive({{"x", "content"}}, Packing::tar_gz));
  std::string seen;
  lra::tasks::read_archive(path, kAll, [&](ArchiveEntry& entry) { seen = entry.read_all(100); });
  std::filesystem::remove(path);
  CHECK(seen == "content");
  try {
    lra::tasks::read_archive(path, kAll, [](ArchiveEntry&) {});
    FAIL("a missing archive was read");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::io);
    CHECK_THAT(error.what(), ContainsSubstring(path.string()));
  }
}

TEST_CASE("archive: names that leave the folder are refused, chosen or not", "[unit]") {
  for (const char* name : {"../evil", "a/../../evil", "/etc/evil", "a/..", ".."}) {
    const std::string bytes = build_archive({{"fine", "x"}, {name, "y"}});
    const std::string message = fault(bytes, {"nothing"});
    CHECK_THAT(message, ContainsSubstring("test.tar"));
    CHECK_THAT(message, ContainsSubstring(fmt::format("'{}'", name)));
    CHECK_THAT(message, ContainsSubstring("unsafe name"));
  }
  CHECK_THAT(fault(build_archive({{std::string(5000, 'a'), "y"}})),
             ContainsSubstring("unsafe name"));
  CHECK(contents(build_archive({{"..a/b..", "y"}})).size() == 1);
}

TEST_CASE("archive: links and special files are refused where they matter", "[unit]") {
  const auto with = [](const char* target, EntryKind kind) {
    return build_archive({{"a/file", "x"}, {"a/b/link", target, kind}});
  };
  for (const char* target : {"/etc/passwd", "../../../evil", "../../.."}) {
    CHECK_THAT(fault(with(target, EntryKind::symbolic_link), {"nothing"}),
               ContainsSubstring("'a/b/link': a link out of the archive's folder"));
  }
  CHECK_THAT(fault(with("../evil", EntryKind::hard_link), {"nothing"}),
             ContainsSubstring("a link out of the archive's folder"));
  // A harmless link is skipped where nobody asked for it, and cannot be asked for.
  CHECK(contents(with("../file", EntryKind::symbolic_link), {"a/file"}).size() == 1);
  CHECK_THAT(fault(with("../file", EntryKind::symbolic_link)), ContainsSubstring("got a link"));
  CHECK_THAT(fault(with("a/file", EntryKind::hard_link)), ContainsSubstring("got a link"));
  CHECK_THAT(fault(with("", EntryKind::fifo)), ContainsSubstring("got a special file"));
}

TEST_CASE("archive: every truncation is an error", "[unit]") {
  for (const Packing packing : {Packing::tar, Packing::tar_gz, Packing::tar_xz}) {
    const std::string whole =
        build_archive({{"a", noise(700)}, {"b", noise(300)}, {"c", ""}}, packing);
    REQUIRE(contents(whole).size() == 3);
    // A plain tar has lost nothing while one of its two end blocks is there.
    const std::size_t content = 3 * 512 + 1024 + 512;
    const std::size_t end = packing == Packing::tar ? content + 512 : whole.size();
    for (std::size_t size = 0; size < end; size += 73) {
      INFO("packing " << static_cast<int>(packing) << ", " << size << " of " << whole.size());
      CHECK_THAT(fault(whole.substr(0, size)), ContainsSubstring("test.tar"));
    }
    for (std::size_t size = 0; size < end; size += 512) fault(whole.substr(0, size));
  }
}

TEST_CASE("archive: damage and foreign formats are errors", "[unit]") {
  std::string tar = build_archive({{"first", "x"}, {"second", "y"}});
  tar[1024 + 100] ^= 1;  // in the second header: its checksum fails
  CHECK_THAT(fault(tar), ContainsSubstring("after entry 'first'"));
  std::string gzip = build_archive({{"a", noise(5000)}}, Packing::tar_gz);
  for (std::size_t i = 40; i < 1000; ++i) gzip[i] = 'U';
  fault(gzip);
  std::string xz = build_archive({{"a", noise(5000)}}, Packing::tar_xz);
  xz[2000] ^= 1;
  CHECK_THAT(fault(xz), ContainsSubstring("test.tar"));
  fault("");
  fault(noise(5000));
  fault("PK\x03\x04 not a tar");
}

TEST_CASE("archive: a limit, a callback's and a source's exception come through", "[unit]") {
  const std::string bytes = build_archive({{"a", noise(5000)}}, Packing::tar_gz);
  CHECK_THROWS_AS(
      lra::tasks::read_archive(from_memory(bytes), "t", kAll,
                               [](ArchiveEntry& e) { static_cast<void>(e.read_all(4999)); }),
      Error);
  lra::tasks::read_archive(from_memory(bytes), "t", kAll,
                           [](ArchiveEntry& e) { CHECK(e.read_all(5000).size() == 5000); });
  CHECK_THROWS_AS(lra::tasks::read_archive(from_memory(bytes), "t", kAll,
                                           [](ArchiveEntry&) { throw std::out_of_range("mine"); }),
                  std::out_of_range);
  const ByteSource broken = [inner = from_memory(bytes), calls = 0](auto buffer) mutable {
    if (++calls > 3) throw std::length_error("line is dead");
    return inner(buffer);
  };
  CHECK_THROWS_AS(lra::tasks::read_archive(
                      broken, "t", kAll,
                      [](ArchiveEntry& entry) { static_cast<void>(entry.read_all(1 << 20)); }),
                  std::length_error);
}

TEST_CASE("archive: patterns match whole paths", "[unit]") {
  using lra::tasks::path_matches;
  CHECK(path_matches("a/b", "a/b"));
  CHECK_FALSE(path_matches("a/b", "a/bc"));
  CHECK_FALSE(path_matches("a/b", "x/a/b"));
  CHECK(path_matches("a/*.png", "a/1.png"));
  CHECK_FALSE(path_matches("a/*.png", "a/b/1.png"));
  CHECK(path_matches("a/?.png", "a/1.png"));
  CHECK_FALSE(path_matches("a?1.png", "a/1.png"));
  CHECK(path_matches("**/x/**", "x/1"));
  CHECK(path_matches("**/x/**", "a/b/x/c/1"));
  CHECK_FALSE(path_matches("**/x/**", "a/bx/1"));
  CHECK_FALSE(path_matches("", "a"));
  CHECK(lra::tasks::has_archive_name("/d/x.tar.gz"));
  CHECK(lra::tasks::has_archive_name("lra_release.gz"));
  CHECK_FALSE(lra::tasks::has_archive_name("x.tsv"));
}
