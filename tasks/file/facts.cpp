#include "tasks/file/facts.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>
#include <utility>

#include "engine/base/error.h"
#include "engine/base/fields.h"
#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "tasks/io/hash.h"
#include "tasks/io/lines.h"
#include "tasks/locate.h"

namespace lra::tasks::file {

namespace fs = std::filesystem;
using nlohmann::json;

template <class V>
void describe(V& v, Facts& facts) {
  v("labels", facts.labels);
  v("longest", facts.longest);
  v("vocabulary", facts.vocabulary);
  v("examples", facts.examples);
  v("train_examples", facts.train_examples);
  v("test_below", facts.test_below);
  v("val_below", facts.val_below);
  v.converted(
      "drawn",
      [&facts] {
        json drawn = json::array();
        for (const Split split : facts.drawn) drawn.push_back(split_index(split));
        return drawn;
      },
      [&facts](const json& drawn, const std::string&) {
        for (const json& split : drawn) facts.drawn.push_back(kSplits.at(split.get<std::size_t>()));
      });
  v.converted(
      "first_fault", [&facts] { return valid_utf8(facts.first_fault); },
      [&facts](const json& fault, const std::string&) { fault.get_to(facts.first_fault); });
}

namespace {

// Increased whenever facts of the same files could differ.
constexpr int kFactsVersion = 1;
// Facts::test_below if all is test.
constexpr std::uint64_t kAll = std::numeric_limits<std::uint64_t>::max();

std::optional<std::int64_t> integer(const std::string& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::vector<std::string> sorted_labels(const std::map<std::string, std::int64_t>& counts) {
  std::vector<std::string> labels;
  labels.reserve(counts.size());
  for (const auto& [label, count] : counts) labels.push_back(label);
  const bool numbers = std::all_of(labels.begin(), labels.end(), [](const std::string& label) {
    return integer(label).has_value();
  });
  if (numbers) {
    std::sort(labels.begin(), labels.end(),
              [](const std::string& a, const std::string& b) { return *integer(a) < *integer(b); });
  }
  return labels;
}

class Scan {
 public:
  Scan(const FoundData& found, const Settings& settings, const Encoder& encoder,
       const fs::path& data)
      : found_(found), settings_(settings), encoder_(encoder), data_(data) {}

  Facts run() {
    std::array<bool, 3> given{};
    for (const Part& part : found_.parts) {
      if (part.split) given[split_index(*part.split)] = true;
    }
    const bool train = given[split_index(Split::train)] || !found_.parts.front().split;
    for (const Part& part : found_.parts) read(part);
    finish_labels();
    share(train && !given[split_index(Split::test)], train && !given[split_index(Split::val)]);
    return std::move(facts_);
  }

 private:
  void read(const Part& part) {
    const bool train = part.split.value_or(Split::train) == Split::train;
    Handler handler;
    handler.take = [&](Record& record) { take(record, train); };
    handler.fault = [this](const std::string& message) {
      if (facts_.first_fault.empty()) facts_.first_fault = message;
    };
    found_.format.read(part, settings_, handler);
  }

  void take(const Record& record, bool train) {
    const std::string wrong = encoder_.encode(record, first_, second_);
    if (!wrong.empty()) {
      if (facts_.first_fault.empty())
        facts_.first_fault = fmt::format("{}: {}", record.place, wrong);
      return;
    }
    ++facts_.examples;
    if (train) {
      ++labels_[record.label];
      ++facts_.train_examples;
      keys_.push_back(content_key(record, settings_.split_seed));
    }
    const auto length = static_cast<std::int64_t>(std::max(first_.size(), second_.size()));
    if (settings_.kind == Kind::pixels && facts_.longest > 0 && length != facts_.longest) {
      fail(ErrorKind::data, "{}: pixels; got {}, expected {} as in the other pictures",
           record.place, length, facts_.longest);
    }
    facts_.longest = std::max(facts_.longest, length);
    for (const auto* ids : {&first_, &second_}) {
      for (const std::int64_t id : *ids) facts_.vocabulary = std::max(facts_.vocabulary, id + 1);
    }
  }

  void finish_labels() {
    if (facts_.examples == 0) {
      fail(ErrorKind::data, "{}",
           facts_.first_fault.empty() ? data_.string() + ": no examples" : facts_.first_fault);
    }
    facts_.labels = sorted_labels(labels_);
  }

  // The shares of distinct contents in the order of their keys.
  void share(bool test, bool val) {
    std::sort(keys_.begin(), keys_.end());
    keys_.erase(std::unique(keys_.begin(), keys_.end()), keys_.end());
    const auto count = [this](bool wanted, double part) {
      const auto share =
          static_cast<std::size_t>(std::lround(part * static_cast<double>(keys_.size())));
      return wanted ? std::max<std::size_t>(share, part > 0 ? 1 : 0) : 0;
    };
    if (test && settings_.test_share == 1) {
      facts_.test_below = kAll;
      facts_.drawn.push_back(Split::test);
      return;
    }
    const std::size_t tests = count(test, settings_.test_share);
    const std::size_t vals = count(val, settings_.val_share);
    if (tests + vals > 0 && tests + vals >= keys_.size()) {
      // Omitted faulty records may be the reason.
      if (!facts_.first_fault.empty()) throw Error(ErrorKind::data, facts_.first_fault);
      fail(ErrorKind::data,
           "{}: got {} different example{}, expected more than {} for test and validation; give "
           "these in separate files",
           data_.string(), keys_.size(), keys_.size() == 1 ? "" : "s", tests + vals);
    }
    facts_.test_below = tests > 0 ? keys_[tests] : 0;
    facts_.val_below = vals > 0 ? keys_[tests + vals] : facts_.test_below;
    if (vals > 0) facts_.drawn.push_back(Split::val);
    if (tests > 0) facts_.drawn.push_back(Split::test);
  }

  const FoundData& found_;
  const Settings& settings_;
  const Encoder& encoder_;
  const fs::path& data_;
  Facts facts_;
  std::map<std::string, std::int64_t> labels_;
  std::vector<std::uint64_t> keys_;
  std::vector<std::int64_t> first_, second_;
};

// The stored facts; empty if the file is missing or damaged.
std::optional<Facts> kept_facts(const fs::path& file) {
  std::error_code code;
  if (!fs::is_regular_file(file, code)) return std::nullopt;
  try {
    Facts facts;
    from_fields(read_json(file), facts);
    return facts;
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

}  // namespace

void require_classes(const Facts& facts, const fs::path& data) {
  const std::size_t classes = facts.labels.size();
  // Omitted faulty records may be the reason.
  if (classes < 2 && !facts.first_fault.empty()) throw Error(ErrorKind::data, facts.first_fault);
  if (classes == 0) {
    fail(ErrorKind::data, "{}: no examples for train; expected a file or folder train",
         data.string());
  }
  if (classes == 1) {
    fail(ErrorKind::data, "{}: got one class, '{}', expected two or more", data.string(),
         printable(facts.labels.front()));
  }
  constexpr std::size_t kFew = 20;
  constexpr std::size_t kMost = 65536;
  if (classes > kMost || (classes > kFew && std::cmp_greater(2 * classes, facts.train_examples))) {
    fail(ErrorKind::data,
         "{}: got {} different labels in {} examples, such as '{}'; expected classes; set "
         "task.label_column to a column's name or number",
         data.string(), classes, facts.train_examples, printable(facts.labels.front()));
  }
}

std::uint64_t content_key(const Record& record, std::int64_t seed) {
  Hasher128 hasher(static_cast<std::uint64_t>(seed));
  const auto add = [&hasher](const auto& range) { hasher.update(std::as_bytes(std::span(range))); };
  add(record.text);
  add(std::string_view("\0", 1));
  add(record.second);
  add(record.ids);
  return hasher.finish().low;
}

Split split_of(const Part& part, std::uint64_t key, const Facts& facts) {
  if (part.split.value_or(Split::train) != Split::train) return *part.split;
  if (key < facts.test_below || facts.test_below == kAll) return Split::test;
  return key < facts.val_below ? Split::val : Split::train;
}

std::string state_of(const FoundData& found, const fs::path& words) {
  std::vector<fs::path> files;
  for (const Part& part : found.parts) {
    for (fs::path& file : found.format.files(part)) files.push_back(std::move(file));
  }
  if (!words.empty()) files.push_back(words);
  return sha256_hex(json_text(fingerprint(files)));
}

Facts facts_of(const FoundData& found, Settings settings, const Encoder& encoder,
               const fs::path& data, const fs::path& cache) {
  // Options that do not change the facts are left out, so that a filled-in option finds them again.
  settings.name.clear();
  settings.labels.clear();
  settings.max_length = settings.vocabulary = 0;
  settings.permute = -1;
  const std::string key =
      sha256_hex(json_text({{"facts", kFactsVersion},
                            {"options", settings.values()},
                            {"files", state_of(found, words_file(settings, data))}}));
  const fs::path folder = cache.empty() ? user_cache_dir() / "cache" : cache;
  const fs::path file = folder / fmt::format("file-{}.facts.json", key.substr(0, 16));
  if (auto kept = kept_facts(file)) return *std::move(kept);
  Facts facts = Scan(found, settings, encoder, data).run();
  try {
    write_json(file, to_fields(facts));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::io) throw;
    // A read-only folder: the facts are computed again next time.
  }
  return facts;
}

}  // namespace lra::tasks::file
