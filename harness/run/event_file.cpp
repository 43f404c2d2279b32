#include "harness/run/event_file.h"

#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <system_error>

#include "engine/base/error.h"
#include "engine/base/file.h"

namespace lra::harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::size_t kFrame = 16;   // bytes around a record: length, its checksum, the data's
constexpr std::size_t kBefore = 12;  // of these, before the data

template <class Number>
void append_number(std::string& out, Number value) {
  std::array<char, sizeof value> bytes{};
  std::memcpy(bytes.data(), &value, sizeof value);  // little endian, as this program's CPUs are
  out.append(bytes.data(), bytes.size());
}

// A message in protocol buffers' wire format: fields by number.
class Message {
 public:
  Message& integer(unsigned field, std::uint64_t value) {
    key(field, 0);
    varint(value);
    return *this;
  }
  Message& real(unsigned field, double value) {
    key(field, 1);
    append_number(bytes_, value);
    return *this;
  }
  Message& single(unsigned field, float value) {
    key(field, 5);
    append_number(bytes_, value);
    return *this;
  }
  Message& text(unsigned field, std::string_view value) {
    key(field, 2);
    varint(value.size());
    bytes_ += value;
    return *this;
  }
  Message& message(unsigned field, const Message& value) { return text(field, value.bytes_); }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  void key(unsigned field, unsigned type) { varint((field << 3U) | type); }
  void varint(std::uint64_t value) {
    while (value >= 0x80) {
      bytes_ += static_cast<char>((value & 0x7F) | 0x80);
      value >>= 7U;
    }
    bytes_ += static_cast<char>(value);
  }
  std::string bytes_;
};

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// tensorflow.Event with its time and step.
Message event_at(std::int64_t step) {
  Message event;
  event.real(1, now());
  if (step != 0) event.integer(2, static_cast<std::uint64_t>(step));
  return event;
}

// The checksum as record_writer.h masks it.
std::uint32_t masked(std::uint32_t crc) { return std::rotr(crc, 15) + 0xA282EAD8U; }

std::string framed(const std::string& data) {
  std::string record;
  append_number(record, static_cast<std::uint64_t>(data.size()));
  append_number(record, masked(crc32c(record)));
  record += data;
  append_number(record, masked(crc32c(data)));
  return record;
}

// Number of bytes of complete, undamaged records at the start of a file's content.
std::size_t whole_records(std::string_view content) {
  std::size_t end = 0;
  while (content.size() - end >= kFrame) {
    const std::string_view rest = content.substr(end);
    std::uint64_t length = 0;
    std::uint32_t sum = 0;
    std::memcpy(&length, rest.data(), sizeof length);
    std::memcpy(&sum, rest.data() + sizeof length, sizeof sum);
    if (sum != masked(crc32c(rest.substr(0, sizeof length))) || length > rest.size() - kFrame) {
      break;
    }
    std::memcpy(&sum, rest.data() + kBefore + length, sizeof sum);
    if (sum != masked(crc32c(rest.substr(kBefore, length)))) break;
    end += kFrame + length;
  }
  return end;
}

// google.protobuf.Value
Message value_of(const json& value) {
  Message message;
  if (value.is_boolean()) return message.integer(4, value.get<bool>() ? 1 : 0);
  if (value.is_number()) return message.real(2, value.get<double>());
  return message.text(3, value.is_string() ? value.get<std::string>() : value.dump());
}

// A summary value of the hyper-parameter plugin, which requires a tensor but ignores it.
Message hyper_parameter_summary(const char* tag, const Message& content) {
  const Message plugin = Message().text(1, "hparams").message(2, content);
  const Message shape = Message().message(2, Message().integer(1, 1));  // of one number
  const Message tensor = Message().integer(1, 1).message(2, shape).text(5, std::string(4, '\0'));
  return Message().text(1, tag).message(8, tensor).message(9, Message().message(1, plugin));
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  static const auto table = [] {
    std::array<std::uint32_t, 256> entries{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t crc = i;
      for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? 0x82F63B78U : 0U);
      entries[i] = crc;
    }
    return entries;
  }();
  std::uint32_t crc = 0xFFFFFFFFU;
  for (const char c : bytes) {
    crc = (crc >> 8U) ^ table[(crc ^ static_cast<unsigned char>(c)) & 0xFFU];
  }
  return ~crc;
}

EventFile::EventFile(const fs::path& folder, std::int64_t step)
    : path_(folder / "events.out.tfevents.lra") {
  std::error_code code;
  const bool there = fs::exists(path_, code);
  if (there) {
    const std::string content = read_file(path_);
    const std::size_t whole = whole_records(content);
    if (whole < content.size()) {
      fs::resize_file(path_, whole, code);
      if (code) fail(ErrorKind::io, "{}: cannot cut: {}", path_.string(), code.message());
    }
    if (whole > 0) {
      constexpr std::uint64_t kStart = 1;  // SessionLog.SessionStatus
      add_event(event_at(step + 1).message(7, Message().integer(1, kStart)).bytes());
      return;
    }
  }
  add_event(event_at(0).text(3, "brain.Event:2").bytes());
}

void EventFile::add(const json& line) {
  Message summary;
  const std::string split = line.at("split");
  for (const auto& [name, value] : line.items()) {
    if (!value.is_number() || name == "step") continue;
    summary.message(1, Message().text(1, split + "/" + name).single(2, value.get<float>()));
  }
  add_event(event_at(line.at("step")).message(5, summary).bytes());
}

void EventFile::add_hyper_parameters(const json& values) {
  Message start;
  for (const auto& [name, value] : values.items()) {
    start.message(1, Message().text(1, name).message(2, value_of(value)));
  }
  start.real(5, now());
  const Message data = Message().message(3, start);
  add_event(event_at(0)
                .message(5, Message().message(
                                1, hyper_parameter_summary("_hparams_/session_start_info", data)))
                .bytes());
}

void EventFile::finish(bool success) {
  const Message data = Message().message(4, Message().integer(1, success ? 1 : 2).real(2, now()));
  add_event(event_at(0)
                .message(5, Message().message(
                                1, hyper_parameter_summary("_hparams_/session_end_info", data)))
                .bytes());
}

void EventFile::add_event(const std::string& event) {
  const std::string record = framed(event);
  std::FILE* file = std::fopen(path_.c_str(), "ab");
  const bool written =
      file != nullptr && std::fwrite(record.data(), 1, record.size(), file) == record.size();
  const bool closed = file != nullptr && std::fclose(file) == 0;
  if (!written || !closed) {
    fail(ErrorKind::io, "{}: cannot write: {}", path_.string(), std::strerror(errno));
  }
}

}  // namespace lra::harness
