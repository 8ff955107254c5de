// SPDX-License-Identifier: Apache-2.0
#include "sink/metrics_server.h"

#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <functional>
#include <mutex>
#include <thread>

#include "base/capabilities.h"
#include "base/text.h"
#include "base/unique_fd.h"
#include "config/values.h"
#include "sink/bounded_server.h"

namespace isoscope::sink {

namespace {

using base::Error;
using base::Result;

constexpr std::chrono::seconds longest_end = BoundedServer::longest_exchange + std::chrono::seconds{1};
constexpr const char* text_format = "text/plain; version=0.0.4; charset=utf-8";
constexpr int any_number = 80;  // the library wants a port, for a unix socket too

// Requests are answered where they were accepted.
class InPlace final : public httplib::TaskQueue {
 public:
  void enqueue(std::function<void()> task) override { task(); }
  void shutdown() override {}
};

Error cannot_listen(const std::string& address, const std::string& why) {
  return {base::ErrorKind::failure, fmt::format("cannot listen on {}: {}", base::printable(address), why)};
}

// A socket that an earlier run has left is in the way of bind(). 0, or errno.
int clear_socket(const std::string& path) {
  sockaddr_un name{};
  if (path.size() >= sizeof(name.sun_path)) {
    return ENAMETOOLONG;
  }
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) {
    return errno == ENOENT ? 0 : errno;
  }
  if (!S_ISSOCK(status.st_mode)) {
    return EEXIST;
  }
  name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path, path.data(), path.size());
  const base::UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const void* const any = &name;
  if (!probe) {
    return errno;
  }
  // Of whatever kind it is: only one that nobody listens at refuses.
  if (::connect(probe.get(), static_cast<const sockaddr*>(any), sizeof(name)) == 0 || errno != ECONNREFUSED) {
    return EADDRINUSE;
  }
  return ::unlink(path.c_str()) == 0 ? 0 : errno;
}

}  // namespace

struct MetricsServer::State {
  BoundedServer server;
  std::string address;
  std::string socket_path;  // empty: TCP
  std::mutex mutex;
  std::string exposition;  // under the mutex
  std::atomic<bool> ended = false;
  std::thread thread;

  void answer(httplib::Response& response) {
    const std::lock_guard lock(mutex);
    if (exposition.empty()) {
      response.status = 503;
      response.set_content("no window has ended yet\n", "text/plain");
    } else {
      response.set_content(exposition, text_format);
    }
  }

  bool is_ready() {
    const std::lock_guard lock(mutex);
    return !exposition.empty();
  }

  void set_up() {
    server.new_task_queue = [] { return new InPlace; };
    server.set_payload_max_length(BoundedServer::most_request_bytes);
    // The library's own choice, SO_REUSEPORT, would let two agents share a port.
    server.set_socket_options([](int fd) {
      const int yes = 1;
      ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    });
    server.Get("/metrics", [this](const httplib::Request&, httplib::Response& out) { answer(out); });
    server.Get("/healthz", [](const httplib::Request&, httplib::Response& out) {
      out.set_content("ok\n", "text/plain");
    });
    server.Get("/readyz", [this](const httplib::Request&, httplib::Response& out) {
      const bool ready = is_ready();
      out.status = ready ? 200 : 503;
      out.set_content(ready ? "ok\n" : "no window has ended yet\n", "text/plain");
    });
  }

  int bind(const config::Listen& where) {
    if (where.path.empty()) {
      int port = where.port;
      errno = 0;
      if (port == 0) {
        port = server.bind_to_any_port(where.host);
      } else if (!server.bind_to_port(where.host, port)) {
        port = -1;
      }
      if (port <= 0) {
        return errno == 0 ? EADDRNOTAVAIL : errno;
      }
      address = fmt::format(
          "{}:{}", where.host.find(':') == std::string::npos ? where.host : fmt::format("[{}]", where.host),
          port);
      return 0;
    }
    if (const int error = clear_socket(where.path); error != 0) {
      return error;
    }
    server.set_address_family(AF_UNIX);
    const mode_t before = ::umask(0117);
    errno = 0;
    const bool done = server.bind_to_port(where.path, any_number);
    const int error = errno;
    ::umask(before);
    if (!done) {
      return error == 0 ? EADDRNOTAVAIL : error;
    }
    socket_path = where.path;
    return 0;
  }

  // Signals are for the thread that has the signalfd: delivered here, they would end the process.
  static void start(const std::shared_ptr<State>& state) {
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    state->thread = std::thread([state] {
      // Who talks to the network needs none. Where they cannot be dropped, the main thread's attempt will say
      // so.
      static_cast<void>(base::keep_capabilities({}));
      state->server.listen_after_bind();
      state->ended = true;
    });
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    while (!state->server.is_running() && !state->ended) {  // stop() before that would be forgotten
      std::this_thread::yield();
    }
  }
};

MetricsServer::MetricsServer(std::shared_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<MetricsServer>> MetricsServer::create(const std::string& address) {
  const Result<config::Listen> where = config::parse_listen(address);
  if (!where) {
    return cannot_listen(address, where.error().message);
  }
  auto state = std::make_shared<State>();
  state->address = address;
  state->set_up();
  if (const int error = state->bind(*where); error != 0) {
    return cannot_listen(address, base::errno_text(error));
  }
  State::start(state);
  return std::unique_ptr<MetricsServer>(new MetricsServer(std::move(state)));
}

MetricsServer::~MetricsServer() {
  state_->server.stop();
  // A request that is being answered may take as long as one may take.
  constexpr std::chrono::milliseconds step{10};
  for (std::chrono::milliseconds waited{0}; !state_->ended && waited < longest_end; waited += step) {
    std::this_thread::sleep_for(step);
  }
  if (state_->ended) {
    state_->thread.join();
  } else {
    state_->thread.detach();  // what it uses is its own, too
  }
  if (!state_->socket_path.empty()) {
    ::unlink(state_->socket_path.c_str());
  }
}

void MetricsServer::publish(std::string_view exposition) {
  const std::lock_guard lock(state_->mutex);
  state_->exposition = exposition;
}

const std::string& MetricsServer::address() const {
  return state_->address;
}

}  // namespace isoscope::sink
