// Event files, read back by a parser that shares nothing with the writer.

#include "harness/run/event_file.h"

#include <unistd.h>

#include <cmath>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "engine/base/file.h"
#include "tests/catch.h"

namespace lra::harness {
namespace {

namespace fs = std::filesystem;

// CRC-32C bit by bit, as polynomial division of the reflected bits.
std::uint32_t slow_crc32c(const std::string& bytes) {
  std::uint32_t remainder = 0xFFFFFFFFU;
  for (const char c : bytes) {
    for (int bit = 0; bit < 8; ++bit) {
      const bool in = ((static_cast<unsigned char>(c) >> bit) & 1U) != 0;
      const bool out = (remainder & 1U) != 0;
      remainder >>= 1U;
      if (in != out) remainder ^= 0x82F63B78U;
    }
  }
  return remainder ^ 0xFFFFFFFFU;
}

// A field of a message: its number, and its content by wire type.
struct Field {
  std::uint64_t number = 0;
  std::uint64_t integer = 0;
  double real = 0;
  std::string bytes;
};

std::uint64_t take_varint(const std::string& text, std::size_t& at) {
  std::uint64_t value = 0;
  for (unsigned shift = 0;; shift += 7) {
    const auto byte = static_cast<unsigned char>(text.at(at++));
    value |= std::uint64_t{byte & 0x7FU} << shift;
    if (byte < 0x80) return value;
  }
}

std::vector<Field> fields_of(const std::string& text) {
  std::vector<Field> fields;
  for (std::size_t at = 0; at < text.size();) {
    const std::uint64_t key = take_varint(text, at);
    Field field;
    field.number = key >> 3U;
    switch (key & 7U) {
      case 0:
        field.integer = take_varint(text, at);
        break;
      case 1:
        std::memcpy(&field.real, text.substr(at, 8).data(), 8);
        at += 8;
        break;
      case 2: {
        const std::uint64_t size = take_varint(text, at);
        REQUIRE(at + size <= text.size());
        field.bytes = text.substr(at, size);
        at += size;
        break;
      }
      case 5: {
        float value = 0;
        std::memcpy(&value, text.substr(at, 4).data(), 4);
        field.real = static_cast<double>(value);
        at += 4;
        break;
      }
      default:
        FAIL("wire type " << (key & 7U));
    }
    fields.push_back(std::move(field));
  }
  return fields;
}

Field only(const std::string& text, std::uint64_t number) {
  for (const Field& field : fields_of(text)) {
    if (field.number == number) return field;
  }
  return {};
}

std::vector<std::string> records_of(const std::string& content) {
  std::vector<std::string> records;
  const auto check = [](const std::string& bytes, std::uint32_t masked) {
    // As the format says: rotated right by 15 bits, plus a constant.
    const std::uint32_t crc = slow_crc32c(bytes);
    CHECK(masked == static_cast<std::uint32_t>(((crc >> 15U) | (crc << 17U)) + 0xA282EAD8U));
  };
  for (std::size_t at = 0; at < content.size();) {
    REQUIRE(content.size() - at >= 16);
    std::uint64_t length = 0;
    std::uint32_t sum = 0;
    std::memcpy(&length, content.data() + at, 8);
    std::memcpy(&sum, content.data() + at + 8, 4);
    check(content.substr(at, 8), sum);
    REQUIRE(content.size() - at - 16 >= length);
    records.push_back(content.substr(at + 12, length));
    std::memcpy(&sum, content.data() + at + 12 + length, 4);
    check(records.back(), sum);
    at += 16 + length;
  }
  return records;
}

TEST_CASE("event file: checksums are those of RFC 3720", "[unit]") {
  CHECK(crc32c("123456789") == 0xE3069283U);
  CHECK(crc32c(std::string(32, '\0')) == 0x8A9136AAU);
  CHECK(crc32c(std::string(32, '\xff')) == 0x62A8AB43U);
  CHECK(slow_crc32c("123456789") == 0xE3069283U);
}

TEST_CASE("event file: scalars, hyper-parameters and the end are read back", "[unit]") {
  const fs::path folder = fs::temp_directory_path() / ("lra-events-" + std::to_string(::getpid()));
  fs::create_directories(folder);
  const fs::path path = folder / "events.out.tfevents.lra";
  {
    EventFile file(folder, 0);
    file.add_hyper_parameters(
        {{"train.lr", 0.25}, {"task", "listops"}, {"model.final_norm", true}});
    file.add({{"split", "train"}, {"step", 300}, {"loss", 1.5}, {"accuracy", 0.75}, {"note", "x"}});
  }
  const std::string before = read_file(path);
  // A process killed within a record, and the run that continues from step 200.
  write_file_atomic(path, before + before.substr(before.size() - 40, 25));
  {
    EventFile file(folder, 200);
    file.finish(true);
  }
  const std::string content = read_file(path);
  CHECK(content.starts_with(before));
  const auto records = records_of(content);
  REQUIRE(records.size() == 5);
  for (const auto& record : records) CHECK(only(record, 1).real > 1.7e9);  // wall time
  CHECK(only(records[0], 3).bytes == "brain.Event:2");

  const auto plugin_data = [](const std::string& event, const char* tag) {
    const std::string value = only(only(event, 5).bytes, 1).bytes;
    CHECK(only(value, 1).bytes == tag);
    const std::string plugin = only(only(value, 9).bytes, 1).bytes;
    CHECK(only(plugin, 1).bytes == "hparams");
    CHECK(only(only(value, 8).bytes, 1).integer == 1);  // a tensor of floats
    return only(plugin, 2).bytes;
  };
  const std::string start = only(plugin_data(records[1], "_hparams_/session_start_info"), 3).bytes;
  std::map<std::string, std::string> parameters;
  for (const Field& field : fields_of(start)) {
    if (field.number == 1) parameters[only(field.bytes, 1).bytes] = only(field.bytes, 2).bytes;
  }
  REQUIRE(parameters.size() == 3);
  CHECK(std::abs(only(parameters["train.lr"], 2).real - 0.25) < 1e-12);
  CHECK(only(parameters["task"], 3).bytes == "listops");
  CHECK(only(parameters["model.final_norm"], 4).integer == 1);

  CHECK(only(records[2], 2).integer == 300);
  std::map<std::string, double> scalars;
  for (const Field& value : fields_of(only(records[2], 5).bytes)) {
    scalars[only(value.bytes, 1).bytes] = only(value.bytes, 2).real;
  }
  REQUIRE(scalars.size() == 2);
  CHECK(std::abs(scalars["train/loss"] - 1.5) < 1e-6);
  CHECK(std::abs(scalars["train/accuracy"] - 0.75) < 1e-6);

  CHECK(only(records[3], 2).integer == 201);
  CHECK(only(only(records[3], 7).bytes, 1).integer == 1);  // START: what follows 200 is void
  const std::string end = only(plugin_data(records[4], "_hparams_/session_end_info"), 4).bytes;
  CHECK(only(end, 1).integer == 1);  // success
  fs::remove_all(folder);
}

}  // namespace
}  // namespace lra::harness
