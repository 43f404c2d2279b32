#include "tasks/file/encoder.h"

#include <algorithm>
#include <system_error>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/text.h"
#include "tasks/bytes.h"
#include "tasks/io/lines.h"

namespace lra::tasks::file {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kUnknown = 1;
constexpr std::int64_t kFirstWord = 2;
constexpr std::string_view kBetweenWords = " \t\r\n\v\f";

}  // namespace

fs::path words_file(const Settings& settings, const fs::path& data) {
  if (settings.words.empty()) return {};
  std::error_code code;
  const fs::path folder = fs::is_directory(data, code) ? data : data.parent_path();
  return folder / settings.words;
}

Encoder::Encoder(const Settings& settings, const fs::path& data) : settings_(settings) {
  const Kind kind = settings.kind;
  if (!settings.words.empty() && (kind == Kind::tokens || kind == Kind::pixels)) {
    fail(ErrorKind::config, "tasks/file: words; got {}, expected none for the kind {}",
         settings.words, name_of(kind));
  }
  const Settings defaults;
  const auto only_for = [&](bool changed, Kind wanted, const char* option) {
    if (!changed || kind == wanted) return;
    fail(ErrorKind::config, "tasks/file: {}; got the kind {}, expected {}", option, name_of(kind),
         name_of(wanted));
  };
  only_for(settings.permute != defaults.permute, Kind::pixels, "permute");
  only_for(settings.colour != defaults.colour, Kind::pixels, "colour");
  only_for(settings.low != defaults.low, Kind::pixels, "low");
  only_for(settings.high != defaults.high, Kind::pixels, "high");
  only_for(settings.padding != defaults.padding, Kind::tokens, "padding");
  if (!(settings.low < settings.high)) {
    fail(ErrorKind::config, "tasks/file: low; got {}, expected less than high, {}", settings.low,
         settings.high);
  }
  if (settings.words.empty()) return;
  const fs::path file = words_file(settings, data);
  const std::string content = read_file(file);
  LineReader lines(without_mark(content, file.string()));
  Line line;
  while (lines.next(line)) {
    const auto id = kFirstWord + static_cast<std::int64_t>(words_.size());
    if (line.text.empty() || line.text.find_first_of(kBetweenWords) != std::string_view::npos) {
      fail(ErrorKind::data, "{}: word; got '{}', expected one word per line",
           line_place(file.string(), line.number), printable(line.text));
    }
    if (!words_.emplace(line.text, id).second) {
      fail(ErrorKind::data, "{}: word '{}' twice", line_place(file.string(), line.number),
           printable(line.text));
    }
  }
  constexpr std::int64_t kMost = 65536;
  if (words_.empty() || vocabulary() > kMost) {
    fail(ErrorKind::data, "{}: got {} words, expected 1 to {}", file.string(), words_.size(),
         kMost - kFirstWord);
  }
}

std::int64_t Encoder::vocabulary() const {
  if (settings_.kind == Kind::tokens) return 0;
  if (settings_.words.empty()) return kByteVocabulary;  // of pixels, too: 256 values
  return kFirstWord + static_cast<std::int64_t>(words_.size());
}

std::string Encoder::encode_text(const std::string& text, std::vector<std::int64_t>& ids) const {
  ids.clear();
  if (settings_.words.empty()) {
    ids.reserve(text.size());
    for (const char c : text) ids.push_back(static_cast<unsigned char>(c) + 1);
  } else {
    std::string_view rest = text;
    for (std::size_t at = rest.find_first_not_of(kBetweenWords); at != std::string_view::npos;
         at = rest.find_first_not_of(kBetweenWords)) {
      rest.remove_prefix(at);
      const std::string word(rest.substr(0, rest.find_first_of(kBetweenWords)));
      rest.remove_prefix(word.size());
      const auto found = words_.find(word);
      ids.push_back(found == words_.end() ? kUnknown : found->second);
    }
  }
  return ids.empty() ? "the document is empty" : "";
}

std::string Encoder::encode(const Record& record, std::vector<std::int64_t>& first,
                            std::vector<std::int64_t>& second) const {
  second.clear();
  if (record.label.empty()) return "the label is empty";
  if (utf8_prefix(record.label) != record.label.size()) {
    return fmt::format("label; got '{}', expected UTF-8", printable(record.label));
  }
  switch (settings_.kind) {
    case Kind::text:
      return encode_text(record.text, first);
    case Kind::pair: {
      std::string wrong = encode_text(record.text, first);
      return wrong.empty() ? encode_text(record.second, second) : wrong;
    }
    case Kind::tokens:
    case Kind::pixels:
      break;
  }
  first = record.ids;
  if (settings_.kind == Kind::tokens && settings_.padding >= 0) {
    while (!first.empty() && first.back() == settings_.padding) first.pop_back();
  }
  for (std::int64_t& id : first) ++id;
  return first.empty() ? "the sequence is empty" : "";
}

}  // namespace lra::tasks::file
