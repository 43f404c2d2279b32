#include "engine/base/resources.h"

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <thread>

#include "engine/base/file.h"
#include "tests/catch.h"

namespace lra {
namespace {

namespace fs = std::filesystem;

// A folder used as /, with 8 GB available.
class System {
 public:
  explicit System(const std::string& groups)
      : path_(fs::temp_directory_path() / fmt::format("lra-resources-{}", ::getpid())) {
    fs::remove_all(path_);
    write("proc/meminfo", "MemTotal:       16000000 kB\nMemAvailable:    8000000 kB\n");
    write("proc/self/cgroup", groups);
  }
  System(const System&) = delete;
  System& operator=(const System&) = delete;
  ~System() { fs::remove_all(path_); }
  void write(const std::string& file, const std::string& text) const {
    write_file_atomic(path_ / file, text);
  }
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

}  // namespace

TEST_CASE("resources: memory without control groups is what the kernel calls available", "[unit]") {
  const System system("0::/\n");
  CHECK(available_memory(system.path()) == 8192000000);
  CHECK(available_memory() > 1);
}

TEST_CASE("resources: the file cache of a group is free memory", "[unit]") {
  const System system("0::/\n");
  system.write("sys/fs/cgroup/memory.max", "2000000000\n");
  system.write("sys/fs/cgroup/memory.current", "1995000000\n");
  CHECK(available_memory(system.path()) == 5000000);
  system.write("sys/fs/cgroup/memory.stat",
               "anon 60000000\nfile 1930000000\ninactive_file 1900000000\nactive_file 30000000\n");
  CHECK(available_memory(system.path()) == 1935000000);
}

TEST_CASE("resources: the smallest limit on the path of a nested group counts", "[unit]") {
  const System system("0::/system.slice/slurmstepd.scope/job_7\n");
  const std::string top = "sys/fs/cgroup/system.slice/";
  system.write(top + "slurmstepd.scope/job_7/memory.max", "max\n");
  system.write(top + "slurmstepd.scope/job_7/memory.current", "1000000\n");
  CHECK(available_memory(system.path()) == 8192000000);
  system.write(top + "memory.max", "9000000\n");
  system.write(top + "memory.current", "2000000\n");
  CHECK(available_memory(system.path()) == 7000000);
  system.write(top + "slurmstepd.scope/job_7/memory.max", "5000000\n");
  CHECK(available_memory(system.path()) == 4000000);
}

TEST_CASE("resources: a container that sees its own group as the mount's root", "[unit]") {
  const System system("0::/docker/abc/job\n");
  system.write("proc/self/mountinfo",
               "31 23 0:28 /docker/abc /run/groups rw,relatime shared:4 - cgroup2 cgroup2 rw\n");
  system.write("run/groups/job/memory.max", "3000000\n");
  system.write("run/groups/job/memory.current", "1000000\n");
  CHECK(available_memory(system.path()) == 2000000);
}

TEST_CASE("resources: control groups of version 1", "[unit]") {
  const System system("4:memory:/job\n3:cpu,cpuacct:/job\n0::/\n");
  const std::string memory = "sys/fs/cgroup/memory/";
  // A group without a limit states the largest number of pages.
  system.write(memory + "job/memory.limit_in_bytes", "9223372036854771712\n");
  system.write(memory + "job/memory.usage_in_bytes", "1000000\n");
  CHECK(available_memory(system.path()) == 8192000000);
  system.write(memory + "memory.limit_in_bytes", "5000000\n");
  system.write(memory + "memory.usage_in_bytes", "1000000\n");
  CHECK(available_memory(system.path()) == 4000000);
  system.write(memory + "memory.stat", "total_inactive_file 300000\ntotal_active_file 200000\n");
  CHECK(available_memory(system.path()) == 4500000);
  const int all = usable_cpus();
  system.write("sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "-1\n");
  system.write("sys/fs/cgroup/cpu/job/cpu.cfs_period_us", "100000\n");
  CHECK(usable_cpus(system.path()) >= all);
  system.write("sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "50000\n");
  CHECK(usable_cpus(system.path()) == 1);
}

TEST_CASE("resources: a CPU quota bounds the CPUs, rounded up", "[unit]") {
  const System system("0::/a/b\n");
  const int all = usable_cpus(system.path());
  CHECK(all >= 1);
  system.write("sys/fs/cgroup/a/cpu.max", "max 100000\n");
  CHECK(usable_cpus(system.path()) == all);
  system.write("sys/fs/cgroup/a/cpu.max", "100000 100000\n");
  CHECK(usable_cpus(system.path()) == 1);
  system.write("sys/fs/cgroup/a/cpu.max", "110000 100000\n");
  CHECK(usable_cpus(system.path()) == std::min(all, 2));
}

TEST_CASE("resources: a narrowed thread gets the process's first mask back", "[unit]") {
  std::thread([] {
    cpu_set_t first;
    REQUIRE(::sched_getaffinity(0, sizeof(first), &first) == 0);
    int cpu = 0;
    while (!CPU_ISSET(cpu, &first)) ++cpu;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    REQUIRE(::sched_setaffinity(0, sizeof(one), &one) == 0);
    restore_affinity();
    cpu_set_t now;
    REQUIRE(::sched_getaffinity(0, sizeof(now), &now) == 0);
    CHECK(CPU_COUNT(&now) == usable_cpus("/nonexistent"));
  }).join();
}

}  // namespace lra
