// lra list: tasks, variants, presets and other entries.

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "attention/attention.h"
#include "engine/base/error.h"
#include "harness/cli/cli.h"
#include "harness/cli/definitions.h"
#include "harness/cli/output.h"
#include "harness/run/protocol.h"
#include "harness/run/spec.h"
#include "harness/suite/suite.h"
#include "models/presets.h"
#include "results/published/published.h"
#include "results/record/metrics.h"
#include "tasks/task.h"

namespace lra::harness::cli {
namespace {

enum class ListFormat { text, json, md };
constexpr auto texts(ListFormat) { return enum_texts("text", "json", "md"); }

using nlohmann::json;

// "25,000 / — / 25,000"
std::string sizes_text(const std::array<std::int64_t, 3>& counts) {
  if (counts == std::array<std::int64_t, 3>{}) return "as in the files, or by shares";
  std::string text;
  for (const std::int64_t count : counts) {
    std::string digits = std::to_string(count);
    for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ',');
    text += (text.empty() ? "" : " / ") + (count == 0 ? std::string("—") : digits);
  }
  return text;
}

json list_tasks() {
  json all = json::array();
  for (const auto& name : tasks::task_registry().names()) {
    const auto task = tasks::create_task(name, json());
    const tasks::TaskInfo info = task->info();
    OptionTable table;
    task->options(table);
    all.push_back({{"name", name},
                   {"title", info.title},
                   {"cite", info.cite},
                   {"version", info.version},
                   {"classes", info.classes},
                   {"vocabulary", info.vocabulary},
                   {"max_length", info.max_length},
                   {"open", info.open},
                   {"examples", info.source.examples},
                   {"origin", info.source.origin},
                   {"sizes", sizes_text(info.source.counts)},
                   {"command", info.source.command},
                   {"otherwise", info.source.otherwise},
                   {"options", table.describe()}});
  }
  return all;
}

json list_attention() {
  json all = json::array();
  for (const auto& name : attention::registry().names()) {
    const attention::Entry& entry = attention::registry().at(name);
    const auto variant = entry.create();
    OptionTable table;
    variant->options(table);
    const auto& t = entry.traits;
    all.push_back({{"name", name},
                   {"aliases", t.aliases},
                   {"label", t.label},
                   {"cite", t.cite},
                   {"time", attention::growth_name(t.time)},
                   {"memory", attention::growth_name(t.memory)},
                   {"padding", t.padding},
                   {"stochastic", t.stochastic},
                   {"causal", t.causal},
                   {"cross", t.cross},
                   {"approximates_softmax", t.approximates_softmax},
                   {"options", table.describe()}});
  }
  return all;
}

// The presets with their settings for each task.
json list_presets() {
  json all = json::array();
  for (const auto& name : models::preset_names()) {
    const json file = models::preset_file(name);
    json tasks = json::array();
    json values = json::object();
    for (const auto& [task, part] : file.at("tasks").items()) {
      models::Preset preset = models::load_preset(name, task);
      tasks.push_back(task);
      values[task] = {{"model", table_of(preset.model).values()},
                      {"train", table_of(preset.train).values()}};
    }
    all.push_back({{"name", name},
                   {"description", file.value("description", "")},
                   {"tasks", std::move(tasks)},
                   {"values", std::move(values)}});
  }
  return all;
}

void print_preset(const json& preset) {
  const json settings = describe_settings();
  for (const auto& [task, parts] : preset["values"].items()) {
    std::vector<std::string> words;
    for (const auto& option : settings) {
      const auto name = option["name"].get<std::string>();
      const auto part = name.substr(0, name.find('.'));
      if (!parts.contains(part)) continue;
      const json& value = parts[part][name.substr(name.find('.') + 1)];
      if (value == option["default"]) continue;
      words.push_back(
          fmt::format("{}={}", name, value.is_string() ? value.get<std::string>() : value.dump()));
    }
    say("      {:<18} {}\n", task, fmt::join(words, " "));
  }
}

json list_protocols() {
  json all = json::array();
  for (const auto& name : protocol_names()) {
    json entry = {{"name", name}, {"description", ""}, {"tasks", json::array()}};
    for (const auto& task : protocol_tasks(name)) {
      const Protocol protocol = load_protocol(name, task);
      entry["description"] = protocol.description;
      entry["tasks"].push_back(
          {{"name", task}, {"deviations", protocol.deviations}, {"remarks", protocol.remarks}});
    }
    all.push_back(std::move(entry));
  }
  return all;
}

json list_suites() {
  json all = json::array();
  for (const auto& name : suite_names()) {
    all.push_back({{"name", name}, {"description", suite_file(name).value("description", "")}});
  }
  return all;
}

json list_published() {
  json all = json::array();
  for (const auto& table : results::published_tables()) {
    all.push_back({{"name", table.key}, {"description", table.source_line()}});
  }
  return all;
}

// Numbers of a run, as `lra table --columns` takes them.
json list_metrics() {
  json all = json::array();
  for (const auto& metric : results::metrics()) {
    all.push_back({{"name", metric.name},
                   {"alias", metric.alias},
                   {"title", metric.title},
                   {"unit", metric.unit},
                   {"better", metric.better == results::Better::higher  ? "higher"
                              : metric.better == results::Better::lower ? "lower"
                                                                        : "neither"},
                   {"description", metric.meaning}});
  }
  return all;
}

std::string text_of(const json& entry, const char* key) { return entry.at(key).get<std::string>(); }

void print_options(const json& options) {
  std::size_t width = 18;
  for (const auto& o : options) width = std::max(width, text_of(o, "name").size());
  for (const auto& o : options) {
    say("      {:<{}} {:<10} {} ({})\n", text_of(o, "name"), width, o["default"].dump(),
        o["help"].get<std::string>(), o["range"].get<std::string>());
  }
}

// The settings of a protocol for each task that differ from `exact`, and its remarks.
void print_protocol_tasks(const json& tasks) {
  for (const auto& task : tasks) {
    say("      {}\n", task["name"].get<std::string>());
    for (const auto& line : task["deviations"]) say("        {}\n", line.get<std::string>());
    for (const auto& line : task["remarks"]) say("        - {}\n", line.get<std::string>());
  }
}

// `chosen`: entries were asked for by name.
void print_list(const std::string& what, const json& all, bool chosen) {
  say("{}:\n", what);
  if (what == "settings") {
    print_options(all);
    return;
  }
  for (const auto& e : all) {
    if (what == "attention") {
      std::string uses = e["causal"] == true ? "causal" : "";
      if (e["cross"] == true) uses += uses.empty() ? "cross" : ", cross";
      say("  {:<20} {:<22} time {:<9} memory {:<9} {:<14} {}\n", e["name"].get<std::string>(),
          e["label"].get<std::string>(), e["time"].get<std::string>(),
          e["memory"].get<std::string>(), uses, e["cite"].get<std::string>());
    } else if (what == "metrics") {
      const auto word = e["alias"].get<std::string>();
      const auto unit = e["unit"].get<std::string>();
      const auto better = e["better"].get<std::string>();
      say("  {:<26} {:<10} {:<7} {} {}\n", e["name"].get<std::string>(), word, unit,
          better == "higher"  ? "↑"
          : better == "lower" ? "↓"
                              : " ",
          e["description"].get<std::string>());
    } else if (what == "tasks") {
      say("  {:<20} {:<22} {}\n", e["name"].get<std::string>(), e["title"].get<std::string>(),
          e["open"] == true ? std::string("classes and length as in the data")
                            : fmt::format("{} classes, length {}", e["classes"].get<int>(),
                                          e["max_length"].get<int>()));
    } else {
      say("  {:<20} {}\n", e["name"].get<std::string>(), e.value("description", ""));
    }
    if (e.contains("options")) print_options(e["options"]);
    if (what == "protocols") print_protocol_tasks(e["tasks"]);
    if (what == "presets" && chosen) print_preset(e);
  }
}

// The tables of README.md and attention/README.md; tools/check_docs.sh compares them.
void print_markdown(const std::string& what, const json& all) {
  if (what == "tasks") {
    say("| task | examples | length | train / validation / test | data from | how to get them; "
        "without them |\n|---|---|---:|---|---|---|\n");
    for (const auto& e : all) {
      const std::string otherwise = text_of(e, "otherwise");
      say("| `{}` | {} | {} | {} | {} | {}{} |\n", text_of(e, "name"), text_of(e, "examples"),
          e["open"] == true ? "any" : std::to_string(e["max_length"].get<int>()),
          text_of(e, "sizes"), text_of(e, "origin"), text_of(e, "command"),
          otherwise.empty() ? "" : "; " + otherwise);
    }
  } else if (what == "attention") {
    say("| variant | name in tables | paper | time | memory | causal | file |\n"
        "|---|---|---|---|---|---|---|\n");
    for (const auto& e : all) {
      say("| `{}` | {} | {} | {} | {} | {} | [{}.cpp]({}.cpp) |\n", text_of(e, "name"),
          text_of(e, "label"), text_of(e, "cite"), text_of(e, "time"), text_of(e, "memory"),
          e["causal"].get<bool>() ? "yes" : "", text_of(e, "name"), text_of(e, "name"));
    }
  } else {
    say("| {} | description |\n|---|---|\n", what);
    for (const auto& e : all) {
      say("| `{}` | {} |\n", text_of(e, "name"), e.value("description", e.value("help", "")));
    }
  }
}

const std::vector<std::pair<std::string, json (*)()>>& lists() {
  static const std::vector<std::pair<std::string, json (*)()>> all{
      {"tasks", list_tasks},         {"attention", list_attention},  {"presets", list_presets},
      {"protocols", list_protocols}, {"suites", list_suites},        {"published", list_published},
      {"metrics", list_metrics},     {"settings", describe_settings}};
  return all;
}

// The entry of that name; an attention variant's alias names it too.
json entry_of(const std::string& what, const json& all, const std::string& name) {
  std::vector<std::string> known;
  for (const auto& e : all) {
    const json aliases = e.value("aliases", json::array());
    if (e.at("name") == name || std::find(aliases.begin(), aliases.end(), name) != aliases.end()) {
      return e;
    }
    known.push_back(text_of(e, "name"));
  }
  const std::string kind = what == "published"   ? "published table"
                           : what.ends_with('s') ? what.substr(0, what.size() - 1)
                                                 : what;
  throw Error(ErrorKind::usage, unknown_name_message(kind, name, known));
}

int list(const std::string& what, const std::vector<std::string>& names, ListFormat format) {
  json result = json::object();
  for (const auto& [name, make] : lists()) {
    if (what.empty() || what == name) result[name] = make();
  }
  if (!names.empty()) {
    json chosen = json::array();
    for (const auto& name : names) chosen.push_back(entry_of(what, result[what], name));
    result[what] = std::move(chosen);
  }
  if (format == ListFormat::md) {
    for (const auto& [name, all] : result.items()) print_markdown(name, all);
    return 0;
  }
  if (format == ListFormat::json) {
    say("{}\n", (what.empty() ? result : result[what]).dump(2));
    return 0;
  }
  for (const auto& [name, all] : result.items()) print_list(name, all, !names.empty());
  return 0;
}

}  // namespace

json list_of(const std::string& what) {
  for (const auto& [name, make] : lists()) {
    if (name == what) return make();
  }
  return json::array();
}

void add_list(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand(
      "list",
      "list tasks, attention variants, presets, protocols, suites, published tables, metrics and "
      "settings, with their options");
  std::vector<std::string> words;
  words.reserve(lists().size());
  for (const auto& [name, make] : lists()) words.push_back(name);
  auto what = std::make_shared<std::string>();
  auto names = std::make_shared<std::vector<std::string>>();
  auto as_json = std::make_shared<bool>(false);
  auto format = std::make_shared<std::string>("text");
  command
      ->add_option(
          "WHAT", *what,
          "tasks, attention, presets, protocols, suites, published, metrics or settings (default: "
          "all)")
      ->check(one_of(words));
  command->add_option("NAME", *names, "entries to list, in this order (default: all)");
  command
      ->add_option("--format", *format,
                   "output format: text, json or md (a Markdown table); default: text")
      ->check(one_of<ListFormat>());
  command->add_flag("--json", *as_json, "the same as --format json");
  command->callback([=, &action] {
    action = [=] {
      if (*as_json && command->count("--format") > 0 && *format != "json") {
        fail(ErrorKind::usage, "list: --format {} has no effect with --json", *format);
      }
      return list(*what, *names,
                  *as_json ? ListFormat::json : enum_of<ListFormat>(*format).value());
    };
  });
}

}  // namespace lra::harness::cli
