// SPDX-License-Identifier: Apache-2.0
#include "sink/metrics_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <thread>

#include "sink_samples.h"

namespace isoscope::sink {
namespace {

using samples::Scratch;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

std::unique_ptr<MetricsServer> serve(const std::string& address) {
  auto server = MetricsServer::create(address);
  if (!server) {
    throw std::runtime_error(server.error().message);
  }
  return std::move(*server);
}

base::UniqueFd connect_to(const std::string& address) {
  base::UniqueFd fd;
  int done = -1;
  if (address.starts_with("unix:")) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::strncpy(name.sun_path, address.c_str() + 5, sizeof(name.sun_path) - 1);
    fd.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    done = ::connect(fd.get(), reinterpret_cast<sockaddr*>(&name), sizeof(name));
  } else {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    name.sin_port = ::htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
    fd.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    done = ::connect(fd.get(), reinterpret_cast<sockaddr*>(&name), sizeof(name));
  }
  if (done != 0) {
    fd.reset();
  }
  return fd;
}

// The whole answer, with its head.
std::string answer_to(const std::string& address, const std::string& request) {
  const base::UniqueFd fd = connect_to(address);
  if (!fd || ::write(fd.get(), request.data(), request.size()) < 0) {
    return "no connection";
  }
  std::string answer;
  char buffer[4096];
  for (ssize_t got = 0; (got = ::read(fd.get(), buffer, sizeof(buffer))) > 0;) {
    answer.append(buffer, static_cast<std::size_t>(got));
  }
  return answer;
}

std::string get(const std::string& address, const std::string& path) {
  return answer_to(address, "GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n");
}

TEST(MetricsServer, ServesWhatWasPublishedLast) {
  const auto server = serve("127.0.0.1:0");
  EXPECT_THAT(get(server->address(), "/metrics"), StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(get(server->address(), "/readyz"), StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(get(server->address(), "/healthz"), StartsWith("HTTP/1.1 200"));
  server->publish("isoscope_a 1\n");
  server->publish("isoscope_a 2\n");
  const std::string answer = get(server->address(), "/metrics");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(answer, HasSubstr("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
  EXPECT_TRUE(answer.ends_with("\r\n\r\nisoscope_a 2\n")) << answer;
  EXPECT_THAT(get(server->address(), "/readyz"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(get(server->address(), "/etc/passwd"), StartsWith("HTTP/1.1 404"));
}

TEST(MetricsServer, AnswersWhatScrapersSend) {
  const auto server = serve("127.0.0.1:0");
  server->publish("isoscope_a 1\n");
  const std::string& address = server->address();
  EXPECT_TRUE(get(address, "/metrics?x=/healthz").ends_with("\r\n\r\nisoscope_a 1\n"));
  const std::string head = answer_to(address, "HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(head, HasSubstr("Content-Length: 13\r\n"));
  EXPECT_TRUE(head.ends_with("\r\n\r\n")) << head;
  EXPECT_THAT(answer_to(address, "POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"),
              AllOf(StartsWith("HTTP/1.1 405 Method Not Allowed\r\n"), HasSubstr("Allow: GET, HEAD\r\n")));
}

TEST(MetricsServer, WhatIsNoRequestIsRefused) {
  const auto server = serve("127.0.0.1:0");
  for (const std::string& request :
       {std::string("GET / HTTP/1.1\r\n no header\r\n\r\n"), std::string("GET /metrics NONSENSE\r\n\r\n"),
        "GET /" + std::string(std::size_t{16} << 10, 'a') + " HTTP/1.1\r\n\r\n"}) {
    EXPECT_THAT(answer_to(server->address(), request), Not(StartsWith("HTTP/1.1 2")))
        << request.substr(0, 40);
  }
  EXPECT_THAT(get(server->address(), "/healthz"), StartsWith("HTTP/1.1 200"));
}

// The end of what `fd` reads: true where the other side has hung up.
bool is_hung_up_on(const base::UniqueFd& fd) {
  char buffer[4096];
  ssize_t got = 0;
  while ((got = ::read(fd.get(), buffer, sizeof(buffer))) > 0) {
  }
  return got == 0 || errno == ECONNRESET;
}

TEST(MetricsServer, WhoSendsNothingIsDroppedAndTheNextIsServed) {
  const auto server = serve("127.0.0.1:0");
  const base::UniqueFd silent = connect_to(server->address());
  ASSERT_TRUE(silent);
  EXPECT_THAT(get(server->address(), "/healthz"), StartsWith("HTTP/1.1 200"));
  EXPECT_TRUE(is_hung_up_on(silent));
}

TEST(MetricsServer, WhoNeverFinishesDoesNotKeepTheAgent) {
  auto server = serve("127.0.0.1:0");
  const base::UniqueFd slow = connect_to(server->address());
  ASSERT_TRUE(slow);
  std::atomic<bool> over = false;
  std::thread dripping([&] {
    const char byte = 'G';
    while (!over && ::send(slow.get(), &byte, 1, MSG_NOSIGNAL) == 1) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  });
  server.reset();  // at once, whatever is half-read
  over = true;
  dripping.join();
}

TEST(MetricsServer, ALineWithoutAnEndIsCutOff) {
  const auto server = serve("127.0.0.1:0");
  const base::UniqueFd endless = connect_to(server->address());
  ASSERT_TRUE(endless);
  const std::string much(std::size_t{1} << 20, 'a');
  std::size_t sent = 0;
  for (ssize_t done = 0; sent < 64 * much.size(); sent += static_cast<std::size_t>(done)) {
    done = ::send(endless.get(), much.data(), much.size(), MSG_NOSIGNAL);
    if (done <= 0) {
      break;
    }
  }
  EXPECT_LT(sent, 64 * much.size()) << "all of it was taken";
  EXPECT_TRUE(is_hung_up_on(endless));
  EXPECT_THAT(get(server->address(), "/healthz"), StartsWith("HTTP/1.1 200"));
}

TEST(MetricsServer, LeavesTheSocketsOfOthers) {
  const Scratch scratch;
  const std::string path = scratch.path() + ".datagrams";
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  path.copy(name.sun_path, sizeof(name.sun_path) - 1);
  const base::UniqueFd others(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::bind(others.get(), reinterpret_cast<sockaddr*>(&name), sizeof(name)), 0);
  EXPECT_FALSE(MetricsServer::create("unix:" + path));
  struct stat status {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0) << "it is still there";
  ::unlink(path.c_str());
}

TEST(MetricsServer, APortThatIsTakenIsRefused) {
  const auto server = serve("127.0.0.1:0");
  const auto second = MetricsServer::create(server->address());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().message, "cannot listen on " + server->address() + ": Address already in use");
}

TEST(MetricsServer, IsGoneWithItsObject) {
  std::string address;
  {
    const auto server = serve("127.0.0.1:0");
    address = server->address();
  }
  EXPECT_EQ(get(address, "/healthz"), "no connection");
}

TEST(MetricsServer, OnAUnixSocket) {
  const Scratch scratch;
  const std::string path = scratch.path() + ".sock";
  const std::string address = "unix:" + path;
  {
    const auto server = serve(address);
    server->publish("isoscope_a 1\n");
    EXPECT_THAT(get(address, "/metrics"), HasSubstr("isoscope_a 1\n"));
    struct stat status {};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0660U);
    const auto second = MetricsServer::create(address);
    ASSERT_FALSE(second);
    EXPECT_THAT(second.error().message, HasSubstr("Address already in use"));
    EXPECT_THAT(get(address, "/metrics"), HasSubstr("isoscope_a 1\n")) << "and the first is as it was";
  }
  EXPECT_NE(::access(path.c_str(), F_OK), 0);
}

TEST(MetricsServer, ASocketThatWasLeftIsReplacedAndAFileIsNot) {
  const Scratch scratch;
  const std::string path = scratch.path() + ".sock";
  {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::strncpy(name.sun_path, path.c_str(), sizeof(name.sun_path) - 1);
    const base::UniqueFd left(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::bind(left.get(), reinterpret_cast<sockaddr*>(&name), sizeof(name)), 0);
  }
  EXPECT_THAT(get("unix:" + path, "/healthz"), "no connection");
  EXPECT_TRUE(MetricsServer::create("unix:" + path));
  const auto file = MetricsServer::create("unix:" + scratch.path());
  ASSERT_FALSE(file);
  EXPECT_THAT(file.error().message, HasSubstr("File exists"));
  const auto nowhere = MetricsServer::create("unix:/nonexistent/metrics.sock");
  ASSERT_FALSE(nowhere);
  EXPECT_THAT(nowhere.error().message, HasSubstr("the folder /nonexistent is not there"));
}

TEST(MetricsServer, EachWindowIsServed) {
  auto output = open_listener("127.0.0.1:0");
  ASSERT_TRUE(output);
  const std::string address = output->path();
  const base::WallClock clock(samples::offset_ns);
  Settings settings;
  settings.version = "0.1.0";
  const auto sink = make_sink(config::Format::prom, std::move(*output), clock, settings);
  sink->take(samples::window());
  EXPECT_THAT(get(address, "/metrics"), HasSubstr("\nisoscope_build_info{version=\"0.1.0\"} 1\n"));
  EXPECT_TRUE(sink->output().reopen());
  EXPECT_EQ(sink->output().path(), address);
  EXPECT_FALSE(sink->output().closed());
}

}  // namespace
}  // namespace isoscope::sink
