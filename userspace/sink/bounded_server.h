// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <httplib.h>

#include <chrono>

namespace isoscope::sink {

// The library's server with bounds for what one client may cost: lines of a request have no limit in Debian
// 12's version, and each byte begins its time-out anew. One request for each connection.
class BoundedServer final : public httplib::Server {
 public:
  static constexpr std::size_t most_request_bytes = std::size_t{8} << 10;
  static constexpr std::chrono::seconds longest_exchange{
      3};  // from the first byte asked for to the last sent

 private:
  bool process_and_close_socket(socket_t socket) override;
};

}  // namespace isoscope::sink
