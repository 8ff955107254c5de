// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace isoscope::sink {

// Serves what was published last over HTTP, to this host alone:
//
//   /metrics   the exposition; 503 before there is one
//   /healthz   200
//   /readyz    200 once there is an exposition, else 503
//
// From a thread of its own (libmicrohttpd's): a scraper that reads slowly must not keep the agent from its
// rings. Eight connections at a time, 8 KiB for each; who is silent for 3 s is dropped, and every answer is a
// connection's last.
class MetricsServer {
 public:
  // `address` as config::parse_listen() takes it; port 0 is one that is free. Error: failure, with address
  // and reason. A unix socket is made with mode 0660, in place of one that nobody listens at.
  static base::Result<std::unique_ptr<MetricsServer>> create(const std::string& address);

  MetricsServer(const MetricsServer&) = delete;
  MetricsServer& operator=(const MetricsServer&) = delete;
  // Ends the thread, requests that are being answered too, and takes the unix socket away.
  ~MetricsServer();

  void publish(std::string_view exposition);
  // Where it can be reached, with the port that was found.
  const std::string& address() const;

 private:
  struct State;
  explicit MetricsServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;  // with its thread
};

}  // namespace isoscope::sink
