#pragma once
// The body of a file on a web server as a stream that is pulled: a broken connection is resumed at
// the same position as long as new bytes arrive.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "engine/base/error.h"

namespace lra::tasks {

struct HttpOptions {
  int attempts = 6;           // consecutive connections without a byte before giving up
  double first_wait_s = 0.5;  // before the second of them; doubled for each further one
  double stall_s = 60;        // a connection without data for this long is dropped
  double connect_s = 30;      // time for a connection to be made
  std::int64_t start = 0;     // first wanted byte
  std::string entity_tag;     // of the file when its first bytes were read; empty: not known
  std::int64_t total = -1;    // its size then; -1: not known
  std::int64_t limit =
      -1;  // more bytes than this are an error, whatever the server states; -1: none
};

// The file on the server has changed since its first bytes were read.
class FileChanged : public Error {
 public:
  explicit FileChanged(const std::string& message) : Error(ErrorKind::data, message) {}
};

// Protocols to which an address may redirect, in libcurl's notation: an encrypted transfer stays
// encrypted.
[[nodiscard]] const char* redirect_protocols(std::string_view url);

// Reads a file by HTTP or HTTPS (libcurl), following redirections. Single-threaded: data move
// inside read() alone.
class HttpSource {
 public:
  // Does not connect yet. Throws Error(usage) for an address that is not http:// or https://.
  HttpSource(const std::string& url, const HttpOptions& options);
  HttpSource(const HttpSource&) = delete;
  HttpSource& operator=(const HttpSource&) = delete;
  ~HttpSource();

  // Connects if necessary and waits for the response, so that total() and entity_tag() are known.
  // Throws as read() does.
  void open();
  // The next bytes, at least one; 0 at the end of the file. Throws Error(io) if the server cannot
  // be reached, refuses, or breaks off too often (address, status, bytes so far), and Error(data)
  // (FileChanged) if the file changed between two connections or is larger than stated. A message
  // names the address and its redirection.
  [[nodiscard]] std::size_t read(std::span<std::byte> buffer);

  // Bytes given so far, `start` included.
  [[nodiscard]] std::int64_t position() const;
  // Size of the whole file as the server states it, or -1.
  [[nodiscard]] std::int64_t total() const;
  // The server's name for this version of the file, or empty.
  [[nodiscard]] const std::string& entity_tag() const;
  // Connections made so far.
  [[nodiscard]] int connections() const;

 private:
  class Transfer;
  std::unique_ptr<Transfer> transfer_;
};

}  // namespace lra::tasks
