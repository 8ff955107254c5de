// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace isoscope::sink {

struct HttpAnswer {
  int status = 200;  // 200, 404 or 503
  const char* content_type = "text/plain";
  std::string body;
};

// What one client may cost. Who asks for more, or takes longer, is left without an answer.
inline constexpr std::size_t most_request_bytes = std::size_t{8} << 10;
inline constexpr std::chrono::seconds longest_exchange{3};  // from the first byte to the last

// Whether `fd` is ready for `events` of poll(2), before the time is over and before `stop` becomes readable.
bool wait_for(int fd, short events, std::chrono::milliseconds longest, int stop);

// Takes one request (HTTP/1.0 or 1.1: GET or HEAD, bodies are not read) from a connection that does not
// block, and answers with what `find` has for its path. Other methods get 405, what is no request 400. The
// connection is at its end then.
void exchange(int connection, int stop, const std::function<HttpAnswer(std::string_view path)>& find);

}  // namespace isoscope::sink
