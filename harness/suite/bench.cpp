#include "harness/suite/bench.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/resources.h"
#include "engine/runtime.h"
#include "harness/run/ended.h"
#include "harness/suite/estimate.h"
#include "harness/suite/phases.h"

namespace lra::harness {
namespace {

using results::BenchRecord;

struct Entry {
  BenchOptions options;
  std::filesystem::path file;
  BenchRecord record;
};

bool has_length(const BenchRecord& record, std::int64_t n) {
  return std::any_of(record.points.begin(), record.points.end(),
                     [n](const results::BenchPoint& p) { return p.n == n; });
}

// True if both were measured under the same conditions, so that their points can be combined.
bool same_conditions(const BenchRecord& a, const BenchRecord& b) {
  const auto& x = a.environment;
  const auto& y = b.environment;
  return a.attention.options == b.attention.options && a.preset == b.preset &&
         a.precision == b.precision && a.mode == b.mode && a.batch == b.batch &&
         a.mean_tokens == b.mean_tokens && results::machine_of(x) == results::machine_of(y) &&
         x.version == y.version && x.commit == y.commit;
}

std::filesystem::path file_of(const SuiteBench& bench, const BenchOptions& variant,
                              results::BenchMode mode, const std::filesystem::path& out) {
  const auto same_name = std::count_if(
      bench.variants.begin(), bench.variants.end(),
      [&](const BenchOptions& other) { return other.attention == variant.attention; });
  const std::string suffix =
      same_name > 1 ? "-" + sha256_hex(variant.attention_options.dump()).substr(0, 6) : "";
  return out / fmt::format("bench-{}-{}{}.json", variant.attention, name_of(mode), suffix);
}

Entry make_entry(const SuiteBench& bench, const BenchOptions& variant, results::BenchMode mode,
                 const SuiteOptions& options) {
  Entry entry{variant, {}, {}};
  entry.options.mode = mode;
  entry.options.threads = options.threads;
  entry.options.limit = true;
  entry.file = file_of(bench, variant, mode, options.out);
  entry.record = bench_record(entry.options);
  if (!is_there(entry.file)) return entry;
  BenchRecord found = results::bench_from_json(read_json(entry.file), entry.file.string());
  if (same_conditions(found, entry.record)) entry.record = std::move(found);
  return entry;
}

}  // namespace

std::vector<BenchRecord> run_suite_bench(const Suite& suite, const SuiteOptions& options,
                                         SuiteObserver& observer) {
  const std::int64_t memory = options.memory_bytes > 0 ? options.memory_bytes : available_memory();
  const auto stopped = [&] { return options.stop != nullptr && options.stop->load(); };
  std::vector<BenchRecord> records;
  const auto lock = lock_measurements(options, observer);
  if (lock == nullptr) return records;
  notify([&] { observer.on_phase(kBenchPhase); });
  for (const results::BenchMode mode : suite.bench->modes) {
    std::vector<Entry> entries;
    for (const BenchOptions& variant : suite.bench->variants) {
      entries.push_back(make_entry(*suite.bench, variant, mode, options));
    }
    for (const std::int64_t n : suite.bench->lengths) {
      std::vector<Entry*> missing;
      std::vector<BenchOptions> variants;
      for (Entry& entry : entries) {
        if (has_length(entry.record, n)) continue;
        missing.push_back(&entry);
        variants.push_back(entry.options);
      }
      if (missing.empty() || stopped()) continue;
      const auto measured = bench_side_by_side(variants, n, memory, options.stop);
      for (std::size_t i = 0; i < measured.size(); ++i) {
        if (measured[i].known) {  // otherwise the next call measures it
          add_point(missing[i]->record, measured[i]);
          write_json(missing[i]->file, results::to_json(missing[i]->record));
        }
        notify([&] { observer.on_bench(missing[i]->record, measured[i].point); });
      }
    }
    for (Entry& entry : entries) records.push_back(std::move(entry.record));
  }
  return records;
}

std::vector<BenchRecord> saved_benches(const Suite& suite, const std::filesystem::path& out) {
  std::vector<BenchRecord> records;
  for (const results::BenchMode mode : suite.bench->modes) {
    for (const BenchOptions& variant : suite.bench->variants) {
      const auto file = file_of(*suite.bench, variant, mode, out);
      if (is_there(file)) {
        records.push_back(results::bench_from_json(read_json(file), file.string()));
      }
    }
  }
  return records;
}

bool bench_is_complete(const Suite& suite, const std::vector<BenchRecord>& records) {
  return records.size() == suite.bench->modes.size() * suite.bench->variants.size() &&
         std::all_of(records.begin(), records.end(), [&suite](const BenchRecord& record) {
           return std::all_of(suite.bench->lengths.begin(), suite.bench->lengths.end(),
                              [&record](std::int64_t n) { return has_length(record, n); });
         });
}

}  // namespace lra::harness
