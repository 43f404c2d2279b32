#include "harness/run/safetensors.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstring>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "tests/catch.h"

namespace lra::harness {
namespace {

using lra::testing::ContainsSubstring;

// A file of a header and `bytes` bytes of data.
std::string file_of(const std::string& header, std::size_t bytes) {
  const std::uint64_t size = header.size();
  std::string text(sizeof(size), '\0');
  std::memcpy(text.data(), &size, sizeof(size));
  return text + header + std::string(bytes, '\0');
}

std::string tensor_text(const std::string& name, const std::string& shape,
                        const std::string& offsets) {
  return fmt::format(R"("{}": {{"dtype": "F32", "shape": {}, "data_offsets": {}}})", name, shape,
                     offsets);
}

TensorFile sample() {
  TensorFile file;
  file.metadata = {{"format", "x/1"}};
  file.tensors = {
      {"b", engine::Tensor::from(engine::Shape{2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6})},
      {"a", engine::Tensor::from(engine::Shape{1}, std::vector<float>{7})}};
  return file;
}

TEST_CASE("safetensors: what is written is read, each changed bit is found", "[unit]") {
  const auto path = std::filesystem::temp_directory_path() / fmt::format("lra-st-{}", ::getpid());
  write_safetensors(path, sample());
  const TensorFile back = read_safetensors(path);
  const std::string content = read_file(path);
  std::filesystem::remove(path);
  CHECK(back.metadata == sample().metadata);
  REQUIRE(back.tensors.size() == 2);
  CHECK(back.tensors[0].first == "a");
  CHECK(back.tensors[1].second.shape() == engine::Shape{2, 3});
  CHECK(std::memcmp(back.tensors[1].second.raw(), sample().tensors[0].second.raw(), 24) == 0);
  for (std::size_t byte = 0; byte < content.size(); ++byte) {
    std::string changed = content;
    changed[byte] = static_cast<char>(changed[byte] ^ 4);
    INFO("byte " << byte);
    // The name of the digest's entry and the padding of the header bear no content.
    const std::string around = content.substr(byte < 8 ? 0 : byte - 8, 16);
    if (around.find("\"sha256\"") != std::string::npos) continue;
    CHECK_THROWS_AS(parse_safetensors(changed, "f"), Error);
  }
  for (std::size_t size = 0; size < content.size(); ++size) {
    CHECK_THROWS_AS(parse_safetensors(std::string_view(content).substr(0, size), "f"), Error);
  }
}

TEST_CASE("safetensors: files of other writers without a digest are read", "[unit]") {
  const auto file = parse_safetensors(file_of("{" + tensor_text("w", "[2]", "[4, 12]") + "," +
                                                  tensor_text("v", "[]", "[0, 4]") + "}",
                                              12),
                                      "f");
  CHECK(file.metadata.empty());
  CHECK(file.tensors.size() == 2);
  CHECK(parse_safetensors(file_of("{}", 0), "f").tensors.empty());
  CHECK(parse_safetensors(file_of("{" + tensor_text("w", "[0, 9]", "[0, 0]") + "}", 0), "f")
            .tensors.size() == 1);
}

TEST_CASE("safetensors: malformed headers are refused with file and tensor", "[unit]") {
  const auto refused = [](const std::string& header, const std::string& message) {
    INFO(header.substr(0, 200));
    try {
      static_cast<void>(parse_safetensors(file_of(header, 8), "f"));
      FAIL_CHECK("accepted");
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::data);
      CHECK_THAT(error.what(), ContainsSubstring("f: "));
      CHECK_THAT(error.what(), ContainsSubstring(message));
    }
  };
  const auto tensor = [&](const std::string& shape, const std::string& offsets,
                          const std::string& message) {
    refused("{" + tensor_text("w", shape, offsets) + "}", message);
  };
  tensor("[2]", "[-8, 0]", "f: w: data_offsets; got -8, expected a non-negative integer");
  tensor("[2]", "[18446744073709551608, 0]", "data_offsets; got 18446744073709551608");  // wraps
  tensor("[2]", "[18446744073709551615, 7]", "data_offsets");
  tensor("[2]", "[0.5, 8.5]", "data_offsets");
  tensor("[2]", "[0, 16]", "within the file's 8");
  tensor("[2]", "[8, 0]", "data_offsets; got [8, 0]");
  tensor("[2]", "[0]", "expected [begin, end]");
  tensor("[1]", "[0, 8]", "expected the 4 bytes of shape [1]");
  tensor("[-2]", "[0, 8]", "shape; got -2");
  tensor("[4611686018427387904, 4]", "[0, 8]", "overflows");
  tensor("[4294967296, 4294967296, 4294967296, 4294967296]", "[0, 0]", "overflows");
  tensor("[1, 1, 1, 1, 1, 1, 2]", "[0, 8]", "at most 6 sizes");
  tensor("2", "[0, 8]", "shape; got 2");
  tensor("[1]", "[0, 4]", "gap after byte 4 of 8");
  refused("{" + tensor_text("a", "[2]", "[0, 8]") + "," + tensor_text("b", "[1]", "[4, 8]") + "}",
          "overlap");
  refused(R"({"w": {"shape": [2], "data_offsets": [0, 8]}})", "f: w: no dtype");
  refused(R"({"w": {"dtype": "BF16", "shape": [4], "data_offsets": [0, 8]}})", "expected F32");
  refused(R"({"w": 3})", "f: w: not an object");
  refused(R"([1])", "expected an object");
  refused(R"({"__metadata__": {"a": 1}})", "expected an object of texts");
  refused(R"({"__metadata__": [1]})", "expected an object of texts");
  refused("{\"\xff\": 1}", "not UTF-8");
  refused(std::string(100000, '['), "nested too deeply");
  std::string huge = file_of("{}", 0);
  std::memset(huge.data(), 0xff, 8);
  CHECK_THROWS_WITH(parse_safetensors(huge, "f"), ContainsSubstring("not a safetensors file"));
}

}  // namespace
}  // namespace lra::harness
