// SPDX-License-Identifier: Apache-2.0
#include "sink/bounded_server.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <string>

namespace isoscope::sink {

namespace {

using Clock = std::chrono::steady_clock;

// A request and its answer.
class Exchange final : public httplib::Stream {
 public:
  explicit Exchange(int fd) : fd_(fd), end_(Clock::now() + BoundedServer::longest_exchange) {}

  bool is_readable() const override { return wait_for(POLLIN); }
  bool is_writable() const override { return wait_for(POLLOUT); }
  ssize_t read(char* bytes, std::size_t size) override {
    size = std::min(size, left_bytes_);
    if (size == 0 || !is_readable()) {
      return -1;
    }
    const ssize_t got = ::recv(fd_, bytes, size, MSG_DONTWAIT);
    left_bytes_ -= got > 0 ? static_cast<std::size_t>(got) : 0;
    return got;
  }
  ssize_t write(const char* bytes, std::size_t size) override {
    return is_writable() ? ::send(fd_, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL) : -1;
  }
  // Nobody asks who it was.
  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  socket_t socket() const override { return fd_; }

 private:
  bool wait_for(short event) const {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end_ - Clock::now());
    pollfd waited{fd_, event, 0};
    return left.count() > 0 && ::poll(&waited, 1, static_cast<int>(left.count())) == 1;
  }

  int fd_;
  Clock::time_point end_;
  std::size_t left_bytes_ = BoundedServer::most_request_bytes;
};

}  // namespace

bool BoundedServer::process_and_close_socket(socket_t socket) {
  Exchange exchange(socket);
  bool is_closed = false;
  const bool done = process_request(exchange, true, is_closed, nullptr);
  ::shutdown(socket, SHUT_RDWR);
  ::close(socket);
  return done;
}

}  // namespace isoscope::sink
