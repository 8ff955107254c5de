// SPDX-License-Identifier: Apache-2.0
#include "sink/http_exchange.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

namespace isoscope::sink {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::string_view line_end = "\r\n";

class Connection {
 public:
  Connection(int fd, int stop) : fd_(fd), stop_(stop), end_(Clock::now() + longest_exchange) {}

  // Up to the blank line behind its head.
  std::optional<std::string> read_request() {
    std::string request;
    std::array<char, 2048> bytes{};
    while (request.find("\r\n\r\n") == std::string::npos) {
      if (request.size() >= most_request_bytes || !is_ready(POLLIN)) {
        return std::nullopt;
      }
      const ssize_t got =
          ::recv(fd_, bytes.data(), std::min(bytes.size(), most_request_bytes - request.size()), 0);
      if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        return std::nullopt;
      }
      request.append(bytes.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
    }
    return request;
  }

  void write(std::string_view bytes) {
    while (!bytes.empty() && is_ready(POLLOUT)) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        return;
      }
      bytes.remove_prefix(sent > 0 ? static_cast<std::size_t>(sent) : 0);
    }
  }

 private:
  bool is_ready(short events) const {
    return wait_for(fd_, events, std::chrono::ceil<std::chrono::milliseconds>(end_ - Clock::now()), stop_);
  }

  int fd_;
  int stop_;
  Clock::time_point end_;
};

const char* reason_of(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    default:
      return "Service Unavailable";
  }
}

std::string head_of(const HttpAnswer& answer) {
  return fmt::format(
      "HTTP/1.1 {} {}\r\n{}Content-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
      answer.status, reason_of(answer.status), answer.status == 405 ? "Allow: GET, HEAD\r\n" : "",
      answer.content_type, answer.body.size());
}

// `METHOD TARGET HTTP/1.x`
struct RequestLine {
  std::string_view method;
  std::string_view path;
};

std::optional<RequestLine> parse(std::string_view request) {
  const std::string_view line = request.substr(0, request.find(line_end));
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last || !line.substr(last + 1).starts_with("HTTP/1.")) {
    return std::nullopt;
  }
  const std::string_view target = line.substr(first + 1, last - first - 1);
  if (!target.starts_with('/')) {
    return std::nullopt;
  }
  return RequestLine{line.substr(0, first), target.substr(0, target.find('?'))};
}

}  // namespace

bool wait_for(int fd, short events, std::chrono::milliseconds longest, int stop) {
  if (longest.count() <= 0) {
    return false;
  }
  std::array<pollfd, 2> waited = {pollfd{fd, events, 0}, pollfd{stop, POLLIN, 0}};
  const int ready = ::poll(waited.data(), waited.size(), static_cast<int>(longest.count()));
  return ready > 0 && waited[1].revents == 0 && waited[0].revents != 0;
}

void exchange(int fd, int stop, const std::function<HttpAnswer(std::string_view path)>& find) {
  Connection connection(fd, stop);
  const std::optional<std::string> request = connection.read_request();
  if (!request) {
    return;
  }
  const std::optional<RequestLine> line = parse(*request);
  HttpAnswer answer;
  if (!line) {
    answer = {400, "text/plain", "not a request\n"};
  } else if (line->method != "GET" && line->method != "HEAD") {
    answer = {405, "text/plain", "GET and HEAD alone\n"};
  } else {
    answer = find(line->path);
  }
  connection.write(head_of(answer));
  if (!line || line->method != "HEAD") {
    connection.write(answer.body);
  }
  ::shutdown(fd, SHUT_WR);
}

}  // namespace isoscope::sink
