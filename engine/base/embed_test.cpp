#include "engine/base/embed.h"

#include <filesystem>
#include <string>

#include "embedded/embed_test_files.h"
#include "engine/base/file.h"
#include "tests/catch.h"

TEST_CASE("embed: a compiled-in file has the bytes of the file on disk", "[unit]") {
  const auto files = lra::embedded::embed_test_files();
  REQUIRE(files.size() == 3);
  const std::filesystem::path folder =
      std::filesystem::path(lra::testing::source_dir()) / "engine/base/testdata";
  const auto* bytes = lra::find_embedded(files, "embed_a.bin");
  REQUIRE(bytes != nullptr);
  CHECK(bytes->content == lra::read_file(folder / "embed_a.bin"));
  const auto* empty = lra::find_embedded(files, "embed_empty.txt");
  REQUIRE(empty != nullptr);
  CHECK(empty->content.empty());
  const auto* alias = lra::find_embedded(files, "other");
  REQUIRE(alias != nullptr);
  CHECK(alias->content == bytes->content);
  CHECK(lra::find_embedded(files, "none") == nullptr);
}
