#pragma once
// A child process running this program's code, communicating through JSON lines.

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

namespace lra::harness {

// One end of the channel.
class Channel {
 public:
  explicit Channel(int socket) : socket_(socket) {}
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  ~Channel();
  // Does nothing once the other end is closed.
  void send(const nlohmann::json& line) const;
  // The next line; empty once the other end is closed, or if `stop` is set while waiting.
  [[nodiscard]] std::optional<nlohmann::json> receive(const std::atomic<bool>* stop = nullptr);

 private:
  int socket_;
  std::string buffer_;
};

// Forks. The child runs `work` and ends. It keeps none of this process's files or locks open, ends
// with this process, and leaves signals such as Ctrl-C to it. Must be called before this process
// has started threads. Throws Error(io) if the system refuses.
class Child {
 public:
  explicit Child(const std::function<void(Channel&)>& work);
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child();  // kills the child if it still runs
  [[nodiscard]] Channel& channel() { return *channel_; }
  // Waits for its end. True if it was killed and the system has killed a process for lack of memory
  // since it started; a kill from another source does not count as lack of memory.
  [[nodiscard]] bool ran_out_of_memory();

 private:
  pid_t process_ = -1;
  std::int64_t kills_before_ = 0;
  std::optional<Channel> channel_;
};

}  // namespace lra::harness
