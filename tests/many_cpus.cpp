// Simulates a machine of 1,536 CPUs when preloaded: the affinity mask is larger than the C
// library's cpu_set_t.

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstddef>

namespace {

constexpr std::size_t kBytes = 256;   // of the kernel's masks: 2,048 possible CPUs
constexpr std::size_t kUsable = 192;  // bytes of ones: 1,536 CPUs

long system_call(long number, const long (&arguments)[6]) {
  long result = 0;
  register long fourth __asm__("r10") = arguments[3];
  register long fifth __asm__("r8") = arguments[4];
  register long sixth __asm__("r9") = arguments[5];
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(arguments[0]), "S"(arguments[1]), "d"(arguments[2]),
                     "r"(fourth), "r"(fifth), "r"(sixth)
                   : "rcx", "r11", "memory");
  if (result >= 0 || result < -4095) return result;
  errno = static_cast<int>(-result);
  return -1;
}

}  // namespace

extern "C" long syscall(long number, ...) noexcept {
  long arguments[6];
  va_list list;
  va_start(list, number);
  for (long& argument : arguments) argument = va_arg(list, long);
  va_end(list);
  if (number == SYS_sched_getaffinity) {
    if (static_cast<std::size_t>(arguments[1]) < kBytes) {  // as the kernel does
      errno = EINVAL;
      return -1;
    }
    auto* const mask = reinterpret_cast<unsigned char*>(arguments[2]);
    std::fill(mask, mask + kUsable, static_cast<unsigned char>(0xff));
    std::fill(mask + kUsable, mask + kBytes, static_cast<unsigned char>(0));
    return static_cast<long>(kBytes);
  }
  if (number == SYS_sched_setaffinity) return 0;
  return system_call(number, arguments);
}
