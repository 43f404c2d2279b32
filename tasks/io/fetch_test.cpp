// Downloads from a server on the loopback that serves small archives of the official shape, and
// misbehaves.

#include "tasks/io/fetch.h"

#include <sys/resource.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include "tasks/io/test_http_server.h"
#include "tasks/test_support.h"
#include "tests/archive_builder.h"

namespace lra::tasks::testing {
namespace {

using lra::testing::build_archive;
using lra::testing::BuiltEntry;
using lra::testing::ContainsSubstring;
using lra::testing::EntryKind;
using lra::testing::Packing;

const char* const kTable = "Source\tTarget\n( ( ( [MAX 1 ) 2 ) ] )\t2\n";

// The release in small: other tasks' files, the first of two nested folders, the one that is
// wanted.
std::string release(std::size_t filler = 60000) {
  std::string noise(filler, ' ');
  std::uint32_t state = 7;
  for (char& c : noise) c = static_cast<char>((state = state * 1664525 + 1013904223) >> 24U);
  return build_archive({{"lra_release/listops-1000/basic_train.tsv", "an older copy"},
                        {"lra_release/lra_release/pathfinder32/noise.bin", noise},
                        {"lra_release/lra_release/listops-1000/basic_train.tsv", kTable},
                        {"lra_release/lra_release/listops-1000/basic_val.tsv", kTable},
                        {"lra_release/lra_release/listops-1000/basic_test.tsv", kTable}},
                       Packing::tar_gz);
}

FetchOptions options_for(const TestServer& server, const TempFolder& folder,
                         const std::string& name = "lra_release.gz") {
  FetchOptions o;
  o.out = folder.path();
  o.url = server.url(name);
  o.http.first_wait_s = 0.01;
  o.http.attempts = 3;
  return o;
}

FetchPlan plan_of(const char* task, const nlohmann::json& options = nullptr) {
  return create_task(task, options)->download();
}

FetchPlan listops() { return plan_of("listops"); }

// The message of the error that fetching ends in; its kind must be the expected one.
std::string fault(const FetchOptions& options, ErrorKind kind, const FetchPlan& plan = listops()) {
  try {
    static_cast<void>(fetch(plan, options));
  } catch (const Error& error) {
    INFO(error.what());
    CHECK(error.kind() == kind);
    return error.what();
  }
  FAIL("fetched without an error");
  return {};
}

// Files that a failed call may leave: nothing under a final name.
bool nothing_final(const TempFolder& folder) {
  return !fs::exists(folder.path() / "listops-1000") &&
         !fs::exists(folder.path() / "lra_release.gz");
}

TEST_CASE("fetch: unpacks only the task's folder, from the inner release, and says whence",
          "[unit]") {
  for (const bool stream : {false, true}) {
    const TempFolder folder;
    const TestServer server({.body = release()});
    FetchOptions options = options_for(server, folder);
    options.stream = stream;
    const FetchReport report = fetch(listops(), options);
    CHECK(report.files == 3);
    CHECK(read_file(folder.path() / "listops-1000/basic_train.tsv") == kTable);
    CHECK_FALSE(fs::exists(folder.path() / "lra_release.gz"));
    CHECK_FALSE(fs::exists(folder.path() / "pathfinder32"));
    const auto card = read_json(folder.path() / "listops-1000/fetched.json");
    CHECK(card.at("url") == options.url);
    CHECK(card.at("sha256") == report.sha256);
    // A second call finds it and asks nobody.
    const int before = server.connections();
    CHECK(fetch(listops(), options).already);
    CHECK(server.connections() == before);
  }
}

TEST_CASE("fetch: a server that announces another size is refused at once", "[unit]") {
  const std::string body = release();
  for (const bool stream : {false, true}) {
    const TempFolder folder;
    const TestServer server({.body = body});
    FetchOptions options = options_for(server, folder);
    options.stream = stream;
    options.bytes = static_cast<std::int64_t>(body.size()) + 1;
    CHECK_THAT(fault(options, ErrorKind::data),
               ContainsSubstring(fmt::format("the server has {} bytes, expected {}", body.size(),
                                             body.size() + 1)));
    CHECK(nothing_final(folder));
  }
}

TEST_CASE("fetch: copies of the release without its inner folder, the better place of two",
          "[unit]") {
  const auto archive = [](const std::vector<std::string>& places) {
    std::vector<BuiltEntry> entries{{"lra_release/notes.txt", "n"}};
    for (const auto& place : places) {
      for (const char* split : {"train", "val", "test"}) {
        const std::string table = std::string("Source\tTarget\n") + place + "\t2\n";
        entries.push_back({fmt::format("{}listops-1000/basic_{}.tsv", place, split), table});
      }
      entries.push_back({place + "listops-1000/only_" + std::to_string(place.size()), "x"});
    }
    return build_archive(entries, Packing::tar_gz);
  };
  const std::string inner = "lra_release/lra_release/";
  const std::string outer = "lra_release/";
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases{
      {{outer}, outer},        {{""}, ""},           {{outer, inner}, inner},
      {{inner, outer}, inner}, {{"", outer}, outer}, {{outer, "", inner}, inner}};
  for (const bool stream : {false, true}) {
    for (const auto& [places, best] : cases) {
      const TempFolder folder;
      const TestServer server({.body = archive(places)});
      FetchOptions options = options_for(server, folder);
      options.stream = stream;
      CHECK(fetch(listops(), options).files == 4);
      const fs::path product = folder.path() / "listops-1000";
      CHECK_THAT(read_file(product / "basic_val.tsv"), ContainsSubstring("\n" + best + "\t2"));
      // No file of the other place stays.
      CHECK(std::distance(fs::directory_iterator(product), fs::directory_iterator()) == 5);
    }
  }
  const TempFolder folder;
  const TestServer server({.body = archive({"other/"})});
  CHECK_THAT(fault(options_for(server, folder), ErrorKind::data),
             ContainsSubstring("contains nothing below lra_release/lra_release/listops-1000 or "
                               "lra_release/listops-1000 or listops-1000"));
}

TEST_CASE("fetch: connections that break are taken up where they broke", "[unit]") {
  for (const bool stream : {false, true}) {
    const TempFolder folder;
    const TestServer server({.body = release(), .cut_after = 20000});
    FetchOptions options = options_for(server, folder);
    options.stream = stream;
    const FetchReport report = fetch(listops(), options);
    CHECK(report.connections >= 3);
    CHECK(read_file(folder.path() / "listops-1000/basic_test.tsv") == kTable);
  }
}

TEST_CASE("fetch: a call that gave up is continued by the next one", "[unit]") {
  const TempFolder folder;
  const TestServer server({.body = release(), .cut_after = 30000, .cuts = 1, .busy_at = 1});
  FetchOptions options = options_for(server, folder);
  options.http.attempts = 1;
  static_cast<void>(fault(options, ErrorKind::io));
  CHECK(nothing_final(folder));
  const FetchReport report = fetch(listops(), options);
  CHECK(report.resumed_from == 30000);
  CHECK(read_file(folder.path() / "listops-1000/basic_val.tsv") == kTable);
}

TEST_CASE("fetch: a file that changes on the server is read from the start", "[unit]") {
  const std::string changed = release(70000);
  for (const bool stream : {false, true}) {
    INFO(stream);
    const TempFolder folder;
    const TestServer server({.body = release(),
                             .cut_after = 30000,
                             .cuts = 1,
                             .changes_at = 1,
                             .changed_body = changed});
    FetchOptions options = options_for(server, folder);
    options.stream = stream;
    const FetchReport report = fetch(listops(), options);
    CHECK(report.sha256 == sha256_hex(changed));
    CHECK(report.files == 3);
    CHECK(read_file(folder.path() / "listops-1000/basic_val.tsv") == kTable);
  }
  // Also between two calls.
  const TempFolder folder;
  const TestServer server({.body = release(),
                           .cut_after = 30000,
                           .cuts = 1,
                           .busy_at = 1,
                           .changes_at = 2,
                           .changed_body = changed});
  FetchOptions options = options_for(server, folder);
  options.http.attempts = 1;
  static_cast<void>(fault(options, ErrorKind::io));
  CHECK(fetch(listops(), options).sha256 == sha256_hex(changed));
}

TEST_CASE("fetch: a stated size is a limit, lock files go, redirections are told", "[unit]") {
  const std::string body = release();
  for (const bool stream : {false, true}) {
    const TempFolder folder;
    const TestServer server({.body = body, .stated = false});
    FetchOptions options = options_for(server, folder);
    options.stream = stream;
    options.bytes = static_cast<std::int64_t>(body.size()) / 2;
    CHECK_THAT(fault(options, ErrorKind::data),
               ContainsSubstring(fmt::format("got at least {}, expected {}", body.size() / 2 + 1,
                                             body.size() / 2)));
    CHECK(nothing_final(folder));
    CHECK(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()) == 0);
    options.bytes = static_cast<std::int64_t>(body.size());
    CHECK(fetch(listops(), options).files == 3);
    CHECK(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()) == 1);
  }
  const TempFolder folder;
  const TestServer target({.body = body});
  const TestServer missing({.body = "no", .status = 404});
  const auto redirected = [&](const std::string& location) {
    const TestServer server({.location = location});
    FetchOptions options = options_for(server, folder);
    options.http.attempts = 2;
    return fault(options, ErrorKind::io);
  };
  CHECK_THAT(redirected(missing.url("gone.gz")),
             ContainsSubstring(fmt::format("(redirected to {}): the server answered with status "
                                           "404",
                                           missing.url("gone.gz"))));
  CHECK_THAT(redirected("http://127.0.0.1:1/x"),
             ContainsSubstring("(redirected to http://127.0.0.1:1/x)") &&
                 !ContainsSubstring("status 302"));
  CHECK_THAT(redirected("ftp://127.0.0.1/x"), ContainsSubstring("ftp"));
  CHECK(nothing_final(folder));
  const TestServer server({.location = target.url("lra_release.gz")});
  CHECK(fetch(listops(), options_for(server, folder)).files == 3);
  CHECK(std::string(redirect_protocols("https://a/b")) == "https");
  CHECK(std::string(redirect_protocols("http://a/b")) == "http,https");
}

TEST_CASE("fetch: a server without ranges is read from the start", "[unit]") {
  const TempFolder folder;
  const TestServer server({.body = release(), .ranges = false, .cut_after = 20000, .cuts = 1});
  CHECK(fetch(listops(), options_for(server, folder)).files == 3);
}

TEST_CASE("fetch: refusals and lies are errors that leave nothing under a final name", "[unit]") {
  const std::string body = release();
  const TempFolder folder;
  SECTION("not found") {
    const TestServer server({.body = "no", .status = 404});
    CHECK_THAT(fault(options_for(server, folder), ErrorKind::io), ContainsSubstring("404"));
  }
  SECTION("an internal fault") {
    const TestServer server({.body = "no", .status = 500});
    CHECK_THAT(fault(options_for(server, folder), ErrorKind::io), ContainsSubstring("500"));
  }
  SECTION("a size that is too large") {
    const TestServer server({.body = body, .lie = 1000});
    static_cast<void>(fault(options_for(server, folder), ErrorKind::io));
  }
  SECTION("a size other than the one asked for") {
    const TestServer server({.body = body});
    FetchOptions options = options_for(server, folder);
    options.bytes = 5;
    CHECK_THAT(fault(options, ErrorKind::data), ContainsSubstring("expected 5"));
  }
  SECTION("another digest") {
    const TestServer server({.body = body});
    FetchOptions options = options_for(server, folder);
    options.sha256 = std::string(64, '0');
    CHECK_THAT(fault(options, ErrorKind::data), ContainsSubstring("SHA-256"));
    CHECK_FALSE(fs::exists(folder.path() / "lra_release.gz.part"));
  }
  SECTION("an archive without the folder") {
    const TestServer server({.body = build_archive({{"other/file", "x"}}, Packing::tar_gz)});
    CHECK_THAT(fault(options_for(server, folder), ErrorKind::data),
               ContainsSubstring("contains nothing below"));
  }
  SECTION("a cut archive") {
    const TestServer server({.body = body.substr(0, body.size() / 2)});
    static_cast<void>(fault(options_for(server, folder), ErrorKind::data));
  }
  SECTION("no archive at all") {
    const TestServer server({.body = "<html>please log in</html>"});
    static_cast<void>(fault(options_for(server, folder), ErrorKind::data));
  }
  SECTION("nobody listens") {
    FetchOptions options;
    options.out = folder.path();
    options.url = "http://127.0.0.1:1/lra_release.gz";
    options.http.attempts = 2;
    options.http.first_wait_s = 0.01;
    static_cast<void>(fault(options, ErrorKind::io));
  }
  SECTION("not an address") {
    FetchOptions options;
    options.out = folder.path();
    options.url = "file:///etc/passwd";
    static_cast<void>(fault(options, ErrorKind::usage));
  }
  CHECK(nothing_final(folder));
}

TEST_CASE("fetch: archives that reach out of the folder are refused", "[unit]") {
  const std::string inner = "lra_release/lra_release/listops-1000/";
  for (const BuiltEntry& hostile :
       {BuiltEntry{inner + "../../../../evil.tsv", "x"},
        BuiltEntry{inner + "basic_val.tsv", "/etc/passwd", EntryKind::symbolic_link},
        BuiltEntry{inner + "basic_val.tsv", "../../../x", EntryKind::hard_link}}) {
    for (const bool stream : {false, true}) {
      INFO(hostile.name);
      const TempFolder folder;
      const TestServer server(
          {.body = build_archive({{inner + "basic_train.tsv", kTable}, hostile}, Packing::tar_gz)});
      FetchOptions options = options_for(server, folder);
      options.stream = stream;
      static_cast<void>(fault(options, ErrorKind::data));
      CHECK(nothing_final(folder));
      CHECK_FALSE(fs::exists(folder.path().parent_path() / "evil.tsv"));
    }
  }
}

TEST_CASE("fetch: a full disk is an error that leaves nothing under a final name", "[unit]") {
  const TempFolder folder;
  const TestServer server({.body = release(3000000)});
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 1 << 20;
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  static_cast<void>(fault(options_for(server, folder), ErrorKind::io));
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  CHECK(nothing_final(folder));
}

TEST_CASE("fetch: what is kept whole gets its name when it is whole", "[unit]") {
  const TempFolder folder;
  const std::string body = build_archive({{"aclImdb/train/pos/0_9.txt", "good"}}, Packing::tar_gz);
  const TestServer server({.body = body});
  const FetchPlan plan = plan_of("text");
  CHECK(plan.sha256.size() == 64);
  const FetchReport report = fetch(plan, options_for(server, folder, "aclImdb_v1.tar.gz"));
  CHECK(read_file(folder.path() / "aclImdb_v1.tar.gz") == body);
  CHECK(report.sha256 == sha256_hex(body));
  // Something of that name from elsewhere is not overwritten.
  FetchOptions other = options_for(server, folder, "aclImdb_v1.tar.gz");
  other.url += "?mirror";
  static_cast<void>(fault(other, ErrorKind::usage, plan));
}

TEST_CASE("fetch: every task of the arena has a plan, others say that they have none", "[unit]") {
  for (const char* task : {"listops", "text", "retrieval", "image", "pathfinder", "pathx"}) {
    INFO(task);
    const FetchPlan plan = plan_of(task);
    CHECK(plan.url.starts_with("https://"));
    CHECK_FALSE(plan.product.empty());
    CHECK(plan.task == task);
  }
  CHECK_THAT(error_of([] { static_cast<void>(plan_of("mqar")); }, ErrorKind::usage),
             ContainsSubstring("tasks/mqar: has no official download"));
  CHECK(plan_of("pathfinder", {{"size", 64}}).folders ==
        std::vector<std::string>{"lra_release/lra_release/pathfinder64/curv_contour_length_14",
                                 "lra_release/pathfinder64/curv_contour_length_14",
                                 "pathfinder64/curv_contour_length_14"});
}

}  // namespace
}  // namespace lra::tasks::testing
