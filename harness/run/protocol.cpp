#include "harness/run/protocol.h"

#include <algorithm>
#include <array>

#include "embedded/protocol_files.h"
#include "engine/base/error.h"
#include "engine/base/file.h"

namespace lra::harness {
namespace {

using nlohmann::json;

constexpr std::array<const char*, 3> kSections{"task", "model", "train"};

json protocol_file(std::string_view name) {
  json file;
  if (name.ends_with(".json")) {
    file = read_json(std::string(name));
  } else if (const auto* built_in =
                 find_embedded(embedded::protocol_files(), std::string(name) + ".json")) {
    file = parse_json(built_in->content, std::string(built_in->name));
  } else {
    throw Error(ErrorKind::usage, unknown_name_message("protocol", name, protocol_names()));
  }
  if (!file.is_object() || file.value("schema", json()) != "lra-protocol/1") {
    fail(ErrorKind::data, "{}: not a protocol; expected \"schema\": \"lra-protocol/1\"", name);
  }
  return file;
}

void require_keys(const json& part, std::initializer_list<std::string_view> known,
                  const std::string& where) {
  if (!part.is_object()) fail(ErrorKind::data, "{}: expected an object", where);
  for (const auto& [key, value] : part.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      fail(ErrorKind::data, "{}: unknown key '{}'", where, key);
    }
  }
}

json& section_of(Protocol& protocol, std::string_view section) {
  return section == "task" ? protocol.task : section == "model" ? protocol.model : protocol.train;
}

// Adds the common part or a task's part.
void add_part(const json& part, const std::string& where, Protocol& protocol) {
  require_keys(part, {"task", "model", "train", "evaluation", "remarks"}, where);
  for (const char* section : kSections) {
    if (part.contains(section)) section_of(protocol, section).update(part[section]);
  }
  if (part.contains("evaluation")) {
    require_keys(part["evaluation"], {"drop_last"}, where + ".evaluation");
    const std::string word =
        part["evaluation"].value("drop_last", std::string(name_of(protocol.drop_last)));
    const auto drop_last = enum_of<DropLast>(word);
    if (!drop_last) {
      fail(ErrorKind::data, "{}.evaluation: drop_last; got {}, expected none, test or val_test",
           where, word);
    }
    protocol.drop_last = *drop_last;
  }
  for (const auto& remark : part.value("remarks", json::array())) {
    protocol.remarks.push_back(remark.get<std::string>());
  }
}

Protocol parse_protocol(std::string_view name, std::string_view task) {
  const json file = protocol_file(name);
  const std::string where = fmt::format("protocol {}", name);
  Protocol protocol;
  try {
    require_keys(file, {"schema", "name", "description", "source", "replace", "common", "tasks"},
                 where);
    protocol.built_in = !name.ends_with(".json");
    protocol.name = file.value("name", std::filesystem::path(std::string(name)).stem().string());
    const auto known = protocol_names();
    if (!protocol.built_in && std::find(known.begin(), known.end(), protocol.name) != known.end()) {
      fail(ErrorKind::data, "{}: name; got {}, which is a built-in protocol, expected another",
           where, protocol.name);
    }
    protocol.description = file.value("description", "");
    protocol.replace = file.value("replace", json::object());
    add_part(file.value("common", json::object()), where + ": common", protocol);
    const json tasks = file.value("tasks", json::object());
    if (const auto entry = tasks.find(std::string(task)); entry != tasks.end()) {
      add_part(*entry, fmt::format("{}: tasks.{}", where, task), protocol);
    }
  } catch (const json::exception& error) {
    fail(ErrorKind::data, "{}: not of the form lra-protocol/1: {}", where, error.what());
  }
  return protocol;
}

std::vector<std::string> deviations_from(const Protocol& exact, const Protocol& protocol) {
  std::vector<std::string> result;
  Protocol base = exact;
  Protocol given = protocol;
  for (const char* section : kSections) {
    const json& wanted = section_of(base, section);
    for (const auto& [name, value] : section_of(given, section).items()) {
      const auto expected = wanted.find(name);
      if (expected != wanted.end() && *expected == value) continue;
      result.push_back(fmt::format("{}.{}: {} instead of {}", section, name, value.dump(),
                                   expected == wanted.end() ? "the preset's" : expected->dump()));
    }
  }
  if (protocol.drop_last != exact.drop_last) {
    result.push_back(fmt::format("evaluation.drop_last: \"{}\" instead of \"{}\"",
                                 name_of(protocol.drop_last), name_of(exact.drop_last)));
  }
  return result;
}

}  // namespace

std::vector<std::string> protocol_names() {
  std::vector<std::string> names;
  for (const auto& file : embedded::protocol_files()) {
    names.emplace_back(file.name.substr(0, file.name.size() - std::string_view(".json").size()));
  }
  return names;
}

std::vector<std::string> protocol_tasks(std::string_view name) {
  const json tasks = protocol_file(name).value("tasks", json::object());
  std::vector<std::string> names;
  for (const auto& [task, part] : tasks.items()) names.push_back(task);
  return names;
}

Protocol load_protocol(std::string_view name, std::string_view task) {
  Protocol protocol = parse_protocol(name, task);
  protocol.deviations = deviations_from(parse_protocol("exact", task), protocol);
  return protocol;
}

json apply_protocol(const Protocol& protocol, std::string_view section, const json& preset) {
  json result = preset.is_null() ? json::object() : preset;
  for (const auto& [name, values] : protocol.replace.items()) {
    const std::size_t dot = name.find('.');
    const std::string option = name.substr(dot + 1);
    if (name.substr(0, dot) != section || !result.contains(option)) continue;
    const auto other = values.find(result[option].get<std::string>());
    if (other != values.end()) result[option] = *other;
  }
  Protocol given = protocol;
  result.update(section_of(given, section));
  return result;
}

void require_whole_batch(DropLast drop_last, tasks::Split split, std::int64_t examples,
                         std::int64_t batch_size) {
  if (split == tasks::Split::train || examples == 0) return;
  if (evaluated_examples(drop_last, split == tasks::Split::test, examples, batch_size) > 0) return;
  fail(ErrorKind::config,
       "the protocol drops incomplete batches of the {} split; got {} examples, expected at least "
       "a batch of {}; set data.{} or train.batch_size",
       tasks::split_name(split), examples, batch_size, tasks::split_name(split));
}

std::int64_t evaluated_examples(DropLast drop_last, bool test, std::int64_t examples,
                                std::int64_t batch_size) {
  const bool drop = drop_last == DropLast::val_test || (test && drop_last == DropLast::test);
  return drop ? examples / batch_size * batch_size : examples;
}

}  // namespace lra::harness
