#include "tasks/io/http_source.h"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstring>
#include <optional>
#include <string_view>
#include <thread>
#include <vector>

#include "engine/base/error.h"

namespace lra::tasks {
namespace {

struct FreeEasy {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct FreeMulti {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

void start_curl() {
  static const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (code != CURLE_OK) fail(ErrorKind::backend, "libcurl: {}", curl_easy_strerror(code));
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\r' || text.back() == '\n')) {
    text.remove_suffix(1);
  }
  return text;
}

std::optional<std::int64_t> number(std::string_view text) {
  text = trimmed(text);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

// Contents of the head of one response.
struct Answer {
  long status = 0;
  std::int64_t length = -1;  // Content-Length
  std::int64_t first = -1;   // of Content-Range: bytes first-last/total
  std::int64_t total = -1;
  std::string entity_tag;

  void take(std::string_view line) {
    if (line.starts_with("HTTP/")) {
      *this = {};  // a redirection's head came before
      const std::size_t space = line.find(' ');
      if (space != std::string_view::npos) status = number(line.substr(space + 1, 3)).value_or(0);
      return;
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return;
    std::string name(line.substr(0, colon));
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    const std::string_view value = trimmed(line.substr(colon + 1));
    if (name == "content-length") length = number(value).value_or(-1);
    if (name == "etag") entity_tag = value;
    if (name == "content-range") take_range(value);
  }

 private:
  void take_range(std::string_view value) {
    const std::size_t slash = value.find('/');
    if (!value.starts_with("bytes ") || slash == std::string_view::npos) return;
    total = number(value.substr(slash + 1)).value_or(-1);
    const std::string_view range = value.substr(6, slash - 6);
    first = number(range.substr(0, range.find('-'))).value_or(-1);
  }
};

}  // namespace

class HttpSource::Transfer {
 public:
  Transfer(std::string url, const HttpOptions& options)
      : url_(std::move(url)),
        options_(options),
        position_(options.start),
        total_(options.total),
        entity_tag_(options.entity_tag),
        multi_((start_curl(), curl_multi_init())) {
    if (!multi_) fail(ErrorKind::backend, "libcurl: cannot start");
  }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;
  ~Transfer() { disconnect(); }

  void open() {
    while (!ended_ && taken_ == buffer_.size() && !head_complete_) step();
  }

  std::size_t read(std::span<std::byte> out) {
    while (taken_ == buffer_.size()) {
      if (ended_) return 0;
      step();
    }
    const std::size_t size = std::min(out.size(), buffer_.size() - taken_);
    std::memcpy(out.data(), buffer_.data() + taken_, size);
    taken_ += size;
    position_ += static_cast<std::int64_t>(size);
    if (taken_ == buffer_.size()) {
      buffer_.clear();
      taken_ = 0;
    }
    return size;
  }

  [[nodiscard]] std::int64_t position() const { return position_; }
  [[nodiscard]] std::int64_t total() const { return total_; }
  [[nodiscard]] const std::string& entity_tag() const { return entity_tag_; }
  [[nodiscard]] int connections() const { return connections_; }

 private:
  // Progress in bytes received, whether or not they were read.
  [[nodiscard]] std::int64_t received() const {
    return position_ + static_cast<std::int64_t>(buffer_.size() - taken_);
  }
  [[nodiscard]] std::string so_far() const {
    return total_ >= 0 ? fmt::format("{} of {} bytes", received(), total_)
                       : fmt::format("{} bytes", received());
  }

  static size_t on_header(char* data, size_t, size_t size, void* self) noexcept {
    auto& transfer = *static_cast<Transfer*>(self);
    const std::string_view line(data, size);
    if (trimmed(line).empty()) {
      transfer.on_head_end();
    } else {
      transfer.answer_.take(line);
    }
    return size;
  }

  // Determines whether the body is the wanted part, the whole file (its beginning is skipped) or an
  // error page.
  void on_head_end() {
    if (answer_.status / 100 == 3 || answer_.status / 100 == 1) return;
    skip_ = -1;
    if (answer_.status == 206 && answer_.first == wanted_) skip_ = 0;
    if (answer_.status == 200) skip_ = wanted_;
    if (skip_ < 0) return;
    const std::int64_t total = answer_.status == 206 ? answer_.total : answer_.length;
    changed_ =
        changed_ || (total_ >= 0 && total >= 0 && total != total_) ||
        (!entity_tag_.empty() && !answer_.entity_tag.empty() && answer_.entity_tag != entity_tag_);
    if (changed_) return;
    if (total >= 0) total_ = total;
    if (entity_tag_.empty()) entity_tag_ = answer_.entity_tag;
    head_complete_ = true;
  }

  static size_t on_body(char* data, size_t, size_t size, void* self) noexcept {
    auto& transfer = *static_cast<Transfer*>(self);
    if (transfer.skip_ < 0 || transfer.changed_) return 0;  // ends the transfer
    if (transfer.too_large(static_cast<std::int64_t>(size) - transfer.skip_)) return 0;
    const auto skipped = std::min(static_cast<std::int64_t>(size), transfer.skip_);
    transfer.skip_ -= skipped;
    const auto* bytes = reinterpret_cast<const std::byte*>(data);
    transfer.buffer_.insert(transfer.buffer_.end(), bytes + skipped, bytes + size);
    return size;
  }

  // Whether `more` bytes would exceed what the server or the caller stated.
  [[nodiscard]] bool too_large(std::int64_t more) {
    const std::int64_t after = received() + std::max<std::int64_t>(more, 0);
    too_large_ = (total_ >= 0 && after > total_) || (options_.limit >= 0 && after > options_.limit);
    return too_large_;
  }

  // The address, with its redirection if any.
  [[nodiscard]] std::string address() const {
    const char* last = nullptr;
    if (easy_) curl_easy_getinfo(easy_.get(), CURLINFO_EFFECTIVE_URL, &last);
    long redirections = 0;
    if (easy_) curl_easy_getinfo(easy_.get(), CURLINFO_REDIRECT_COUNT, &redirections);
    if (last == nullptr || redirections == 0 || url_ == last) return url_;
    return fmt::format("{} (redirected to {})", url_, last);
  }

  void connect() {
    wanted_ = received();
    skip_ = -1;
    answer_ = {};
    ++connections_;
    easy_.reset(curl_easy_init());
    if (!easy_) fail(ErrorKind::backend, "libcurl: cannot start");
    CURL* easy = easy_.get();
    message_[0] = '\0';
    curl_easy_setopt(easy, CURLOPT_URL, url_.c_str());
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, redirect_protocols(url_));
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(easy, CURLOPT_MAXREDIRS, 10L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "lra");
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, message_.data());
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, milliseconds(options_.connect_s));
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &Transfer::on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Transfer::on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
    if (wanted_ > 0) {
      const std::string range = fmt::format("{}-", wanted_);
      curl_easy_setopt(easy, CURLOPT_RANGE, range.c_str());  // libcurl keeps a copy
      if (!entity_tag_.empty() && !entity_tag_.starts_with("W/")) {
        headers_.reset(curl_slist_append(nullptr, ("If-Range: " + entity_tag_).c_str()));
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers_.get());
      }
    }
    curl_multi_add_handle(multi_.get(), easy);
    last_byte_ = Clock::now();
  }

  void disconnect() {
    if (easy_) curl_multi_remove_handle(multi_.get(), easy_.get());
    easy_.reset();
    headers_.reset();
  }

  // Advances the transfer: some bytes, its end, or a new connection after a failure.
  void step() {
    if (!easy_) connect();
    const std::int64_t before = received();
    int running = 0;
    curl_multi_perform(multi_.get(), &running);
    if (received() != before) {  // bytes are returned before the transfer's end is handled
      last_byte_ = Clock::now();
      return;
    }
    int left = 0;
    if (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
      finish(message->data.result);
      return;
    }
    if (std::chrono::duration<double>(Clock::now() - last_byte_).count() > options_.stall_s) {
      retry(fmt::format("nothing came for {} s", options_.stall_s));
      return;
    }
    curl_multi_poll(multi_.get(), nullptr, 0, 100, nullptr);
  }

  void finish(CURLcode code) {
    const Answer answer = answer_;
    const std::string reason = message_[0] != '\0' ? message_.data() : curl_easy_strerror(code);
    if (changed_) {
      throw FileChanged(fmt::format("{}: the file changed on the server after {}; start again",
                                    address(), so_far()));
    }
    if (too_large_) {
      const std::int64_t stated = options_.limit >= 0 ? options_.limit : total_;
      fail(ErrorKind::data, "{}: more bytes than stated; got at least {}, expected {}", address(),
           stated + 1, stated);
    }
    const bool beyond_end =
        answer.status == 416 && (answer.total < 0 || answer.total == received());
    if (beyond_end && wanted_ > 0 && (total_ < 0 || total_ == received())) {
      end();
      return;
    }
    if (code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_URL_MALFORMAT ||
        code == CURLE_TOO_MANY_REDIRECTS || code == CURLE_PEER_FAILED_VERIFICATION) {
      fail(ErrorKind::io, "{}: {}{}", address(), reason, refused_redirection());
    }
    // After a redirection whose target failed, the answer is the redirection's.
    const bool redirected = answer.status / 100 == 3 && code != CURLE_OK;
    if (answer.status >= 400 || (answer.status != 0 && skip_ < 0 && !redirected)) {
      const bool passing = answer.status >= 500 || answer.status == 429 || answer.status == 408;
      const std::string status = fmt::format("the server answered with status {}", answer.status);
      if (!passing) fail(ErrorKind::io, "{}: {} after {}", address(), status, so_far());
      retry(status);
      return;
    }
    if (code == CURLE_OK && (total_ < 0 || received() == total_)) {
      end();
      return;
    }
    retry(reason);
  }

  void end() {
    ended_ = true;
    disconnect();
  }

  // Why a redirection was not followed, if this ended the transfer.
  [[nodiscard]] std::string refused_redirection() const {
    const char* next = nullptr;
    curl_easy_getinfo(easy_.get(), CURLINFO_REDIRECT_URL, &next);
    if (next == nullptr) return {};
    return fmt::format("; got a redirection to {}, expected {}", next, redirect_protocols(url_));
  }

  void retry(const std::string& reason) {
    const std::string where = address();
    disconnect();
    if (received() > wanted_) {  // it brought bytes: not a failure
      failures_ = 0;
      std::this_thread::sleep_for(std::chrono::duration<double>(options_.first_wait_s));
      return;
    }
    if (++failures_ >= options_.attempts) {
      fail(ErrorKind::io,
           "{}: {}; got {} in {} connections, the last {} without a byte; try again "
           "later",
           where, reason, so_far(), connections_, failures_);
    }
    const double wait = options_.first_wait_s * std::pow(2.0, failures_ - 1);
    std::this_thread::sleep_for(std::chrono::duration<double>(std::min(wait, 60.0)));
  }

  static long milliseconds(double seconds) { return std::lround(seconds * 1000); }

  using Clock = std::chrono::steady_clock;

  std::string url_;
  HttpOptions options_;
  std::int64_t position_;  // bytes read by the caller
  std::int64_t total_;
  std::string entity_tag_;
  std::vector<std::byte> buffer_;  // received, of which taken_ were read
  std::size_t taken_ = 0;
  std::unique_ptr<CURLM, FreeMulti> multi_;
  std::unique_ptr<curl_slist, FreeList> headers_;
  std::unique_ptr<CURL, FreeEasy> easy_;
  std::array<char, CURL_ERROR_SIZE> message_{};
  Answer answer_;
  std::int64_t wanted_ = 0;  // first byte asked for by this connection
  std::int64_t skip_ = -1;   // bytes of the body to drop; -1: the body is not the file
  Clock::time_point last_byte_;
  int connections_ = 0;
  int failures_ = 0;  // connections in a row without a byte
  bool head_complete_ = false;
  bool changed_ = false;
  bool too_large_ = false;
  bool ended_ = false;
};

const char* redirect_protocols(std::string_view url) {
  return url.starts_with("https:") ? "https" : "http,https";
}

HttpSource::HttpSource(const std::string& url, const HttpOptions& options) {
  if (!url.starts_with("http://") && !url.starts_with("https://")) {
    fail(ErrorKind::usage, "fetch: address; got '{}', expected http:// or https://", url);
  }
  transfer_ = std::make_unique<Transfer>(url, options);
}

HttpSource::~HttpSource() = default;

void HttpSource::open() { transfer_->open(); }
std::size_t HttpSource::read(std::span<std::byte> buffer) { return transfer_->read(buffer); }
std::int64_t HttpSource::position() const { return transfer_->position(); }
std::int64_t HttpSource::total() const { return transfer_->total(); }
const std::string& HttpSource::entity_tag() const { return transfer_->entity_tag(); }
int HttpSource::connections() const { return transfer_->connections(); }

}  // namespace lra::tasks
