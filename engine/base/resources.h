#pragma once
// Resources available to this process: its affinity mask and the limits of its control groups
// (version 1 and 2, each level from its own group up to the mount; the smallest limit counts).

#include <cstdint>
#include <filesystem>

namespace lra {

// CPUs of the process's initial affinity mask, limited by a CPU quota (cpu.max; cpu.cfs_quota_us),
// rounded up. At least 1; any number of CPUs. `root` replaces / in front of proc and sys, for
// tests.
[[nodiscard]] int usable_cpus(const std::filesystem::path& root = "/");

// Bytes that can still be allocated: the kernel's available memory, limited by the unused part of a
// control group's limit, where its file cache counts as free. At least 1.
[[nodiscard]] std::int64_t available_memory(const std::filesystem::path& root = "/");

// Average number of busy CPUs over this many seconds, during which this thread sleeps; 0 where the
// system does not report it.
[[nodiscard]] double busy_cpus(double seconds);

// Restores the process's initial affinity mask for the calling thread: with OMP_PROC_BIND or
// GOMP_CPU_AFFINITY, libgomp narrows it to one CPU when loaded, and every later thread would
// inherit that.
void restore_affinity();

}  // namespace lra
