#pragma once
// What this process may use of the machine: its affinity mask and the limits of its control groups
// (version 1 and 2, each level from its own group up to the mount; the smallest limit counts).

#include <cstdint>
#include <filesystem>

namespace lra {

// CPUs of the affinity mask that the process was started with, at most as many as a CPU quota
// (cpu.max; cpu.cfs_quota_us) amounts to, rounded up. At least 1; any number of CPUs. `root` stands
// for / in front of proc and sys, for tests.
[[nodiscard]] int usable_cpus(const std::filesystem::path& root = "/");

// Bytes that may still be allocated: what the kernel calls available, at most what a control group
// leaves of its limit, its file cache counting as free. At least 1.
[[nodiscard]] std::int64_t available_memory(const std::filesystem::path& root = "/");

// CPUs that are busy on average over that many seconds, for which this thread sleeps; 0 where the
// system does not say.
[[nodiscard]] double busy_cpus(double seconds);

// Gives the calling thread the affinity mask back that the process was started with: with
// OMP_PROC_BIND or GOMP_CPU_AFFINITY, libgomp narrows it to one CPU when it is loaded, and every
// thread that is started later would inherit that.
void restore_affinity();

}  // namespace lra
