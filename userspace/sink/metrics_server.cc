// SPDX-License-Identifier: Apache-2.0
#include "sink/metrics_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <utility>

#include "base/capabilities.h"
#include "base/text.h"
#include "base/unique_fd.h"
#include "config/values.h"

namespace isoscope::sink {

namespace {

using base::Error;
using base::Result;
using base::UniqueFd;

constexpr const char* text_format = "text/plain; version=0.0.4; charset=utf-8";
constexpr int waiting_connections = 16;
constexpr unsigned most_connections = 8;
constexpr unsigned longest_silence_s = 3;
// A request's head and an answer's have to fit; bodies of requests are not read.
constexpr std::size_t most_connection_bytes = std::size_t{8} << 10;

using Text = std::shared_ptr<const std::string>;

struct Answer {
  unsigned status = MHD_HTTP_OK;
  const char* content_type = "text/plain";
  Text body;
};

Answer say(unsigned status, std::string_view text) {
  return {status, "text/plain", std::make_shared<const std::string>(text)};
}

// What the library says is of clients that went away, or sent what is no request.
void ignore_message(void* /*nothing*/, const char* /*format*/, std::va_list /*values*/) {}

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
  const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
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

// A socket that listens there; else errno.
struct Listener {
  UniqueFd fd;
  int error = 0;
};

Listener failed() {
  return {UniqueFd{}, errno};
}

Listener listen_on_path(const std::string& path) {
  if (const int error = clear_socket(path); error != 0) {
    return {UniqueFd{}, error};
  }
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path, path.data(), path.size());
  const void* const any = &name;
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const mode_t before = ::umask(0117);
  const bool is_bound = fd && ::bind(fd.get(), static_cast<const sockaddr*>(any), sizeof(name)) == 0;
  const int error = errno;
  ::umask(before);
  if (!is_bound) {
    return {UniqueFd{}, error};
  }
  return ::listen(fd.get(), waiting_connections) == 0 ? Listener{std::move(fd)} : failed();
}

// Of this host alone: 127.0.0.1 or ::1.
Listener listen_on_port(const config::Listen& where) {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(where.port);
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(where.port);
  const bool is_v4 = ::inet_pton(AF_INET, where.host.c_str(), &v4.sin_addr) == 1;
  if (!is_v4 && ::inet_pton(AF_INET6, where.host.c_str(), &v6.sin6_addr) != 1) {
    return {UniqueFd{}, EADDRNOTAVAIL};
  }
  const void* const name = is_v4 ? static_cast<const void*>(&v4) : &v6;
  const socklen_t size = is_v4 ? sizeof(v4) : sizeof(v6);
  UniqueFd fd(::socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // So that a start soon after an end finds the port free. SO_REUSEPORT would let two agents share it.
  const int yes = 1;
  if (!fd || ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) != 0 ||
      ::bind(fd.get(), static_cast<const sockaddr*>(name), size) != 0 ||
      ::listen(fd.get(), waiting_connections) != 0) {
    return failed();
  }
  return {std::move(fd)};
}

// The port is at the same place in both kinds of names.
std::uint16_t port_of(const UniqueFd& fd) {
  sockaddr_in6 name{};
  socklen_t size = sizeof(name);
  void* const any = &name;
  return ::getsockname(fd.get(), static_cast<sockaddr*>(any), &size) == 0 ? ntohs(name.sin6_port) : 0;
}

}  // namespace

struct MetricsServer::State {
  MHD_Daemon* daemon = nullptr;  // has the listening socket, and its thread
  std::string address;
  std::string socket_path;  // empty: TCP
  std::mutex mutex;
  Text exposition;  // under the mutex; null: there is none yet
  int error = 0;    // of the start, as errno

  Answer find(std::string_view path) {
    if (path == "/healthz") {
      return say(MHD_HTTP_OK, "ok\n");
    }
    if (path != "/metrics" && path != "/readyz") {
      return say(MHD_HTTP_NOT_FOUND, "there are /metrics, /healthz and /readyz\n");
    }
    const std::lock_guard lock(mutex);
    if (exposition == nullptr) {
      return say(MHD_HTTP_SERVICE_UNAVAILABLE, "no window has ended yet\n");
    }
    return path == "/metrics" ? Answer{MHD_HTTP_OK, text_format, exposition} : say(MHD_HTTP_OK, "ok\n");
  }

  // The text is shared: who reads slowly keeps no copy of his own.
  static MHD_Response* respond(const Text& text) {
    auto owner = std::make_unique<Text>(text);
    // The library only reads it.
    void* const bytes = const_cast<char*>(text->data());  // NOLINT(cppcoreguidelines-pro-type-const-cast)
    MHD_Response* const response = MHD_create_response_from_buffer_with_free_callback_cls(
        text->size(), bytes, [](void* shared) { delete static_cast<Text*>(shared); }, owner.get());
    if (response != nullptr) {
      static_cast<void>(owner.release());  // its now
    }
    return response;
  }

  // Called when the head of a request has been read; what is sent after it is not.
  static MHD_Result answer(void* state, MHD_Connection* connection, const char* path, const char* method,
                           const char* /*version*/, const char* /*body*/, std::size_t* /*body_size*/,
                           void** /*request*/) try {
    const std::string_view asked(method);
    const bool is_read = asked == MHD_HTTP_METHOD_GET || asked == MHD_HTTP_METHOD_HEAD;
    const Answer found = is_read ? static_cast<State*>(state)->find(path)
                                 : say(MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
    MHD_Response* const response = respond(found.body);
    if (response == nullptr) {
      return MHD_NO;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, found.content_type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    if (!is_read) {
      MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    }
    const MHD_Result queued = MHD_queue_response(connection, found.status, response);
    MHD_destroy_response(response);
    return queued;
  } catch (const std::bad_alloc&) {  // must not pass through the library
    return MHD_NO;
  }

  // Its thread inherits the signal mask and the capabilities of the one that starts it, and needs neither:
  // signals are for the thread that has the signalfd, and delivered here would end the process; who talks to
  // the network needs no capability.
  void start(int listener) try {
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    std::thread([this, listener] {
      // Where they cannot be dropped, the main thread's attempt will say so.
      static_cast<void>(base::keep_capabilities({}));
      daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ERROR_LOG, 0,
                                nullptr, nullptr, &answer, this, MHD_OPTION_LISTEN_SOCKET, listener,
                                MHD_OPTION_CONNECTION_LIMIT, most_connections, MHD_OPTION_CONNECTION_TIMEOUT,
                                longest_silence_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT, most_connection_bytes,
                                MHD_OPTION_EXTERNAL_LOGGER, &ignore_message, nullptr, MHD_OPTION_END);
      error = errno;
    }).join();
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  } catch (const std::system_error& none) {  // no thread could be made
    error = none.code().value();
  }
};

MetricsServer::MetricsServer(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<MetricsServer>> MetricsServer::create(const std::string& address) {
  const Result<config::Listen> where = config::parse_listen(address);
  if (!where) {
    return cannot_listen(address, where.error().message);
  }
  Listener listener = where->path.empty() ? listen_on_port(*where) : listen_on_path(where->path);
  if (!listener.fd) {
    const std::size_t slash = where->path.rfind('/');
    return cannot_listen(address, listener.error == ENOENT && slash != std::string::npos
                                      ? fmt::format("the folder {} is not there",
                                                    base::printable(where->path.substr(0, slash)))
                                      : base::errno_text(listener.error));
  }
  auto state = std::make_unique<State>();
  state->socket_path = where->path;
  state->address = address;
  if (where->path.empty()) {
    const bool is_v6 = where->host.find(':') != std::string::npos;
    state->address =
        fmt::format("{}:{}", is_v6 ? fmt::format("[{}]", where->host) : where->host, port_of(listener.fd));
  }
  state->start(listener.fd.get());
  if (state->daemon == nullptr) {
    if (!where->path.empty()) {
      ::unlink(where->path.c_str());
    }
    return cannot_listen(address, base::errno_text(state->error));
  }
  listener.fd.release();
  return std::unique_ptr<MetricsServer>(new MetricsServer(std::move(state)));
}

// Connections are closed, whatever stands half-read or half-written.
MetricsServer::~MetricsServer() {
  MHD_stop_daemon(state_->daemon);
  if (!state_->socket_path.empty()) {
    ::unlink(state_->socket_path.c_str());
  }
}

void MetricsServer::publish(std::string_view exposition) {
  auto text = std::make_shared<const std::string>(exposition);
  const std::lock_guard lock(state_->mutex);
  state_->exposition = std::move(text);
}

const std::string& MetricsServer::address() const {
  return state_->address;
}

}  // namespace isoscope::sink
