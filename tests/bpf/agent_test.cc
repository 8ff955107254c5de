// SPDX-License-Identifier: Apache-2.0
// The program itself. userspace/agent/privileges.cc: what is left of its capabilities when everything is
// attached (that kvm can be attached with them is tested in the vm tier, kvm_modules); and how a run ends.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "agent_capabilities.h"
#include "live.h"
#include "process.h"

namespace isoscope::live {
namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::uint64_t set_of(const fs::path& status, const std::string& name) {
  const std::string text = text_of(status);
  const std::size_t at = text.find(name + ":\t");
  return at == std::string::npos ? ~std::uint64_t{0}
                                 : std::stoull(text.substr(at + name.size() + 2), nullptr, 16);
}

// Of what this process has: what it starts cannot have more.
std::uint64_t of_ours(const std::vector<unsigned>& capabilities) {
  std::uint64_t set = 0;
  for (const unsigned one : capabilities) {
    set |= std::uint64_t{1} << one;
  }
  return set & set_of("/proc/self/status", "CapPrm");
}

std::uint64_t kept() {
  return of_ours(agent_capabilities);
}

// The program itself, in a folder of its own.
class Agent : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto missing = missing_for_bpf()) {
      GTEST_SKIP() << *missing;
    }
    std::string name = "/tmp/isoscope_agent_XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override {
    if (process_ > 0) {
      ::kill(process_, SIGKILL);
      ::waitpid(process_, nullptr, 0);
    }
    if (!folder_.empty()) {
      fs::remove_all(folder_);
    }
  }

  void start(const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {ISOSCOPE_PROGRAM, "run", "-v", "-o", records()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    std::vector<char*> argv;
    for (std::string& argument : arguments) {
      argv.push_back(argument.data());
    }
    argv.push_back(nullptr);
    const std::string messages = folder_ / "messages";
    process_ = ::fork();
    if (process_ == 0) {
      const int to = ::open(messages.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
      ::dup2(to, STDERR_FILENO);
      ::execv(argv[0], argv.data());
      ::_exit(127);
    }
    // Capabilities go when everything is attached: what says so comes just before.
    ASSERT_TRUE(eventually([&] { return text_of(messages).find("isoscope: tracing") != std::string::npos; }))
        << text_of(messages);
  }

  fs::path records() const { return folder_ / "records.ndjson"; }
  fs::path threads() const { return fs::path("/proc") / std::to_string(process_) / "task"; }
  fs::path status() const { return threads() / std::to_string(process_) / "status"; }

  fs::path folder_;
  pid_t process_ = 0;
};

TEST_F(Agent, KeepsTheCapabilitiesThatItNeedsToTheEnd) {
  ASSERT_NO_FATAL_FAILURE(start({"--listen", "unix:" + (folder_ / "metrics").string()}));
  EXPECT_TRUE(eventually([&] { return set_of(status(), "CapEff") == kept(); })) << text_of(status());
  EXPECT_EQ(set_of(status(), "CapPrm"), kept());
  EXPECT_EQ(set_of(status(), "CapInh"), 0U);
  // Capabilities are of threads: the one that talks to scrapers has none.
  std::size_t others = 0;
  for (const fs::directory_entry& thread : fs::directory_iterator(threads())) {
    if (thread.path().filename() != std::to_string(process_)) {
      EXPECT_EQ(set_of(thread.path() / "status", "CapPrm"), 0U);
      ++others;
    }
  }
  EXPECT_EQ(others, 1U);
}

// With what is left, after what a reload does.
TEST_F(Agent, StillOpensItsFilesAnew) {
  if (of_ours({CAP_DAC_OVERRIDE}) == 0) {
    GTEST_SKIP() << "NOT RUN, CAP_DAC_OVERRIDE missing: the folder of another user is closed to us";
  }
  ASSERT_EQ(::chown(folder_.c_str(), 1, 1), 0);
  ASSERT_EQ(::chmod(folder_.c_str(), 0700), 0);
  ASSERT_NO_FATAL_FAILURE(start({"-i", "100ms"}));
  // Root's for a user: files there cannot be made otherwise.
  EXPECT_TRUE(eventually([&] {
    return set_of(status(), "CapEff") == (kept() | of_ours({CAP_DAC_OVERRIDE}));
  })) << text_of(status());
  fs::rename(records(), folder_ / "moved");
  ::kill(process_, SIGHUP);
  EXPECT_TRUE(eventually([&] { return !text_of(records()).empty(); }));
  ::kill(process_, SIGTERM);
  int ended = -1;
  ::waitpid(process_, &ended, 0);
  process_ = 0;
  EXPECT_EQ(ended, 0);
  EXPECT_NE(text_of(records()).find("\"final\":true"), std::string::npos);
}

// A run as long as its interval has one window, and not one more of some milliseconds, whose rates mean
// nothing.
TEST_F(Agent, EndsWithAWholeWindow) {
  ASSERT_NO_FATAL_FAILURE(start({"-i", "1s", "-d", "1s"}));
  int status = 0;
  ASSERT_GT(::waitpid(std::exchange(process_, 0), &status, 0), 0);
  EXPECT_EQ(status, 0);
  std::istringstream lines(text_of(records()));
  std::size_t ledgers = 0;
  for (std::string line; std::getline(lines, line);) {
    ledgers += line.find(R"("type":"ledger")") != std::string::npos ? 1U : 0U;
  }
  EXPECT_EQ(ledgers, 2U) << "that of the window, and that of the run";
}

}  // namespace
}  // namespace isoscope::live
