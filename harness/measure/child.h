#pragma once
// A child process of this program's own code that is talked to in lines of JSON.

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

namespace lra::harness {

// One end of the talk.
class Channel {
 public:
  explicit Channel(int socket) : socket_(socket) {}
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  ~Channel();
  // Nothing is sent once the other end is gone.
  void send(const nlohmann::json& line) const;
  // The next line; empty once the other end is gone, or when `stop` is set while waiting.
  [[nodiscard]] std::optional<nlohmann::json> receive(const std::atomic<bool>* stop = nullptr);

 private:
  int socket_;
  std::string buffer_;
};

// Forks. The child runs `work` and ends; it keeps none of this process's files or locks open, ends
// with this process, and leaves Ctrl-C and the like to it. Must be called before this process has
// started threads. Throws Error(io) if the system refuses.
class Child {
 public:
  explicit Child(const std::function<void(Channel&)>& work);
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child();  // kills it if it still runs
  [[nodiscard]] Channel& channel() { return *channel_; }
  // Waits for its end. True if it was killed and the system has killed a process for want of memory
  // since this one started. A process that somebody else has killed says nothing about memory.
  [[nodiscard]] bool ran_out_of_memory();

 private:
  pid_t process_ = -1;
  std::int64_t kills_before_ = 0;
  std::optional<Channel> channel_;
};

}  // namespace lra::harness
