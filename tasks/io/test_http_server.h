#pragma once
// A web server on the loopback for tests of downloads: serves one file, well or badly.

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <thread>

namespace lra::tasks::testing {

struct ServerBehaviour {
  std::string body = {};
  int status = 200;                  // of answers with the whole file
  bool ranges = true;                // honours Range; else every answer is the whole file
  std::size_t cut_after = SIZE_MAX;  // bytes of the body sent before the connection breaks
  int cuts = 1 << 30;                // number of connections broken this way
  int busy_at = -1;                  // this connection, counted from 0, gets status 503
  std::int64_t lie = 0;              // added to the stated size
  std::string entity_tag = "\"one\"";
  bool stated = true;         // states the size
  std::string location = {};  // redirects there
  // From this connection on, counted from 0, the file has other content.
  int changes_at = 1 << 30;
  std::string changed_body = {};
};

class TestServer {
 public:
  explicit TestServer(ServerBehaviour behaviour) : behaviour_(std::move(behaviour)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_, generic, size) != 0 || ::listen(listener_, 8) != 0 ||
        ::getsockname(listener_, generic, &size) != 0) {
      throw std::runtime_error("test server: cannot listen");
    }
    port_ = ::ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;
  ~TestServer() {
    stop_ = true;
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }

  [[nodiscard]] std::string url(const std::string& name) const {
    return fmt::format("http://127.0.0.1:{}/{}", port_, name);
  }
  [[nodiscard]] int connections() const { return connections_; }

 private:
  void serve() {
    while (!stop_) {
      const int client = ::accept(listener_, nullptr, nullptr);
      if (client < 0) continue;
      answer(client);
      ::shutdown(client, SHUT_RDWR);
      ::close(client);
    }
  }

  void answer(int client) {
    std::string request;
    char block[4096];
    while (request.find("\r\n\r\n") == std::string::npos) {
      const auto got = ::recv(client, block, sizeof(block), 0);
      if (got <= 0) return;
      request.append(block, static_cast<std::size_t>(got));
    }
    const int connection = connections_++;
    if (connection == behaviour_.busy_at) {
      return send(client, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }
    const bool cut = connection < behaviour_.cuts;
    if (!behaviour_.location.empty()) {
      return send(client, fmt::format("HTTP/1.1 302 X\r\nLocation: {}\r\nContent-Length: 0\r\n"
                                      "Connection: close\r\n\r\n",
                                      behaviour_.location));
    }
    const bool changed = connection >= behaviour_.changes_at;
    const std::string& body = changed ? behaviour_.changed_body : behaviour_.body;
    std::size_t first = 0;
    const auto at = request.find("Range: bytes=");
    const bool part = behaviour_.ranges && at != std::string::npos;
    if (part) first = std::min<std::size_t>(std::stoul(request.substr(at + 13)), body.size());
    const auto stated = static_cast<std::int64_t>(body.size()) + behaviour_.lie;
    std::string head =
        fmt::format("HTTP/1.1 {} X\r\nETag: {}\r\nConnection: close\r\n",
                    part ? 206 : behaviour_.status, changed ? "\"two\"" : behaviour_.entity_tag);
    if (behaviour_.stated) {
      head += fmt::format("Content-Length: {}\r\n", stated - static_cast<std::int64_t>(first));
    }
    if (part) head += fmt::format("Content-Range: bytes {}-{}/{}\r\n", first, stated - 1, stated);
    send(client, head + "\r\n");
    std::size_t count = body.size() - first;
    if (cut) count = std::min(count, behaviour_.cut_after);
    send(client, body.substr(first, count));
  }

  static void send(int client, const std::string& bytes) {
    std::size_t done = 0;
    while (done < bytes.size()) {
      const auto sent = ::send(client, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
      if (sent <= 0) return;
      done += static_cast<std::size_t>(sent);
    }
  }

  ServerBehaviour behaviour_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> stop_ = false;
  std::atomic<int> connections_ = 0;
  std::thread thread_;
};

}  // namespace lra::tasks::testing
