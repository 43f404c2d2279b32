#include "engine/base/resources.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace lra {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kNoLimit = std::numeric_limits<std::int64_t>::max();

// The process's initial affinity mask. 65,536 CPUs; glibc's cpu_set_t ends at 1,024.
std::array<unsigned long, 1024> first_mask;
long first_mask_bytes = 0;

// Runs before the initialisers of shared libraries and sanitizers, so it makes only system calls.
__attribute__((no_sanitize("address", "undefined", "thread"), used)) void keep_first_mask(int,
                                                                                          char**,
                                                                                          char**) {
  first_mask_bytes = ::syscall(SYS_sched_getaffinity, 0, sizeof(first_mask), &first_mask);
}
#ifdef LRA_SHARED_LIBRARY
// A shared library (the Python module) is loaded into a running process; it takes the mask at that
// time.
const bool kept = (keep_first_mask(0, nullptr, nullptr), true);
#else
// Only an executable's functions in this section run before libgomp's constructor.
__attribute__((section(".preinit_array"), used)) void (*const kept)(int, char**,
                                                                    char**) = keep_first_mask;
#endif

int cpus_of_mask() {
  int count = 0;
  const std::size_t words =
      first_mask_bytes > 0 ? static_cast<std::size_t>(first_mask_bytes) / sizeof(first_mask[0]) : 0;
  for (std::size_t i = 0; i < words; ++i) count += std::popcount(first_mask[i]);
  if (count > 0) return count;
  return static_cast<int>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
}

// The first number of a small file of the system; none for "max" and a missing file.
std::optional<std::int64_t> number_in(const fs::path& file) {
  std::ifstream stream(file);
  std::int64_t value = 0;
  if (stream >> value) return value;
  return std::nullopt;
}

// The value of a line "KEY VALUE" or "KEY: VALUE kB"; 0 if there is none.
std::int64_t value_of(const fs::path& file, const std::string& key) {
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) {
    std::istringstream words(line);
    std::string name;
    std::int64_t value = 0;
    if (words >> name >> value && name == key) return value;
  }
  return 0;
}

// The process's group for a controller ("" for version 2), as a path below the mount.
std::string group_of(const fs::path& root, const std::string& controller) {
  std::ifstream file(root / "proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {  // ID:CONTROLLER,...:/PATH
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string list = "," + line.substr(first + 1, second - first - 1) + ",";
    const bool found =
        controller.empty() ? list == ",," : list.find("," + controller + ",") != std::string::npos;
    if (found) return line.substr(second + 1);
  }
  return "/";
}

struct Mount {
  fs::path folder;
  std::string shows;  // which group it has as its root: "/", or more in a container
};

// Mounts of version 2 ("") or of a controller of version 1; the usual places in any case.
std::vector<Mount> mounts_of(const fs::path& root, const std::string& controller) {
  std::vector<Mount> mounts;
  std::ifstream file(root / "proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::istringstream before(line.substr(0, dash));
    std::istringstream after(line.substr(dash + 3));
    std::string id, parent, device, shows, place, type, source, options;
    before >> id >> parent >> device >> shows >> place;
    after >> type >> source >> options;
    const bool found =
        controller.empty()
            ? type == "cgroup2"
            : type == "cgroup" &&
                  ("," + options + ",").find("," + controller + ",") != std::string::npos;
    if (found) mounts.push_back({root / fs::path(place).relative_path(), shows});
  }
  const fs::path usual = root / "sys/fs/cgroup";
  mounts.push_back({controller.empty() ? usual : usual / controller, "/"});
  return mounts;
}

// The folders of the process's group and its visible ancestors.
std::vector<fs::path> groups_of(const fs::path& root, const std::string& controller) {
  std::vector<fs::path> groups;
  const std::string path = group_of(root, controller);
  for (const Mount& mount : mounts_of(root, controller)) {
    std::string below = path;
    if (mount.shows != "/" && below.starts_with(mount.shows)) below.erase(0, mount.shows.size());
    fs::path relative = fs::path(below).relative_path().lexically_normal();
    if (relative.string().starts_with("..")) relative.clear();  // outside of this namespace
    for (; !relative.empty() && relative != "."; relative = relative.parent_path()) {
      groups.push_back(mount.folder / relative);
    }
    groups.push_back(mount.folder);
  }
  return groups;
}

// Bytes that a group leaves: limit - used, with the pages of files that it would give up first.
std::int64_t left_in(const std::optional<std::int64_t>& limit,
                     const std::optional<std::int64_t>& used, std::int64_t reclaimable) {
  if (!limit || !used) return kNoLimit;
  return *limit - std::max<std::int64_t>(0, *used - reclaimable);
}

std::int64_t left_by_groups(const fs::path& root) {
  std::int64_t left = kNoLimit;
  for (const fs::path& group : groups_of(root, "")) {
    const fs::path stat = group / "memory.stat";
    left =
        std::min(left, left_in(number_in(group / "memory.max"), number_in(group / "memory.current"),
                               value_of(stat, "inactive_file") + value_of(stat, "active_file") +
                                   value_of(stat, "slab_reclaimable")));
  }
  for (const fs::path& group : groups_of(root, "memory")) {
    const fs::path stat = group / "memory.stat";
    left = std::min(
        left, left_in(number_in(group / "memory.limit_in_bytes"),
                      number_in(group / "memory.usage_in_bytes"),
                      value_of(stat, "total_inactive_file") + value_of(stat, "total_active_file")));
  }
  return left;
}

// CPUs that correspond to the quotas.
std::int64_t quota_cpus(const fs::path& root) {
  std::int64_t cpus = kNoLimit;
  const auto take = [&cpus](std::int64_t quota, std::int64_t period) {
    if (quota > 0 && period > 0) cpus = std::min(cpus, (quota + period - 1) / period);
  };
  for (const fs::path& group : groups_of(root, "")) {
    std::ifstream file(group / "cpu.max");  // "QUOTA PERIOD" or "max PERIOD"
    std::int64_t quota = 0;
    std::int64_t period = 0;
    if (file >> quota >> period) take(quota, period);
  }
  for (const fs::path& group : groups_of(root, "cpu")) {
    take(number_in(group / "cpu.cfs_quota_us").value_or(-1),
         number_in(group / "cpu.cfs_period_us").value_or(0));
  }
  return cpus;
}

}  // namespace

int usable_cpus(const fs::path& root) {
  return static_cast<int>(
      std::max<std::int64_t>(1, std::min<std::int64_t>(cpus_of_mask(), quota_cpus(root))));
}

std::int64_t available_memory(const fs::path& root) {
  const std::int64_t kilobytes = value_of(root / "proc/meminfo", "MemAvailable:");
  const std::int64_t system = kilobytes > 0 ? 1024 * kilobytes : kNoLimit;
  return std::max<std::int64_t>(1, std::min(system, left_by_groups(root)));
}

double busy_cpus(double seconds) {
  // Ticks of all CPUs: user, nice, system, idle, iowait, irq, softirq, steal.
  const auto ticks = [] {
    std::ifstream file("/proc/stat");
    std::string name;
    std::array<double, 8> counts{};
    file >> name;
    for (double& count : counts) file >> count;
    const double idle = counts[3] + counts[4];
    double all = 0;
    for (const double count : counts) all += count;
    return std::pair{all - idle, all};
  };
  const auto [busy, all] = ticks();
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  const auto [busy_after, all_after] = ticks();
  if (!(all_after > all)) return 0;
  const auto cpus = static_cast<double>(::sysconf(_SC_NPROCESSORS_ONLN));
  return cpus * (busy_after - busy) / (all_after - all);
}

void restore_affinity() {
  if (first_mask_bytes <= 0) return;
  static_cast<void>(!::syscall(SYS_sched_setaffinity, 0, static_cast<std::size_t>(first_mask_bytes),
                               &first_mask));
}

}  // namespace lra
